"""Which sets of weights in a file are two, and which are one that is there twice."""

import torch
from torchvision.models import resnet50

from backbones.key_names import shapes_of
from backbones.weight_sets import weight_sets

SHAPES = shapes_of("resnet50")


def test_sets_that_differ_in_the_classifier_only_are_two():
    torch.manual_seed(0)
    raw = resnet50(num_classes=3).state_dict()
    turned = {key: value.roll(1, 0) if key.startswith("fc.") else value for key, value in raw.items()}
    headless = {key: value for key, value in raw.items() if not key.startswith("fc.")}
    assert [(one.name, one.averaged) for one in weight_sets({"model": raw, "model_ema": turned}, SHAPES)] == [
        ("model", False),
        ("model_ema", True),
    ]
    assert [one.name for one in weight_sets({"model": raw, "copy": dict(raw), "headless": headless}, SHAPES)] == [
        "model"
    ]
