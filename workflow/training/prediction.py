"""A trained network on photos of one's own: which files, a line for each that cannot be read, and how fast it is."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import torch
from tqdm import tqdm

from workflow.core.errors import UserError
from workflow.core.escaping import printable
from workflow.data.imagenet import EXTENSIONS
from workflow.data.validation.decoding import ImageError
from workflow.training.cpu_convs import channels_last
from workflow.training.hooks import autocast
from workflow.training.precision import configure_torch

SUFFIXES = (*EXTENSIONS, ".gif")  # of photos in a folder; a file that is named may have any


@dataclass(frozen=True)
class Photo:
    """A file, its number among those that were asked for, from 1, and what the network makes of it."""

    number: int
    path: Path
    result: Any


def files(paths: Sequence[Path]) -> list[Path]:
    """Photos as named, and the image files below each folder in the order of their names; UserError for what does not
    exist and for a folder without any."""
    found: list[Path] = []
    for path in paths:
        inside = sorted(file for file in path.rglob("*") if file.suffix.lower() in SUFFIXES and file.is_file())
        if path.is_dir() and not inside:
            raise UserError(f"{path}: no image in this folder")
        if not path.exists():
            raise UserError(f"{path}: No such file or directory")
        found += inside if path.is_dir() else [path]
    return found


def prepare(model: torch.nn.Module, threads: int) -> torch.nn.Module:
    """A network for prediction, on the GPU if there is one, as the engine lays it out for evaluation."""
    configure_torch(threads)
    cv2.setNumThreads(0)
    return channels_last(model.to("cuda" if torch.cuda.is_available() else "cpu")).eval()


def predict(
    paths: Sequence[Path],
    load: Callable[[int, Path], Any],
    network: Callable[[list[Any]], Sequence[Any]],
    size: int,
    precision: str,
) -> tuple[list[Photo], float]:
    """Photos through a network, `size` at a time. A file that cannot be read is said, and left out.

    Args:
        paths: of the photos.
        load: function(number, path) that decodes a photo and prepares it; ImageError if it cannot be read.
        network: function(what `load` gave) that gives a result for each.
        size: of a batch.
        precision: of the recipe.

    Returns:
        The photos, and how many were processed per second, decoding included.
    """
    found, start = [], time.monotonic()
    with torch.no_grad(), autocast(precision), tqdm(total=len(paths), unit="photo", disable=len(paths) < 2) as bar:
        for first in range(0, len(paths), size):
            loaded = []
            for number, path in enumerate(paths[first : first + size], start=first + 1):
                try:
                    loaded.append((number, path, load(number, path)))
                except ImageError as error:
                    tqdm.write(f"warning: {printable(str(error))}", file=sys.stderr)
            results = network([one for *_, one in loaded]) if loaded else []
            found += [Photo(number, path, one) for (number, path, _), one in zip(loaded, results, strict=True)]
            bar.update(len(paths[first : first + size]))
    return found, len(found) / max(time.monotonic() - start, 1e-9)


def summary(found: list[Photo], speed: float, asked: int) -> str:
    """A line on what was done; UserError if some photos could not be read."""
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else "CPU"
    text = f"{len(found)} photos, {speed:.1f} photos/s ({device})"
    if asked > len(found):
        raise UserError(f"{asked - len(found)} of {asked} files could not be read, see above; {text}")
    return text
