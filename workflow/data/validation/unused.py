"""What lies in a set's folders and is not used: counted and named with the reason, so that no image is lost in silence.

What tools and file systems leave behind is neither a class nor an image, whatever its name ends in."""

import os
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

from tqdm import tqdm

SHOWN = 5
LEFTOVERS = {
    *("__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "@eadir", "#recycle", "$recycle.bin", "icon\r"),
    *("lost+found", "system volume information", "~snapshot", "@recently-snapshot", "@recycle", "__pycache__"),
}


def is_leftover(name: str) -> bool:
    """Whether a tool or a file system has left this file or folder: hidden ones (.DS_Store, ._a.JPEG, .snapshot) and
    those of LEFTOVERS."""
    return name.startswith(".") or name.lower() in LEFTOVERS


def walk(folder: str, ancestors: tuple[tuple[int, int], ...] = ()) -> Iterator[tuple[str, list[str], list[str]]]:
    """(folder, its files, its leftovers) of a folder and those below it, through links, in the order of torchvision's
    ImageFolder. A link that leads back to a folder above it is a leftover."""
    above = [] if ancestors else [os.path.dirname(folder), os.path.dirname(os.path.dirname(folder))]  # noqa: PTH120
    stats = [os.stat(place or ".") for place in (*above, folder)]  # noqa: PTH116  (text: a million Paths take a minute)
    seen = (*ancestors, *((stat.st_dev, stat.st_ino) for stat in stats))
    files, folders, rest = [], [], []
    with os.scandir(folder) as entries:
        for entry in entries:
            kind = folders if _is_folder(entry) else files
            (rest if is_leftover(entry.name) else kind).append(entry.name)
    for name in list(folders):
        found = os.stat(f"{folder}/{name}")  # noqa: PTH116
        if (found.st_dev, found.st_ino) in seen:
            folders.remove(name)
            rest.append(name)
    yield folder, sorted(files), rest
    below = [part for name in folders for part in walk(f"{folder}/{name}", seen)]
    yield from sorted(below, key=lambda part: part[0])


def _is_folder(entry: os.DirEntry) -> bool:
    """Also through a link; one that leads in a circle is none."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def say_unused(folder: Path, reason: str, names: Iterable[str]) -> None:
    """One line with the number of what is not used, and the first names; none if there is nothing."""
    if listed := sorted(names):
        shown = ", ".join(ascii(name)[1:-1] for name in listed[:SHOWN]) + ", ..." * (len(listed) > SHOWN)
        tqdm.write(f"{folder}: {len(listed)} not used, {reason}: {shown}")


def say_kinds(folder: Path, reason: str, names: Iterable[str]) -> None:
    """The same by suffix: `12 '.txt'`."""
    if kinds := Counter(Path(name).suffix or name for name in names):
        shown = ", ".join(f"{count} {kind!a}" for kind, count in kinds.most_common(SHOWN))
        tqdm.write(f"{folder}: {kinds.total()} not used, {reason}: {shown}{', ...' * (len(kinds) > SHOWN)}")


def files_below(path: Path) -> list[str]:
    """A leftover itself, or the files in it if it is a folder (of which a link is not followed)."""
    if path.is_symlink() or not path.is_dir():
        return [path.name]
    return [f"{path.name}/{name}" for _, _, names in os.walk(path) for name in names] or [f"{path.name}/"]
