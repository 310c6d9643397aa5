"""Detections in COCO's results format as a few arrays, 52 bytes each, and the file that holds them.

A dict for each would take over ten times the memory, a gigabyte at VOC07's size; so both ways through JSON are streams.
"""

import json
import re
from array import array
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from workflow.core.files import atomic

Found = dict[str, np.ndarray]  # image_id (D,), category_id (D,), bbox (D, 4) as x, y, width, height, score (D,)
ENTRIES, CHARACTERS = 500, 1 << 20  # written and read at once: few, so that they stay in the cache
FIRST, NEXT, LAST, EMPTY = (re.compile(mark) for mark in (r"\s*\[\s*", r"\s*,\s*", r"\s*\]\s*", r"\s*\[\s*\]\s*"))
DECODE = json.JSONDecoder().raw_decode
ENTRY = '{"image_id": %d, "category_id": %d, "bbox": [%r, %r, %r, %r], "score": %r}'


def detections(
    image: int, boxes: np.ndarray, scores: np.ndarray, labels: np.ndarray, categories: Sequence[int] | None = None
) -> Found:
    """One image's: boxes (n, 4) as x1 y1 x2 y2 in pixels of the original. Rounded as they are written.

    `categories` has each label's category; without it, label 0 is category 1.
    """
    corners = boxes.astype(np.float64).reshape(-1, 4)
    sides = np.concatenate([corners[:, :2], corners[:, 2:] - corners[:, :2]], axis=1)
    ids = np.asarray(labels, dtype=np.int32) + 1 if categories is None else np.array(categories, np.int32)[labels]
    where = np.full(len(sides), image, dtype=np.int64)
    return {"image_id": where, "category_id": ids, "bbox": sides.round(2), "score": scores.astype(np.float64).round(6)}


def joined(parts: Sequence[Found]) -> Found:
    """All images' detections."""
    return {key: np.concatenate([part[key] for part in [arrays([]), *parts]]) for key in arrays([])}


def arrays(found: Iterable[dict[str, Any]]) -> Found:
    """From COCO results; KeyError or TypeError if they are none."""
    images, categories, boxes, scores = array("q"), array("i"), array("d"), array("d")
    for one in found:
        images.append(int(one["image_id"]))
        categories.append(int(one["category_id"]))
        boxes.extend(one["bbox"])
        scores.append(one["score"])
    columns = np.array(images), np.array(categories), np.array(boxes).reshape(-1, 4), np.array(scores)
    return dict(zip(("image_id", "category_id", "bbox", "score"), columns, strict=True))


def entries(found: Found) -> list[dict[str, Any]]:
    """As COCO results."""
    columns = [column.tolist() for column in found.values()]
    return [dict(zip(found, values, strict=True)) for values in zip(*columns, strict=True)]


def formatted(found: Found) -> str:
    """Entries as json.dumps writes them, in a third of its time: without a dict for each. It has words for what is not
    finite."""
    if not (np.isfinite(found["bbox"]).all() and np.isfinite(found["score"]).all()):
        return json.dumps(entries(found))[1:-1]
    columns = found["image_id"], found["category_id"], *found["bbox"].T, found["score"]
    return ", ".join([ENTRY % row for row in zip(*(column.tolist() for column in columns), strict=True)])


def write(path: Path, found: Found) -> None:
    """As one line of JSON, atomically."""
    with atomic(path) as temporary, temporary.open("w", encoding="utf-8") as file:
        file.write("[")
        for start in range(0, len(found["score"]), ENTRIES):
            some = {key: column[start : start + ENTRIES] for key, column in found.items()}
            file.write(", " * (start > 0) + formatted(some))
        file.write("]")


def stream(path: Path) -> Iterator[dict[str, Any]]:
    """The entries of a JSON list of objects, each as it is read; JSONDecodeError or TypeError if the file is none."""
    text, at, mark = "", 0, FIRST
    with path.open(encoding="utf-8") as file:
        while True:
            try:
                one, end = DECODE(text, mark.match(text, at).end())
            except (AttributeError, json.JSONDecodeError):  # no mark, or no whole entry: yet
                text, at = text[at:], 0
                more = file.read(max(CHARACTERS, len(text)))
                if not more:
                    break
                text += more
                continue
            yield one
            at, mark = end, NEXT
    if not (EMPTY if mark is FIRST else LAST).fullmatch(text):
        json.loads(path.read_text(encoding="utf-8"))  # says where it breaks off
        raise TypeError("it must be a list of objects")
