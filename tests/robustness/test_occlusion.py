"""Holes and blended pairs at their ends and in between."""

import pytest
import torch

from robustness.occlusion import boundary_hole, centre_hole, mixup, paste, sizes

FILL = torch.tensor([10.0, 20.0, 30.0]).view(3, 1, 1)


@pytest.fixture
def images():
    return torch.randint(31, 256, (3, 3, 12, 12), generator=torch.Generator().manual_seed(0)).float()


def test_sizes_grow_from_nothing_to_all():
    assert sizes(224, 14) == list(range(0, 225, 16))
    assert sizes(48, 5) == [0, 10, 19, 29, 38, 48]
    assert sizes(32, 1) == [0, 32]


def test_at_the_ends_one_hole_is_the_other(images):
    assert torch.equal(centre_hole(images, 0, FILL), images)
    assert torch.equal(boundary_hole(images, 12, FILL), images)
    empty = FILL.expand_as(images)
    assert torch.equal(centre_hole(images, 12, FILL), empty)
    assert torch.equal(boundary_hole(images, 0, FILL), empty)


@pytest.mark.parametrize("size", [1, 4, 7, 12])
def test_what_one_hides_the_other_shows(images, size):
    before = images.clone()
    center, boundary = centre_hole(images, size, FILL), boundary_hole(images, size, FILL)
    hidden = (center == FILL).all(dim=1)
    assert hidden.sum(dim=(1, 2)).tolist() == [size**2] * 3
    assert torch.equal((boundary == FILL).all(dim=1), ~hidden)
    assert torch.equal(torch.where(hidden[:, None], boundary, center), images)
    assert torch.equal(images, before), "they are not changed"
    rows = hidden[0].any(dim=1).nonzero().flatten()
    assert rows[0] == (12 - size) // 2


def test_a_pair_at_its_ends_is_one_of_the_two(images):
    other = images.roll(1, dims=0)
    assert torch.equal(mixup(images, other, 7, 7), images)
    assert torch.equal(mixup(images, other, 7, 7), paste(images, other, 0))
    assert torch.equal(mixup(images, other, 0, 7), other)
    assert torch.equal(mixup(images, other, 0, 7), paste(images, other, 12))


@pytest.mark.parametrize("part", range(8))
def test_a_swapped_pair_mirrors_mixup(images, part):
    other = images.roll(1, dims=0)
    assert torch.equal(mixup(images, other, part, 7), mixup(other, images, 7 - part, 7))
    torch.testing.assert_close(mixup(images, other, part, 7), images * (part / 7) + other * (1 - part / 7))
