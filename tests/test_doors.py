"""Every command line says what it is before it loads anything heavy."""

import subprocess
import sys

import pytest

from tests.bench.workflow import HOUSE, doors

HEAVY = {"torch", "mmengine", "mmcv", "mmdet", "torchvision", "matplotlib", "pandas", "pycocoevalcap"}
CALL = """
import runpy, sys
sys.argv = [*{door!r}.split(), "--help"]
try:
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)
except SystemExit as end:
    print(end.code, sorted({heavy} & set(sys.modules)))
"""


def test_all_are_found():
    assert {f"{room} train" for room in ("pretrain", "detection", "captioning")} <= {*doors()}
    assert {"workflow.data.voc", "workflow.config"} <= {*doors()}


@pytest.mark.parametrize("door", doors())
def test_help_comes_without_the_heavy_libraries(door):
    call = [sys.executable, "-c", CALL.format(door=door, heavy=HEAVY)]
    done = subprocess.run(call, cwd=HOUSE, capture_output=True, text=True, check=True)
    assert "usage: " in done.stdout
    assert done.stdout.endswith("0 []\n")
