"""The YAML of a config, read as people write it and not yet checked: by workflow/config/loading.py.

Nothing in it is run, nothing in it can hang: aliases that stand for more than a config can hold are refused.
"""

import json
import math
import re
from collections.abc import Hashable
from pathlib import Path
from typing import Any

import yaml

from workflow.core.errors import UserError
from workflow.core.escaping import printable

LARGEST = 100_000  # values of a config, lest a few lines of aliases stand for billions of them
GROWN = f"its aliases (*name) stand for more than {LARGEST:,} values, or for themselves"


class Loader(yaml.SafeLoader):
    """YAML as people write it: `1e-4` is a number, a duplicate key is an error."""

    def construct_object(self, node: yaml.Node, deep: bool = False) -> Any:
        """As in PyYAML, which lets Python's own errors through: 2024-99-99 is no date."""
        try:
            return super().construct_object(node, deep)
        except (ValueError, KeyError, AttributeError):
            kind, line = node.tag.rpartition(":")[2], node.start_mark.line + 1
            raise UserError(f"{self.name}:{line}: {format_value(node.value)} is no {kind}: put it in quotes") from None

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Hashable, Any]:
        """As in PyYAML, but keys must be text and must not repeat."""
        seen = set()
        for key_node, _ in node.value:
            if key_node.tag == "tag:yaml.org,2002:merge":
                continue
            key, line = self.construct_object(key_node, deep=True), key_node.start_mark.line + 1
            if not isinstance(key, str):
                raise UserError(f"{self.name}:{line}: the key {printable(str(key))} is not text: put it in quotes")
            if key in seen:
                raise UserError(f"{self.name}:{line}: duplicate key '{printable(key)}'")
            seen.add(key)
        return super().construct_mapping(node, deep)


# YAML 1.1 wants a point in `1.0e-4`, and reads `1e-4` as text.
Loader.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"[-+]?[0-9]+(\.[0-9]*)?[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def inline(source: str | Path) -> bool:
    """Is this the text of a config, not the name of its file?"""
    return str(source).lstrip().startswith("{")


def relative(path: str | Path) -> str:
    """The path as a person would write it: Snakemake makes all of them absolute."""
    path = Path(path)
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def load_yaml(source: str | Path) -> dict[str, Any]:
    """One YAML or JSON file, or inline JSON, unchecked; UserError if it is not a mapping or not YAML."""
    name = "--config" if inline(source) else relative(source)
    try:
        loader = Loader(str(source) if inline(source) else Path(source).read_text(encoding="utf-8"))
        loader.name = name
        node = loader.get_single_node()
        if node and size(node) > LARGEST:
            raise UserError(f"{name}: {GROWN}")
        content = loader.construct_document(node) if node else None
    except OSError as error:
        raise UserError(f"{name}: cannot be read: {error.strerror}") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{name}: not UTF-8 text: byte {error.start}: {error.reason}") from None
    except RecursionError:
        raise UserError(f"{name}: nested too deeply") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UserError(f"{name}:{line}: not YAML: {error.problem or error.context}") from None
    except yaml.YAMLError as error:
        raise UserError(f"{name}: not YAML: {' '.join(str(error).split())}") from None
    if not isinstance(content, dict):
        raise UserError(f"{name}: not a mapping of keys to values")
    return content


def size(node: yaml.Node, known: dict[yaml.Node, float] | None = None) -> float:
    """How many values a node stands for, with those of each alias; infinite if it contains itself."""
    known = {} if known is None else known
    if node not in known:
        known[node] = math.inf  # until it is known
        below = node.value if isinstance(node, yaml.CollectionNode) else ()
        parts = [part for each in below for part in (each if isinstance(each, tuple) else (each,))]
        known[node] = 1 + sum(size(part, known) for part in parts)
    return known[node]


def format_value(value: object) -> str:
    """A value in a message: text in quotes, all else as YAML would have it, long things cut."""
    text = f"'{value}'" if isinstance(value, str) else json.dumps(value, default=str)
    text = printable(text[:61])
    return text if len(text) <= 60 else text[:57] + "..."
