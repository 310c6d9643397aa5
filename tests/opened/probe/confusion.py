"""Draw which classes a probe confuses."""

from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic, read_json
from workflow.reporting.figures import COMMENT, comment, records


def make(runs: dict[str, Path], check: DatasetInfo, out: Path) -> None:
    """Draw a matrix a backbone: rows are the true classes, columns the predicted ones, and a cell counts test images.

    Args:
        runs: backbone to the folder of its run.
        check: of the data.
        out: the file.
    """
    classes = check.classes
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
