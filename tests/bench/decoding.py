"""How fast one core makes training images of photos: read, decode, crop, flip."""

import tempfile
from pathlib import Path

import torch
from PIL import Image
from torchvision import transforms

from pretrain.dataset import augmentation
from tests.bench._photos import photos
from tests.bench.row import Measured, Row, in_turn
from workflow.training.seeding import seed_everything

SIZE = 224


def ours(files: list[Path]) -> None:
    """As TrainImages does, to uint8."""
    crop = {"crop_size": SIZE, "crop_scale": [0.08, 1.0], "crop_padding": 0}
    transform = augmentation({**crop, "color_jitter": 0, "pca_lighting": 0})
    for number, file in enumerate(files):
        seed_everything(0, "sample", 0, number)
        with Image.open(file) as photo:
            transform(photo)


def reference(files: list[Path]) -> None:
    """Pillow and torchvision's transforms of its images, to float."""
    steps = [transforms.RandomResizedCrop(SIZE), transforms.RandomHorizontalFlip(), transforms.ToTensor()]
    transform = transforms.Compose(steps)
    for number, file in enumerate(files):
        torch.manual_seed(number)
        transform(Image.open(file).convert("RGB"))


def measure() -> Measured:
    """Each photo once a turn, on one core."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        files = photos(Path(folder)) * 4
        return in_turn(lambda: ours(files), lambda: reference(files), len(files), repeats=11)


ROWS = [
    Row(
        name="decode",
        what="photos to crops of 224 px, flipped, on one core",
        reference="Pillow, RandomResizedCrop, flip, to float",
        unit="images/s",
        target=2.0,
        measure=measure,
        loads=True,
        why="three quarters of our time are decoding, two thirds of that the Huffman codes of the whole file, "
        "which the crop needs up to its last row; Pillow's decoder takes half of the reference's time",
    )
]
