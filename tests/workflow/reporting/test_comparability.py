"""Two data sets or two ways to measure never share a column, and no run counts twice (laws 1 and 8)."""

import json
import shutil
from pathlib import Path

import pytest

from tests.workflow.reporting.plain import area, detections, eleven_points, mean_ap
from workflow.core.errors import UserError
from workflow.core.files import sha256, write_record_file
from workflow.reporting.summary import summarize
from workflow.training.per_image import write as write_evidence


def under_another_seed(one, other, iterations=1):
    """Copy a run over another, write the other's seeds and backbone into it, and stretch its learning curve."""
    shutil.rmtree(Path(other.record).parent)
    shutil.copytree(Path(one.record).parent, Path(other.record).parent)
    record, config = Path(other.record), Path(other.record).with_name("config.json")
    config.write_text(json.dumps(json.loads(config.read_text()) | {"seeds": other.seeds}))
    content = json.loads(record.read_text()) | {"seeds": other.seeds}
    content["provenance"]["backbone"] = sha256(other.weights)
    for point in content["history"]["points"]:
        point["iteration"] *= iterations
    write_record_file(record.parent, content)


def test_one_training_under_two_seeds_is_refused(experiment):
    small = experiment(seeds=(2, 1))
    assert summarize(small.plan).cells["cutmix", "nic_coco", "CIDEr"].n == 2
    under_another_seed(*(small.run("nic_coco", "cutmix", pretrain=p) for p in (0, 1)))
    with pytest.raises(
        UserError, match=r"x/p0s0/metrics\.json and .*x/p1s0/metrics\.json have the same learning curve"
    ):
        summarize(small.plan)


def test_the_same_detections_under_two_seeds_are_refused(experiment):
    small = experiment(seeds=(2, 1), tasks=("ssd_voc",))
    runs = [run for run in small.plan.runs if run.task == "ssd_voc"]
    for seed, run in enumerate(runs):
        arrays = detections(seed)
        write_evidence(Path(run.record).with_name("per_image.npz"), range(12), **arrays)
        rules = {"mAP": eleven_points, "mAP_area": area}
        small.edit(run, metrics={name: mean_ap(arrays, range(12), rule) for name, rule in rules.items()})
    assert summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"].n == 2
    under_another_seed(*(small.run("ssd_voc", "cutmix", pretrain=p) for p in (0, 1)), iterations=2)
    with pytest.raises(UserError, match=r"x/p0s0/metrics\.json and .*x/p1s0/metrics\.json have the same detections"):
        summarize(small.plan)


def test_networks_that_detect_nothing_are_no_copies(experiment):
    small = experiment(seeds=(2, 1), tasks=("ssd_voc",))
    arrays = {key: array if key == "truths" else array[:0] for key, array in detections(0).items()}
    for run in small.plan.runs:
        if run.task == "ssd_voc":
            write_evidence(Path(run.record).with_name("per_image.npz"), range(12), **arrays)
            small.edit(run, metrics={"mAP": 0.0, "mAP_area": 0.0})
    assert summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"].n == 2


def test_untrained_backbones_share_what_they_lack(experiment):
    small = experiment({"baseline": {}, "scratch": {"init": "random"}}, seeds=(2, 1))
    for p in (0, 1):
        small.unscored(small.run("pretrain", "scratch", pretrain=p), "not scored")
    assert summarize(small.plan).cells["scratch", "ssd_voc", "mAP"].n == 2


def test_two_data_sets_are_refused(experiment):
    small = experiment()
    small.edit(small.run("nic_coco", "cutmix"), provenance={"data": "another"})
    with pytest.raises(UserError, match=r"nic_coco: .* they differ in data hash: \w+ and another"):
        summarize(small.plan)


def test_pretraining_may_differ_in_regularizers_and_in_its_own_override(experiment):
    rows = {
        "baseline": {},
        "dropblock": {"regularizers": {"dropblock": {"block_size": 7}}, "pretrain": {"epochs": 270}},
    }
    assert summarize(experiment(rows).plan).origins["dropblock"] == "own pretraining: epochs 270"


def test_two_protocols_are_refused_by_key(experiment):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), protocol={"metric": "VOC12 area", "flips": True})
    with pytest.raises(UserError) as error:
        summarize(small.plan)
    text = str(error.value)
    assert text.startswith("ssd_voc: the records of baseline p0s0 and cutmix p0s0 cannot stand in one column")
    assert "differ in protocol.flips: absent and True; protocol.metric: VOC07 11-point and VOC12 area (" in text


@pytest.mark.parametrize(
    "own", [{"preprocessing": {"channel_order": "BGR"}}, {"stride": "1x1"}, {"network": "resnet18"}]
)
def test_what_belongs_to_a_backbone_may_differ(experiment, own):
    small = experiment()
    small.edit(small.run("ssd_voc", "cutmix"), protocol=own)
    assert summarize(small.plan).cells["cutmix", "ssd_voc", "mAP"].delta is not None


@pytest.mark.parametrize("row", ["cutmix", "longer", "mine"])
def test_classifiers_are_measured_in_one_way_too(experiment, row):
    small = experiment(
        {"baseline": {}, "cutmix": {}, "longer": {"pretrain": {"epochs": 270}}, "mine": {"checkpoint": "mine.pth"}}
    )
    small.edit(small.run("pretrain", "longer"), protocol={"epoch": "last of 270"})
    small.edit(small.run("pretrain", "mine"), protocol={"epoch": "imported"})
    assert summarize(small.plan).cells[row, "pretrain", "top1_error"].delta is not None
    small.edit(small.run("pretrain", row), protocol={"split": "other images"})
    with pytest.raises(UserError, match=r"protocol\.split: 400 validation images, resize 56, crop 48 and other images"):
        summarize(small.plan)


def test_sizes_of_its_own_are_a_way_to_measure_of_its_own(experiment):
    small = experiment({"baseline": {}, "larger": {"pretrain": {"crop_size": 96}}})
    small.edit(small.run("pretrain", "larger"), protocol={"split": "400 validation images, resize 56, crop 96"})
    assert summarize(small.plan).cells["larger", "pretrain", "top1_error"].delta is not None
