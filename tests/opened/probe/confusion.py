"""Draw which classes a probe confuses:
`python -m probe.confusion --runs BACKBONE=FOLDER ... --dataset-info CHECK.json --out PNG`."""

import argparse
from pathlib import Path
from typing import Any

from workflow.core.errors import cli_entry_point


def make(runs: dict[str, Path], check: dict[str, Any], out: Path) -> None:
    """Draw a matrix a backbone: rows are the true classes, columns the predicted ones, and a cell counts test images.

    Args:
        runs: backbone to the folder of its run.
        check: content of CHECK.json.
        out: the file.
    """
    import numpy as np
    from matplotlib.figure import Figure

    from workflow.core.files import atomic, read_json
    from workflow.reporting.figures import COMMENT, comment, records

    classes = check["classes"]
    figure = Figure(figsize=(3 * len(runs), 3.2), layout="constrained")
    places = np.atleast_1d(figure.subplots(1, len(runs)))
    for axes, (name, folder) in zip(places, runs.items(), strict=True):
        counts = np.zeros((len(classes), len(classes)))
        for prediction in read_json(folder / "predictions.json"):
            counts[prediction["label"], prediction["predicted"]] += 1
        axes.imshow(counts, cmap="Blues")
        for (row, column), count in np.ndenumerate(counts):
            axes.text(column, row, f"{count:.0f}", ha="center", va="center")
        axes.set_title(name, parse_math=False)
        axes.set(xticks=range(len(classes)), yticks=range(len(classes)), xlabel="predicted", ylabel="true")
    with atomic(out) as temporary:
        figure.savefig(temporary, format="png", metadata={COMMENT: comment(records(runs))})


@cli_entry_point
def main() -> None:
    """The command line."""
    from workflow.core.files import read_check
    from workflow.reporting.figures import folders

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", required=True, nargs="+", metavar="BACKBONE=FOLDER", help="runs of one task")
    parser.add_argument("--dataset-info", required=True, type=Path, help="result of the data check")
    parser.add_argument("--out", required=True, type=Path, help="the PNG")
    args = parser.parse_args()
    make(folders(args.runs), read_check(args.dataset_info), args.out)


if __name__ == "__main__":
    main()
