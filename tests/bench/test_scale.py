"""The figure of docs/benchmarks.md is drawn from the numbers next to it."""

import subprocess
import sys

import pytest

from tests.bench.scale import CSV, HOUSE, PAGE, SVG, draw, line, read, write
from workflow.reporting.publish import inserted

POINTS = [("loader", 10, 100.0, 50.0), ("loader", 1, 101.234, 40.0), ("scoring", 5, 7.0, 8.0)]


def test_what_is_written_is_read_again_the_smallest_first(tmp_path):
    write(tmp_path / "scale.csv", POINTS)
    found = read(tmp_path / "scale.csv")
    assert found["loader"] == [("loader", 1, pytest.approx(101.2), 40.0), ("loader", 10, 100.0, 50.0)]
    assert list(found) == ["loader", "scoring"]


def test_the_figure_is_that_of_the_numbers(tmp_path):
    draw(read(CSV), tmp_path / "scale.svg")
    assert (tmp_path / "scale.svg").read_bytes() == SVG.read_bytes()


def test_the_page_says_how_flat_it_is():
    assert inserted(PAGE, "scale", line(read(CSV))) == PAGE.read_text(encoding="utf-8")


def test_the_distance_is_that_from_the_smallest():
    parts = {"loader": [("loader", 1, 100.0, 50.0), ("loader", 10, 96.0, 50.0), ("loader", 100, 101.0, 50.0)]}
    assert line(parts).endswith(": loader −4 % and +1 %.")


HIGHEST = """
import time
import numpy as np
from tests.bench._memory import Peak, anonymous
before = anonymous()
with Peak() as peak:
    block = np.ones(2**25)  # 256 MiB
    while peak.MiB < before + 200:
        time.sleep(0.01)
    del block
assert anonymous() < before + 200 < peak.MiB
"""


def test_the_highest_memory_is_kept_after_it_was_given_back():
    """In a process of its own: what a training has freed is kept by its heap, and would be used again."""
    subprocess.run([sys.executable, "-c", HIGHEST], cwd=HOUSE, check=True, timeout=100)


def test_all_parts_are_measured_at_three_sizes():
    modules = list((HOUSE / "tests/bench").glob("scale_*.py"))
    assert len(read(CSV)) == len(modules)
    assert all([point[1] // each[0][1] for point in each] == [1, 10, 100] for each in read(CSV).values())
