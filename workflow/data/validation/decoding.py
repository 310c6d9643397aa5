"""The one way in which an image file becomes pixels: of the data check, of every task, and of the report's pictures.

Stored pixels as uint8 RGB or BGR: EXIF turns nothing (boxes are of the stored pixels), transparency is dropped, of
several frames the first is read, of 16 bits the upper 8. What has no known scale is refused."""

import io
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, TiffImagePlugin, UnidentifiedImageError, WebPImagePlugin  # noqa: F401 (the two register)

from workflow.core.errors import UserError

FORMATS = ("JPEG", "PNG", "BMP", "GIF", "PPM", "TIFF", "WEBP")  # no other: some of Pillow's readers start programs
BITS, MEANING, WHITE_IS_ZERO = 258, 262, 0  # of a TIFF: bits a sample, what its values mean
SHRUNK = {  # a JPEG can be decoded at these parts of its size: smaller cosine transforms, which average as they go
    1: 0,
    2: cv2.IMREAD_REDUCED_GRAYSCALE_2,
    4: cv2.IMREAD_REDUCED_GRAYSCALE_4,
    8: cv2.IMREAD_REDUCED_GRAYSCALE_8,
}
START_OF_SCAN = b"\xff\xda"
HEADERS = (b"\xff\xc4", b"\xff\xdb", b"\xff\xfe")  # tables and comments
CONTEXT = 2  # rows after the last one, from which its colours are interpolated
BLOCK = 32  # rows that are compressed together, at most
COLOR = {"RGB": cv2.IMREAD_COLOR_RGB, "BGR": cv2.IMREAD_COLOR_BGR}


class ImageError(UserError):
    """An image file that cannot be read: the message is `FILE: reason`, and `reason` stands alone too."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


def open_image(path: str | Path, data: bytes | None = None) -> Image.Image:
    """An image file with its header read, as a context manager; `data`: its bytes, where they were read before."""
    try:
        return Image.open(path if data is None else io.BytesIO(data), formats=FORMATS)
    except UnidentifiedImageError:
        reason = "the image cannot be decoded: no known image format"
    except Exception as error:  # Pillow's readers raise many types on damaged files
        reason = f"the image cannot be decoded: {error}"
    raise ImageError(f"{path}: {reason}", reason) from None


def plain(image: Image.Image) -> bool:
    """Whether OpenCV decodes this opened file to Pillow's bits: JPEG, and neither CMYK nor anything rarer."""
    return image.format == "JPEG" and image.mode in ("RGB", "L")


def pixels(image: Image.Image, shrink: int = 1, order: str = "RGB", rows: int = 0) -> np.ndarray:
    """An opened file as uint8 (H, W, 3) in `order`, a plain JPEG at 1/`shrink` of its size, rounded up.

    OpenCV writes straight into the array, which Pillow copies twice. torchvision deprecated its decoders in 0.29.

    Args:
        image: the file.
        shrink: one of SHRUNK.
        order: `RGB` or `BGR`.
        rows: of the file that are needed, from its first on; what comes after them may be missing. 0: all.
    """
    name = getattr(image, "filename", "")
    try:
        if plain(image):
            image.fp.seek(0)
            data: bytes = image.fp.read()
            how = COLOR[order] | SHRUNK[shrink] | cv2.IMREAD_IGNORE_ORIENTATION
            for part in [first_rows(data, rows + CONTEXT * shrink), data] if rows else [data]:
                found = cv2.imdecode(np.frombuffer(part, np.uint8), how)
                if found is not None:
                    return found
        found = _by_pillow(image)
    except Exception as error:  # as many types as there are ways to damage a file
        reason = f"the image cannot be decoded: {error}"
        raise ImageError(f"{name or 'image'}: {reason}", reason) from None
    return found if order == "RGB" else np.ascontiguousarray(found[..., ::-1])


def first_rows(data: bytes, rows: int) -> bytes | bytearray:
    """A JPEG that ends after so many rows, by the height in its header: what is compressed after them is not decoded.

    Unchanged if it is progressive, has several scans or restart markers, or ends within BLOCK rows after these.
    """
    place, frame = 2, 0
    while (marker := data[place : place + 2]) != START_OF_SCAN:
        if marker in (b"\xff\xc0", b"\xff\xc1"):
            frame = place
        elif len(marker) < 2 or (marker not in HEADERS and not b"\xff\xe0" <= marker <= b"\xff\xef"):
            return data
        place += 2 + int.from_bytes(data[place + 2 : place + 4])
    height = int.from_bytes(data[frame + 5 : frame + 7])
    if not frame or data[place + 4] != data[frame + 9] or rows > height - BLOCK:
        return data
    part = bytearray(data)
    part[frame + 5 : frame + 7] = rows.to_bytes(2)
    del part[data.rfind(b"\xff\xd9") :]  # of the end the decoder would say that bytes before it were not read
    return part


def decode(path: str | Path, order: str = "RGB") -> np.ndarray:
    """An image file as uint8 (H, W, 3) in `order`; ImageError if it cannot be read."""
    with open_image(path) as image:
        return pixels(image, order=order)


def _by_pillow(image: Image.Image) -> np.ndarray:
    """Any file as RGB. Pillow itself clips what has more than 8 bits: 16-bit grey would be white, floats black."""
    image.filename = ""  # or Pillow opens a file of raw pixels again, to map it
    deep = image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PPM", "PNG"))
    if image.mode in ("I", "F") and not deep:
        kind = {"I": "integers", "F": "floating-point numbers"}[image.mode]
        raise ValueError(f"its pixels are {kind} of 32 bits, of which no scale is known; save it with 8 or 16 bits")
    if not deep:
        return np.array(image.convert("RGB"))
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(BITS, (16,))[0]
    grey = (np.asarray(image).astype(np.int64) >> (bits - 8)).clip(0, 255).astype(np.uint8)
    if tags.get(MEANING) == WHITE_IS_ZERO:
        grey = 255 - grey
    return np.repeat(grey[..., None], 3, axis=2)
