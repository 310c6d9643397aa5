"""The manual's tables are those of the schema, the regularizers and the choices, and every key has its sentence."""

import re
import sys

import pytest

from workflow.config import loading
from workflow.reporting import manual
from workflow.reporting.publish import inserted

TABLES = {name: (page, table) for page, name, table in manual.tables()}
SCHEMA = loading.validator().schema


@pytest.mark.parametrize("name", TABLES)
def test_a_page_has_the_table_of_its_source(name):
    page, table = TABLES[name]
    assert inserted(page, name, table) == page.read_text(encoding="utf-8"), (
        "python -m workflow.reporting.manual writes it"
    )


def test_the_page_has_no_mark_that_nothing_fills():
    for page in {page for page, _ in TABLES.values()}:
        marks = re.findall(r"<!-- table: (\S+) -->", page.read_text(encoding="utf-8"))
        assert sorted(marks) == sorted(name for name, (its, _) in TABLES.items() if its == page)


def properties(schema: dict):
    """(key, schema) of all keys of the config but the regularizers', which have classes."""
    for key, value in schema.get("properties", {}).items():
        yield key, value
        yield from properties(value)
    if isinstance(schema.get("additionalProperties"), dict):
        yield from properties(schema["additionalProperties"])


def test_every_key_has_one_sentence_in_the_table_of_its_section():
    recipe = SCHEMA["$defs"]["pretrain"]["properties"]
    keys = [*properties(SCHEMA), *recipe.items()]
    assert {"cpu_threads", "root", "checkpoint", "channel_order", "lr", "anchor_scales", "beam_size"} <= {
        key for key, _ in keys
    }
    for key, schema in keys:
        text = manual.resolved(schema).get("description", "")
        assert re.fullmatch(r"[A-Z`\[].{8,}\.", text), f"{key}: {text!r}"
        assert any(f"`{key}` | " in table or f".{key}` | " in table for _, table in TABLES.values()), key


def test_a_definition_gives_its_type_and_the_key_its_text():
    row = manual.keys(
        {
            "required": ["size"],
            "properties": {
                "size": {"$ref": "#/$defs/count", "unit": "px", "description": "Side."},
                "pair": {"type": "object", "description": "Both.", "properties": {
                    "a": {"type": "number", "minimum": 0, "exclusiveMaximum": 1, "default": 0.5, "description": "One."}
                }},
                "split": {"enum": ["2014", "karpathy"], "description": "Which."},
                "layers": {"type": "array", "items": {"$ref": "#/$defs/positive"}, "description": "All."},
            },
        }
    )  # fmt: skip
    assert row.splitlines()[2:] == [
        "| `size` | integer, at least 1 | px | required | Side. |",
        "| `pair` | mapping |  |  | Both. |",
        "| `pair.a` | number, at least 0 and below 1 |  | 0.5 | One. |",
        '| `split` | `"2014"` or `karpathy` |  |  | Which. |',
        "| `layers` | list: number, above 0 |  |  | All. |",
    ]


def test_every_parameter_of_a_regularizer_has_its_sentence():
    for line in TABLES["regularizers"][1].splitlines()[2:]:
        *_, place, effect = [cell.strip() for cell in line.split(" | ")]
        assert len(effect) > 15, line
        assert ("." in line.split("`")[1]) == (place == ""), "a regularizer acts somewhere, a parameter is one of it"


def test_the_command_fills_the_pages(tmp_path, monkeypatch):
    pages = {}
    for page in (manual.CONFIG, manual.DEVIATIONS):
        pages[page] = tmp_path / page.parent.name
        pages[page].write_text(re.sub(r"(-->\n)[^<]+(<!-- end)", r"\1old\n\2", page.read_text(encoding="utf-8")))
    monkeypatch.setattr(manual, "CONFIG", pages[manual.CONFIG])
    monkeypatch.setattr(manual, "DEVIATIONS", pages[manual.DEVIATIONS])
    monkeypatch.setattr(sys, "argv", ["manual"])
    manual.main()
    for page, copy in pages.items():
        assert copy.read_text(encoding="utf-8") == page.read_text(encoding="utf-8")
