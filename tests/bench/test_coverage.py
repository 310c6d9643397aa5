"""What docs/results/coverage.md says was measured is what docs/statistics.md promises: 92 to 97 % with five seeds."""

from tests.bench.coverage import HEAD, OUT, PAGE, SEEDS, short
from workflow.reporting.publish import inserted


def test_the_measured_coverage_keeps_the_promise():
    text = OUT.read_text(encoding="utf-8")
    assert text.startswith(HEAD)
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.removeprefix(HEAD).splitlines()]
    assert {(row[0], row[1], int(row[2])) for row in rows} == {
        (metric, case, n)
        for metric in ("mAP", "mAP_area", "CIDEr")
        for case in ("per image", "per image + common shift")
        for n in SEEDS
    }
    held = [float(row[6].removesuffix(" %")) for row in rows if row[2] == "5"]
    assert all(92 <= value <= 97 for value in held)


def test_the_page_has_what_was_measured():
    measured = OUT.read_text(encoding="utf-8").removeprefix(HEAD)
    assert short(measured).count("%") == 6 * len(SEEDS)
    assert inserted(PAGE, "coverage", short(measured)) == PAGE.read_text(encoding="utf-8")
