"""What the checks of the three sets share: collecting faults, looking into every image, and CHECK.json.

A check lists every fault that it finds (ten of a kind, then their number) instead of stopping at the first."""

import argparse
import io
import json
import os
import warnings
import zlib
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import NamedTuple

from PIL import Image, UnidentifiedImageError
from tqdm import tqdm

from workflow.training.errors import UserError, door
from workflow.training.files import digest, sha256, write_json

LISTED = 10
# Boxes of real sets may lie up to one pixel outside: 0-based next to 1-based, and rounding.
SLACK = 1.0


class Faults:
    """Faults by kind, in the order found. `raise_if_any` turns them into one UserError."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[str]] = {}

    def add(self, kind: str, message: str) -> None:
        """Note one fault; `message` names the file and the line or key."""
        self.kinds.setdefault(kind, []).append(message)

    def __len__(self) -> int:
        return sum(map(len, self.kinds.values()))

    def lines(self) -> list[str]:
        """Up to ten messages of each kind, then how many more there are."""
        lines = []
        for kind, messages in self.kinds.items():
            lines += messages[:LISTED]
            if len(messages) > LISTED:
                lines.append(f"... and {len(messages) - LISTED} more: {kind}")
        return lines

    def raise_if_any(self) -> None:
        """UserError: the message itself if there is one fault, a list if there are several."""
        if len(self) == 1:
            raise UserError(self.lines()[0])
        if self.kinds:
            raise UserError(f"{len(self)} faults in the data:" + "".join(f"\n  {line}" for line in self.lines()))

    def warn(self) -> None:
        """Print them as warnings: for what the official sets themselves contain."""
        for line in self.lines():
            tqdm.write(f"warning: {line}")


class Looked(NamedTuple):
    """What one image file is: bytes and their CRC-32, width and height in px."""

    bytes: int
    crc: int
    width: int
    height: int


def look(path: str) -> Looked | str:
    """Decode one image to its end (at 1/8 scale where JPEG allows); what is wrong with it, in words, if it fails."""
    try:
        data = Path(path).read_bytes()
        if not data:
            return "the image is empty (0 bytes)"
        with warnings.catch_warnings(), Image.open(io.BytesIO(data)) as image:
            warnings.simplefilter("ignore")  # e.g. broken EXIF: harmless
            size = image.size
            image.draft(None, (1, 1))
            image.load()
    except UnidentifiedImageError:
        return "the image cannot be decoded: no known image format"
    except Exception as error:  # PIL's decoders raise many types on damaged files
        return f"the image cannot be decoded: {error}"
    return Looked(len(data), zlib.crc32(data), *size)


def look_at_all(paths: Iterable[Path], what: str, faults: Faults) -> dict[Path, Looked]:
    """Look at every image on all cores; those that cannot be decoded become faults and are left out."""
    paths = list(dict.fromkeys(paths))
    looked = {}
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        results = pool.map(look, map(str, paths), chunksize=32)
        for path, result in zip(paths, tqdm(results, what, len(paths), unit="img"), strict=True):
            if isinstance(result, str):
                faults.add("images that cannot be decoded", f"{path}: {result}")
            else:
                looked[path] = result
    return looked


def refuse_shared(train: dict[Path, Looked], test: dict[Path, Looked], official: bool, faults: Faults) -> None:
    """Images of the test split whose bytes are also in the training split: a fault, or a warning in an official set
    (published sets hold a few duplicates of their own, and nobody may change those)."""
    seen = {(look.bytes, look.crc): path for path, look in train.items()}
    shared = Faults()
    for path, looked in test.items():
        twin = seen.get((looked.bytes, looked.crc))
        if twin and twin != path and sha256(twin) == sha256(path):
            shared.add("images in both training and test", f"{path}: the same image is used for training, as {twin}")
    if official:
        shared.warn()
    else:
        for kind, messages in shared.kinds.items():
            faults.kinds.setdefault(kind, []).extend(messages)


def fingerprint(root: Path, looked: dict[Path, Looked], annotations: dict[Path, str]) -> str:
    """SHA-256 over every image's relative name, size and CRC and every annotation file's hash; root plays no part."""
    images = sorted((path.relative_to(root).as_posix(), look.bytes, look.crc) for path, look in looked.items())
    return digest([images, sorted((path.relative_to(root).as_posix(), text) for path, text in annotations.items())])


def need_folder(path: Path, what: str) -> Path:
    """`path` if it is a folder; UserError otherwise."""
    if not path.is_dir():
        raise UserError(f"{path}: {what} is missing")
    return path


def box_fault(box: tuple[float, ...], low: int, width: int, height: int) -> str | None:
    """What is wrong with (x0, y0, x1, y1) on an image of width x height px, in words; None if nothing is. The first
    pixel's coordinate is `low`: 1 in VOC, 0 in COCO."""
    x0, y0, x1, y1 = box
    shown = f"({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if not (x1 > x0 and y1 > y0):  # not `<=`: NaN must fail too
        return f"the box {shown} has no area"
    if not (min(x0, y0) >= low - SLACK and x1 <= width + SLACK and y1 <= height + SLACK):
        return f"the box {shown} is outside the image of {width}x{height} px"
    return None


def command_line(check: Callable[[dict, Path], dict]) -> Callable[[], None]:
    """The door of a check: --section JSON --root DIR --out CHECK.json."""

    @door
    def main() -> None:
        parser = argparse.ArgumentParser(description=f"Check {check.__module__.split('.')[-1]} data.")
        parser.add_argument("--section", required=True, type=json.loads, help="the set's section of the config, JSON")
        parser.add_argument("--root", required=True, type=Path)
        parser.add_argument("--out", required=True, type=Path, help="CHECK.json")
        args = parser.parse_args()
        content = check(args.section, args.root)
        write_json(args.out, content)
        print(f"{args.root}: fine; " + ", ".join(f"{key} {count}" for key, count in content["counts"].items()))

    return main
