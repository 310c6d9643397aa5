"""The generated tables of the manual: `python -m workflow.reporting.manual` writes them between the marks of a page.

Keys come from the schema of the config (workflow/config/schema.py), regularizers from their classes, and what differs
from the paper from workflow/reporting/tables/choices.yaml and the `report/choices.yaml` of rooms.
tests/workflow/reporting/test_manual.py fails if a page differs from it."""

import argparse
import functools
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow.config.regularizers import declared
from workflow.config.schema import config_schema, dotted
from workflow.core.errors import cli_entry_point
from workflow.reporting.publish import insert
from workflow.reporting.tables.paper_deviations import choices

PROJECT = Path(__file__).parents[2]
CONFIG, DEVIATIONS = PROJECT / "config/README.md", PROJECT / "docs/deviations.md"
KEYS = "| key | type | unit | default | effect |\n|:--|:--|:--|:--|:--|"
PLACES = {
    "image": "image",
    "batch": "batch",
    "feature_transforms": "network",
    "target": "target",
}  # method of a regularizer: where


@functools.cache
def declared_schema() -> dict[str, Any]:
    """The schema of a config whose instances have the names of their types."""
    return config_schema()


def tables() -> Iterator[tuple[Path, str, str]]:
    """(page, name of the table, table) of every generated table."""
    schema = declared_schema()
    yield CONFIG, "top", keys(schema, nested=False)
    yield CONFIG, "resources", keys(schema["properties"]["resources"])
    yield CONFIG, "seeds", keys(schema["properties"]["seeds"])
    yield CONFIG, "data", keys(schema["properties"]["data"], nested=False)
    for name, section in schema["properties"]["data"]["properties"].items():
        yield CONFIG, f"data.{name}", keys(section)
    yield CONFIG, "backbones", keys(schema["properties"]["backbones"]["additionalProperties"])
    yield CONFIG, "regularizers", regularizers()
    yield CONFIG, "pretrain", keys(schema["properties"]["pretrain"])
    yield CONFIG, "tasks", keys(schema["properties"]["tasks"], nested=False)
    for name, section in schema["properties"]["tasks"]["properties"].items():
        yield CONFIG, f"tasks.{name}", keys(section)
    yield DEVIATIONS, "deviations", deviations()


def place(page: Path, name: str) -> None:
    """Give a page an empty section for the table of a task or of a data set that has none: behind the last one of its
    kind."""
    content, kind = page.read_text(encoding="utf-8"), name.partition(".")[0]
    if f"<!-- table: {name} -->" in content or name == kind:
        return
    last = list(re.finditer(rf"^(#+) {kind}\.\S+$", content, re.M))[-1]
    end = re.compile(rf"^#{{1,{len(last[1])}}} ", re.M).search(content, last.end())
    at = end.start() if end else len(content)
    section = f"{last[1]} {name}\n\n<!-- table: {name} -->\n<!-- end of table -->\n\n"
    page.write_text(content[:at] + section + content[at:], encoding="utf-8")


def keys(schema: Mapping[str, Any], nested: bool = True) -> str:
    """A row for each key of a mapping, with those of the mappings in it if `nested`."""
    return "\n".join([KEYS, *_rows(resolved(schema), [], nested)])


def _rows(schema: Mapping[str, Any], above: list[str], nested: bool) -> Iterator[str]:
    required = schema.get("required", ())
    for key, entry in schema["properties"].items():
        value = resolved(entry)
        default = "required" if key in required else value.get("default", "")
        cells = [f"`{dotted([*above, key])}`", kind(value), value.get("unit", ""), f"{default}", value["description"]]
        yield f"| {' | '.join(cells)} |"
        if nested and "properties" in value and "$ref" not in entry:
            yield from _rows(value, [*above, key], nested)


def resolved(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A schema with the definitions that it refers to; its own values count."""
    if "$ref" not in schema:
        return dict(schema)
    defined = declared_schema()["$defs"][schema["$ref"].rpartition("/")[2]]
    return {**resolved(defined), **{key: value for key, value in schema.items() if key != "$ref"}}


def kind(schema: Mapping[str, Any]) -> str:
    """The type of a value with its limits, as Markdown: `integer, at least 1`."""
    schema = resolved(schema)
    if values := schema.get("enum", schema.get("examples")):
        quoted = [f'"{value}"' if isinstance(value, str) and value.isdigit() else value for value in values]
        return " or ".join(f"`{value}`" for value in quoted)
    if schema["type"] == "array":
        items = kind(schema["items"])
        return f"{schema['maxItems']} values: {items}" if "maxItems" in schema else f"list: {items}"
    names = {"object": "mapping", "string": "text", "boolean": "`true` or `false`"}
    wanted: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return " or ".join(names.get(each, each) for each in wanted).replace("array", "list") + limits(schema)


def limits(schema: Mapping[str, Any]) -> str:
    """`, 0 to 1`, or what else the schema demands of a number; empty for other types."""
    low, above = schema.get("minimum"), schema.get("exclusiveMinimum")
    high, below = schema.get("maximum"), schema.get("exclusiveMaximum")
    if low is not None and high is not None:
        return f", {low} to {high}"
    words = [("at least", low), ("above", above), ("at most", high), ("below", below)]
    text = " and ".join(f"{word} {value}" for word, value in words if value is not None)
    return f", {text}" if text else ""


def regularizers() -> str:
    """A row for each regularizer with the place where it acts, and for each parameter, from the classes' docstrings."""
    lines = ["| key | type | acts on | effect |", "|:--|:--|:--|:--|"]
    for name, schema in declared_schema()["$defs"]["regularizers"]["properties"].items():
        place = ", ".join(PLACES[method] for method in PLACES if method in declared()[name].methods)
        summary, _, args = declared()[name].doc.partition("Args:")
        what = " ".join(summary.partition("\n\n")[0].split())
        lines.append(f"| `{name}` | mapping | {place} | {what} |")
        effects = {
            key: " ".join(text.split()) for key, text in re.findall(r"^ {4}(\w+): (.+(?:\n {8}.+)*)", args, re.M)
        }
        for key, value in schema["properties"].items():
            lines.append(f"| `{name}.{key}` | {kind(value)} |  | {effects.get(key, '')} |")
    return "\n".join(lines)


def deviations() -> str:
    """What differs from the paper: a row for each choice."""
    return "\n".join(["| part | choice |", "|:--|:--|", *(f"| {what} | {choice} |" for what, choice in choices())])


@cli_entry_point
def main() -> None:
    """The command line."""
    argparse.ArgumentParser(description=__doc__).parse_args()
    for page, name, table in tables():
        place(page, name)
        insert(page, name, table)


if __name__ == "__main__":
    main()
