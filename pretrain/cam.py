"""Where each backbone looks: class activation maps of the true class on the same photos.

The map of a class is the sum of the last stage's channels, each times the gradient of the class's logit with respect to
it, summed over its cells. Where the classifier reads the mean of that stage, that is the classifier's weight (Zhou et
al., CVPR 2016), and the mean of the map is the logit but for the bias; elsewhere it is Grad-CAM (Selvaraju et al., ICCV
2017) before its ReLU. Five test photos, evenly spread over the set: nobody chose them.
"""

from pathlib import Path

import torch
from matplotlib import colormaps
from torch import Tensor, nn
from torch.nn import functional

from backbones.backbone import load_weights, metadata, network_of
from backbones.classifier import class_count, load_classifier
from backbones.images import open_test_images
from pretrain.gallery import class_names
from pretrain.photo_grid import Row, draw
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import atomic, read_json
from workflow.reporting.figures import records, spread
from workflow.training.precision import configure_torch

PHOTOS, SIDE = 5, 224  # how many; px that a photo has at least when its map is laid over it
MIX = 0.5  # share of the map in a pixel


def rows(runs: dict[str, Path], check: DatasetInfo) -> list[Row]:
    """The photos, and for each backbone of `runs` (name to the folder of its weights and config) its maps over them,
    with the class probabilities that it gives.

    A backbone without a classifier of the data's classes is named, not shown. The photos are shown even if none has
    one, cut as the first backbone is scored: the report waits for the figure.
    """
    shown, left_out, first = [], [], None
    for name, folder in runs.items():
        if reason := unfit(folder, len(check.classes)):
            left_out.append(f"{name} is not shown: {reason}")
            continue
        photos, labels = chosen(folder, check)
        first = first or (photos, labels)
        maps, probabilities = activations(folder, photos, labels)
        words = [
            f"map of the true class, {maps.shape[1]} × {maps.shape[2]} cells",
            "below: what it takes the photo for",
        ]
        shown.append(Row(name, words, overlaid(photos, maps), probabilities))
    first = first or chosen(next(iter(runs.values())), check)
    truth = torch.eye(len(check.classes))[first[1]]
    return [Row("photo", ["below: its class", *left_out], enlarged(first[0]), truth), *shown]


def unfit(folder: Path, classes: int) -> str:
    """Why a backbone has no maps of the data's classes; empty if it has."""
    file = folder / "backbone.safetensors"
    if metadata(file).get("origin") == "random":
        return "its weights are random"
    network = network_of(file)
    if not network.layout:
        return f"no module of a {network.title} gives its last map"
    last, found = network.classifier, class_count(network, load_weights(file)[0])
    return "" if found == classes else f"its {last} has {found} outputs" if found else f"it has no {last}"


def chosen(folder: Path, check: DatasetInfo) -> tuple["Tensor", list[int]]:
    """The photos uint8 (N, 3, H, W), cut as this backbone is scored, and their labels."""
    images = open_test_images(check, read_json(folder / "config.json")["recipe"])
    found = [images[place] for place in spread(len(images), PHOTOS)]
    return torch.stack([each["images"] for each in found]), [int(each["labels"]) for each in found]


def activations(folder: Path, photos: "Tensor", labels: list[int]) -> tuple["Tensor", "Tensor"]:
    """Maps (N, h, w) of the classes `labels`, and the probabilities (N, classes) that the backbone gives."""
    classifier = load_classifier(folder / "backbone.safetensors", device="cpu")  # as all that draws
    declared = classifier.network
    features: list[Tensor] = []

    def keep(module: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
        features.append(output.detach().requires_grad_())  # gradients are wanted from here on
        return features[0].clone()  # what comes next may change it in place

    classifier.module.get_submodule(declared.stages[-1].name).register_forward_hook(keep)
    logits = classifier(photos)
    (slopes,) = torch.autograd.grad(logits[range(len(labels)), labels].sum(), features)
    cells = "nchw" if declared.layout == "NCHW" else "nhwc"
    maps = torch.einsum(f"{cells},{cells.replace('h', 'y').replace('w', 'x')}->nhw", features[0], slopes)
    return maps.detach().cpu(), logits.detach().softmax(1).cpu()


def enlarged(photos: "Tensor") -> "Tensor":
    """Photos uint8 (N, 3, H, W), each pixel a block where they are smaller than SIDE."""
    times = max(1, -(-SIDE // photos.shape[-1]))
    return photos.repeat_interleave(times, 2).repeat_interleave(times, 3)


def overlaid(photos: "Tensor", maps: "Tensor") -> "Tensor":
    """The photos in grey, enlarged, under their maps: from blue to red, each map over its own range."""
    large = enlarged(photos).float()
    low, high = (edge(maps, dim=(1, 2), keepdim=True) for edge in (torch.amin, torch.amax))
    scaled = (maps - low) / (high - low).clamp(min=1e-12)
    smooth = functional.interpolate(scaled[:, None], size=large.shape[-2:], mode="bilinear", align_corners=False)[:, 0]
    heat = torch.from_numpy(colormaps["turbo"](smooth.numpy())[..., :3]).permute(0, 3, 1, 2) * 255
    grey = large.mean(dim=1, keepdim=True)
    return torch.lerp(grey.expand_as(large), heat.float(), MIX).round().to(torch.uint8)


def make(runs: dict[str, Path], check: DatasetInfo, out: Path) -> None:
    """Draw the maps of published backbones (name to folder)."""
    configure_torch(1)
    picture = draw(rows(runs, check), class_names(check), records(runs))
    with atomic(out) as temporary:
        temporary.write_bytes(picture)
    print(f"activations: {len(runs)} backbones, {len(picture) / 1e6:.2f} MB: {out}")
