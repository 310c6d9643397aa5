"""Training images that are held out while a run chooses its learning rate (workflow/training/lr_sweep.py)."""

from collections.abc import Iterable

from workflow.core.rng import rng

HELD_OUT = 0.1  # of the training images


def held_out(images: Iterable[int]) -> set[int]:
    """A tenth of some images, one at least, by their ids: the same for every row and seed."""
    listed = sorted(images)
    drawn = rng("held out").permutation(len(listed))[: max(1, round(HELD_OUT * len(listed)))]
    return {listed[place] for place in drawn}


def part_of(images: Iterable[int], which: bool | None) -> set[int]:
    """The ids of all images (None), of the held-out ones (True), or of the others (False)."""
    every = set(images)
    return every if which is None else held_out(every) if which else every - held_out(every)
