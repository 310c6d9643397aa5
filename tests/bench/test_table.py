"""The benchmark's table is made from its numbers, and docs/benchmarks.md shows the ones that were kept."""

import pytest

import tests.bench.__main__ as bench
from tests.bench.row import Measured, Row, alone, in_turn
from tests.bench.table import COLUMNS, KEPT, PAGE, read, rows, table, write
from workflow.reporting.publish import inserted


def test_the_page_has_the_numbers_that_were_kept():
    assert inserted(PAGE, "bench", table(read(KEPT))) == PAGE.read_text(encoding="utf-8")


def test_a_number_is_not_rounded_twice(monkeypatch, tmp_path):
    monkeypatch.setattr(bench, "KEPT", tmp_path / "bench.csv")
    monkeypatch.setattr(bench, "PAGE", tmp_path / "page.md")
    (tmp_path / "page.md").write_text("<!-- table: bench -->\n<!-- end of table -->\n", encoding="utf-8")
    bench.keep({next(iter(rows())): Measured(10.149, 10.149, 1)})  # 10.1; kept as 10.15, which is 10.2
    assert inserted(tmp_path / "page.md", "bench", table(read(tmp_path / "bench.csv"))) == bench.PAGE.read_text()


def test_every_row_was_measured():
    assert list(read(KEPT)) == list(rows())


def test_all_rows_are_of_one_machine():
    assert len({one.machine for one in read(KEPT).values()}) == 1


def test_every_missed_target_says_why():
    missed = [row for name, row in rows().items() if not row.met(read(KEPT)[name])]
    assert [row.name for row in missed if not row.why] == []


def test_ours_and_the_reference_take_turns_after_one_call_of_each():
    calls = []
    in_turn(lambda: calls.append("ours"), lambda: calls.append("reference"), repeats=3)
    assert calls == ["ours", "reference"] * 4


@pytest.mark.parametrize(("units", "ours"), [(None, 0.02), (10, 500)])
def test_twice_as_fast_is_a_ratio_of_two(monkeypatch, units, ours):
    clock = iter([0, 0.02, 0, 0.04] * 3)
    monkeypatch.setattr("tests.bench.row.time.perf_counter", lambda: next(clock))
    found = in_turn(lambda: None, lambda: None, units, repeats=3)
    assert found.ratio == pytest.approx(2)
    assert found.ours == pytest.approx(ours)


@pytest.mark.parametrize(
    ("target", "found", "met"),
    [
        (1.5, Measured(1, 2, 1.496), True),
        (1.5, Measured(1, 2, 1.49), False),
        (10, Measured(9), True),
        (10, Measured(11), False),
    ],
)
def test_a_target_is_the_least_ratio_or_the_most_seconds(target, found, met):
    assert Row("a", "A", "B", "s", target, lambda: found).met(found) == met


def test_what_is_written_is_read_again(tmp_path):
    sides = [(3, 2), (None, None)]
    found = {name: Measured(1.5, *sides[i % 2], "drawn", "a, b", "2026-11") for i, name in enumerate(rows())}
    write(tmp_path / "bench.csv", found)
    assert (tmp_path / "bench.csv").read_text().splitlines()[0] == ",".join(COLUMNS)
    assert read(tmp_path / "bench.csv") == found


def test_the_table_says_which_photos_and_which_machine():
    text = table({"decode": Measured(2, 1, 2, "real", "A CPU, 2 cores, torch 2", "2026-11")})
    assert "crops of 224 px, flipped, on one core (real photos) |" in text
    assert text.endswith("\n\nMeasured on A CPU, 2 cores, torch 2; 2026-11.")


def test_seconds_alone_have_no_ratio():
    assert alone(lambda: None, 1).ratio is None
