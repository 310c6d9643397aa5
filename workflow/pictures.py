"""What the doors that draw for the report share: whose results, which of the images, and how many bytes."""

import io
from pathlib import Path
from typing import TYPE_CHECKING

from workflow.training.errors import UserError

if TYPE_CHECKING:
    from PIL.Image import Image

QUALITY = 85  # of JPEG: the pictures are part of a page


def spread(total: int, count: int) -> list[int]:
    """`count` places of `total` at most, evenly spread: the rule by which the report's images are chosen."""
    count = min(count, total)
    return [n * total // count for n in range(count)]


def folders(named: list[str]) -> dict[str, Path]:
    """`NAME=FOLDER` of a command line: backbone to the folder of its run; UserError if a folder is missing."""
    found = {}
    for text in named:
        name, sign, folder = text.partition("=")
        if not sign or not Path(folder).is_dir():
            raise UserError(f"--run {text}: must be a backbone's name, = and the folder of its run")
        found[name] = Path(folder)
    return found


def photo(path: Path, side: int) -> "Image":
    """An image file as RGB, its pixels as they are stored, no side longer than `side` px."""
    from PIL import Image

    with Image.open(path) as image:
        image = image.convert("RGB")
        image.thumbnail((side, side))
        return image


def jpeg(image: "Image") -> bytes:
    """An image as JPEG: the same pixels are the same bytes."""
    buffer = io.BytesIO()
    image.save(buffer, format="jpeg", quality=QUALITY, optimize=True)
    return buffer.getvalue()
