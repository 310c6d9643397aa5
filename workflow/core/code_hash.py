"""Which code a process runs: the source of each module of the project as it was when it was imported.

Hashed is what is executed: comments, docstrings and layout change nothing, nor does a module that is not imported.
"""

import ast
import copy
import functools
import hashlib
import importlib.abc
import importlib.metadata
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import workflow

LIBRARIES = [
    "torch",
    "torchvision",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmdetection",
    "pycocotools",
    "pycocoevalcap",
    "numpy",
]
PROJECT = Path(workflow.__file__).parent.parent
sources: dict[str, bytes] = {}  # of this process: file, relative to the project, to its content when it was loaded


def libraries() -> dict[str, str]:
    """The versions of what the numbers depend on."""
    return {name: importlib.metadata.version(name) for name in LIBRARIES}


class Watch(importlib.abc.MetaPathFinder):
    """Finds nothing, but is asked for each module just before it is loaded."""

    def find_spec(self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None) -> None:
        """Python's hook point."""
        remember_module(name)


def watch() -> None:
    """Remember the source of all modules of the project: of those that are imported already, now."""
    if not any(isinstance(finder, Watch) for finder in sys.meta_path):
        sys.meta_path.insert(0, Watch())
    for name, module in list(sys.modules.items()):
        remember_module(getattr(getattr(module, "__spec__", None), "name", name))


def remember_module(name: str) -> None:
    """A module, if it is the project's: not a library's, not the tests'."""
    parts = name.split(".")
    if is_room(parts[0]):
        file = PROJECT.joinpath(*parts)
        remember(file / "__init__.py" if file.is_dir() else file.with_suffix(".py"))


@functools.cache
def is_room(name: str) -> bool:
    """Whether a package of this name is the project's."""
    return (PROJECT / name / "__init__.py").is_file()


def remember(file: Path) -> None:
    """A file of the project that is executed, as it is now."""
    name = file.relative_to(PROJECT).as_posix()
    if name not in sources and file.is_file():
        sources[name] = file.read_bytes()


def config(file: Path) -> Any:
    """A mmengine config, which is executed and not imported, and so are those of ours that it is based on."""
    for path in based_on(file):
        remember(path)
    return copy.deepcopy(_parsed(file))


@functools.cache
def _parsed(file: Path) -> Any:
    from mmengine.config import Config

    return Config.fromfile(file)  # for a base of mmdet's it reads mmdet's whole index, 102 files


def based_on(file: Path) -> Iterator[Path]:
    """A config's file and those below it; a library's own (mmdet::...) counts by its version."""
    yield file
    for node in ast.parse(file.read_bytes()).body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "_base_":
            value = ast.literal_eval(node.value)
            for name in [value] if isinstance(value, str) else value:
                if "::" not in name:
                    yield from based_on(file.parent / name)


def hashes() -> dict[str, str]:
    """File to the hash of what is executed of it: the beginning, which tells versions of one file apart."""
    watch()
    return {name: executed(content)[:16] for name, content in sorted(sources.items())}


def edited(known: dict[str, str]) -> list[str]:
    """Which of these files are something else now than when they had these hashes."""
    return [name for name, value in known.items() if now(PROJECT / name) != value]


def now(file: Path) -> str:
    """The hash of a file as it is on the disk; empty if it is not there."""
    try:
        return executed(file.read_bytes())[:16]
    except OSError:
        return ""


@functools.cache
def executed(source: bytes) -> str:
    """SHA-256 of a source's syntax tree without docstrings; of its bytes where it is no Python."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):
        return hashlib.sha256(source).hexdigest()
    return hashlib.sha256(repr(plain(tree)).encode()).hexdigest()


def plain(node: Any) -> Any:
    """A syntax tree as tuples. What is empty is left out: the versions of Python differ in that."""
    if isinstance(node, list):
        return [plain(each) for each in node]
    if not isinstance(node, ast.AST):
        return node
    fields = dict(ast.iter_fields(node))
    if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
        fields["body"] = node.body[1:] if ast.get_docstring(node, clean=False) is not None else node.body
    return type(node).__name__, [(key, plain(value)) for key, value in fields.items() if value not in (None, [])]
