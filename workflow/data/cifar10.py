"""CIFAR-10: ROOT with data_batch_1.bin to data_batch_5.bin, test_batch.bin and batches.meta.txt."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.data import cifar
from workflow.data.cifar import Files
from workflow.data.labelled import ArrayImages
from workflow.data.sets.cifar10 import DATASET
from workflow.data.validation.errors import command_line

FILES = Files(
    train=tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    test=("test_batch.bin",),
    names="batches.meta.txt",
    labels=1,
    pickles=(*(f"data_batch_{number}" for number in range(1, 6)), "test_batch", "batches.meta"),
    others=("readme.html",),
)


def open_part(root: str, part: str) -> ArrayImages:
    """The images of `train` or `test` with their classes, in the order of the records."""
    return cifar.open_part(root, part, FILES)


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`. Raises UserError with every fault."""
    return cifar.check(DATASET, root, FILES)


main = command_line(check)

if __name__ == "__main__":
    main()
