"""The colours of a training image: torchvision's but for its roundings, and the same in a worker and on a device."""

import pytest
import torch
from torch.utils.data import default_collate
from torchvision.transforms import v2

from backbones.backbone import IMAGENET
from pretrain.color_jitter import ColorJitter, recolored
from pretrain.dataset import TrainImages
from tests.backbones.regularizers.examples import PARAMETERS
from tests.pretended_cuda.runtime import pretended_cuda
from workflow.data.class_folders import ClassFolders

RECIPE = {
    "crop_size": 32, "crop_scale": (0.3, 1), "crop_padding": 0, "mean": IMAGENET.mean, "color_jitter": 0.4,
    "pca_lighting": 0.1, "regularizers": {},
}  # fmt: skip


@pytest.fixture
def images():
    """uint8 (64, 3, 16, 16) of all colours, whose grey is neither black nor white."""
    return torch.randint(60, 160, (64, 3, 16, 16), generator=torch.Generator().manual_seed(0), dtype=torch.uint8)


@pytest.mark.parametrize("strength", [0.1, 0.4])
def test_the_colours_are_torchvisions_where_nothing_is_clipped(images, strength):
    """Of one stream of draws: the factors of the three steps and their order, by torchvision in floats."""
    ours, theirs = ColorJitter(strength, 0), v2.ColorJitter(strength, strength, strength)
    compared = 0
    for seed, image in enumerate(images):
        torch.manual_seed(seed)
        found, after = ours(image), torch.rand(1)
        torch.manual_seed(seed)
        expected = theirs(image / 255) * 255
        assert torch.equal(after, torch.rand(1))
        if expected.min() > 1 and expected.max() < 254:  # in between it was neither
            assert (found - expected).abs().max() < 0.6
            compared += 1
    assert compared > len(images) / 4


def test_torchvisions_roundings_make_the_difference(images):
    """It rounds down after each of three steps."""
    differences = []
    for seed, image in enumerate(images):
        torch.manual_seed(seed)
        found = ColorJitter(0.4, 0)(image)
        torch.manual_seed(seed)
        differences.append(found.float() - v2.ColorJitter(0.4, 0.4, 0.4)(image))
    assert 1 < torch.stack(differences).mean() < 2


def samples(imagenet, late, **regularizers):
    """The first eight training samples as a batch."""
    data = TrainImages(ClassFolders(f"{imagenet.root}/train"), RECIPE | {"regularizers": regularizers}, 3, late)
    return default_collate([data[index, 1] for index in range(8)])


def test_a_device_gives_the_colours_that_a_worker_does(imagenet):
    """At most one level apart, in one value of a thousand: where sums in another order end beside a half."""
    early, late = (samples(imagenet, on_device) for on_device in (False, True))
    assert set(late) == {"images", "labels", "colors"}
    assert set(early) == {"images", "labels"}
    assert (early["images"] != late["images"]).float().mean() > 0.5
    with pretended_cuda() as device, torch.autocast("cuda", torch.bfloat16):
        pinned = [late[key].pin_memory().to("cuda", non_blocking=True) for key in ("images", "colors")]
        found = recolored(*pinned)
        assert found.is_cuda
        assert found.dtype == torch.uint8
    assert device.costs.waits == {}
    apart = (found.cpu().int() - early["images"].int()).abs()
    assert apart.max() <= 1
    assert apart.float().mean() < 1e-3


@pytest.mark.parametrize("name", ["autoaugment", "cutout", "random_erasing"])
def test_where_a_regularizer_acts_on_the_image_after_them_a_worker_gives_the_colours(imagenet, name):
    row = {name: PARAMETERS[name] | {"probability": 1.0}}
    early, late = (samples(imagenet, on_device, **row) for on_device in (False, True))
    assert set(late) == {"images", "labels"}
    assert torch.equal(early["images"], late["images"])


def test_colours_are_clipped_at_black_and_white():
    ramp = torch.arange(256, dtype=torch.uint8).view(1, 1, 1, 256).expand(2, 3, 1, 256)
    brighter = torch.tensor([[[1.0, 0, 0, 100], [0, 1, 0, 0.4], [0, 0, 1, 0.5]], [[-1, 0, 0, 100]] * 3])
    found = recolored(ramp, brighter).int()
    values = torch.arange(256)
    assert torch.equal(found[0, 0, 0], (values + 100).clamp(max=255).int())
    assert torch.equal(found[0, 1, 0], values.int())
    assert torch.equal(found[0, 2, 0], (values + 1).clamp(max=255).int())
    assert torch.equal(found[1, 2, 0], (100 - values).clamp(min=0).int())
