"""The regularizers at work.

One figure, as the CutMix paper's Figure 1: a row for each backbone that is pretrained here, five photos of the training
set, under each its labels with their weights. Everything is drawn by the code that trains, with the config's seed.
"""

import copy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from backbones import construct
from backbones.backbone import Preprocessing, recipe_preprocessing
from backbones.regularizers import Regularizer, build
from backbones.regularizers.base import FeatureTransforms
from pretrain.dataset import TrainImages, augmentation, open_train_images
from pretrain.photo_grid import Row, draw
from workflow import registry
from workflow.config.loading import load
from workflow.contracts import Network
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import atomic
from workflow.core.formatting import plain
from workflow.core.rng import rng
from workflow.data.imagenet import folder_names
from workflow.data.validation.errors import os_errors_as_user_errors
from workflow.planning.plan import plan
from workflow.reporting.figures import spread
from workflow.training.precision import configure_torch

PHOTOS = 5
PATIENCE = 1000  # iterations in which a regularizer that acts now and then has to act once
SHINE = 0.15  # how much of the photo is still seen in a dropped cell


def gallery(shown: list[Any], check: DatasetInfo) -> list[Row]:
    """The rows of `shown` (workflow.planning.plan.Plan.gallery), from the training photos of a checked set."""
    classes, seed = len(check.classes), shown[0].seeds["pretrain"]
    with os_errors_as_user_errors(Path(check.root)):  # the folder is listed once: ImageNet has 1.3 million files
        bare = open_train_images(check, {**shown[0].run["recipe"], "regularizers": {}}, seed)
    labels = bare.source.targets.tolist()
    indices = samples(labels)
    targets = torch.eye(classes)[[labels[index] for index in indices]]
    rows = []
    for run in sorted(shown, key=lambda run: bool(run.run["recipe"]["regularizers"])):
        recipe, plain_set, own_set = run.run["recipe"], copy.copy(bare), copy.copy(bare)
        plain_set.transform = own_set.transform = augmentation(recipe)
        own_set.regularizers = build(recipe["regularizers"], recipe["mean"])
        photos = torch.stack([augmented(plain_set, own_set, index) for index in indices])
        network = registry.network(recipe["network"])
        words = [f"{name}: {plain(parameters)}" for name, parameters in recipe["regularizers"].items()]
        row, prepare = Row(run.backbone, words, photos, targets), recipe_preprocessing(recipe)
        rows.append(regularized(row, own_set.regularizers, seed, network, prepare))
    return rows


def samples(labels: list[int]) -> list[int]:
    """The first photo of each of five evenly spaced classes that have one (of all, if there are fewer)."""
    classes = sorted(set(labels))
    return [labels.index(classes[place]) for place in spread(len(classes), PHOTOS)]


def augmented(plain: TrainImages, own: TrainImages, index: int) -> Tensor:
    """A photo uint8 (3, H, W) as in training, of the first epoch in which a regularizer of images acts on it."""
    acting = any(type(regularizer).image is not Regularizer.image for regularizer in own.regularizers)
    for epoch in range(PATIENCE if acting else 0):
        image = own[index, epoch]["images"]
        if not torch.equal(image, plain[index, epoch]["images"]):
            return image
    return own[index, 0]["images"]


def regularized(
    row: Row, regularizers: "list[Regularizer]", seed: int, network: Network, prepare: Preprocessing
) -> Row:
    """`row` as the network gets it, and what is done inside: as pretrain.model does it, on its photos as one batch."""
    images, everything = prepare(row.photos), []
    for regularizer in regularizers:
        images, row.targets, changes = acting(regularizer, images, row.targets, seed, network)
        everything.append(changes)
    for changes in filter(None, everything):
        images = inside(row, images, changes, network, prepare)
    row.photos = pixels(images, prepare)
    return row


def acting(
    regularizer: "Regularizer", images: "Tensor", targets: "Tensor", seed: int, network: Network
) -> tuple["Tensor", "Tensor", "FeatureTransforms"]:
    """Images, targets and changes inside, in the first iteration in which there is one, at the end of the schedule."""
    for iteration in range(PATIENCE):
        draws = rng(seed, regularizer.name, iteration)
        mixed, blended = regularizer.batch(images, targets, draws, 1.0)
        changes, blended = regularizer.feature_transforms(mixed, blended, draws, 1.0, network)
        blended = regularizer.target(blended, draws)
        same = torch.equal(mixed, images) and torch.equal(blended, targets)
        if not same or (changes and not regularizer.mixes):  # what mixes may draw a box without a cell
            break
    return mixed, blended, changes


def inside(
    row: Row, images: "Tensor", changes: "FeatureTransforms", network: Network, prepare: Preprocessing
) -> "Tensor":
    """Show on the photos what is done to features; what that is shows in what becomes of features that are all one.

    Ones stay ones: samples are mixed, so the photos are, pooled to the cells of the module. Whole samples change alike:
    modules are switched, `row.kept` says which. So it does if values are scaled and none is dropped. Else parts of the
    features are dropped: they are striped.
    """
    sizes = shapes(list(changes), images, network)
    done = {name: change(torch.ones(sizes[name])) for name, change in changes.items()}
    if all(torch.allclose(out, torch.ones(())) for out in done.values()):
        return mixed_cells(row, images, changes, sizes)
    alike = all((out.flatten(1) == out.flatten(1)[:, :1]).all() for out in done.values())
    if alike or all(out.all() for out in done.values()):
        scaled = [len(out[out != 0].unique()) > 1 for out in done.values()]
        kept = [(out.flatten(1)[:, 0] > 0) & (not many) for out, many in zip(done.values(), scaled, strict=True)]
        row.kept = torch.stack(kept, 1)
        names, hollow = list(done), "scaled at random" if any(scaled) else "dropped"
        row.words.append(f"{names[0]} to {names[-1]}, a square each: filled is kept, hollow {hollow}")
        return images
    name, mask = dropped_cells(done)
    row.words.append(f"striped: dropped at {name}, one channel of it")
    return torch.where(enlarged(mask[:, None].float(), images) > 0, striped(images, prepare), images)


def shapes(names: list[str], images: "Tensor", network: Network) -> dict[str, tuple[int, ...]]:
    """The shapes of the outputs of modules for a batch like `images`, of stages as maps (N, C, H, W); "" stands for the
    images. Computes nothing."""
    found = {"": tuple(images.shape)}
    with torch.device("meta"):
        module = construct.build(network, classes=2)
        for name in filter(None, names):
            module.get_submodule(name).register_forward_hook(
                lambda module, inputs, output, name=name: found.update({name: tuple(output.shape)})
            )
        module(torch.empty(images.shape))
    for stage in network.stages if network.layout == "NHWC" else ():
        if stage.name in found:
            number, height, width, channels = found[stage.name]
            found[stage.name] = (number, channels, height, width)
    return found


def mixed_cells(
    row: Row, images: "Tensor", changes: "FeatureTransforms", sizes: dict[str, tuple[int, ...]]
) -> "Tensor":
    """The photos pooled to the cells of each module, changed as its features are, and enlarged again."""
    for name, change in changes.items():
        height, width = sizes[name][-2:]
        pooled = functional.adaptive_avg_pool2d(images, (height, width))
        mixed = change(pooled)
        if not torch.equal(mixed, pooled):
            images = enlarged(mixed, images)
            row.words.append(f"at {name}: {height} × {width} cells" if name else "at the input")
    return images


def dropped_cells(done: "dict[str, Tensor]") -> "tuple[str, Tensor]":
    """The last module that drops a part of a channel of every photo (else the last), and where: bool (N, h, w)."""
    for name, out in reversed(done.items()):
        zero = (out == 0).flatten(2)
        part = zero.any(2) & ~zero.all(2)
        if part.any(1).all():
            return name, (out == 0)[torch.arange(len(out)), part.int().argmax(1)]
    name, out = list(done.items())[-1]
    return name, (out == 0)[torch.arange(len(out)), (out == 0).flatten(2).any(2).int().argmax(1)]


def striped(images: "Tensor", prepare: Preprocessing) -> "Tensor":
    """Photos that hardly shine through dark and grey stripes, which are seen on a black photo too."""
    height, width = images.shape[-2:]
    across = torch.arange(height)[:, None] + torch.arange(width)
    dark = across // max(1, height // 28) % 2 == 0
    stripes = prepare(torch.where(dark, 20, 110).expand(1, 3, -1, -1))
    return torch.lerp(stripes, images, SHINE)


def enlarged(cells: "Tensor", images: "Tensor") -> "Tensor":
    """Cells (N, C, h, w) at the size of `images`, without smoothing."""
    return functional.interpolate(cells, size=images.shape[-2:], mode="nearest-exact")


def pixels(images: "Tensor", prepare: Preprocessing) -> "Tensor":
    """What the network gets as uint8 RGB again, same shape."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (prepare.mean, prepare.std))
    return (images * std + mean).round().clamp(0, 255).to(torch.uint8)


def class_names(check: DatasetInfo) -> list[str]:
    """Names for people, where the root has ImageNet's list of them; else those of the folders."""
    names = folder_names(check.root)
    return [names.get(folder) or folder for folder in check.classes]


def make(config: str, check_file: Path, out: Path) -> None:
    """Draw the gallery of a config (a file, or its content as JSON). UserError if there is nothing to draw."""
    todo = plan(load(config))
    if not todo.gallery:
        raise UserError("backbones: none is pretrained here, so there is no regularizer to show")
    if not check_file.is_file():
        raise UserError(f"{check_file}: no such data check; `snakemake gallery` makes the data and checks them")
    check = DatasetInfo.read(check_file)
    wanted = registry.layout_of(todo.config, registry.data_name(todo.config, registry.PRETRAIN)).name
    if check.set != wanted:
        raise UserError(f"{check_file}: is the check of {check.set}, not of {wanted}")
    configure_torch(todo.resources["cpu_threads"])
    picture = draw(gallery(todo.gallery, check), class_names(check), todo.gallery_of)
    with atomic(out) as temporary:
        temporary.write_bytes(picture)
    print(f"gallery: {len(todo.gallery)} rows, {len(picture) / 1e6:.2f} MB: {out}")
