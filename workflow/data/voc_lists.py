"""Which images a split of a VOC set has: the lines of its list, and the file of each name, of any format and suffix.

The devkit's lists and what tools write: blank lines, Windows line ends, a byte-order mark, file names with a suffix,
and the second column of its lists by class, which says whether a class is on the image and not whether it is listed."""

import os
import re
from pathlib import Path
from typing import NamedTuple

from workflow.data.checking import inside
from workflow.data.imagenet import EXTENSIONS

SPLITS = {"trainval07": ("2007", "trainval"), "trainval12": ("2012", "trainval"), "test07": ("2007", "test")}
COLUMN = re.compile(r"\s+([+-]?1|0)$")


class Listed(NamedTuple):
    """A line that names an image: its number, the name, and the files that it may mean; one, if all is well."""

    line: int
    name: str
    images: list[Path]


def split_file(root: str | Path, split: str) -> Path:
    """The image list of a split of SPLITS."""
    year, name = SPLITS[split]
    return Path(root) / f"VOC{year}" / "ImageSets" / "Main" / f"{name}.txt"


def image_folder(root: str | Path, split: str) -> Path:
    """Where the images of a split lie."""
    return Path(root) / f"VOC{SPLITS[split][0]}" / "JPEGImages"


def annotation_path(root: str | Path, split: str, name: str) -> Path:
    """The XML of an image of a split."""
    return Path(root) / f"VOC{SPLITS[split][0]}" / "Annotations" / f"{name}.xml"


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
    """The lines of a split's list that are not blank, in its order."""
    images, found = Images(image_folder(root, split)), []
    lines = split_file(root, split).read_text(encoding="utf-8-sig").splitlines()
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
