"""What the training transform draws, as laws of its distribution: flips, colours, the components of the lighting."""

import numpy as np
import pytest
import torch
from PIL import Image

from pretrain.color_jitter import EIGENVALUES, EIGENVECTORS, ColorJitter
from pretrain.dataset import PaddedCrop, augmentation
from workflow.training.seeding import seed_everything

RECIPE = {"crop_size": 16, "crop_scale": (1, 1), "crop_padding": 0, "color_jitter": 0.0, "pca_lighting": 0.0}
LUMA = torch.tensor([0.2989, 0.587, 0.114]).view(3, 1, 1)  # ITU-R 601, by which torchvision makes grey


def draws(photo, number, **changes):
    """So many transforms of a photo, (number, 3, 16, 16) as floats."""
    transform, found = augmentation({**RECIPE, **changes}), []
    for n in range(number):
        seed_everything(n, "sample")
        found.append(transform(photo).float())
    return torch.stack(found)


def halves(left, right):
    """A photo of two colours."""
    pixels = np.zeros((16, 16, 3), np.uint8)
    pixels[:, :8], pixels[:, 8:] = left, right
    return Image.fromarray(pixels)


def test_half_of_the_images_are_flipped_and_nothing_else_changes():
    photo = halves((200, 60, 20), (10, 90, 240))
    found, plain = draws(photo, 400), torch.from_numpy(np.array(photo)).permute(2, 0, 1).float()
    flipped = [torch.equal(one, plain.flip(-1)) for one in found]
    assert all(torch.equal(one, plain) != turned for one, turned in zip(found, flipped, strict=True))
    assert np.mean(flipped) == pytest.approx(0.5, abs=4 * 0.5 / 400**0.5)


def test_brightness_contrast_and_saturation_vary_alike():
    """Brightness scales the mean, contrast the distance of the halves to it, saturation the distance of the colours to
    grey: each is told from the other two by a ratio, and the three are uniform from 0.6 to 1.4."""
    found = draws(halves((120, 90, 80), (70, 80, 100)), 500, color_jitter=0.4)
    luma = (found * LUMA).sum(1)
    left, right = luma[:, :, :7].mean((1, 2)), luma[:, :, 9:].mean((1, 2))
    chroma = (found[:, 0] - found[:, 2])[:, :, :7].mean((1, 2)) - (found[:, 0] - found[:, 2])[:, :, 9:].mean((1, 2))
    ratios = {
        "brightness": left + right,
        "contrast": (left - right) / (left + right),
        "saturation": chroma / (left - right),
    }
    plain = draws(halves((120, 90, 80), (70, 80, 100)), 1)
    luma = (plain * LUMA).sum(1)
    one, other = luma[:, :, :7].mean(), luma[:, :, 9:].mean()
    colour = (plain[:, 0] - plain[:, 2])[:, :, :7].mean() - (plain[:, 0] - plain[:, 2])[:, :, 9:].mean()
    usual = {"brightness": one + other, "contrast": (one - other) / (one + other), "saturation": colour / (one - other)}
    for name, ratio in ratios.items():
        factor = (ratio / usual[name]).abs()
        assert factor.mean().item() == pytest.approx(1, abs=0.06), name
        assert factor.std().item() == pytest.approx(0.8 / 12**0.5, rel=0.12), name
        assert (factor.min() > 0.5) & (factor.min() < 0.66) & (factor.max() > 1.34) & (factor.max() < 1.55), name


def test_the_components_are_orthonormal_and_the_last_but_one_is_nearly_red_against_blue():
    """A sign or digit that is wrong in one of them makes them oblique."""
    torch.testing.assert_close(EIGENVECTORS.T @ EIGENVECTORS, torch.eye(3), atol=2e-3, rtol=0)
    assert (EIGENVALUES[:-1] > EIGENVALUES[1:]).all()


@pytest.mark.parametrize("strength", [0.1, 0.3])
def test_lighting_shifts_all_pixels_alike_with_the_covariance_of_the_colours(strength):
    """Krizhevsky et al., 2012: [p1 p2 p3] [a1 l1, a2 l2, a3 l3] with a ~ N(0, strength); figures of fb.resnet.torch."""
    values = np.array([0.2175, 0.0188, 0.0045])
    vectors = np.array([[-0.5675, 0.7192, 0.4009], [-0.5808, -0.0045, -0.8140], [-0.5836, -0.6948, 0.4203]])
    grey, transform, number = torch.full((3, 2, 2), 128, dtype=torch.uint8), ColorJitter(0, strength), 20_000
    torch.manual_seed(0)
    found = np.stack([transform(grey).numpy() for _ in range(number)]).astype(float)
    assert (found == found[:, :, :1, :1]).all()
    shifts = found[:, :, 0, 0] - 128
    expected = vectors @ np.diag((255 * strength * values) ** 2) @ vectors.T
    error = np.cov(shifts.T) - np.eye(3) / 12 - expected  # a twelfth: what rounding to whole numbers adds
    # The noise of a covariance of that many draws, and how little the second component adds to the first.
    noise = np.sqrt((np.outer(expected.diagonal(), expected.diagonal()) + expected**2) / number)
    assert (np.abs(error) < 4 * noise + 0.02).all()
    assert np.abs(shifts.mean(0)).max() < 4 * np.sqrt(expected.max() / number)
    assert (4 * noise + 0.02).max() < 0.1 * expected.min()


def test_a_crop_with_padding_is_anywhere_on_a_black_border_of_its_width():
    """Of 16 px with 4 px on each side: 9 x 9 places, all alike, each as torchvision crops it."""
    photo = Image.fromarray(np.random.default_rng(0).integers(1, 256, (16, 16, 3), dtype=np.uint8))
    whole = torch.nn.functional.pad(torch.from_numpy(np.array(photo)).permute(2, 0, 1), (4, 4, 4, 4))
    places = {whole[:, y : y + 16, x : x + 16].numpy().tobytes(): (y, x) for y in range(9) for x in range(9)}
    crop, found = PaddedCrop(16, 4), []
    torch.manual_seed(0)
    for _ in range(81 * 30):
        found.append(places[crop(photo).numpy().tobytes()])
    counts = np.bincount([9 * y + x for y, x in found], minlength=81)
    assert counts.min() > 0
    assert ((counts - 30) ** 2 / 30).sum() < 130, "chi-squared of 80 degrees of freedom: 0.9997"


@pytest.mark.parametrize(("side", "padding", "places"), [(12, 2, 1), (12, 4, 5), (10, 0, 7), (20, 0, 5), (20, 2, 9)])
def test_an_image_of_another_size_is_cropped_too(side, padding, places):
    """The number of places along a side of a crop of 16 px."""
    photo, crop = Image.new("L", (side, side), 200), PaddedCrop(16, padding)
    torch.manual_seed(0)
    starts = {tuple(int(each) for each in (rows.start, shown.start, rows.stop))
              for rows, shown in (crop.overlap(side) for _ in range(300))}  # fmt: skip
    assert len(starts) == places
    found = crop(photo)
    assert found.shape == (3, 16, 16)
    assert found.dtype == torch.uint8
    assert int((found > 0).sum()) == 3 * min(side, 16) ** 2 or padding


def test_a_crop_with_padding_is_flipped_half_of_the_time():
    photo = Image.fromarray(np.tile(np.arange(1, 17, dtype=np.uint8), (16, 1)))
    rising = draws(photo, 400, crop_padding=4)[:, 0, 8].diff(dim=1)
    share = ((rising == 1).sum(1) > (rising == -1).sum(1)).float().mean()
    assert 0.42 < share < 0.58
