"""Score captions on disk again:
`python -m captioning.evaluate --predictions FILE --dataset-info CHECK.json [--evidence NPZ]`.

FILE holds COCO caption results, [{"image_id": …, "caption": …}]; the metrics are printed as JSON. Checked: for a run's
own predictions these are its record's numbers and its per_image.npz, bit for bit.
"""

import argparse
import json
from pathlib import Path
from typing import Any

from workflow.core.errors import UserError, cli_entry_point
from workflow.core.files import read_json


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


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--predictions", required=True, type=Path, help="COCO caption results")
    parser.add_argument("--dataset-info", required=True, type=Path, help="result of the data check")
    parser.add_argument("--evidence", type=Path, help="write each image's scores here, as they lie beside a record")
    args = parser.parse_args()
    predictions = read_predictions(args.predictions)

    from captioning.metric import evaluate, references
    from workflow.training import per_image

    truth = references(args.dataset_info)
    metrics, each = evaluate(predictions, truth)
    if args.evidence:
        per_image.write(args.evidence, list(truth), **each)
    print(json.dumps(metrics, indent=1))


if __name__ == "__main__":
    main()
