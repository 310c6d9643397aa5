"""Changes against the baseline: intervals from the evidence beside the records, and what may be said of them."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from workflow.core.errors import UserError
from workflow.reporting.statistics import comparisons as changes_module
from workflow.reporting.summary import summarize
from workflow.training.per_image import write

IMAGES = 60


@pytest.fixture
def scored(experiment):
    """Call it to make an experiment whose CIDEr and top-1 error have evidence: levels by row, noise of the seeds, and
    what a row is beyond its name."""

    def make(levels, seeds=(1, 1), noise=0.3, specs=None):
        small = experiment({name: {} for name in levels} | (specs or {}), seeds=seeds, tasks=("nic_coco",))
        shared = np.random.default_rng(0).normal(0, 10, IMAGES)
        for k, run in enumerate(small.plan.runs):
            rng = np.random.default_rng(k)
            values = levels[run.backbone] + shared + rng.normal(0, noise) + rng.normal(0, 1, IMAGES)
            give(small, run, "top1_error" if run.task == "pretrain" else "CIDEr", values)
        return small

    return make


def give(small, run, metric, values, images=None):
    """Evidence for a run, and the record that goes with it."""
    write(Path(run.record).with_name("per_image.npz"), np.arange(len(values)) if images is None else images,
          **{metric: values})  # fmt: skip
    small.sign(run, metrics={metric: float(np.mean(values))})


def cell(small, backbone, task="nic_coco", metric="CIDEr"):
    return summarize(small.plan).cells[backbone, task, metric]


@pytest.mark.parametrize(("seeds", "verdict"), [((1, 1), "single seed"), ((2, 1), "few seeds"), ((2, 3), "few seeds")])
def test_too_few_seeds_have_no_interval_that_could_look_like_a_claim(scored, seeds, verdict):
    found = cell(scored({"baseline": 50, "cutmix": 90}, seeds=seeds), "cutmix")
    assert found.delta == pytest.approx(40, abs=5)
    assert (found.low, found.high, found.covers, found.verdict) == (None, None, "", verdict)


def test_the_baseline_is_not_compared_with_itself(scored):
    base = cell(scored({"baseline": 50, "cutmix": 51}, seeds=(3, 1)), "baseline")
    assert (base.low, base.high, base.covers, base.verdict) == (None, None, "", "")


@pytest.mark.parametrize(("level", "caption", "error"), [(60, "better", "worse"), (40, "worse", "better")])
def test_three_seeds_have_a_verdict_and_errors_fall(scored, level, caption, error):
    small = scored({"baseline": 50, "cutmix": level}, seeds=(3, 1))
    found = cell(small, "cutmix")
    assert (found.covers, found.verdict) == ("pretraining seeds and test images, not the transfer seed", caption)
    assert cell(small, "cutmix", "pretrain", "top1_error").verdict == error


def test_equal_rows_are_undecided(scored):
    assert cell(scored({"baseline": 50, "cutmix": 50}, seeds=(3, 1)), "cutmix").verdict == "undecided"


def test_more_rows_need_more_certainty(scored):
    rows = {"baseline": 50, "a": 52.2}
    more = rows | dict.fromkeys("bcdefghij", 50)
    alone, among = (cell(scored(levels, seeds=(3, 1)), "a") for levels in (rows, more))
    assert (alone.low, alone.high) == (among.low, among.high)
    assert alone.low > 0
    assert (alone.verdict, among.verdict) == ("better", "undecided")


@pytest.mark.parametrize(
    ("seeds", "covers", "verdict"),
    [
        (
            (3, 2),
            "pretraining seeds, transfer seeds and test images",
            "better",
        ),  # three backbones, each the mean of two transfers
        ((2, 3), "", "few seeds"),  # six runs, but of two backbones
        ((1, 3), "transfer seeds and test images", "one pretraining"),  # its transfers are repeated, it is not
        ((1, 2), "", "few seeds"),
    ],
)
def test_runs_of_one_backbone_are_one_unit(scored, seeds, covers, verdict):
    found = cell(scored({"baseline": 50, "cutmix": 60}, seeds=seeds), "cutmix")
    assert (found.n, found.covers, found.verdict) == (seeds[0] * seeds[1], covers, verdict)


def test_pretrainings_that_are_planned_and_not_finished_are_no_reason_to_decide(scored):
    small = scored({"baseline": 50, "cutmix": 60}, seeds=(3, 3))
    for run in small.plan.runs:
        if run.task == "nic_coco" and run.backbone == "cutmix" and run.seeds["pretrain"]:
            small.remove(run)
    assert (found := cell(small, "cutmix")).verdict == "one pretraining"
    assert found.covers == "seeds and test images", "no seed in common"


def only(small, backbone, pretrain):
    """Leave the runs of some pretrainings of a row alone: an imported file has one."""
    for run in small.plan.runs:
        if run.backbone == backbone and run.seeds["pretrain"] not in pretrain:
            small.remove(run)
    return small


@pytest.mark.parametrize(
    ("imported", "verdict"),
    [
        (["cutmix"], "better"),  # these weights against three pretrainings
        (["baseline", "cutmix"], "better"),  # two files
        (["baseline"], "one pretraining"),  # a regularizer against one file
        ([], "one pretraining"),
    ],
)
def test_an_imported_backbone_is_what_it_is(scored, imported, verdict):
    small = scored({"baseline": 50, "cutmix": 60}, seeds=(3, 3))
    for name in imported or ["baseline"]:
        only(small, name, [0])
    for name in imported:
        small.plan.config["backbones"][name] = {"checkpoint": "weights.pth"}
    assert cell(small, "cutmix").verdict == verdict


def test_an_imported_backbone_against_one_pretraining_is_undecidable(scored):
    small = scored({"baseline": 50, "cutmix": 60}, seeds=(1, 3))
    small.plan.config["backbones"]["cutmix"] = {"checkpoint": "weights.pth"}
    assert cell(small, "cutmix").verdict == "one pretraining"


def test_a_row_of_one_pretraining_asks_no_certainty_of_the_others(scored):
    small = scored({"baseline": 50, "a": 51.8} | dict.fromkeys("bcdefghij", 50), seeds=(3, 3))
    assert cell(small, "a").verdict == "undecided"
    for name in "bcdefghij":
        only(small, name, [0])
    assert cell(small, "a").verdict == "better"


@pytest.mark.parametrize(("left", "verdict"), [([0], "single seed"), ([0, 1], "few seeds")])
@pytest.mark.parametrize("fewer", ["baseline", "cutmix"])
def test_the_side_with_fewer_seeds_decides_what_may_be_said(scored, fewer, left, verdict):
    found = cell(only(scored({"baseline": 50, "cutmix": 60}, seeds=(3, 1)), fewer, left), "cutmix")
    assert (found.covers, found.verdict) == ("", verdict)


@pytest.mark.parametrize(("seeds", "verdict"), [(1, "single seed"), (3, "")])
@pytest.mark.parametrize("row", ["baseline", "cutmix"])
def test_without_evidence_there_is_no_interval(scored, row, seeds, verdict):
    small = scored({"baseline": 50, "cutmix": 60}, seeds=(seeds, 1))
    Path(small.run("nic_coco", row).record).with_name("per_image.npz").unlink()
    small.sign(small.run("nic_coco", row))
    found = cell(small, "cutmix")
    assert found.delta is not None
    assert (found.low, found.high, found.covers, found.verdict) == (None, None, "", verdict)
    assert (cell(small, "cutmix", "pretrain", "top1_error").low is not None) == (seeds == 3)


def test_evidence_that_lacks_what_a_metric_is_made_of_is_refused(scored):
    small = scored({"baseline": 50, "cutmix": 60})
    small.edit(small.run("nic_coco", "cutmix"), metrics={"METEOR": 20.0, "BLEU-1": 50.0})
    with pytest.raises(
        UserError, match=r"cutmix/p0s0/per_image\.npz: lacks what METEOR, BLEU-1 in metrics\.json is made"
    ):
        summarize(small.plan)


def test_evidence_that_its_record_does_not_know_is_refused(scored):
    small = scored({"baseline": 50, "cutmix": 60})
    beside = Path(small.run("nic_coco", "cutmix").record).with_name("per_image.npz")
    content = beside.read_bytes()
    beside.unlink()
    small.sign(small.run("nic_coco", "cutmix"))
    beside.write_bytes(content)
    with pytest.raises(UserError, match=r"per_image\.npz: not the file that the run of metrics\.json has written"):
        summarize(small.plan)


def test_evidence_of_another_run_is_refused(scored):
    small = scored({"baseline": 50, "cutmix": 60})
    small.edit(small.run("nic_coco", "cutmix"), metrics={"CIDEr": 12.0})
    with pytest.raises(UserError, match=r"per_image\.npz: CIDEr is \d+\.\d+ by it and 12\.0000 in metrics\.json"):
        summarize(small.plan)


def test_roundings_of_a_scorer_are_no_other_run_but_two_hundredths_of_a_point_are(scored):
    small = scored({"baseline": 50, "cutmix": 60})
    run = small.run("nic_coco", "cutmix")
    exact = json.loads(Path(run.record).read_text())["metrics"]["CIDEr"]
    small.edit(run, metrics={"CIDEr": exact + 0.005})
    assert cell(small, "cutmix").mean == exact + 0.005
    small.edit(run, metrics={"CIDEr": exact + 0.02})
    with pytest.raises(UserError, match=r"per_image\.npz: CIDEr is .* they are not of one run"):
        summarize(small.plan)


def test_other_test_images_are_refused(scored):
    small = scored({"baseline": 50, "cutmix": 60})
    give(small, small.run("nic_coco", "cutmix"), "CIDEr", np.full(IMAGES, 60.0), images=np.arange(1, IMAGES + 1))
    with pytest.raises(UserError, match="cannot be paired: their test images differ"):
        summarize(small.plan)


def test_the_same_records_give_the_same_intervals(scored):
    small = scored({"baseline": 50, "cutmix": 51}, seeds=(3, 1))
    assert cell(small, "cutmix") == cell(small, "cutmix")


R18 = {"network": "resnet18"}
MIXED = {"regularizers": {"mixup": {}}}


def test_each_network_is_compared_with_its_own_baseline(scored):
    """Also where another network is far better, and where a row is random."""
    levels = {"baseline": 50, "cutmix": 60, "r18": 30, "r18_mixup": 20, "scratch18": 10}
    specs = {"r18": R18, "r18_mixup": R18 | MIXED, "scratch18": R18 | {"init": "random"}}
    small = scored(levels, seeds=(3, 1), specs=specs)
    found = {row: cell(small, row) for row in levels}
    assert {row: (one.baseline, one.verdict) for row, one in found.items()} == {
        "baseline": ("baseline", ""),
        "cutmix": ("baseline", "better"),
        "r18": ("r18", ""),
        "r18_mixup": ("r18", "worse"),
        "scratch18": ("r18", "worse"),
    }
    assert found["r18_mixup"].delta == pytest.approx(-10, abs=1)
    assert found["r18"].low is None


def test_a_network_without_a_baseline_has_no_change(scored):
    small = scored({"baseline": 50, "cutmix": 60, "r18_mixup": 60}, seeds=(3, 1), specs={"r18_mixup": R18 | MIXED})
    lone = cell(small, "r18_mixup")
    assert (lone.mean, lone.baseline, lone.delta, lone.low, lone.verdict) == (
        pytest.approx(60, abs=1),
        "",
        None,
        None,
        "",
    )
    assert cell(small, "cutmix").verdict == "better"


def test_rows_of_all_networks_share_the_correction_of_a_column(scored):
    """One column has 5 % in all, so rows of another network need more certainty too."""
    levels, own = {"baseline": 50, "a": 52.2}, {"specs": {"r18": R18}}
    more = dict.fromkeys("bcdefghij", 50)
    own["specs"] |= dict.fromkeys(more, R18 | MIXED)
    alone = cell(scored(levels, seeds=(3, 1)), "a")
    among = cell(scored(levels | {"r18": 50} | more, seeds=(3, 1), **own), "a")
    assert (alone.verdict, among.verdict) == ("better", "undecided")


def test_a_long_resampling_shows_how_far_it_is(scored, monkeypatch, capsys):
    small = scored({"baseline": 50, "cutmix": 51})
    monkeypatch.setattr(changes_module, "QUICK", 1e6)
    summarize(small.plan)
    assert "resampling" not in capsys.readouterr().err, "what is quick says nothing"
    for run in small.plan.runs:
        Path(run.record).with_name("bootstrap.npz").unlink()
    monkeypatch.setattr(changes_module, "QUICK", 0)
    summarize(small.plan)
    said = capsys.readouterr().err
    assert re.search(r"resampling nic_coco: 100%.* 2000/2000 \[", said), said
