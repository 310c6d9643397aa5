"""Both sides of the scorings that are compared give the same numbers, or the comparison ends with an error."""

import subprocess
import sys
from pathlib import Path

import pytest


@pytest.mark.parametrize("call", ["measure(30)", "measure_coco(20)"])
def test_both_sides_give_the_same_numbers(call):
    """In a process of its own, as `eval_map` wants one that forks."""
    code = f"from tests.bench.scoring import measure, measure_coco; assert {call}.ratio > 0"
    command = [sys.executable, "-W", "ignore", "-c", code]
    done = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
