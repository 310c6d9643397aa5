"""How fast one core makes training images of photos: read, decode, crop, flip; and with the paper's colours."""

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from torchvision import transforms
from torchvision.transforms import v2

from pretrain.color_jitter import EIGENVALUES, EIGENVECTORS
from pretrain.dataset import augmentation, colors
from tests.bench._photos import photos
from tests.bench.row import Measured, Row, in_turn
from workflow.training.seeding import seed_everything

SIZE = 224
RECIPE = {"crop_size": SIZE, "crop_scale": [0.08, 1.0], "crop_padding": 0, "color_jitter": 0.4, "pca_lighting": 0.1}
Transform = Callable[[Image.Image], Any]


def by(transform: Transform, files: list[Path]) -> None:
    """As TrainImages does, to uint8."""
    for number, file in enumerate(files):
        seed_everything(0, "sample", 0, number)
        with Image.open(file) as photo:
            transform(photo)


def by_pillow(files: list[Path]) -> None:
    """Pillow and torchvision's transforms of its images, to float."""
    steps = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    transform = transforms.Compose(steps)
    for number, file in enumerate(files):
        torch.manual_seed(number)
        transform(Image.open(file).convert("RGB"))


def lighting(image: torch.Tensor) -> torch.Tensor:
    """By itself, of uint8 (3, H, W)."""
    shift = EIGENVECTORS @ (EIGENVALUES * torch.randn(3) * RECIPE["pca_lighting"]) * 255
    return (image + shift.view(3, 1, 1)).round().clamp(0, 255).to(torch.uint8)


def in_turn_with(reference: Transform | None, ours: Transform) -> Measured:
    """Each photo once a turn, on one core; the reference None is Pillow's."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = photos(Path(folder)) * 4
        theirs = (lambda: by(reference, files)) if reference else (lambda: by_pillow(files))
        return in_turn(lambda: by(ours, files), theirs, len(files), repeats=11)


def measure_colors(on_gpu: bool) -> Measured:
    """In the worker, or drawn there only."""
    crop, jitter = augmentation(RECIPE, with_colors=False), colors(RECIPE)
    steps = v2.Compose([crop, v2.ColorJitter(*[RECIPE["color_jitter"]] * 3), lighting])
    return in_turn_with(steps, (lambda photo: jitter.draw(crop(photo))) if on_gpu else augmentation(RECIPE))


def colored(name: str, what: str, wanted: float, on_gpu: bool) -> Row:
    """A row; `wanted` are images/s on a machine where the reference makes 272."""
    return Row(
        name=name,
        what=what,
        reference="our crops, ColorJitter of torchvision's v2, lighting",
        unit="images/s",
        target=round(wanted / 272, 2),
        measure=lambda: measure_colors(on_gpu),
        loads=True,
        why="the reference has our crops, which are faster than when the target was set",
    )


ROWS = [
    Row(
        name="decode",
        what="photos to crops of 224 px, flipped, on one core",
        reference="Pillow, RandomResizedCrop, flip, to float",
        unit="images/s",
        target=2.0,
        measure=lambda: in_turn_with(None, augmentation(RECIPE, with_colors=False)),
        loads=True,
        why="half of our time are Huffman codes and cosine transforms of the file down to the crop's last row, which "
        "libjpeg-turbo does on both sides; it decodes no part of a row of blocks",
    ),
    colored("colors", "the same with the paper's colours", 400, on_gpu=False),
    colored("colors_gpu", "the same with colours drawn, for a GPU that applies them", 450, on_gpu=True),
]
