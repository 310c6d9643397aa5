"""The figure of the README is drawn from the numbers beside it."""

import pytest

from tests.bench.scale import CSV, HOUSE, SVG, draw, read, write

POINTS = [("loader", 10, 100.0, 50.0), ("loader", 1, 101.234, 40.0), ("scoring", 5, 7.0, 8.0)]


def test_what_is_written_is_read_again_the_smallest_first(tmp_path):
    write(tmp_path / "scale.csv", POINTS)
    found = read(tmp_path / "scale.csv")
    assert found["loader"] == [("loader", 1, pytest.approx(101.2), 40.0), ("loader", 10, 100.0, 50.0)]
    assert list(found) == ["loader", "scoring"]


def test_the_figure_is_that_of_the_numbers(tmp_path):
    write(tmp_path / "scale.csv", POINTS)
    for name in ("a.svg", "b.svg"):
        draw(read(tmp_path / "scale.csv"), tmp_path / name)
    text = (tmp_path / "a.svg").read_text()
    assert "<svg" in text
    assert text == (tmp_path / "b.svg").read_text(), "the same numbers, the same bytes"
    assert SVG.is_file()


def test_all_parts_are_measured_at_three_sizes():
    modules = list((HOUSE / "tests/bench").glob("scale_*.py"))
    assert len(read(CSV)) == len(modules)
    assert all([point[1] // each[0][1] for point in each] == [1, 10, 100] for each in read(CSV).values())
