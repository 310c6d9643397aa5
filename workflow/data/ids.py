"""The integers by which predictions know VOC's images, as COCO's results format wants them."""

import re
from collections.abc import Sequence

from workflow.training.errors import UserError

MOST = 18  # digits, which an integer of 64 bits can hold


def numbers(names: Sequence[str]) -> list[int]:
    """COCO's integer ids of VOC's images: their digits, `2008_000008` is 2008000008. UserError if two share one."""
    taken: dict[int, str] = {}
    for name in names:
        digits = re.sub(r"\D", "", name)
        if not digits:
            raise UserError(f"VOC image '{name}': its name has no digits, so its detections can have no image_id")
        if len(digits) > MOST:
            raise UserError(f"VOC image '{name}': its name has {len(digits)} digits; an image_id has {MOST} at most")
        if taken.setdefault(int(digits), name) != name:
            raise UserError(f"VOC images '{taken[int(digits)]}' and '{name}' have the same digits, so one image_id")
    return [int(re.sub(r"\D", "", name)) for name in names]
