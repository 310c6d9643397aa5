"""ODIN's out-of-distribution images: ROOT/<set>/ as the archives unpack, all images of 32 x 32 px."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.data.ood_images import check_sets
from workflow.data.sets.odin import COUNTS, DATASET, SIDE
from workflow.data.validation.errors import command_line


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the sets at `root`; the arguments are those of `check_sets`."""
    return check_sets(DATASET, section, root, remember, threads, COUNTS, SIDE)


main = command_line(check)

if __name__ == "__main__":
    main()
