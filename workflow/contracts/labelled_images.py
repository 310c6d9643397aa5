"""What a set declares of images that have one class each: any task of classes can then take it."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LabelledImages:
    """How the images of a set are opened with their classes.

    Args:
        open: "module:function"; function(root, part) gives the images of a part as `ImageSource`
            (workflow/data/labelled.py).
        train: name of the training images, also in the counts of the check; "" if the set has none.
        test: name of the test images.
    """

    open: str
    train: str = "train"
    test: str = "test"
