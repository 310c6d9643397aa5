"""Cells: mean, spread, n, change against the baseline, reasons."""

import json
import statistics
from pathlib import Path

import pytest

from workflow.reporting.summary import best_epoch, summarize


def test_one_run_has_a_mean_and_no_spread(experiment):
    small = experiment()
    cell = summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"]
    record = json.loads(Path(small.run("ssd_voc", "cutmix").record).read_text())
    assert (cell.mean, cell.std, cell.n, cell.missing) == (record["metrics"]["mAP"], None, 1, "")


def test_seeds_give_mean_sample_deviation_and_n(experiment):
    small = experiment(seeds=(2, 2))
    for i, run in enumerate(r for r in small.plan.runs if (r.task, r.backbone) == ("ssd_voc", "cutmix")):
        small.edit(run, metrics={"mAP": [70.0, 71.0, 72.0, 75.0][i]})
    cell = summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"]
    assert cell.values == (70.0, 71.0, 72.0, 75.0)
    assert cell.mean == pytest.approx(72.0)
    assert cell.std == pytest.approx((14 / 3) ** 0.5)
    assert cell.n == 4


def test_two_seeds_have_a_deviation_and_the_paper_s_change_is_against_its_baseline(experiment):
    small = experiment(seeds=(2, 1))
    for i, run in enumerate(r for r in small.plan.runs if (r.task, r.backbone) == ("ssd_voc", "cutmix")):
        small.edit(run, metrics={"mAP": 70.0 + 2 * i})
    table = summarize(small.plan).cells
    cell, base = (table[row, "ssd_voc", "mAP"] for row in ("cutmix", "baseline"))
    assert cell.std == pytest.approx(2**0.5)
    assert (base.paper.value, cell.paper.value, base.paper_delta) == (76.7, 77.6, None)
    assert cell.paper_delta == pytest.approx(0.9)


def test_delta_is_the_change_of_the_mean_against_baseline(experiment):
    small = experiment(seeds=(2, 1))
    table = summarize(small.plan).cells
    for metric in ("mAP", "mAP_area"):
        ours, base = (table[row, "ssd_voc", metric] for row in ("cutmix", "baseline"))
        assert ours.delta == pytest.approx(statistics.fmean(ours.values) - statistics.fmean(base.values))
        assert base.delta == 0


def test_a_pretraining_with_fewer_transfers_counts_as_much(experiment):
    small = experiment(seeds=(2, 2))
    small.remove(small.run("ssd_voc", "cutmix", pretrain=1, transfer=1))
    for level, seeds in ((70.0, (0, 0)), (72.0, (0, 1)), (77.0, (1, 0))):
        small.edit(small.run("ssd_voc", "cutmix", pretrain=seeds[0], transfer=seeds[1]), metrics={"mAP": level})
    table = summarize(small.plan).cells
    cell, base = (table[name, "ssd_voc", "mAP"] for name in ("cutmix", "baseline"))
    assert (cell.mean, cell.n) == (74.0, 3)
    same = {run.seed_name: value for run, value in zip(base.runs, base.values, strict=True)}
    assert cell.delta == pytest.approx(74.0 - ((same["p0s0"] + same["p0s1"]) / 2 + same["p1s0"]) / 2)
    assert cell.seeds == ("p0s0", "p0s1", "p1s0")
    assert cell.verdict_text == "few seeds, no interval, change of p0s0, p0s1, p1s0 only"
    assert cell.std == pytest.approx(statistics.stdev(cell.values))
    for level, run in zip((71.0, 73.0, 78.0), cell.runs, strict=True):
        small.sign(small.run(run.task, run.backbone, **run.seeds), best={"mAP": level, "iteration": 100})
    assert best_epoch(summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"]).value == 75.0


def test_no_baseline_number_no_delta(experiment):
    small = experiment()
    small.remove(small.run("ssd_voc", "baseline"))
    table = summarize(small.plan).cells
    assert table["cutmix", "ssd_voc", "mAP"].delta is None
    assert table["cutmix", "nic_coco", "CIDEr"].delta is not None


def test_an_empty_cell_says_why(experiment):
    small = experiment()
    small.fail(small.run("ssd_voc", "cutmix"), "ValueError: bad luck")
    small.remove(small.run("nic_coco", "cutmix"))
    table = summarize(small.plan).cells
    assert table["cutmix", "ssd_voc", "mAP"].missing == "failed: ValueError: bad luck"
    assert table["cutmix", "nic_coco", "BLEU-1"].missing == "pending"
    assert table["cutmix", "ssd_voc", "mAP"].mean is None
    assert table["baseline", "ssd_voc", "mAP"].missing == ""


def test_a_cell_that_lacks_some_seeds_says_which(experiment):
    small = experiment(seeds=(3, 1))
    small.fail(small.run("ssd_voc", "cutmix", pretrain=0), "ValueError: bad luck")
    small.remove(small.run("ssd_voc", "cutmix", pretrain=2))
    cell = summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"]
    assert cell.n == 1
    assert cell.missing == "failed: ValueError: bad luck (p0s0); pending (p2s0)"


@pytest.mark.parametrize(
    ("said", "missing"),
    [("not scored: its fc has 9 classes", "not scored: its fc has 9 classes"), ("400 images", "not measured")],
)
def test_a_backbone_without_a_score_says_why(said, missing, experiment):
    small = experiment({"baseline": {}, "scratch": {"init": "random"}})
    small.unscored(small.run("pretrain", "scratch"), said)
    summary = summarize(small.plan)
    assert summary.cells["scratch", "pretrain", "top1_error"].missing == missing
    assert summary.origins["scratch"] == "random initialisation"


def test_the_best_epoch_is_told_apart_from_the_last(experiment):
    small = experiment()
    small.edit(small.run("pretrain", "cutmix"), best={"epoch": 2, "top1_error": 11.0})
    table = summarize(small.plan).cells
    assert best_epoch(table["cutmix", "pretrain", "top1_error"]) == (11.0, "epoch", [2])
    assert table["cutmix", "pretrain", "top1_error"].mean != 11.0
    assert best_epoch(table["cutmix", "ssd_voc", "mAP"]) is None
    small.edit(small.run("pretrain", "cutmix"), history={"evaluations": [{"iteration": 200}]})
    assert best_epoch(summarize(small.plan).cells["cutmix", "pretrain", "top1_error"]) is None
