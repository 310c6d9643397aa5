"""Whatever stands in a config: it is taken whole or refused in one line, at once."""

import copy
import json

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from tests.conftest import PROJECT
from workflow.config import loading
from workflow.core.errors import UserError
from workflow.planning.plan import plan

DEMO = loading.load(PROJECT / "config/demo.yaml")
WORDS = st.sampled_from(
    ["", "x", "a\nb", "../x", "voc", "random", "2014", "\ud800", "\x00", "é ", "baseline", "yes", "1e3"]
)
LEAVES = st.none() | st.booleans() | st.integers() | st.floats() | WORDS | st.text(max_size=9)
VALUES = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=3), max_leaves=6
)


def paths(value: object, path: tuple = ()) -> list[tuple]:
    """Where something stands in nested mappings and lists."""
    below = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path] * bool(path) + [deeper for key, each in below for deeper in paths(each, (*path, key))]


def refused(call, *arguments) -> bool:
    """Was it refused, in one line? Any other error passes through and fails the test."""
    try:
        call(*arguments)
    except UserError as error:
        said = str(error)
        return True if said.isprintable() else pytest.fail(repr(said))
    return False


@given(st.sampled_from(paths(DEMO)), VALUES, st.sampled_from(["set", "remove", "add"]), WORDS)
@example(("experiment",), "demo\n", "set", "")
@example(("backbones", "baseline"), None, "add", "a\nb")
def test_a_value_is_taken_as_it_is_or_refused(path, value, what, key):
    wanted = copy.deepcopy(DEMO)
    place = wanted
    for part in path[:-1]:
        place = place[part]
    if what == "remove":
        del place[path[-1]]
    elif what == "add" and isinstance(place[path[-1]], dict):
        place[path[-1]][key] = value
    else:
        place[path[-1]] = value
    before = copy.deepcopy(wanted)
    if not refused(loading.check, wanted, "x.yaml"):
        assert json.dumps(wanted) == json.dumps(before), "nothing is added, dropped or corrected"
        refused(plan, wanted)


@given(st.text(st.sampled_from("ab1 :-,&*!?#|>'\"{}[]\n\t\\%@.~<é\x00"), max_size=40))
@example("a: &a [*a]")
@example("{<<: {<<: *x}}")
@example("%YAML 9.9\n---\na: 1")
@example("? [a]\n: b")
@example("!!set {a, a}")
@example("a: !!timestamp 2001-13-45")
def test_any_text_is_read_or_refused(tmp_path_factory, text):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_text(text, encoding="utf-8")
    refused(loading.load_yaml, path)
    refused(loading.load, path)


@given(st.binary(max_size=40))
def test_any_bytes_are_read_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "fuzzed.yaml"
    path.write_bytes(content)
    refused(loading.load, path)


@given(st.dictionaries(st.text(st.characters(codec="utf-8"), min_size=1, max_size=5), st.integers(0, 9), max_size=4))
def test_what_yaml_writes_is_read_back(tmp_path_factory, content):
    path = tmp_path_factory.getbasetemp() / "written.yaml"
    path.write_text(yaml.safe_dump(content), encoding="utf-8")
    assert loading.load_yaml(path) == content
