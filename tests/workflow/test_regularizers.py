"""What the planning reads of the regularizers, without torch."""

import subprocess
import sys
from pathlib import Path

from workflow import regularizers

PROJECT = Path(__file__).parents[2]


def test_it_reads_what_stands_in_the_sources(tmp_path, monkeypatch):
    (tmp_path / "mine.py").write_text(
        'import absent\n@register("mine", {"depth": "count"}, mixes=True)\nclass Mine(Regularizer):\n    pass\n'
        "@other\nclass Unregistered:\n    pass\n"
    )
    monkeypatch.setattr(regularizers, "FOLDER", tmp_path)
    assert regularizers.declared() == {"mine": ("mine", {"depth": "count"}, True)}
    found = regularizers.schema()["mine"]
    assert found["required"] == ["depth", "probability"]
    assert found["properties"]["depth"] == {"$ref": "#/$defs/count"}


def test_planning_does_not_import_torch():
    code = "import sys, workflow.plan, workflow.regularizers as r; r.schema(); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], cwd=PROJECT, check=True)
