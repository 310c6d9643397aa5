"""ImageNet-A as folders: ROOT/<wnid>/<image>, of some of ImageNet's classes."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.data.class_images import check_class_images
from workflow.data.sets.imagenet_a import DATASET
from workflow.data.validation.errors import command_line


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`; the arguments are those of `check_class_images`."""
    return check_class_images(DATASET, root, remember, threads)


main = command_line(check)

if __name__ == "__main__":
    main()
