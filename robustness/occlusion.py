"""Occlusion and samples in between two classes (CutMix, Section 4.4): images with a square hole in the centre or with
all but such a square occluded; two images blended (Mixup) or one in the central square of the other (CutMix)."""

import torch


def sizes(crop: int, steps: int) -> list[int]:
    """The sides of the square in px: from 0 to the crop's in so many steps."""
    return [round(crop * step / steps) for step in range(steps + 1)]


def centre(side: int, size: int) -> slice:
    """The middle `size` px of a side."""
    start = (side - size) // 2
    return slice(start, start + size)


def paste(below: torch.Tensor, above: torch.Tensor, size: int) -> torch.Tensor:
    """Images (N, 3, H, W) with the central square of others in the same place; a new tensor."""
    rows, columns = (centre(side, size) for side in below.shape[-2:])
    result = below.clone(memory_format=torch.contiguous_format)
    result[..., rows, columns] = above[..., rows, columns]
    return result


def centre_hole(pixels: torch.Tensor, size: int, fill: torch.Tensor) -> torch.Tensor:
    """Images whose central square of `size` px is filled with a colour (3, 1, 1)."""
    return paste(pixels, fill.expand_as(pixels), size)


def boundary_hole(pixels: torch.Tensor, size: int, fill: torch.Tensor) -> torch.Tensor:
    """Images of which only the central square of `size` px is seen; the rest is filled with a colour (3, 1, 1)."""
    return paste(fill.expand_as(pixels), pixels, size)


def mixup(first: torch.Tensor, second: torch.Tensor, part: int, parts: int) -> torch.Tensor:
    """`part`/`parts` of the first images and the rest of the second."""
    return (first * part + second * (parts - part)) / parts
