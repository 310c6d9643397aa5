"""Score captions on disk again.

A file holds COCO caption results, [{"image_id": …, "caption": …}]. Checked: for a run's
own predictions these are its record's numbers and its per_image.npz, bit for bit.
"""

from pathlib import Path
from typing import Any

from captioning import metric
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.training import per_image


def read_predictions(path: Path) -> list[dict[str, Any]]:
    """The entries of a results file; UserError, naming the file and the entry, if it is not one."""
    entries = read_json(path)
    if not isinstance(entries, list):
        raise UserError(f"{path}: is not a list of COCO caption results")
    for number, entry in enumerate(entries):
        found = (type(entry.get("image_id")), type(entry.get("caption"))) if isinstance(entry, dict) else None
        if found != (int, str):
            raise UserError(f"{path}: entry {number} lacks an image_id or a caption")
    return entries


def evaluate(predictions: Path, check_file: Path, evidence: Path | None) -> dict[str, float]:
    """The metrics of captions on disk; `evidence` is a file for the scores of each image."""
    found, truth = read_predictions(predictions), metric.references(check_file)
    metrics, each = metric.evaluate(found, truth)
    if evidence:
        per_image.write(evidence, list(truth), **each)
    return metrics
