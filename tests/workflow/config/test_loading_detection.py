"""What a config says of the choices of the detectors' reference codes."""

import pytest

from workflow.config import loading
from workflow.core.errors import UserError

from .test_loading import COCO, PROJECT, changed

CASES = [
    ("faster_rcnn_coco", COCO | {"difficult": "ignored"}, "difficult: unknown key"),
    ("faster_rcnn_voc/nms_threshold", 0, "nms_threshold: must be above 0, not 0"),
    ("faster_rcnn_voc/nms_threshold", 1.5, "nms_threshold: must be at most 1, not 1.5"),
    ("faster_rcnn_voc/score_threshold", -0.1, "score_threshold: must be at least 0, not -0.1"),
    ("ssd_voc/score_threshold", 1, "score_threshold: must be below 1, not 1"),
    ("faster_rcnn_voc/anchor_scales", [], "anchor_scales: must not be empty"),
    ("faster_rcnn_voc/anchor_scales", [8, 0], r"anchor_scales\[1\]: must be above 0, not 0"),
    ("faster_rcnn_voc/anchor_scales", [8, 8], "anchor_scales: must not contain duplicates"),
    ("faster_rcnn_voc/box_loss", "l2", "box_loss: must be l1 or smooth_l1, not 'l2'"),
    ("faster_rcnn_voc/bias_decay", 0.1, "bias_decay: must be true or false, not 0.1"),
    ("ssd_voc/difficult", "no", "difficult: must be positive or ignored or background, not 'no'"),
]


@pytest.mark.parametrize(("path", "value", "message"), CASES)
def test_a_value_that_is_none(path, value, message):
    with pytest.raises(UserError, match=rf"tasks\.{path.split('/')[0]}\.{message}"):
        loading.check(changed((f"tasks/{path}", value)), "x.yaml")


def test_the_paper_has_the_values_of_its_reference_codes():
    tasks = loading.load(PROJECT / "config/paper.yaml")["tasks"]
    rcnn, ssd = tasks["faster_rcnn_voc"], tasks["ssd_voc"]
    assert {key: rcnn[key] for key in ("nms_threshold", "score_threshold", "anchor_scales", "box_loss")} == {
        **{"nms_threshold": 0.3, "score_threshold": 0.0, "anchor_scales": [8, 16, 32], "box_loss": "smooth_l1"}
    }
    assert {
        key: rcnn[key]
        for key in ("weight_decay", "bias_decay", "momentum", "rois_per_image", "roi_output_size", "max_size")
    } == {
        **{
            "weight_decay": 1e-4,
            "bias_decay": False,
            "momentum": 0.9,
            "rois_per_image": 256,
            "roi_output_size": 7,
            "max_size": 1000,
        }
    }
    assert (rcnn["difficult"], rcnn["rpn_post_nms_top_n"]) == ("positive", {"train": 2000, "test": 300})
    assert (ssd["difficult"], ssd["score_threshold"]) == ("background", 0.01)
