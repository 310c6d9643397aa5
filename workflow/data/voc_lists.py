"""Which images a split of a VOC set has: the lines of its list, and the file of each name, of any format and suffix; or
all that lies in its folder.

The devkit's lists and what tools write: blank lines, Windows line ends, a byte-order mark, UTF-16, file names with a
suffix, and the second column of its lists by class, which says whether a class is on the image and not whether it is
listed. The devkit's folders of two years; one folder of that kind with its lists; `train` and `test` with images and
XML side by side, as Roboflow exports."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from workflow.core.errors import UserError
from workflow.data.imagenet import EXTENSIONS
from workflow.data.validation.errors import FETCH, decoded, inside
from workflow.data.validation.unused import is_leftover

SPLITS = {"trainval07": ("2007", "trainval"), "trainval12": ("2012", "trainval"), "test07": ("2007", "test")}
NAMED = {"trainval07": ("trainval", "train"), "test07": ("test", "valid", "val", "validation")}  # the first counts
LISTS = Path("ImageSets/Main")
COLUMN = re.compile(r"\s+([+-]?1|0)$")


class Part(NamedTuple):
    """The folders of a split's images and annotations, and its list; without one, all that lies in them counts."""

    images: Path
    annotations: Path
    list: Path | None = None


class Listed(NamedTuple):
    """A line that names an image: its number, the name, and the files that it may mean; one, if all is well."""

    line: int
    name: str
    images: list[Path]


def layout(root: str | Path) -> dict[str, Part]:
    """The splits of a set: all of SPLITS in the devkit, otherwise those of NAMED; empty if it is neither."""
    root = Path(root)
    if any((root / f"VOC{year}").is_dir() for year in ("2007", "2012")):
        folders = {split: (root / f"VOC{year}", name) for split, (year, name) in SPLITS.items()}
        return {
            split: _listed_part(folder, folder / LISTS / f"{name}.txt") for split, (folder, name) in folders.items()
        }
    by_list = (root / LISTS).is_dir()
    try:
        entries = sorted((root / LISTS if by_list else root).iterdir())
    except (FileNotFoundError, NotADirectoryError):
        return {}
    names = {
        (entry.stem if by_list else entry.name).lower(): entry
        for entry in entries
        if (entry.suffix.lower() == ".txt" if by_list else entry.is_dir())
    }
    chosen = {split: next((names[one] for one in known if one in names), None) for split, known in NAMED.items()}
    if None in chosen.values():
        return {}
    return {split: _listed_part(root, path) if by_list else Part(path, path) for split, path in chosen.items()}


def _listed_part(folder: Path, path: Path) -> Part:
    """A list of the devkit, in its folder of a year."""
    return Part(folder / "JPEGImages", folder / "Annotations", path)


def need_layout(root: Path) -> dict[str, Part]:
    """The splits of a set; UserError that says how to lay it out if there is no training or no test."""
    if parts := layout(root):
        return parts
    lists = root / LISTS
    if lists.is_dir():
        found = ", ".join(sorted(path.name for path in lists.iterdir())[:5]) or "nothing"
        raise UserError(
            f"{lists}: a list to train on (trainval.txt or train.txt) and one to test on (test.txt, valid.txt or "
            f"val.txt) are needed; it has {found}"
        )
    raise UserError(
        f"{root}: not in VOC's layout: it needs VOC2007 and VOC2012 ({FETCH}); or JPEGImages, Annotations and {LISTS} "
        "with train.txt and test.txt; or the folders train and test (or valid), each with images and their XML side by "
        "side"
    )


def split_file(root: str | Path, split: str) -> Path:
    """The image list of a split, or the folder that is its list."""
    part = layout(root)[split]
    return part.list or part.images


def image_folder(root: str | Path, split: str) -> Path:
    """Where the images of a split lie."""
    return layout(root)[split].images


def annotation_path(root: str | Path, split: str, name: str) -> Path:
    """The XML of an image of a split."""
    return layout(root)[split].annotations / f"{name}.xml"


class Images:
    """The images of a folder by their names without suffix; each folder is listed at most one time."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.known = folder, {}

    def find(self, name: str) -> list[Path]:
        """The files of this name: NAME.jpg, as the devkit has it, or those of another suffix."""
        parent, _, stem = name.rpartition("/")
        if not inside(name):
            return []
        if parent not in self.known:
            self.known[parent] = _by_stem(self.folder / parent)
        files = self.known[parent].get(stem, [])
        found = [self.folder / parent / file for file in ([f"{stem}.jpg"] if f"{stem}.jpg" in files else files)]
        return [path for path in found if path.is_file()]


def _by_stem(folder: Path) -> dict[str, list[str]]:
    """Name without suffix -> the images of that name."""
    found: dict[str, list[str]] = {}
    try:
        names = sorted(os.listdir(folder))  # noqa: PTH208
    except (FileNotFoundError, NotADirectoryError):
        return found
    for name in names:
        stem, suffix = os.path.splitext(name)  # noqa: PTH122
        if suffix.lower() in EXTENSIONS:
            found.setdefault(stem, []).append(name)
    return found


def listed(root: str | Path, split: str) -> list[Listed]:
    """The lines of a split's list that are not blank, in its order; without a list, the names of all images and
    annotations in its folder, on line 0. UnicodeDecodeError if the list is no text; a split that the set has not is
    empty."""
    part = layout(root).get(split)
    if part is None:
        return []
    images, found = Images(part.images), []
    if part.list is None:
        names = {path.stem for path in part.images.iterdir() if path.suffix.lower() in (*EXTENSIONS, ".xml")}
        return [Listed(0, name, images.find(name)) for name in sorted(names) if not is_leftover(name)]
    lines = decoded(part.list.read_bytes()).splitlines()
    for number, line in enumerate(lines, start=1):
        if text := line.strip():
            found.append(Listed(number, *_named(text, images)))
    return found


def _named(text: str, images: Images) -> tuple[str, list[Path]]:
    """The name that a line means and its files: the whole line (a name may hold blanks), or without its second column,
    or either without its suffix."""
    first = COLUMN.sub("", text)
    bare = [os.path.splitext(name) for name in (text, first)]  # noqa: PTH122
    for name in (text, first, *(stem for stem, suffix in bare if suffix.lower() in EXTENSIONS)):
        if files := images.find(name):
            return name, files
    return first, []


def members(root: str | Path, split: str) -> dict[str, Path]:
    """name -> image of a split that was checked, in the list's order."""
    return {each.name: each.images[0] for each in listed(root, split)}
