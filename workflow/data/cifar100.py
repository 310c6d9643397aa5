"""CIFAR-100: ROOT with train.bin, test.bin and fine_label_names.txt; the coarse labels are not used."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.data import cifar
from workflow.data.cifar import Files
from workflow.data.labelled import ArrayImages
from workflow.data.sets.cifar100 import DATASET
from workflow.data.validation.errors import command_line

FILES = Files(
    train=("train.bin",),
    test=("test.bin",),
    names="fine_label_names.txt",
    labels=2,
    pickles=("train", "test", "meta"),
    others=("coarse_label_names.txt",),
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
