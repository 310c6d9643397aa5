"""What the planning reads of the regularizers, without torch."""

import inspect
import subprocess
import sys
import types
from pathlib import Path
from typing import get_args, get_origin

import pytest

from workflow.config import loading, regularizers
from workflow.core.errors import UserError

PROJECT = Path(__file__).parents[3]
DEMO = loading.load(PROJECT / "config/demo.yaml")
KINDS = {int: "integer", float: "number", str: "string", list: "array"}


def test_it_reads_what_stands_in_the_sources(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        'import absent\n@register("mine", {"depth": "count", "mode": {"enum": ["a"]}, '
        '"way": {"enum": ["b"], "default": "b"}}, '
        "mixes=True, residual=True)\n"
        "class Mine(Regularizer):\n    pass\n"
        "@other\nclass Unregistered:\n    pass\n"
    )
    monkeypatch.setattr(regularizers, "FOLDER", tmp_path)
    assert regularizers.declared() == {
        "mine": (
            "mine",
            {"depth": "count", "mode": {"enum": ["a"]}, "way": {"enum": ["b"], "default": "b"}},
            *(True, True, False, "", ()),
        )
    }
    found = regularizers.schema()["mine"]
    assert found["required"] == ["depth", "mode", "probability"]
    assert found["properties"]["depth"] == {"$ref": "#/$defs/count"}
    assert found["properties"]["mode"] == {"enum": ["a"]}


def test_schema_and_constructors_are_in_step():
    from backbones.regularizers import REGULARIZERS

    defs = loading.validator().schema["$defs"]
    known = defs["regularizers"]["properties"]
    assert known.keys() == REGULARIZERS.keys()
    for name, regularizer in REGULARIZERS.items():
        parameters = inspect.signature(regularizer).parameters
        assert known[name]["properties"].keys() == parameters.keys()
        assert {*known[name]["required"]} == {key for key, each in parameters.items() if each.default is each.empty}
        for key, parameter in parameters.items():
            schema, annotation = known[name]["properties"][key], parameter.annotation
            kinds = (defs[schema["$ref"].rsplit("/", 1)[1]] if "$ref" in schema else schema)["type"]
            types_of = get_args(annotation) if isinstance(annotation, types.UnionType) else [annotation]
            expected = [KINDS[get_origin(each) or each] for each in types_of]
            assert ([kinds] if isinstance(kinds, str) else kinds) == expected, f"{name}.{key}"


ERASING = {"scale": [0.02, 0.4], "ratio": [0.3, 3.33], "value": "random", "probability": 0.5}


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"scale": [0.4, 0.02]}, r"\.scale: must be in ascending order, not \[0\.4, 0\.02\]"),
        ({"scale": [0.4, "x"]}, r"\.scale\[1\]: must be a number, not 'x'"),
        ({"scale": [0.4, 1.1]}, r"\.scale\[1\]: must be at most 1, not 1\.1"),
        ({"ratio": [0, 1]}, r"\.ratio\[0\]: must be above 0, not 0"),
        ({"ratio": [1]}, r"\.ratio: must have 2 values, not \[1\]"),
        ({"value": "noise"}, r"\.value: must be random or three values of 0 to 255, not 'noise'"),
        ({"value": [0, 0]}, r"\.value: must have 3 values, not \[0, 0\]"),
        ({"value": [0, 0, 256]}, r"\.value\[2\]: must be at most 255, not 256"),
        ({"value": 0}, r"\.value: must be text or a list, not 0"),
        ({"max": 1}, r"\.max: unknown key \(known: scale, ratio, value, probability\)"),
    ],
)
def test_a_schema_of_a_regularizer_s_own_is_what_the_config_is_checked_against(change, said):
    def row(parameters):
        return loading.overlay(DEMO, {"backbones": {"mine": {"regularizers": {"random_erasing": parameters}}}})

    for right in (ERASING, ERASING | {"scale": [0.1, 0.1], "value": [124, 116, 104]}):
        loading.check(row(right), "x.yaml")
    with pytest.raises(UserError, match=rf"x\.yaml: backbones\.mine\.regularizers\.random_erasing{said}$"):
        loading.check(row(ERASING | change), "x.yaml")


def test_planning_does_not_import_torch():
    code = "import sys, workflow.planning.plan, workflow.config.regularizers as r; r.schema()"
    code += "; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
