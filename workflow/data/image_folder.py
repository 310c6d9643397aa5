"""A set of one's own in folders: ROOT/train/<class>/<image>, and the same classes in ROOT/test, or in ROOT/val where
test has none. Labels are the places of the sorted class folders, whose names are those of the classes."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data.class_folders import ClassFolders
from workflow.data.imagenet import check_folders, class_folders, images
from workflow.data.sets.image_folder import DATASET
from workflow.data.validation.errors import ErrorList, check_split_overlap, command_line, fingerprint
from workflow.data.validation.image_cache import ImageCache
from workflow.data.validation.image_scan import look_at_all


def folder_of(root: str | Path, part: str) -> str:
    """The folder of the images of `train` or `test`."""
    if part == "test" and not _has_classes(Path(root) / "test") and _has_classes(Path(root) / "val"):
        return "val"
    return part


def _has_classes(folder: Path) -> bool:
    return folder.is_dir() and bool(class_folders(folder))


def open_part(root: str, part: str) -> ClassFolders:
    """The images of `train` or `test` with their classes."""
    return ClassFolders(f"{root}/{folder_of(root, part)}")


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`.

    Args:
        section: of the config.
        root: folder of the set.
        remember: file that keeps what is known of its images; None: all are decoded.
        threads: cores to decode images on; None: all.

    Raises:
        UserError: with every fault.
    """
    root, faults, memory = Path(root), ErrorList(), ImageCache(remember, root)
    folders = folder_of(root, "train"), folder_of(root, "test")
    for folder in (root, *(root / each for each in folders)):
        if not folder.is_dir():
            raise UserError(f"{folder}: the folder is missing")
    check_folders(root, folders, "the set", faults)
    faults.raise_if_any()
    names = class_folders(root / folders[0])
    looked = []
    for folder in folders:
        paths = (path for name in names for path in images(root / folder / name))
        looked.append(look_at_all(paths, f"checking {root.name} {folder}", faults, memory, threads))
    check_split_overlap(*looked, False, faults)
    faults.raise_if_any()
    return DatasetInfo(
        set=DATASET.name,
        root=str(root),
        fingerprint=fingerprint(root, looked[0] | looked[1], {}),
        classes=names,
        counts={part: len(found) for part, found in zip(DATASET.parts, looked, strict=True)},
    )


main = command_line(check)

if __name__ == "__main__":
    main()
