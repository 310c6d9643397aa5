"""Printed numbers next to ours: in our interval or not, and which shipped config gives the others."""

import csv
import io
from dataclasses import replace

import numpy as np
import pytest

from workflow.reporting.scorecard import count, elsewhere, giving, long_csv, scores, terminal
from workflow.reporting.statistics import per_image
from workflow.reporting.statistics.bootstrap import Resampled
from workflow.reporting.statistics.intervals import crossed_interval
from workflow.reporting.statistics.levels import level
from workflow.reporting.statistics.resamples import resampled
from workflow.reporting.summary import summarize

CAPTIONS = ("nic_coco", "CIDEr")


def one(scorecard, row, task, metric):
    """The score of our row."""
    return next(
        each
        for each in scorecard
        if each.cell and (each.cell.backbone, each.cell.task, each.cell.metric.name) == (row, task, metric)
    )


@pytest.fixture
def scorecard(certain):
    """The scorecard of three seeds whose CIDEr is 50 for baseline and 60 for cutmix."""
    return scores(summarize(certain(3).plan))


def test_a_printed_number_has_ours_with_its_interval_next_to_it(scorecard):
    score = one(scorecard, "baseline", *CAPTIONS)
    assert (score.value, score.cell.mean, score.inside) == (71.2, 50.0, "no")
    assert score.limits[0] < 50 < score.limits[1] < 71.2
    near = replace(score, printed=score.printed | {"value": "50.5"})
    assert near.inside == "yes"
    assert replace(near, limits=None).inside == ""


def test_a_change_is_compared_with_the_interval_of_ours(scorecard):
    score = one(scorecard, "cutmix", *CAPTIONS)
    assert score.change == pytest.approx(77.6 - 71.2)
    low, high = score.cell.limits
    assert score.change_inside == ("yes" if low <= 6.4 <= high else "no")
    assert replace(score, change=10.0).change_inside == "yes"
    assert one(scorecard, "baseline", *CAPTIONS).change is None


def test_generated_and_partial_data_are_not_compared(certain):
    small = certain(3)
    small.plan.config["data"]["coco"] = {"root": "z", "split": "2014"}  # of which our 40 test images are a part
    score = one(scores(summarize(small.plan)), "baseline", *CAPTIONS)
    assert (score.where, score.inside, score.limits is not None) == ("other data", "", True)
    small.plan.config["data"]["coco"] = {"synthetic": {}}
    assert one(scores(summarize(small.plan)), "baseline", *CAPTIONS).where == "other data"


def test_every_printed_number_is_on_it_and_the_others_name_their_config(scorecard):
    assert len(scorecard) == 299
    line = {"network": "resnet50", "backbone": "cutmix", "task": "ssd_voc", "metric": "mAP"}
    assert giving(line) == "config/paper.yaml", "of several that of the paper's settings"
    places = {each.where for each in scorecard if not each.cell}
    assert {"config/paper.yaml", "config/cifar.yaml", "config/cifar10.yaml", "config/networks.yaml"} <= places
    assert "config/demo.yaml" not in places, "its data are generated"
    lines = elsewhere(scorecard)
    assert sum(int(line.split(" gives ")[1].split()[0]) for line in lines) == sum(not each.cell for each in scorecard)
    assert count(scorecard).startswith(
        "299 printed numbers, 6 with ours; of 2 that can be compared, 0 are in the interval"
    )


def test_the_file_has_a_line_for_each_and_the_terminal_what_the_config_gives(scorecard):
    lines = list(csv.DictReader(io.StringIO(long_csv(scorecard))))
    assert len(lines) == 299
    (line,) = (one for one in lines if one["our_change"] and one["metric"] == "CIDEr")
    assert (line["backbone"], line["paper"], line["ours"], line["our_change"]) == ("cutmix", "77.6", "60", "10")
    assert float(line["our_change_low"]) < 10 < float(line["our_change_high"])
    text = terminal(scorecard)
    assert "77.6" in text
    assert "resnext101" not in text


def test_the_interval_of_a_value_is_that_of_a_change_from_nothing(certain):
    small = certain(3, 2)
    summary = summarize(small.plan)
    cell, task = summary.cells["cutmix", *CAPTIONS], summary.tasks["nic_coco"]

    def draws(run):
        evidence = per_image.read(run.path.with_name("per_image.npz"), task.resampling)
        return resampled(evidence, lambda _: None)["CIDEr"]

    own = [[draws(run) for run in cell.runs if run.seeds["pretrain"] == p] for p in range(3)]
    nothing = [[Resampled(0.0, np.zeros(len(one.draws))) for one in row] for row in own]
    low, high, *_ = crossed_interval(own, nothing, cell.mean, "")
    assert level(cell.runs, "CIDEr", task) == pytest.approx((low, high))
    assert level(cell.runs[:4], "CIDEr", task) is None, "of two pretrainings there is none"
