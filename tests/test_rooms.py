"""The rooms of the house: who may import whom, and that no two files import each other."""

import ast
from collections import defaultdict
from itertools import product
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[1]
ORDER = (  # each may import those before it
    *("workflow.core", "workflow.contracts", "workflow.registry", "workflow.config", "workflow.data"),
    *("workflow.planning", "workflow.training", "workflow.reporting", "backbones"),
    *("workflow.cli", "workflow.__main__"),
)
TASKS = sorted(path.parent.name for path in PROJECT.glob("*/task.py"))
FILES = sorted(path for name in ("workflow", "backbones", *TASKS) for path in (PROJECT / name).rglob("*.py"))


def name_of(path: Path) -> str:
    return ".".join(path.relative_to(PROJECT).with_suffix("").parts).removesuffix(".__init__")


MODULES = {name_of(path): path for path in FILES}


def imported(path: Path) -> set[str]:
    """The modules of the project that a file imports, anywhere in it."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names} | {str(node.module)}
    return found & MODULES.keys() - {name_of(path)}


def room(module: str) -> str:
    first, *rest = module.split(".")
    return f"{first}.{rest[0]}" if first == "workflow" and rest else first


IMPORTS = {name: imported(path) for name, path in MODULES.items()}


def test_all_rooms_are_found():
    assert set(TASKS) >= {"pretrain", "detection", "captioning"}
    assert {room(name) for name in MODULES} == {"workflow", *ORDER, *TASKS}


@pytest.mark.parametrize("place", range(len(ORDER)))
def test_no_arrow_runs_up(place):
    above = {*ORDER[place + 1 :], *TASKS}
    uses = defaultdict(set)
    for name in (name for name in MODULES if room(name) == ORDER[place]):
        for target in IMPORTS[name]:
            uses[room(target)].add((name, target))
    assert {where: pairs for where, pairs in uses.items() if where in above} == {}


def test_rooms_of_tasks_do_not_import_each_other():
    wrong = [(one, target) for one, targets in IMPORTS.items() for target in targets
             if room(one) in TASKS and room(target) in TASKS and room(one) != room(target)]  # fmt: skip
    assert wrong == []


def test_no_two_files_import_each_other():
    mutual = [pair for pair in product(MODULES, MODULES) if pair[0] < pair[1]
              and pair[1] in IMPORTS[pair[0]] and pair[0] in IMPORTS[pair[1]]]  # fmt: skip
    assert mutual == []


def test_no_loose_module_lies_in_workflow():
    files = {"__init__.py", "__main__.py", "cli.py", "registry.py"}
    assert {path.name for path in (PROJECT / "workflow").glob("*.py")} == files
