"""Out-of-distribution images: ROOT/<set>/, the images of a set in its folder or below it. They have no labels."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from workflow.contracts import DataSet
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.escaping import say
from workflow.data.imagenet import check_entries, class_folders, images
from workflow.data.labelled import FileImages
from workflow.data.sets.ood_images import DATASET
from workflow.data.validation.errors import ErrorList, command_line, fingerprint, require_dir
from workflow.data.validation.image_cache import ImageCache, ImageInfo
from workflow.data.validation.image_scan import look_at_all

NONE: Mapping[str, int] = {}


def open_set(root: str, name: str) -> FileImages:
    """The images of a set, all of class 0: `root` is the folder of all sets."""
    folder = f"{root}/{name}"
    paths = [path[len(folder) + 1 :].encode(errors="surrogateescape") for path in images(folder)]
    return FileImages(folder, np.array(paths, dtype=np.bytes_), np.zeros(len(paths), dtype=np.int64))


def check_sets(
    data: DataSet,
    section: dict,
    root: Path,
    remember: Path | None,
    threads: int | None,
    official: Mapping[str, int] = NONE,
    side: int | None = None,
) -> DatasetInfo:
    """Check the sets in the folders of `root`.

    Args:
        data: declaration of the layout.
        section: of the config.
        root: its folder.
        remember: file that keeps what is known of its images; None: all are decoded.
        threads: cores to decode images on; None: all.
        official: the sets that must be there, with the number of images that they are published with.
        side: that all images must have, px; None: any.

    Raises:
        UserError: with every fault.
    """
    root, faults = Path(root), ErrorList()
    names, memory = class_folders(require_dir(root, f"the folder of {data.title}")), ImageCache(remember, root)
    if not names:
        raise UserError(f"{root}: there is no folder of a set in it")
    for name in official:
        require_dir(root / name, f"the folder of the set {name}")
    for name in names:
        if not images(root / name):
            faults.add("sets without images", f"{root / name}: the folder of the set holds no image")
    check_entries(root, faults)
    faults.raise_if_any()
    paths = {name: images(root / name) for name in names}
    every = (path for name in names for path in paths[name])
    looked = look_at_all(every, f"checking {data.title}", faults, memory, threads)
    for path, info in looked.items():
        _check_side(path, info, side, faults)
    faults.raise_if_any()
    for name, count in official.items():
        if "synthetic" not in section and len(paths[name]) != count:
            say(f"warning: {root / name}: {len(paths[name]):,} images, not the official {count:,}")
    return DatasetInfo(
        set=data.name,
        root=str(root),
        fingerprint=fingerprint(root, looked, {}),
        classes=names,
        counts={"test": len(looked)},
    )


def _check_side(path: str, info: ImageInfo, side: int | None, faults: ErrorList) -> None:
    if side and (info.width, info.height) != (side, side):
        faults.add("images of another size", f"{path}: the image has {info.width}x{info.height} px, not {side}x{side}")


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the sets at `root`; the arguments are those of `check_sets`."""
    return check_sets(DATASET, section, root, remember, threads)


main = command_line(check)

if __name__ == "__main__":
    main()
