"""How many images FGSM attacks in a second: one forward and backward pass each, to the pixels."""

import tempfile
from pathlib import Path

import torch
from torch.nn import functional
from torchvision.models import resnet50
from torchvision.transforms.functional import normalize

from backbones.backbone import IMAGENET, save_backbone
from backbones.classifier import PublishedClassifier, load_classifier
from robustness.attacks import fgsm, input_gradient
from tests.bench.row import Measured, Row, in_turn

SIZE, BATCH, BATCHES = 224, 16, 1


def ours(classifier: PublishedClassifier, images: torch.Tensor, labels: torch.Tensor) -> None:
    """As an evaluation does, from uint8."""
    for batch, truth in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        pixels = batch.float()
        fgsm(pixels, input_gradient(classifier, pixels, truth), 8)


def reference(network: torch.nn.Module, images: torch.Tensor, labels: torch.Tensor) -> None:
    """A loop of forward and backward as it is usually written, without the attack's step."""
    mean, std = ([value / 255 for value in values] for values in (IMAGENET.mean, IMAGENET.std))
    for batch, truth in zip(images.split(BATCH), labels.split(BATCH), strict=True):
        pixels = (batch / 255).requires_grad_()
        functional.cross_entropy(network(normalize(pixels, mean, std)), truth).backward()


def measure() -> Measured:
    """The same ResNet-50 on one core; of the reference no weight has a gradient either."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = resnet50().eval().requires_grad_(False)
    images = torch.randint(0, 256, (BATCH * BATCHES, 3, SIZE, SIZE), dtype=torch.uint8)
    labels = torch.arange(len(images))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "backbone.safetensors"
        save_backbone(path, network.state_dict(), IMAGENET, "resnet50")
        classifier = load_classifier(path)
    return in_turn(lambda: ours(classifier, images, labels), lambda: reference(network, images, labels), len(images))


ROWS = [
    Row(
        name="fgsm",
        what="FGSM on ResNet-50 at 224 px, fp32, on one core",
        reference="torch: forward and backward to the pixels",
        unit="images/s",
        target=0.9,
        measure=measure,
    )
]
