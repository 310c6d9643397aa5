"""The protocols of a clean test set: each gives what the network takes the images of a block for when they are
attacked, occluded, or blended with another image of the block."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch

from backbones.classifier import PublishedClassifier
from robustness.attacks import fgsm, input_gradient, pgd, random_start, zero_share
from robustness.blocks import Block, predictions
from robustness.occlusion import boundary_hole, centre_hole, mixup, paste, sizes
from workflow.training.resume.parts import Arrays


def fill_color(classifier: PublishedClassifier, fill: str) -> torch.Tensor:
    """What occluded pixels are, RGB (3, 1, 1) of 0 to 255: `black`, or the `mean` that the network's preprocessing
    subtracts, which it sees as zero."""
    prepare = classifier.prepare
    mean = prepare.mean[::-1] if prepare.channel_order == "BGR" else prepare.mean
    return torch.tensor((0.0, 0.0, 0.0) if fill == "black" else mean, device=classifier.device).view(3, 1, 1)


class Protocols:
    """All protocols of one network.

    Args:
        classifier: the network.
        recipe: of `robustness_imagenet`.
        outputs: the network's output of each class of the data.
    """

    def __init__(self, classifier: PublishedClassifier, recipe: Mapping[str, Any], outputs: list[int]) -> None:
        self.classifier, self.recipe = classifier, recipe
        self.outputs = torch.tensor(outputs, device=classifier.device)
        self.fill = fill_color(classifier, recipe["occlusion_fill"])

    def __call__(self, block: Block) -> Arrays:
        """The outputs that the network predicts for each image (N,), under each value of a curve (N, values); `label`
        is the true one, `partner` that of the image that it is blended with."""
        label = self.outputs[block.labels]
        clean = self.predict(block.images)
        partner = label.roll(-1).cpu().numpy().astype(np.int16)
        about = {"label": label.cpu().numpy().astype(np.int16), "partner": partner, "clean": clean}
        return about | self.attacks(block, label) | self.occlusion(block, clean) | self.between(block, clean)

    def predict(self, images: torch.Tensor) -> np.ndarray:
        """The predicted outputs (N,)."""
        return predictions(self.classifier, images, self.recipe["batch_size"])

    def attacks(self, block: Block, label: torch.Tensor) -> Arrays:
        """`fgsm` (N, eps), `pgd`, and the percentage of exactly zero gradients."""
        recipe, rows = self.recipe, []
        bounds = recipe["pgd_eps"], recipe["pgd_step_size"], recipe["pgd_steps"]
        for first in range(0, len(label), recipe["batch_size"]):
            batch = slice(first, first + recipe["batch_size"])
            pixels, labels = block.images[batch].float(), label[batch]
            gradient = input_gradient(self.classifier, pixels, labels)
            steps = [self.predict(fgsm(pixels, gradient, eps)) for eps in recipe["fgsm_eps"]]
            start = random_start(block.places[batch], pixels.shape[1:], recipe["pgd_eps"]).to(pixels.device)
            attacked = self.predict(pgd(self.classifier, pixels, labels, start, *bounds))
            rows.append((np.stack(steps, axis=1), attacked, zero_share(gradient).cpu().numpy()))
        named = zip(("fgsm", "pgd", "zero_gradient"), zip(*rows, strict=True), strict=True)
        return {name: np.concatenate(columns) for name, columns in named}

    def occlusion(self, block: Block, clean: np.ndarray) -> Arrays:
        """`center` and `boundary` (N, sizes). Without a hole the image is the clean one; with nothing but a hole all
        images are one."""
        pixels, steps = block.images.float(), self.recipe["occlusion_steps"]
        nothing = self.predict(self.fill.expand_as(pixels[:1])).repeat(len(pixels))
        between = sizes(pixels.shape[-1], steps)[1:-1]
        center = [self.predict(centre_hole(pixels, size, self.fill)) for size in between]
        boundary = [self.predict(boundary_hole(pixels, size, self.fill)) for size in between]
        columns = {"center": [clean, *center, nothing], "boundary": [nothing, *boundary, clean]}
        return {name: np.stack(each, axis=1) for name, each in columns.items()}

    def between(self, block: Block, clean: np.ndarray) -> Arrays:
        """`mixup` (N, λ) and `cutmix` (N, sizes): each image with its neighbour in the block. At both ends one of the
        two is seen alone."""
        pixels, partner = block.images.float(), np.roll(clean, -1)
        other, parts = pixels.roll(-1, dims=0), self.recipe["mixup_steps"]
        blended = [self.predict(mixup(pixels, other, part, parts)) for part in range(1, parts)]
        squares = sizes(pixels.shape[-1], self.recipe["cutmix_steps"])[1:-1]
        pasted = [self.predict(paste(pixels, other, size)) for size in squares]
        columns = {"mixup": [partner, *blended, clean], "cutmix": [clean, *pasted, partner]}
        return {name: np.stack(each, axis=1) for name, each in columns.items()}
