"""A synthetic ImageNet-C: the validation images of the drawn ImageNet, corrupted. Each corruption is its namesake's
idea in a line or two, by severity 1 to 5; the published set's has other constants."""

import io
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from PIL import Image

from workflow.core.rng import rng
from workflow.data.sets.imagenet_c import CORRUPTIONS, SEVERITIES
from workflow.data.synthetic.imagenet import val_image, wnids
from workflow.data.synthetic.scenes import progress, save
from workflow.data.synthetic.sprites import Shapes

Pixels = np.ndarray  # (H, W, 3) of 0 to 1
Corruption = Callable[[Pixels, float, np.random.Generator], Pixels]


def shot_noise(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """Photons are counted."""
    return draw.poisson(x * 60 / s**2) / (60 / s**2)


def impulse_noise(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """Salt and pepper."""
    return np.where(draw.random(x.shape) < 0.04 * s, draw.integers(0, 2, x.shape), x)


def defocus_blur(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """A disc."""
    radius = max(1, round(x.shape[0] * s / 80))
    disc = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * radius + 1, 2 * radius + 1)).astype(np.float64)
    return cv2.filter2D(x, -1, disc / disc.sum())


def shifted(x: Pixels, reach: float, draw: np.random.Generator, smooth: float = 0) -> Pixels:
    """Each pixel from a place within `reach` px."""
    height, width = x.shape[:2]
    shift = draw.uniform(-reach, reach, (2, height, width)).astype(np.float32)
    if smooth:
        shift = np.stack([cv2.GaussianBlur(each, (0, 0), smooth) * 3 * smooth for each in shift])
    rows, columns = np.indices((height, width), dtype=np.float32)
    return cv2.remap(x, columns + shift[1], rows + shift[0], cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT)


def motion_blur(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """A diagonal streak."""
    line = np.eye(max(2, round(x.shape[0] * s / 30)))
    return cv2.filter2D(x, -1, line / line.sum())


def zoom_blur(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """The mean of enlarged copies."""
    copies = [cv2.getRotationMatrix2D((x.shape[1] / 2, x.shape[0] / 2), 0, 1 + 0.04 * s * n) for n in range(5)]
    return np.mean([cv2.warpAffine(x, copy, x.shape[1::-1], borderMode=cv2.BORDER_REFLECT) for copy in copies], axis=0)


def snow(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """White flakes in motion."""
    flakes = (draw.random(x.shape[:2]) < 0.02 * s).astype(np.float64)
    return x + motion_blur(np.repeat(flakes[..., None], 3, axis=2), s, draw) * 3


def cloud(x: Pixels, draw: np.random.Generator) -> Pixels:
    """Smooth noise of 0 to 1, (H, W, 1)."""
    field = cv2.GaussianBlur(draw.random(x.shape[:2]), (0, 0), x.shape[0] / 12)
    return ((field - field.min()) / np.ptp(field))[..., None]


def frost(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """Bluish ice in places."""
    return x + (np.array([0.7, 0.85, 1.0]) - x) * np.clip(cloud(x, draw) * 0.25 * s, 0, 1)


def jpeg_compression(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """Few coefficients."""
    buffer = io.BytesIO()
    Image.fromarray((255 * x).astype(np.uint8)).save(buffer, "JPEG", quality=30 - 5 * int(s))
    return np.asarray(Image.open(buffer)) / 255


def pixelate(x: Pixels, s: float, draw: np.random.Generator) -> Pixels:
    """Few large pixels."""
    few = cv2.resize(x, None, fx=1 / (1 + s / 2), fy=1 / (1 + s / 2), interpolation=cv2.INTER_AREA)
    return cv2.resize(few, x.shape[1::-1], interpolation=cv2.INTER_NEAREST)


WAYS: dict[str, Corruption] = {
    "gaussian_noise": lambda x, s, draw: x + draw.normal(0, 0.06 * s, x.shape),
    "shot_noise": shot_noise,
    "impulse_noise": impulse_noise,
    "defocus_blur": defocus_blur,
    "glass_blur": lambda x, s, draw: shifted(x, s * x.shape[0] / 80, draw),
    "motion_blur": motion_blur,
    "zoom_blur": zoom_blur,
    "snow": snow,
    "frost": frost,
    "fog": lambda x, s, draw: x + (0.8 - x) * (0.1 * s + 0.1 * s * cloud(x, draw)),
    "brightness": lambda x, s, draw: x + 0.1 * s,
    "contrast": lambda x, s, draw: x.mean() + (x - x.mean()) * (1 - 0.18 * s),
    "elastic_transform": lambda x, s, draw: shifted(x, s * x.shape[0] / 80, draw, smooth=x.shape[0] / 24),
    "pixelate": pixelate,
    "jpeg_compression": jpeg_compression,
}


def make(root: Path, spec: dict) -> None:
    """<corruption>/<severity>/<wnid>/<name>.JPEG, in the size of the originals."""
    shapes = Shapes(spec["classes"])
    folders = wnids(len(shapes.names))
    for index in progress("ImageNet-C", spec["test"]):
        label, name, picture = val_image(shapes, spec, index)
        for corruption in CORRUPTIONS:
            for severity in SEVERITIES:
                draw = rng("synthetic", corruption, spec["seed"], severity, index)
                corrupted = np.clip(WAYS[corruption](picture.pixels / 255, float(severity), draw), 0, 1)
                folder = root / corruption / str(severity) / folders[label]
                folder.mkdir(parents=True, exist_ok=True)
                save(folder / name, (255 * corrupted).astype(np.uint8))
