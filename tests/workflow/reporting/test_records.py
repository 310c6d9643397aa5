"""What became of a run, and messages for files that are not what they should be."""

import re
from pathlib import Path

import pytest

from workflow.core.errors import UserError
from workflow.reporting.records import read


def outcome(small, run):
    return next(o for o in read(small.plan) if str(o.path) == str(run.record))


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
        ("{\n oops", r"metrics\.json: not valid JSON: .* line 2"),
        ("[]", r"metrics\.json: not a JSON object"),
        ('{"task": "ssd_voc"}', r"metrics\.json: not a record, it lacks backbone, seeds, metrics"),
    ],
)
def test_a_file_that_is_no_record_is_named(experiment, content, message):
    small = experiment()
    Path(small.run("ssd_voc", "cutmix").record).write_text(content)
    with pytest.raises(UserError, match=message):
        read(small.plan)


@pytest.mark.parametrize(
    ("there", "message"),
    [
        (("ssd_voc", "baseline", 0, 0), "backbone is 'baseline' where 'cutmix' belongs"),
        (("nic_coco", "cutmix", 0, 0), "task is 'nic_coco' where 'ssd_voc' belongs"),
        (("ssd_voc", "cutmix", 1, 0), "seeds is 'pretrain 1, transfer 0' where 'pretrain 0, transfer 0' belongs"),
        (("ssd_voc", "cutmix", 0, 1), "seeds is 'pretrain 0, transfer 1' where 'pretrain 0, transfer 0' belongs"),
    ],
)
@pytest.mark.parametrize("name", ["metrics.json", "config.json"])
def test_a_file_of_another_run_is_refused(experiment, there, message, name):
    small = experiment(seeds=(2, 2))
    here = small.run("ssd_voc", "cutmix", pretrain=0, transfer=0)
    task, row, pretrain, transfer = there
    other = small.run(task, row, pretrain=pretrain, transfer=transfer)
    here, other = (Path(run.record).with_name(name) for run in (here, other))
    here.write_text(other.read_text())
    with pytest.raises(UserError, match=rf"cutmix/p0s0/{re.escape(name)}: {message}$"):
        read(small.plan)


def test_a_pretraining_of_another_seed_is_refused(experiment):
    small = experiment(seeds=(2, 1))
    here, there = (Path(small.run("pretrain", "cutmix", pretrain=p).record) for p in (0, 1))
    here.write_text(there.read_text())
    with pytest.raises(UserError, match=r"seed0/metrics\.json: seeds is 'pretrain 1' where 'pretrain 0' belongs"):
        read(small.plan)


def test_a_record_and_its_config_are_of_one_recipe(experiment):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), provenance={"recipe": "of another recipe"})
    with pytest.raises(UserError, match=r"config\.json: its recipe is not the one that metrics\.json has the hash of"):
        read(small.plan)


def test_a_record_without_its_config_is_refused(experiment):
    small = experiment()
    Path(small.run("ssd_voc", "cutmix").record).with_name("config.json").unlink()
    with pytest.raises(UserError, match=r"cutmix/p0s0/config\.json is missing: every record has one"):
        read(small.plan)
