"""FashionMNIST: ROOT with IDX files of images and labels, {train,t10k}-{images-idx3,labels-idx1}-ubyte, with `.gz` or
unpacked. Its images are grey; networks get the grey as R, G and B."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import idx
from workflow.data.array_images import check_arrays
from workflow.data.labelled import ArrayImages
from workflow.data.sets.fashion_mnist import DATASET
from workflow.data.validation.errors import ErrorList, command_line, require_dir
from workflow.data.validation.unused import say_unused

CLASSES = (*("T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"),)
PREFIX = {"train": "train", "test": "t10k"}
IMAGES, LABELS = "{}-images-idx3-ubyte", "{}-labels-idx1-ubyte"


def open_part(root: str, part: str) -> ArrayImages:
    """The images of `train` or `test` with their classes, in the order of the files.

    Raises:
        UserError: a file is missing, or not as it must be; the images have another size, or another number of labels.
    """
    images, labels = (idx.located(Path(root), name.format(PREFIX[part])) for name in (IMAGES, LABELS))
    pixels, targets = idx.read(images, 3), idx.read(labels, 1)
    side = DATASET.pixels
    if pixels.shape[1:] != (side, side):
        height, width = pixels.shape[1:]
        raise UserError(f"{images}: images of {height} x {width} px; those of {DATASET.title} have {side} x {side} px")
    if len(targets) != len(pixels):
        raise UserError(f"{labels}: {len(targets):,} labels for the {len(pixels):,} images of {images.name}")
    return ArrayImages(pixels, targets.astype(int), f"{root}/{part}")


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`. Raises UserError with every fault."""
    root, faults, parts = Path(root), ErrorList(), {}
    require_dir(root, f"the folder of {DATASET.title}")
    names = list(CLASSES[: section.get("synthetic", {}).get("classes")])
    for part in DATASET.parts:
        try:
            images = open_part(str(root), part)
            parts[part] = {idx.located(root, LABELS.format(PREFIX[part])): images}
        except UserError as error:
            faults.add("files that cannot be read", str(error))
    used = {idx.located(root, name.format(PREFIX[part])).name for part in parts for name in (IMAGES, LABELS)}
    ours = used | {"fetched.json", ".fetch", ".snakemake_timestamp"}
    say_unused(root, "none of the set's files", (entry.name for entry in root.iterdir() if entry.name not in ours))
    faults.raise_if_any()
    return check_arrays(DATASET, root, parts, names, faults)


main = command_line(check)

if __name__ == "__main__":
    main()
