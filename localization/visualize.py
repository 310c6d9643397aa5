"""The figures of localization: maps of the same photos with boxes, and box accuracy over thresholds."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from matplotlib import colormaps
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from localization.boxes import LEVELS, largest_box, level, quantize
from localization.results import SHOWN
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic, read_json
from workflow.data.validation.decoding import decode
from workflow.reporting.figures import COMMENT, QUALITY, comment, records
from workflow.reporting.page.curves import look

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes

CELL, MARGIN, DPI = 1.7, 1.6, 100  # inches: a photo, the names of rows
MIX = 0.5  # share of the map in a pixel
TRUE, PREDICTED = "white", "black"  # frames of boxes
PANELS = {"BoxAcc": "largest contour, IoU 0.5", "BoxAccV2": "best contour, mean over IoU 0.3, 0.5, 0.7"}


def pixels(file: Path, sizes: dict[str, Any]) -> np.ndarray:
    """A photo as the network saw it, uint8 (crop, crop, 3)."""
    resize, crop = sizes["resize_size"], sizes["crop_size"]
    image = Image.fromarray(decode(str(file))).resize((resize, resize), Image.Resampling.BILINEAR)
    corner = (resize - crop) // 2
    return np.asarray(image.crop((corner, corner, corner + crop, corner + crop)))


def overlaid(image: np.ndarray, heat: np.ndarray) -> np.ndarray:
    """A photo in grey under its map of 8 bits, from blue to red."""
    grey = np.repeat(image.mean(axis=2, keepdims=True), 3, axis=2)
    return ((1 - MIX) * grey + MIX * 255 * colormaps["turbo"](heat)[..., :3]).astype(np.uint8)


def frame(axes: "Axes", box: "Sequence[float]", colour: str, style: str) -> None:
    """A box on a photo, with its last pixels."""
    x0, y0, x1, y1 = box
    for width, tint, line in ((2.6, "black" if colour == "white" else "white", "-"), (1.4, colour, style)):
        axes.add_patch(
            Rectangle((x0 - 0.5, y0 - 0.5), x1 - x0 + 1, y1 - y0 + 1, fill=False, lw=width, ec=tint, ls=line)
        )


def maps(runs: dict[str, Path], check: DatasetInfo, out: Path) -> None:
    """Draw a row of photos, and below it a row for each backbone.

    Args:
        runs: backbone to the folder of its run.
        check: of the data.
        out: the file.
    """
    keys = "photos", "sizes", "thresholds"
    contents = {name: read_json(folder / "predictions.json", *keys) for name, folder in runs.items()}
    first = next(iter(contents.values()))
    figure = Figure(
        figsize=(MARGIN + CELL * SHOWN, CELL * (1 + len(runs))), dpi=DPI, facecolor="white", layout="constrained"
    )
    places = figure.subplots(1 + len(runs), len(first["photos"]), squeeze=False)
    for axes in places.flat:
        axes.set(xticks=[], yticks=[])
    images = [pixels(Path(check.root) / photo["file"], first["sizes"]) for photo in first["photos"]]
    for axes, photo, image in zip(places[0], first["photos"], images, strict=True):
        axes.imshow(image)
        for box in photo["true"]:
            frame(axes, box, TRUE, "-")
    places[0, 0].set_ylabel("photo")
    for row, (name, content) in zip(places[1:], contents.items(), strict=True):
        row[0].set_ylabel(name, parse_math=False)
        sizes, at = content["sizes"], level(content["thresholds"]["MaxBoxAcc"])
        for axes, photo, image in zip(row, content["photos"], images, strict=True):
            sizing = sizes["crop_size"], sizes["normalization"], sizes["interpolation"]
            heat = quantize(torch.tensor(photo["map"])[None], *sizing)[0]
            axes.imshow(overlaid(image, heat))
            for box in photo["true"]:
                frame(axes, box, TRUE, "-")
            frame(axes, largest_box(heat, at), PREDICTED, "--")
    save(figure, runs, out, "jpeg")


def curves(runs: dict[str, Path], out: Path) -> None:
    """Draw the box accuracy on the test images over thresholds, a line a backbone, a dot at the threshold that was
    chosen on the held-out images.

    Args:
        runs: backbone to the folder of its run.
        out: the file.
    """
    figure = Figure(figsize=(9, 3.6), layout="constrained")
    thresholds = np.arange(LEVELS) / LEVELS
    for axes, (curve, words) in zip(figure.subplots(1, 2, sharey=True), PANELS.items(), strict=True):
        for name, folder in runs.items():
            content = read_json(folder / "predictions.json", "curves", "thresholds")
            axes.plot(thresholds, content["curves"][curve], **look(list(runs), name), label=name)
            if curve == "BoxAcc":
                at = level(content["thresholds"]["MaxBoxAcc"])
                axes.plot(thresholds[at], content["curves"][curve][at], "o", color=look(list(runs), name)["color"])
        axes.set(xlabel="threshold, share of the maximum")
        axes.set_title(f"{curve}: {words}", fontsize="medium")
        axes.grid(alpha=0.3)
    figure.axes[0].set_ylabel("test images, %")
    legend = figure.axes[1].legend(fontsize="small")
    for text in legend.get_texts():
        text.set_parse_math(False)
    save(figure, runs, out, "png")


def save(figure: Figure, runs: dict[str, Path], out: Path, kind: str) -> None:
    """Write a figure that says of which records it is made."""
    with atomic(out) as temporary:
        if kind == "png":
            figure.savefig(temporary, format=kind, metadata={COMMENT: comment(records(runs))})
        else:
            options = {"quality": QUALITY, "comment": comment(records(runs)).encode()}
            figure.savefig(temporary, format=kind, pil_kwargs=options)
