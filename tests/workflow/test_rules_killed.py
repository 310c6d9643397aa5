"""What Snakemake plans when it was killed before it had noted that a job was done: the job, and all that is missing."""

import base64
import shutil
from pathlib import Path

import pytest

from tests.workflow.test_rules import (  # noqa: F401 (two of them are fixtures)
    FIGURES,
    SMALL,
    dry_run,
    finished_once,
    jobs,
)
from workflow.planning.plan import plan

GATE = "results/data/all_checks_passed.txt"
RUNS = {"pretrain": 2, "detection": 4, "features": 2, "vocabulary": 1, "captioning": 2}
REPORT = {"gallery": 1, **FIGURES, "report": 1, "all": 1}
ALL = ("results/backbones", "results/features", "results/vocabularies", "results/demo")


def unnoted(file: str) -> None:
    """As Snakemake marks a job that it has begun: it has been killed since."""
    mark = Path(".snakemake/incomplete") / base64.urlsafe_b64encode(file.encode()).decode()
    mark.parent.mkdir(exist_ok=True)
    mark.write_text("{}")


@pytest.mark.parametrize(
    ("file", "missing", "planned"),
    [
        (GATE, ALL, {"checked": 1, **RUNS, **REPORT}),
        ("check", ALL, {"check_data": 1, **RUNS, **REPORT}),
        ("check", (GATE, *ALL), {"check_data": 1, "checked": 1, **RUNS, **REPORT}),
        ("check", ("results/demo/report",), {"check_data": 1, **REPORT}),
        ("check", (), {"check_data": 1}),
        (GATE, (), {"checked": 1}),
        ("vocabulary", ALL, {**RUNS, **REPORT}),
        ("vocabulary", ("results/demo",), {"vocabulary": 1, "detection": 4, "captioning": 2, **REPORT}),
        ("vocabulary", (), {"vocabulary": 1}),
    ],
)
def test_a_check_that_was_not_noted_hides_nothing_that_is_missing(file, missing, planned, dry_run):  # noqa: F811
    """Snakemake overlooks what hangs on an ancient file that is made again (its issue 4166): it ended, with status 0,
    before any training."""
    words = f"{plan(SMALL).shown('nic_coco')[0].shared['vocabulary']}/index.json"
    unnoted({"check": plan(SMALL).checks["voc"], "vocabulary": words}.get(file, file))
    for path in map(Path, missing):
        shutil.rmtree(path) if path.is_dir() else path.unlink()
    assert jobs(dry_run(SMALL, "--rerun-incomplete")) == planned
