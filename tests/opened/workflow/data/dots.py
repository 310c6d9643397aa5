"""Dots: ROOT/{train,test}/<image>, and ROOT/labels.json: {"classes": [name, ...], "train": {image: class, ...},
"test": {image: class, ...}}, where a class is its place in `classes`, from 0."""

from pathlib import Path
from typing import Any

import numpy as np

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json, sha256
from workflow.data.labelled import FileImages
from workflow.data.sets.dots import DATASET, PARTS
from workflow.data.validation.errors import ErrorList, check_split_overlap, command_line, fingerprint, inside
from workflow.data.validation.image_cache import ImageCache
from workflow.data.validation.image_scan import look_at_all


def read(root: str | Path) -> dict[str, Any]:
    """The content of labels.json.

    Args:
        root: folder of the set.

    Raises:
        UserError: the file is missing, or not as above.
    """
    file = Path(root) / "labels.json"
    content = read_json(file, "classes", *PARTS)
    if not isinstance(content["classes"], list) or len(content["classes"]) < 2:
        raise UserError(f"{file}: classes must be a list of two names at least")
    for part in PARTS:
        for name, label in content[part].items():
            if not inside(name) or type(label) is not int or not 0 <= label < len(content["classes"]):
                raise UserError(f"{file}: {part}: {name}: must be an image of {part} and the place of its class")
    return content


def samples(root: str | Path, part: str) -> list[tuple[str, int]]:
    """(path of an image, its label) of `train` or `test`, sorted by name."""
    return [(f"{root}/{part}/{name}", label) for name, label in sorted(read(root)[part].items())]


def open_part(root: str, part: str) -> FileImages:
    """The images of `train` or `test` with their classes, for tasks that take any labelled images."""
    names, labels = zip(*sorted(read(root)[part].items()), strict=True)
    paths = np.array([name.encode(errors="surrogateescape") for name in names], dtype=np.bytes_)
    return FileImages(f"{root}/{part}", paths, np.array(labels))


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check a set.

    Args:
        section: of the config.
        root: folder of the set.
        remember: file that keeps what is known of its images; None: all are decoded.
        threads: cores to decode images on; None: all.

    Returns:
        The content of CHECK.json.

    Raises:
        UserError: with every fault.
    """
    faults, memory, content, looked = ErrorList(), ImageCache(remember, root), read(root), {}
    for part in PARTS:
        paths = [path for path, _ in samples(root, part)]
        for path in paths:
            if not Path(path).is_file():
                faults.add("missing images", f"{path}: labels.json lists it, and there is no such file")
        existing = (path for path in paths if Path(path).is_file())
        looked[part] = look_at_all(existing, f"checking dots {part}", faults, memory, threads)
    check_split_overlap(looked["train"], looked["test"], False, faults)
    faults.raise_if_any()
    labels = Path(root) / "labels.json"
    return DatasetInfo(
        set=DATASET.name,
        root=str(root),
        fingerprint=fingerprint(root, looked["train"] | looked["test"], {labels: sha256(labels)}),
        classes=content["classes"],
        counts={part: len(images) for part, images in looked.items()},
    )


main = command_line(check)

if __name__ == "__main__":
    main()
