"""The integers by which predictions know VOC's images, as COCO's results format wants them."""

import re
from collections.abc import Sequence

MOST = 18  # digits, which an integer of 64 bits can hold


def voc_image_ids(names: Sequence[str]) -> list[int]:
    """COCO's integer ids of all images of a list, whatever their names: the digits of each name (`2008_000008` is
    2008000008) where these tell all of them apart, else their places in the list, from 1."""
    digits = [re.sub(r"\D", "", name) for name in names]
    if all(0 < len(each) <= MOST for each in digits) and len(set(map(int, digits))) == len(names):
        return [int(each) for each in digits]
    return list(range(1, len(names) + 1))
