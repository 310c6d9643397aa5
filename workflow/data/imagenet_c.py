"""ImageNet-C as folders: ROOT/<corruption>/<severity>/<wnid>/<image>, the same images in each."""

from collections.abc import Iterator
from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import digest
from workflow.data.class_images import class_names
from workflow.data.imagenet import images
from workflow.data.sets.imagenet_c import CORRUPTIONS, DATASET, SEVERITIES
from workflow.data.validation.errors import ErrorList, command_line, fingerprint, require_dir
from workflow.data.validation.image_cache import ImageCache
from workflow.data.validation.image_scan import look_at_all
from workflow.data.validation.unused import say_unused


def folder(root: str | Path, corruption: str, severity: int) -> str:
    """Of the images of a corruption and severity."""
    return f"{root}/{corruption}/{severity}"


def folders(root: Path) -> Iterator[Path]:
    """All of them, corruption by corruption."""
    return (Path(folder(root, corruption, severity)) for corruption in CORRUPTIONS for severity in SEVERITIES)


def listed(place: Path, names: list[str]) -> list[str]:
    """The images below a folder relative to it, class by class."""
    start = len(f"{place}/")
    return [path[start:] for name in names for path in images(place / name)]


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`: the first fault of a folder stands for the others in it.

    Args:
        section: of the config.
        root: folder of the set.
        remember: file that keeps what is known of its images, one for each corruption next to it; None: all are
            decoded.
        threads: cores to decode images on; None: all.

    Raises:
        UserError: with every fault.
    """
    root, faults = Path(root), ErrorList()
    first = next(folders(require_dir(root, f"the folder of {DATASET.title}")))
    for place in folders(root):
        if not place.is_dir():
            faults.add("missing folders", f"{place}: the folder of this corruption and severity is missing")
    faults.raise_if_any()
    names = class_names(first, faults)
    expected = listed(first, names)
    for place in folders(root):
        if sorted(class_names(place, faults)) != names:
            faults.add("other classes", f"{place}: its class folders are not those of {first}")
        elif fault := difference(listed(place, names), expected):
            faults.add("other images", f"{place}: {fault} {first}")
    faults.raise_if_any()
    say_unused(root, "none of the 15 corruptions", {entry.name for entry in root.iterdir()} - {*CORRUPTIONS})
    hashes = []
    for corruption in CORRUPTIONS:
        memory = remember and remember.with_name(f"{remember.stem}-{corruption}.sqlite")
        hashes.append(look_at(root, corruption, names, ImageCache(memory, root), faults, threads))
    faults.raise_if_any()
    counts = {"test": len(expected), "corrupted": len(expected) * len(CORRUPTIONS) * len(SEVERITIES)}
    return DatasetInfo(set=DATASET.name, root=str(root), fingerprint=digest(hashes), classes=names, counts=counts)


def difference(found: list[str], expected: list[str]) -> str:
    """What is other about the images of a folder than in the first; "" if nothing is."""
    if missing := sorted(set(expected) - set(found)):
        return f"{missing[0]} is missing ({len(missing)} of {len(expected)} images), it is in"
    if more := sorted(set(found) - set(expected)):
        return f"{more[0]} is not in"
    return ""


def look_at(
    root: Path, corruption: str, names: list[str], memory: ImageCache, faults: ErrorList, threads: int | None
) -> str:
    """Decode the images of a corruption; their hash. One corruption at a time: of all 3.75 million images the names
    alone take gigabytes."""
    places = (Path(folder(root, corruption, severity)) for severity in SEVERITIES)
    paths = (path for place in places for name in names for path in images(place / name))
    looked = look_at_all(paths, f"checking {DATASET.title} {corruption}", faults, memory, threads)
    return fingerprint(root, looked, {})


main = command_line(check)

if __name__ == "__main__":
    main()
