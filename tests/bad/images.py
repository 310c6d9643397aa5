"""Image files that no training could read, and some that look so and are read."""

import io
import os
from pathlib import Path

from PIL import Image

from tests.bad.cases import Damage


def encoded(size: tuple[int, int], form: str = "JPEG", mode: str = "RGB") -> bytes:
    """A picture of one colour."""
    buffer = io.BytesIO()
    Image.new(mode, size, 1).save(buffer, form)
    return buffer.getvalue()


def image(path: str, size: tuple[int, int], form: str = "JPEG", mode: str = "RGB") -> Damage:
    """Another picture in its place."""
    return lambda root: (root / path).write_bytes(encoded(size, form, mode))


def pipe(path: str) -> Damage:
    """Something that would be waited for without end."""

    def damage(root: Path) -> None:
        (root / path).unlink()
        os.mkfifo(root / path)

    return damage
