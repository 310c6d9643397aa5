"""The drawn vocabulary of the demo data: twelve shapes, twelve colours, textures and backgrounds, on numpy and PIL.

Every shape is one closed polygon (a hole is reached through a seam), so that the drawing, the box and COCO's
segmentation all come from the same points. Coordinates are (x, y) in pixels, y down, pixel 0 spanning [0, 1)."""

import numpy as np
from PIL import Image, ImageDraw

COLOURS = {
    "red": (214, 40, 40),
    "green": (44, 160, 60),
    "blue": (40, 80, 220),
    "yellow": (240, 215, 40),
    "purple": (140, 50, 170),
    "orange": (245, 130, 25),
    "cyan": (50, 205, 215),
    "pink": (250, 130, 185),
    "white": (250, 250, 250),
    "brown": (120, 70, 35),
    "black": (15, 15, 15),
    "lime": (165, 235, 40),
}
TEXTURES = ("plain", "plain", "shaded", "striped", "dotted")
SUPERSAMPLING = 2


def _polar(radius: np.ndarray) -> np.ndarray:
    """Points at the given radii, evenly spread over the full turn, the first one at the top: (n, 2)."""
    angle = np.linspace(0, 2 * np.pi, len(radius), endpoint=False) - np.pi / 2
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _arc(start: float, end: float, radius: float = 1.0, centre: float = 0.0, points: int = 24) -> np.ndarray:
    """Points of an arc from `start` to `end` (degrees) about (centre, 0): (points, 2)."""
    angle = np.radians(np.linspace(start, end, points))
    return np.stack([centre + radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def _heart() -> np.ndarray:
    t = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    y = 13 * np.cos(t) - 5 * np.cos(2 * t) - 2 * np.cos(3 * t) - np.cos(4 * t)
    return np.stack([16 * np.sin(t) ** 3, -y], axis=1)


SHAPES = {
    "circle": _polar(np.ones(40)),
    "square": np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)]),
    "triangle": _polar(np.ones(3)),
    "star": _polar(np.where(np.arange(10) % 2, 0.4, 1.0)),
    "cross": np.array(
        [(-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1), (1, 3), (-1, 3), (-1, 1), (-3, 1), (-3, -1), (-1, -1)]
    ),
    "ring": np.concatenate([_arc(0, 360, 1.0, points=40), _arc(360, 0, 0.55, points=40)]),
    "crescent": np.concatenate([_arc(60, 300), _arc(263.4, 96.6, 0.872, 0.6)]),
    "arrow": np.array([(-4, -1), (1, -1), (1, -3), (4, 0), (1, 3), (1, 1), (-4, 1)]),
    "heart": _heart(),
    "hourglass": np.array([(-3, -4), (3, -4), (0.5, 0), (3, 4), (-3, 4), (-0.5, 0)]),
    "bolt": np.array([(0, -4), (2.5, -4), (1, -1), (3, -1), (-2, 4), (-0.5, 0.5), (-2.5, 0.5)]),
    "leaf": np.concatenate([_arc(-55, 55, 1.0, -0.574), _arc(125, 235, 1.0, 0.574)]),
}


def outline(shape: str, side: float, rng: np.random.Generator) -> np.ndarray:
    """One turned, sheared and stretched instance of a shape, its box centred on 0 and `side` px long: (n, 2)."""
    angle = rng.uniform(-np.pi, np.pi) if shape in ("star", "ring", "circle") else rng.uniform(-0.8, 0.8)
    turn = np.array([(np.cos(angle), -np.sin(angle)), (np.sin(angle), np.cos(angle))])
    stretch = np.array([(1.0, rng.uniform(-0.2, 0.2)), (0.0, rng.uniform(0.8, 1.25))])
    points = SHAPES[shape] @ stretch.T @ turn.T
    low, high = points.min(axis=0), points.max(axis=0)
    return (points - (low + high) / 2) * (side / (high - low).max())


def background(width: int, height: int, bright: bool, rng: np.random.Generator) -> np.ndarray:
    """Smooth muted noise on a gradient, with clutter (thin lines and specks): (height, width, 3) floats, 0-255."""
    level = rng.uniform(150, 215) if bright else rng.uniform(35, 90)
    coarse = level + rng.normal(0, 22, (rng.integers(2, 6), rng.integers(2, 6), 1)) + rng.normal(0, 12, (1, 1, 3))
    coarse = coarse + rng.normal(0, 7, (*coarse.shape[:2], 3))
    small = Image.fromarray(np.clip(coarse, 0, 255).astype(np.uint8))
    image = small.resize((width, height), Image.Resampling.BICUBIC)
    draw = ImageDraw.Draw(image)
    size = np.array([width, height])
    for _ in range(rng.integers(0, 6)):
        start = rng.uniform(0, 1, 2) * size
        end = start + rng.normal(0, 0.15 if rng.random() < 0.7 else 0.02, 2) * size
        shade = level + rng.normal(0, 40, 3)
        draw.line([*start, *end], tuple(np.clip(shade, 0, 255).astype(int).tolist()), int(rng.integers(1, 4)))
    return np.asarray(image, dtype=np.float32) + rng.normal(0, 4, (height, width, 1)).astype(np.float32)


def _alpha(points: np.ndarray, width: int, height: int) -> np.ndarray:
    """Coverage of each pixel by a polygon, anti-aliased: (height, width) floats in [0, 1]."""
    mask = Image.new("L", (width * SUPERSAMPLING, height * SUPERSAMPLING))
    # PIL's integer coordinates are pixel centres: half a (fine) pixel is taken off to meet our convention.
    ImageDraw.Draw(mask).polygon((points * SUPERSAMPLING - 0.5).ravel().tolist(), fill=255)
    return np.asarray(mask.reduce(SUPERSAMPLING), dtype=np.float32) / 255


def _texture(kind: str, grid: np.ndarray, side: float, rng: np.random.Generator) -> np.ndarray:
    """Brightness between -1 and 1 over `grid`, (2, h, w) pixel coordinates from the object's centre: (h, w)."""
    angle, period = rng.uniform(0, np.pi), side * rng.uniform(0.16, 0.3)
    along = grid[0] * np.cos(angle) + grid[1] * np.sin(angle)
    across = grid[1] * np.cos(angle) - grid[0] * np.sin(angle)
    if kind == "shaded":
        return np.clip(along * 2 / side, -1, 1)
    waves = np.sin(along * 2 * np.pi / period)
    if kind == "striped":
        return np.sign(waves)
    if kind == "dotted":
        return np.where(waves * np.sin(across * 2 * np.pi / period) > 0.35, 1.0, 0.0)
    return np.zeros(grid.shape[1:])


def paint(canvas: np.ndarray, points: np.ndarray, colour: str, rng: np.random.Generator) -> np.ndarray:
    """Draw a polygon into `canvas` (height, width, 3), in place; return where it is, (height, width) booleans."""
    height, width = canvas.shape[:2]
    low, high = points.min(axis=0), points.max(axis=0)
    x0, y0 = np.clip(np.floor(low), 0, (width, height)).astype(int)
    x1, y1 = np.clip(np.ceil(high), 0, (width, height)).astype(int)
    alpha = _alpha(points - (x0, y0), x1 - x0, y1 - y0)
    centre = (low + high) / 2
    grid = np.mgrid[y0:y1, x0:x1][::-1] + 0.5 - centre[:, None, None]
    texture = _texture(TEXTURES[rng.integers(len(TEXTURES))], grid, float((high - low).max()), rng)
    base = np.array(COLOURS[colour]) + rng.normal(0, 8, 3)
    other = base * rng.uniform(0.45, 0.7) if base.mean() > 60 else base + rng.uniform(40, 70)
    fill = base + (other - base) * ((1 - texture[..., None]) / 2 if texture.any() else 0)
    crop = canvas[y0:y1, x0:x1]
    crop += alpha[..., None] * (fill - crop)
    covered = np.zeros((height, width), dtype=bool)
    covered[y0:y1, x0:x1] = alpha >= 0.5
    return covered
