"""A file's names and shapes find its network among those of timm and torchvision."""

import pytest
import timm
import torch
from torchvision import models

from backbones.likeness import likeness, published, shapes_of_state, terms, total


def shapes(make, **options):
    with torch.device("meta"):
        return shapes_of_state(make(**options).state_dict())


NAMES = {
    "timm/convnext_atto": lambda **options: timm.create_model("convnext_atto", **options),
    "timm/mobilenetv3_small_050": lambda **options: timm.create_model("mobilenetv3_small_050", **options),
    "timm/swin_tiny_patch4_window7_224": lambda **options: timm.create_model("swin_tiny_patch4_window7_224", **options),
    "timm/deit_tiny_distilled_patch16_224": lambda **options: timm.create_model(
        "deit_tiny_distilled_patch16_224", **options
    ),
    "torchvision/convnext_tiny": models.convnext_tiny,
    "torchvision/vit_b_16": models.vit_b_16,
    "resnet18": models.resnet18,
}


@pytest.mark.parametrize("name", NAMES)
def test_a_network_is_found_by_its_shapes(name):
    for classes in (1000, 7):
        found = shapes(NAMES[name], num_classes=classes)
        for prefix in ("", "module.", "model.backbone.", "a.b.c.d."):
            assert name in likeness({f"{prefix}{key}": shape for key, shape in found.items()}), (classes, prefix)
    first = next(key for key, shape in found.items() if shape[0] > 1)
    assert not likeness({**found, first: (1, *found[first][1:])})


def test_without_a_classifier_too():
    found = shapes(timm.create_model, model_name="convnext_atto", num_classes=0)
    assert "timm/convnext_atto" in likeness(found)
    assert "timm/convnext_atto" in likeness({**found, "head.fc.0.weight": (3, 9)}), "whatever stands in its place"


def test_what_is_too_little_is_no_network():
    assert likeness({}) == []
    assert likeness({"a.weight": (1,)}) == []


def test_the_file_has_todays_models():
    """`python -m backbones.likeness` writes it anew."""
    known, _ = published()
    names = {name for names in known.values() for name in names}
    assert {f"timm/{name}" for name in timm.list_models()} <= names
    for name in timm.list_models()[::150]:
        with torch.device("meta"):
            model = timm.create_model(name)
        last = model.default_cfg.get("classifier") or ()
        signature = total(terms(shapes_of_state(model.state_dict())), (last,) if isinstance(last, str) else last)
        assert f"timm/{name}" in known[signature], name
