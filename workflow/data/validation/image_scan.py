"""Look into every image of a set, on many cores: is it whole, what are its size and bytes, and is it odd?

Odd is what the official sets contain and every reader must bear: CMYK and Adobe's YCCK, one format under the name of
another, broken EXIF. It is decoded to RGB like the rest, and counted. Decoded by the function of all tasks."""

import os
import warnings
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import closing
from itertools import islice
from pathlib import Path
from stat import S_ISREG

from PIL import Image
from tqdm import tqdm

from workflow.core import shared_memory
from workflow.core.errors import UserError
from workflow.core.escaping import say
from workflow.core.job_environment import usable_cores
from workflow.core.signals import leave_to_parent
from workflow.data.validation.decoding import ImageError, open_image, pixels
from workflow.data.validation.errors import AnyPath, ErrorList
from workflow.data.validation.image_cache import ImageCache, ImageInfo, State

NAMED = {
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".png": "PNG",
    ".bmp": "BMP",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}
LONGEST = 200  # sides; to the recipes' sizes it would be resized to hundreds of MB, or to a side of no pixel
SMALLEST = 8  # a plain JPEG is decoded at 1/8: the same reading to the end, at a fraction of the time
TOGETHER = 10_000  # images whose results are kept at once: what an interrupted check does not lose


def inspect_image(path: str) -> ImageInfo | str:
    """Decode one image to its end, as training will (at 1/8 scale where JPEG allows); what is wrong with it, in words,
    if it fails."""
    try:
        if not S_ISREG(os.stat(path).st_mode):  # noqa: PTH116  (a pipe would be waited for)
            return "the image is no file"
        data = Path(path).read_bytes()
        if not data:
            return "the image is empty (0 bytes)"
        with warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            with open_image(path, data) as image:
                size, odd = image.size, _oddity(image, path)
                pixels(image, SMALLEST)
    except ImageError as error:
        return error.reason
    except OSError as error:
        return f"the image cannot be decoded: {error}"
    if max(size) > LONGEST * min(size):
        return f"the image has {size[0]}x{size[1]} px: one side is more than {LONGEST} times the other"
    if not odd and any("TiffImagePlugin" in warning.filename for warning in warned):  # EXIF is a TIFF within
        odd = "with broken EXIF"
    return ImageInfo(len(data), zlib.crc32(data), *size, odd)


def _oddity(image: Image.Image, path: str) -> str:
    """What is odd about an image that was opened and not yet decoded."""
    named = NAMED.get(os.path.splitext(path)[1].lower())  # noqa: PTH122  (a Path for each of a million images is slow)
    if named and image.format not in (named, "MPO"):  # an MPO is a JPEG with further pictures behind it
        return f"{image.format} named {named}"
    if image.mode == "CMYK":
        return "YCCK" if image.info.get("adobe_transform") == 2 else "CMYK"
    if "exif" in image.info:
        try:
            dict(image.getexif())
        except Exception:  # as many types as there are ways to break it
            return "with broken EXIF"
    if image.mode.startswith("I"):
        return "of 16 bits, scaled to 8"
    if image.format != "MPO" and getattr(image, "is_animated", False):
        return "of several frames, of which the first counts"
    if image.mode in ("RGBA", "LA", "PA") or "transparency" in image.info:
        return "with transparency, which is dropped"
    return ""


def look_at_all(
    paths: Iterable[AnyPath], what: str, faults: ErrorList, memory: ImageCache, threads: int | None = None
) -> dict[AnyPath, ImageInfo]:
    """Look at every image that is not remembered unchanged, on `threads` cores (None: all that this process may use);
    those that cannot be decoded become faults and are left out. Prints how many of which kind are odd."""
    by_name = {str(path): path for path in paths}
    looked, new = {}, []
    for name, stat, remembered in memory.split(by_name):
        looked[by_name[name]] = remembered  # also if None: the order of `paths` is kept
        if remembered is None:
            new.append((name, stat))
    bar = tqdm(desc=what, total=len(by_name), initial=len(by_name) - len(new), unit="img")
    with bar, closing(_look_at(new, bar, threads)) as results:
        while batch := list(islice(results, TOGETHER)):
            memory.keep((name, stat, found) for name, stat, found in batch if isinstance(found, ImageInfo))
            for name, _, found in batch:
                if isinstance(found, str):
                    faults.add("images that cannot be decoded", f"{name}: {found}")
                    del looked[by_name[name]]
                else:
                    looked[by_name[name]] = found
    if odd := Counter(found.oddity for found in looked.values() if found.oddity):
        kinds = ", ".join(f"{count} {kind}" for kind, count in odd.most_common())
        say(f"{what}: {kinds}: odd, but no fault; they are decoded to RGB as the rest")
    return looked


def _look_at(
    new: list[tuple[str, State]], bar: tqdm, threads: int | None
) -> Iterator[tuple[str, State, ImageInfo | str]]:
    if not new:
        return
    if reason := shared_memory.missing():
        raise UserError(f"images cannot be decoded on several cores: {reason}")
    try:
        pool = ProcessPoolExecutor(threads or usable_cores(), initializer=leave_to_parent)
    except OSError as error:
        raise UserError(f"images cannot be decoded on several cores: {shared_memory.fault(error) or error}") from None
    try:
        names = [name for name, _ in new]
        for (name, stat), found in zip(new, pool.map(inspect_image, names, chunksize=32), strict=True):
            bar.update()
            yield name, stat, found
    finally:
        pool.shutdown(cancel_futures=True)  # whoever interrupts a check does not wait for the rest of it
