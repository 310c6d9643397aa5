"""What the checks of test sets in class folders share: ROOT/<class>/<image>, without a training split."""

from pathlib import Path

from workflow.contracts import DataSet
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data.imagenet import check_entries, class_folders, images
from workflow.data.validation.errors import ErrorList, fingerprint, require_dir
from workflow.data.validation.image_cache import ImageCache
from workflow.data.validation.image_scan import look_at_all


def check_class_images(
    data: DataSet, root: Path, remember: Path | None = None, threads: int | None = None
) -> DatasetInfo:
    """Check a test set in class folders.

    Args:
        data: its declaration.
        root: folder of the set.
        remember: file that keeps what is known of its images; None: all are decoded.
        threads: cores to decode images on; None: all.

    Raises:
        UserError: with every fault.
    """
    root, faults, memory = Path(root), ErrorList(), ImageCache(remember, root)
    names = class_names(require_dir(root, f"the folder of {data.title}"), faults)
    faults.raise_if_any()
    paths = (path for name in names for path in images(root / name))
    looked = look_at_all(paths, f"checking {data.title}", faults, memory, threads)
    faults.raise_if_any()
    return DatasetInfo(
        set=data.name,
        root=str(root),
        fingerprint=fingerprint(root, looked, {}),
        classes=names,
        counts={"test": len(looked)},
    )


def class_names(folder: Path, faults: ErrorList) -> list[str]:
    """The class folders in a folder, two at least; those without an image, and names that cannot be shown, are faults.

    Raises:
        UserError: there are not two.
    """
    names = class_folders(folder)
    if len(names) < 2:
        raise UserError(f"{folder}: there must be two class folders at least, found {len(names)}")
    for name in names:
        if not images(folder / name):
            faults.add("class folders without images", f"{folder / name}: the class folder holds no image")
    check_entries(folder, faults)
    return names
