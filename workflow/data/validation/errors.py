"""What the checks of all sets share: collecting faults, the fingerprint, the command line that leaves CHECK.json.

A check lists every fault that it finds instead of stopping at the first: ten of a kind on the terminal, all in a
file."""

import argparse
import codecs
import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path, PurePosixPath
from types import MappingProxyType
from typing import Any, TypeVar

from tqdm import tqdm

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError, cli_entry_point
from workflow.core.escaping import printable, say
from workflow.core.files import atomic, digest, sha256, short
from workflow.data.validation.image_cache import ImageInfo

LISTED = 10
FETCH = "`snakemake data --cores 2 --configfile CONFIG` fetches the official one"
FieldType = tuple[str, Callable[[Any], bool]]  # what an annotation file must have at a key, in words and as a test
WHOLE: FieldType = ("a whole number", lambda value: type(value) is int and abs(value) < 1 << 53)
NUMBER: FieldType = ("a number", lambda value: type(value) in (int, float) and abs(value) < 1 << 53)
TEXT: FieldType = ("text", lambda value: isinstance(value, str))
LIST: FieldType = ("a list", lambda value: isinstance(value, list))
ANY: FieldType = ("anything", lambda value: True)
FILE: FieldType = ("the name of a file in its folder", lambda value: text_error(value) is None and inside(value))
AnyPath = TypeVar("AnyPath", str, Path)
# Boxes of real sets may lie up to one pixel outside: 0-based next to 1-based, and rounding.
SLACK = 1.0
NONE: Mapping[str, Sequence[str]] = MappingProxyType({})


class DataError(UserError):
    """Faults in the data: `listed` has a line for each of them, however many there are. The message has a line for each
    that is shown; what they name is escaped already."""

    def __init__(self, message: str, listed: list[str]) -> None:
        super().__init__(message)
        self.listed = listed

    def __str__(self) -> str:
        return printable(Exception.__str__(self), keep="\n")


class ErrorList:
    """Faults by kind, in the order found. `raise_if_any` turns them into one UserError."""

    def __init__(self) -> None:
        self.kinds: dict[str, list[str]] = {}

    def add(self, kind: str, message: str) -> None:
        """Note one fault; `message` names the file and the line or key."""
        self.kinds.setdefault(kind, []).append(printable(message))

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
        """DataError: the message itself if there is one fault, a list if there are several."""
        listed = [message for messages in self.kinds.values() for message in messages]
        if len(listed) == 1:
            raise DataError(listed[0], listed)
        if listed:
            shown = "".join(f"\n  {line}" for line in self.lines())
            raise DataError(f"{len(listed)} faults in the data:{shown}", listed)

    def warn(self) -> None:
        """Print them as warnings: for what the official sets themselves contain."""
        for line in self.lines():
            tqdm.write(f"warning: {line}")


def check_split_overlap(
    train: dict[AnyPath, ImageInfo], test: dict[AnyPath, ImageInfo], official: bool, faults: ErrorList
) -> None:
    """Images of the test split whose bytes are also in the training split: a fault, or a warning in an official set
    (published sets hold a few duplicates of their own, and nobody may change those)."""
    seen = {(look.bytes, look.crc): path for path, look in train.items()}
    shared = ErrorList()
    for path, looked in test.items():
        twin = seen.get((looked.bytes, looked.crc))
        if twin and twin != path and sha256(twin) == sha256(path):
            shared.add("images in both training and test", f"{path}: the same image is used for training, as {twin}")
    if official:
        shared.warn()
    else:
        for kind, messages in shared.kinds.items():
            faults.kinds.setdefault(kind, []).extend(messages)


def warn_of_absent(path: Path, classes: list[str], tested: bool) -> None:
    """Say which classes have no object in a split: no fault, but nobody should have to find it out from the table."""
    then = "it has no AP and no part in their mean" if tested else "nothing of it can be learnt here"
    for name in classes:
        say(f"warning: {path}: no object of class {name}: {then}")


def fingerprint(root: Path, looked: dict[AnyPath, ImageInfo], annotations: dict[Path, str]) -> str:
    """SHA-256 over every image's relative name, size and CRC and every annotation file's hash; root plays no part."""
    start = len(os.path.join(root, ""))  # noqa: PTH118  (`relative_to` takes a minute for a million paths)
    images = sorted((str(path)[start:], look.bytes, look.crc) for path, look in looked.items())
    return digest([images, sorted((str(path)[start:], text) for path, text in annotations.items())])


def require_dir(path: Path, what: str) -> Path:
    """`path` if it is a folder; UserError otherwise."""
    if not path.is_dir():
        raise UserError(f"{path}: {what} is missing; {FETCH}")
    return path


def load_lists(path: Path, keys: dict[str, dict[str, FieldType]], optional: Mapping[str, Sequence[str]] = NONE) -> dict:
    """An annotation file whose lists hold objects with the given keys, of which the `optional` ones of a list may be
    absent or null; UserError naming what is not there, or is of another kind."""
    if not path.is_file():
        raise UserError(f"{path}: the annotation file is missing; {FETCH}")
    try:
        content = json.loads(decoded(path.read_bytes()), object_pairs_hook=_unique_keys)
    except ValueError as error:  # no JSON, no UTF-8, a number of thousands of digits, a key that stands twice
        raise UserError(f"{path}: not valid JSON: {error}") from None
    except RecursionError:
        raise UserError(f"{path}: not valid JSON: nested too deeply") from None
    for name, needed in keys.items():
        if not isinstance(content, dict) or not isinstance(content.get(name), list):
            raise UserError(f"{path}: the list '{name}' is missing")
        for number, entry in enumerate(content[name]):
            for key, (what, fits) in needed.items():
                if key in optional.get(name, ()) and isinstance(entry, dict) and entry.get(key) is None:
                    continue
                if not isinstance(entry, dict) or key not in entry:
                    raise UserError(f"{path}: {name}[{number}] has no '{key}'")
                if not fits(entry[key]):
                    raise UserError(f"{path}: {name}[{number}]: '{key}' must be {what}, not {entry[key]!r:.60}")
    return content


def decoded(data: bytes) -> str:
    """Text in UTF-8, with a byte-order mark or without, or in UTF-16 with one, as PowerShell writes; otherwise
    UnicodeDecodeError."""
    return data.decode("utf-16" if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig")


def _unique_keys(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object; ValueError for a key that stands twice, of which readers take the last without a word."""
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [key for key, _ in pairs]
        raise ValueError(f"duplicate key {max(names, key=names.count)!r:.60}")
    return found


def box_fault(box: tuple[float, ...], low: int, width: int, height: int) -> str | None:
    """What is wrong with (x0, y0, x1, y1) on an image of width x height px, in words; None if nothing is. The first
    pixel's coordinate is `low`: 1 in VOC, 0 in COCO."""
    x0, y0, x1, y1 = box
    shown = f"({x0:g}, {y0:g}, {x1:g}, {y1:g})"
    if not (x1 > x0 and y1 > y0):  # not `<=`: NaN must fail too
        return f"the box {shown} has no area"
    near = min(x0, y0) >= low - SLACK and x1 <= width + SLACK and y1 <= height + SLACK
    if not near or min(x1 - low, width) <= max(x0 - low, 0) or min(y1 - low, height) <= max(y0 - low, 0):
        return f"the box {shown} is outside the image of {width}x{height} px"
    return None


def inside(name: str) -> bool:
    """Does a file of this name lie in the folder that it is looked for in?"""
    return not PurePosixPath(name).is_absolute() and ".." not in PurePosixPath(name).parts and "\0" not in name


def text_error(text: object) -> str | None:
    """What is wrong with a name or a caption that is to be shown, in words; None if nothing is."""
    if not isinstance(text, str):
        return "is no text"
    try:
        text.encode()
    except UnicodeEncodeError:
        return "holds what is no Unicode character (half a surrogate pair, or bytes that are no UTF-8)"
    return None if text.strip() else "is empty"


@contextlib.contextmanager
def os_errors_as_user_errors(where: Path) -> Iterator[None]:
    """What the system says of a file (not allowed, no folder, name too long) as a UserError, file first."""
    try:
        yield
    except OSError as error:
        raise UserError(f"{error.filename or where}: {error.strerror or error}") from None


def command_line(check: Callable[[dict, Path, Path, int | None], DatasetInfo]) -> Callable[[], None]:
    """The command line of a check: --dataset-config JSON --root DIR --out CHECK.json. Next to it lie all faults, if
    there are any, and what is remembered of this root's images, whichever config asks (by its name, not by where that
    leads: so a project that was moved with its data remembers them)."""

    @cli_entry_point
    def main() -> None:
        parser = argparse.ArgumentParser(description=f"Check {check.__module__.split('.')[-1]} data.")
        parser.add_argument(
            "--dataset-config", required=True, type=json.loads, help="the set's section of the config, JSON"
        )
        parser.add_argument("--root", required=True, type=Path)
        parser.add_argument("--out", required=True, type=Path, help="CHECK.json")
        parser.add_argument("--threads", type=int, help="cores to decode images on; all, if left out")
        args = parser.parse_args()
        if not isinstance(args.dataset_config, dict) or (args.threads or 1) < 1:
            parser.error("--dataset-config must be a mapping, --threads at least 1")
        memory = args.out.parent / f".seen-{short(str(args.root))}.sqlite"
        listed = args.out.with_suffix(".errors.txt")
        with os_errors_as_user_errors(args.out):
            args.out.parent.mkdir(parents=True, exist_ok=True)  # not only after an hour of decoding
            listed.unlink(missing_ok=True)
        try:
            with os_errors_as_user_errors(args.root):
                info = check(args.dataset_config, args.root, memory, args.threads)
        except DataError as error:
            with atomic(listed) as temporary:
                temporary.write_text("".join(f"{line}\n" for line in error.listed), "utf-8", "backslashreplace")
            more = f"\nAll {len(error.listed)} stand in {printable(str(listed))}" if len(error.listed) > 1 else ""
            raise DataError(f"{error}{more}", error.listed) from None
        info.write(args.out)
        say(f"{args.root}: fine; " + ", ".join(f"{key} {count}" for key, count in info.counts.items()))

    return main
