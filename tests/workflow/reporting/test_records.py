"""What became of a run, and messages for files that are not what they should be."""

from pathlib import Path

import pytest

from workflow.reporting.records import read
from workflow.training.errors import UserError


def outcome(small, run):
    return next(o for o in read(small.plan.runs) if str(o.path) == str(run.record))


def test_a_run_is_done_pending_started_or_failed(experiment):
    small = experiment()
    done, pending, started, failed = small.plan.runs[:4]
    small.remove(pending)
    small.remove(started)
    Path(started.state).mkdir(parents=True)
    small.fail(failed, "2025-03-01 12:00 RuntimeError: out of\n memory\x1b[31m")
    assert outcome(small, done).status == "done"
    assert outcome(small, done).config["recipe"]["epochs"] == 4
    assert outcome(small, pending).why == "pending"
    assert outcome(small, started).why == "pending: started, not finished"
    assert outcome(small, failed).why == "failed: RuntimeError: out of memory [31m"


def test_a_record_counts_more_than_an_old_error(experiment):
    small = experiment()
    run = small.plan.runs[0]
    Path(run.state).mkdir(parents=True)
    (Path(run.state) / "error.txt").write_text("an earlier attempt\n")
    assert outcome(small, run).status == "done"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{\n oops", r"metrics\.json:2: not JSON"),
        ("[]", r"metrics\.json: not a JSON object"),
        ('{"task": "ssd_voc"}', r"metrics\.json: not a record, it lacks backbone, seeds, metrics"),
    ],
)
def test_a_file_that_is_no_record_is_named(experiment, content, message):
    small = experiment()
    Path(small.run("ssd_voc", "cutmix").record).write_text(content)
    with pytest.raises(UserError, match=message):
        read(small.plan.runs)


def test_a_record_of_another_run_is_refused(experiment):
    small = experiment()
    here, there = small.run("ssd_voc", "cutmix"), small.run("ssd_voc", "baseline")
    Path(here.record).write_text(Path(there.record).read_text())
    with pytest.raises(UserError, match="backbone is 'baseline' where 'cutmix' belongs"):
        read(small.plan.runs)


def test_a_metric_that_is_no_number_is_refused(experiment):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), metrics={"mAP": float("nan")})
    with pytest.raises(UserError, match=r"metrics\.mAP is nan, not a finite number"):
        read(small.plan.runs)
