"""What a run publishes of its maps: evidence per image, predictions with their boxes, and what its figures need."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from localization.boxes import Overlaps, largest_box, level, overlaps, quantize
from localization.cam import centred_gaussian
from localization.photos import Photos, truth
from localization.scoring import Chosen, choose, curves, means, per_image
from workflow.core.files import write_json
from workflow.reporting.figures import spread
from workflow.training import per_image as evidence

SHOWN = 5  # photos of the figure
REFERENCE = "centred Gaussian"


@dataclass(frozen=True)
class Scored:
    """What is known of some photos, in their order.

    Args:
        predicted: label of the predicted class, (N,); -1 of logits that are no numbers.
        fits: IoU of largest and best boxes at each level.
        boxes: of the largest contour at the paper's threshold, (N, 4), px of the crop.
    """

    predicted: np.ndarray
    fits: Overlaps
    boxes: np.ndarray

    def arrays(self) -> dict[str, np.ndarray]:
        """As arrays, to keep."""
        return {
            "predicted": self.predicted,
            "largest": self.fits.largest,
            "best": self.fits.best,
            "boxes": self.boxes,
        }

    @classmethod
    def of(cls, parts: Sequence[Mapping[str, np.ndarray]]) -> "Scored":
        """From the arrays of parts, in their order."""
        joined = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        return cls(joined["predicted"], Overlaps(joined["largest"], joined["best"]), joined["boxes"])


def score(maps: torch.Tensor, predicted: torch.Tensor, true: Sequence[np.ndarray], recipe: Mapping[str, Any]) -> Scored:
    """Score the maps of some photos.

    Args:
        maps: (N, h, w).
        predicted: labels (N,).
        true: boxes (K, 4) of each, px of the crop.
        recipe: gives crop_size, normalization, interpolation and sigma.
    """
    images = quantize(maps, recipe["crop_size"], recipe["normalization"], recipe["interpolation"])
    paper = level(recipe["sigma"])
    boxes = np.stack([largest_box(image, paper) for image in images])
    return Scored(predicted.cpu().numpy(), overlaps(images, true), boxes)


def reference(photos: Photos, recipe: Mapping[str, Any]) -> dict[str, float]:
    """The box metrics of a map that knows nothing of its image: the centred Gaussian, with its own thresholds."""
    image = quantize(centred_gaussian(recipe["crop_size"]), recipe["crop_size"], "minmax", "bilinear")[0]
    held_out, test = (
        overlaps([image] * len(part), [truth(one, recipe["resize_size"], recipe["crop_size"]) for one in part])
        for part in (photos.held_out, photos.test)
    )
    values = per_image(test, np.ones(len(photos.test), dtype=bool), choose(held_out), recipe["sigma"])
    return means({name: values[name] for name in ("MaxBoxAccV2", "MaxBoxAcc", "GT-known")})


def shown(photos: Photos) -> list[int]:
    """Places among all photos of those that figures show: test images, evenly spread."""
    return [len(photos.held_out) + place for place in spread(len(photos.test), SHOWN)]


@dataclass(frozen=True)
class Outcome:
    """The scores of a run: metrics, levels, and the values of each test image."""

    metrics: dict[str, float]
    chosen: Chosen
    values: dict[str, np.ndarray]
    test: Scored


def outcome(scored: Scored, photos: Photos, recipe: Mapping[str, Any]) -> Outcome:
    """Choose the thresholds on the held-out images, and score the test images with them.

    Args:
        scored: all photos, the held-out ones first.
        photos: of the set.
        recipe: gives sigma.
    """
    count = len(photos.held_out)
    held_out = Overlaps(scored.fits.largest[:count], scored.fits.best[:count])
    test = Scored(
        scored.predicted[count:], Overlaps(scored.fits.largest[count:], scored.fits.best[count:]), scored.boxes[count:]
    )
    chosen = choose(held_out)
    right = test.predicted == np.array([image.label for image in photos.test])
    values = per_image(test.fits, right, chosen, recipe["sigma"])
    return Outcome(means(values), chosen, values, test)


def write(
    folder: Path, result: Outcome, photos: Photos, maps: Mapping[int, np.ndarray], recipe: Mapping[str, Any]
) -> None:
    """Write `per_image.npz` and `predictions.json`.

    Args:
        folder: of the results.
        result: scores.
        photos: of the set.
        maps: place among all photos to its map (h, w), of those that figures show.
        recipe: of the run.
    """
    evidence.write(folder / "per_image.npz", np.array(photos.names), **result.values)
    columns = photos.names, photos.test, result.test.predicted.tolist(), result.test.boxes.tolist()
    images = [
        {"image": name, "label": image.label, "predicted": label, "box": box}
        for name, image, label, box in zip(*columns, strict=True)
    ]
    sizes = {key: recipe[key] for key in ("resize_size", "crop_size", "normalization", "interpolation")}
    pictures = [
        {
            "file": str(Path(photos.all[place].path).relative_to(photos.root)),
            "label": photos.all[place].label,
            "true": truth(photos.all[place], recipe["resize_size"], recipe["crop_size"]).tolist(),
            "map": np.round(maps[place].astype(float), 5).tolist(),
        }
        for place in sorted(maps)
    ]
    content = {
        "thresholds": result.chosen.thresholds(),
        "curves": {name: np.round(curve, 4).tolist() for name, curve in curves(result.test.fits).items()},
        "sizes": sizes,
        "photos": pictures,
        "images": images,
    }
    write_json(folder / "predictions.json", content)
