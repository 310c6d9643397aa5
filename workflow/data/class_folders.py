"""The images of a folder per class, in the order of torchvision's ImageFolder, kept small: of ImageNet's 1.3 million
that has 300 MB of Python objects, which every loading process copies for itself as it counts references to them."""

import array

import numpy as np

from workflow.data.imagenet import class_folders, images


class ClassFolders:
    """`paths` (relative, as bytes) and `targets` of the images of ROOT/<class>/; FileNotFoundError if there is none."""

    def __init__(self, root: str) -> None:
        self.root = root
        names = class_folders(root)
        self.targets = array.array("i")
        found = []
        for label, name in enumerate(names):
            files = [path[len(root) + 1 :].encode(errors="surrogateescape") for path in images(f"{root}/{name}")]
            found.append(np.array(files, dtype=np.bytes_))
            self.targets.extend([label] * len(files))
        if not self.targets:
            raise FileNotFoundError(f"{root}: no images in class folders")
        self.paths = np.concatenate(found)

    def __len__(self) -> int:
        return len(self.targets)

    def __getitem__(self, index: int) -> tuple[str, int]:
        """The path of an image and its label."""
        return f"{self.root}/{self.paths[index].decode(errors='surrogateescape')}", self.targets[index]
