"""Photos to load: those of $REALMINI/fullsize, or as many drawn ones of ImageNet's common size where it is not set."""

import os
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

COUNT = 64


def write_photos(folder: Path) -> list[Path]:
    """Noise of all scales, as JPEGs of about 110 kB, which is ImageNet's mean."""
    folder.mkdir(parents=True)
    rng, files = np.random.default_rng(0), [folder / f"{n}.JPEG" for n in range(COUNT)]
    for file in files:
        found = np.zeros((375, 500, 3))
        for cells in (4, 16, 64, 256):
            noise = rng.normal(size=(cells, cells, 3)).astype(np.float32)
            found += cv2.resize(noise, (500, 375), interpolation=cv2.INTER_CUBIC) / cells**0.5
        Image.fromarray((128 + 120 * found / np.abs(found).max()).astype(np.uint8)).save(file, quality=95)
    return files


def photos(folder: Path) -> list[Path]:
    """Paths; what has to be drawn is drawn into `folder`."""
    if "REALMINI" in os.environ:
        return sorted(Path(os.environ["REALMINI"]).resolve().glob("fullsize/*.JPEG"))
    return write_photos(folder / "drawn")


def imagenet(folder: Path) -> Path:
    """A folder in ImageNet's layout below `folder`: photos of eight classes, the same ones to train and to test on."""
    root = folder / "imagenet"
    for number, photo in enumerate(photos(folder)):
        for split in ("train", "val"):
            link = root / split / f"class{number % 8}" / photo.name
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(photo)
    return root
