"""What a config says of detection on COCO."""

import pytest

from workflow.config import loading
from workflow.core.errors import UserError

from .test_loading import COCO, PROJECT, changed


def test_the_column_of_the_poster_is_mmdetections_c4_for_12_epochs():
    coco = loading.load(PROJECT / "config/paper.yaml")["tasks"]["faster_rcnn_coco"]
    assert [coco[key] for key in ("min_size", "max_size", "rois_per_image", "roi_output_size")] == [800, 1333, 512, 14]
    epoch = 82_081 / coco["batch_size"]  # images of train2014 that hold an object
    assert [round(step / epoch, 1) for step in (*coco["milestones"], coco["iterations"])] == [8.0, 11.0, 12.0]
    assert coco["lr"] / coco["batch_size"] == 0.02 / 16


def test_karpathys_split_is_none_of_detection():
    with pytest.raises(UserError, match=r'data\.coco\.split: karpathy divides captions; .* needs "2014"'):
        loading.check(changed(("data/coco/split", "karpathy"), ("tasks/faster_rcnn_coco", COCO)), "x.yaml")
    loading.check(changed(("data/coco/split", "2014"), ("tasks/faster_rcnn_coco", COCO)), "x.yaml")
