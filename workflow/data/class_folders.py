"""The images of a folder per class, in the order of torchvision's ImageFolder."""

import numpy as np

from workflow.data.imagenet import class_folders, images
from workflow.data.labelled import FileImages


class ClassFolders(FileImages):
    """The images of ROOT/<class>/; FileNotFoundError if there is none."""

    def __init__(self, root: str) -> None:
        names, labels = [], []
        for label, name in enumerate(class_folders(root)):
            files = [path[len(root) + 1 :].encode(errors="surrogateescape") for path in images(f"{root}/{name}")]
            names.append(np.array(files, dtype=np.bytes_))
            labels.append(np.full(len(files), label, dtype=np.int32))
        if not sum(map(len, names)):
            raise FileNotFoundError(f"{root}: no images in class folders")
        super().__init__(root, np.concatenate(names), np.concatenate(labels))


def of_split(root: str, part: str) -> ClassFolders:
    """The images of ROOT/PART/<class>/."""
    return ClassFolders(f"{root}/{part}")


def of_root(root: str, part: str) -> ClassFolders:
    """The images of ROOT/<class>/, of a set that has one part."""
    return ClassFolders(root)
