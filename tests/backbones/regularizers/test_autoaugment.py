"""The laws of AutoAugment: the paper's policy and magnitudes."""

import pytest
import torch
from torchvision.transforms import v2

from backbones.regularizers import build
from backbones.regularizers.autoaugment import FASTER, MOVES, AutoAugment, Policy
from workflow.core.rng import rng

PARAMETERS = {}
IMAGE = torch.randint(0, 256, (3, 32, 32), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
SMOOTH = v2.functional.resize(IMAGE[:, :6, :6], [65, 50]) // 2 + 20  # not all values, not square
KINDS = {
    "noise": IMAGE,
    "smooth": SMOOTH,
    "as decoded": SMOOTH.permute(1, 2, 0).contiguous().permute(2, 0, 1),
    "one colour": torch.full((3, 40, 40), 77, dtype=torch.uint8),
    "three pixels": torch.tensor([0, 9, 255], dtype=torch.uint8).repeat(3, 2, 2),
}
USED = {(name, level) for policy in AutoAugment(1.0).policy._policies for name, _, level in policy}


def test_the_policy_has_the_papers_25_sub_policies_of_two_operations():
    policies = AutoAugment(1.0).policy._policies
    assert len(policies) == 25
    assert all(len(policy) == 2 for policy in policies)
    assert policies[0] == (("Posterize", 0.4, 8), ("Rotate", 0.6, 9))  # Table 9, sub-policy 0


def test_enhancements_have_the_papers_factors():
    """Table 6: from 0.1 to 1.9 in ten steps; torchvision draws a sign instead."""
    for name in ("Brightness", "Color", "Contrast", "Sharpness"):
        magnitudes, signed = Policy._AUGMENTATION_SPACE[name]
        factors = 1 + magnitudes(10, 32, 32)
        assert torch.allclose(factors, torch.linspace(0.1, 1.9, 10))
        assert not signed
        assert v2.AutoAugment._AUGMENTATION_SPACE[name][1], "torchvision's own is left as it was"


def test_it_changes_pixels_and_neither_shape_nor_type():
    found = [AutoAugment(1.0).image(IMAGE, rng(i)) for i in range(40)]
    assert all(image.shape == IMAGE.shape and image.dtype == torch.uint8 for image in found)
    assert sum(not torch.equal(image, IMAGE) for image in found) > 30
    assert len({image.numpy().tobytes() for image in found}) > 12


def test_what_is_uncovered_has_the_mean_colour():
    regularizer = AutoAugment(1.0)
    regularizer.policy._policies = [(("Rotate", 1.0, 9),)]
    turned = regularizer.image(torch.full((3, 32, 32), 255, dtype=torch.uint8), rng(0))
    assert turned[:, 0, 0].tolist() == [124, 116, 104]
    assert turned[:, 16, 16].tolist() == [255, 255, 255]
    (regularizer,) = build({"autoaugment": {"probability": 1.0}}, [125.3, 123.0, 113.9])
    regularizer.policy._policies = [(("Rotate", 1.0, 9),)]
    turned = regularizer.image(torch.full((3, 32, 32), 255, dtype=torch.uint8), rng(0))
    assert turned[:, 0, 0].tolist() == [125, 123, 114], "of the recipe"


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("name", "level"), sorted(USED, key=str))
def test_every_operation_gives_the_pixels_of_torchvision(name, level, kind):
    ours, image = AutoAugment(1.0).policy, KINDS[kind].clone()
    magnitudes, signed = ours._AUGMENTATION_SPACE[name]
    magnitude = 0.0 if level is None else float(magnitudes(10, *image.shape[-2:])[level])
    for value in (magnitude, -magnitude) if signed else (magnitude,):
        expected = v2.AutoAugment._apply_image_or_video_transform(
            ours, image, name, value, "nearest", {torch.Tensor: [124, 116, 104]}
        )
        assert torch.equal(ours._apply_image_or_video_transform(image, name, value, "nearest", ours._fill), expected)
        assert torch.equal(image, KINDS[kind]), "what is given is left as it was"


def test_no_faster_way_is_without_use():
    assert {*MOVES, *FASTER} <= {name for name, _ in USED}
