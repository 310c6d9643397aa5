"""How long the workflow keeps a person waiting before anything is computed: planning, and a command line's --help."""

import importlib
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import yaml

from tests.bench.row import Measured, Row, alone
from workflow.config.loading import load
from workflow.registry import data_name, task_of, tasks

HOUSE = Path(__file__).parents[2]
ROOMS = sorted({"backbones", "workflow", *(task.folder for task in tasks().values())})


def matrix() -> dict[str, Any]:
    """config/paper.yaml with nine backbones of five seeds each, in pretraining and the four tasks that train on
    data that the demo has too: 225 runs. The data are the demo's drawn ones, which no one has to have."""
    paper, demo = (load(HOUSE / f"config/{name}.yaml") for name in ("paper", "demo"))
    rows = dict(list(paper["backbones"].items())[:9])
    paper["tasks"] = {
        name: section
        for name, section in paper["tasks"].items()
        if task_of(paper, name).kind == "train" and data_name(paper, name) in demo["data"]
    }
    return paper | {"backbones": rows, "data": demo["data"], "seeds": {"pretrain": [*range(5)], "transfer": [0]}}


def planned(folder: Path) -> None:
    """`snakemake -n` of config.yaml in `folder`."""
    call = [sys.executable, "-m", "snakemake", "-n", "-s", str(HOUSE / "Snakefile"), "--configfile", "config.yaml"]
    said = subprocess.run(call, cwd=folder, capture_output=True, text=True, check=True).stdout
    assert "detection             135\n" in said


def planning() -> Measured:
    """In an empty folder: all is to be done."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "config.yaml").write_text(yaml.safe_dump(matrix()), encoding="utf-8")
        return alone(lambda: planned(Path(folder)))


def doors() -> list[str]:
    """What can stand behind `python -m`: modules of `workflow`, rooms, and these with each subcommand."""
    files = sorted((HOUSE / "workflow").rglob("*.py"))
    mains = [file for file in files if '\nif __name__ == "__main__":\n' in file.read_text(encoding="utf-8")]
    found = [".".join(file.relative_to(HOUSE).with_suffix("").parts).removesuffix(".__main__") for file in mains]
    for room in ROOMS:
        found += [room, *(f"{room} {run.__name__}" for run in importlib.import_module(f"{room}.cli").SUBCOMMANDS)]
    return found


def helped(door: str) -> None:
    """Its --help, as a process."""
    subprocess.run([sys.executable, "-m", *door.split(), "--help"], cwd=HOUSE, capture_output=True, check=True)


def start_up() -> Measured:
    """Of the slowest."""
    times = {door: alone(lambda: helped(door)) for door in doors()}  # noqa: B023
    slowest = max(times, key=lambda door: times[door].ours)
    print(f"start_up: the slowest is {slowest}")
    return times[slowest]


ROWS = [
    Row(
        name="planning",
        what="planning: `snakemake -n` of 9 backbones × 5 seeds × 5 tasks",
        reference="–",
        unit="s",
        target=10,
        measure=planning,
    ),
    Row(
        name="start_up",
        what="start-up: `--help` of the slowest command line",
        reference="–",
        unit="s",
        target=1,
        measure=start_up,
    ),
]
