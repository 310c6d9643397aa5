"""The gallery shows what the code that trains does, each regularizer by one rule and none by its name."""

import pytest
import torch

from backbones.backbone import IMAGENET
from backbones.regularized_loss import changed
from backbones.regularizers import REGULARIZERS, Regularizer, build
from backbones.regularizers.cutout import Cutout
from pretrain.dataset import TrainImages
from pretrain.gallery import class_names, gallery, inside, pixels, regularized, samples, striped
from pretrain.model import Classifier
from pretrain.photo_grid import Row, caption
from tests.backbones.regularizers.examples import PARAMETERS
from tests.checks import info
from tests.demo import demo
from workflow import registry
from workflow.config.loading import overlay
from workflow.core.dataset_info import DatasetInfo
from workflow.core.rng import rng
from workflow.data.class_folders import ClassFolders
from workflow.planning.plan import plan

NETWORK = registry.networks()["resnet50"]

DEMO = overlay(demo(), {"pretrain": {"crop_size": 48, "val_resize_size": 48, "crop_scale": [0.35, 1.0]}})
ALWAYS = {"probability": 1.0}
VISIBLE = {  # those that change the images themselves
    name: PARAMETERS[name]
    for name, each in REGULARIZERS.items()
    if each.image is not Regularizer.image or each.batch is not Regularizer.batch
}
SEED = 1


def config_of(imagenet, **regularizers):
    """DEMO on the tiny set: baseline last, and one row for each keyword."""
    rows = {name: {"regularizers": {name: parameters}} for name, parameters in regularizers.items()}
    data = DEMO["data"] | {"imagenet": imagenet.section}
    return DEMO | {
        "data": data,
        "backbones": rows | {"baseline": {}},
        "seeds": {"pretrain": [SEED, 9], "transfer": [0]},
    }


@pytest.fixture
def rows(imagenet):
    """Call it with regularizers to get their rows by name, and baseline's."""

    def call(**regularizers):
        found = gallery(plan(config_of(imagenet, **regularizers)).gallery, DatasetInfo.read(imagenet.check))
        return {row.name: row for row in found}

    return call


def test_baseline_comes_first_and_is_what_training_sees(imagenet, rows):
    found = rows(cutout={"size": 24, **ALWAYS})
    assert list(found) == ["baseline", "cutout"]
    own = TrainImages(ClassFolders(f"{imagenet.root}/train"), DEMO["pretrain"] | {"regularizers": {}}, SEED)
    indices = [own.source.targets.tolist().index(label) for label in range(4)]
    assert torch.equal(found["baseline"].photos, torch.stack([own[i, 0]["images"] for i in indices]))
    assert torch.equal(found["baseline"].targets, torch.eye(4))


def test_a_row_shows_what_is_done_in_its_own_network(imagenet):
    """The last stage of a ResNet-18 ends with another block than that of a ResNet-50."""
    config, drop = config_of(imagenet), {"regularizers": {"stochastic_depth": {"drop_prob": 0.5, **ALWAYS}}}
    table = {"deep": drop, "small": drop | {"network": "resnet18"}, **config["backbones"]}
    found = gallery(plan(config | {"backbones": table}).gallery, DatasetInfo.read(imagenet.check))
    words = {row.name: row.words[-1] for row in found if row.name != "baseline"}
    assert {name: "layer4.2" in text for name, text in words.items()} == {"deep": True, "small": False}
    assert "layer4.1" in words["small"]


@pytest.mark.parametrize(("classes", "labels"), [(1000, [0, 200, 400, 600, 800]), (7, [0, 1, 2, 4, 5]), (2, [0, 1])])
def test_photos_are_the_first_of_evenly_spaced_classes(classes, labels):
    every = [label for label in range(classes) for _ in range(3)]
    assert samples(every) == [3 * label for label in labels]
    assert samples([7, 2, 7]) == [1, 0], "classes without a photo are not shown"


def test_cutout_s_cells_have_its_fill_colour_and_their_label(rows):
    row = rows(cutout={"size": 24, **ALWAYS})["cutout"]
    filled = (row.photos == torch.tensor(Cutout.fill).view(3, 1, 1)).all(1).flatten(1).float().mean(1)
    assert (filled > 0.05).all()
    assert torch.equal(row.targets, torch.eye(4))
    assert row.words == ["cutout: size 24, probability 1.0"]


def test_cutmix_s_weights_are_its_targets(imagenet, rows):
    found = rows(cutmix={"alpha": 1.0, **ALWAYS})
    photos = found["baseline"].photos
    (cutmix,) = build({"cutmix": {"alpha": 1.0, **ALWAYS}})
    images, targets = cutmix.batch(IMAGENET(photos), torch.eye(4), rng(SEED, "cutmix", 0), 1.0)
    assert torch.equal(found["cutmix"].targets, targets)
    assert torch.equal(found["cutmix"].photos, pixels(images, IMAGENET))
    kept = (found["cutmix"].photos == photos).all(1).flatten(1).float().mean(1)
    assert (kept >= targets.diagonal() - 1e-6).all()
    largest = targets[0].max().item()
    assert caption(targets[0], list("abcd"))[0].split()[1] == f"{largest:.2f}"


@pytest.mark.parametrize("name", [*VISIBLE, "manifold_mixup"])
def test_what_acts_now_and_then_is_shown_when_it_first_acts(name, rows):
    parameters = VISIBLE | {"manifold_mixup": {"alpha": 1.0, "layers": ["input"]}}
    found = rows(**{name: parameters[name] | {"probability": 0.05}})
    changed = found[name].photos != found["baseline"].photos
    assert changed.flatten(1).any(1).sum() > 1


def test_what_never_acts_leaves_the_photos_as_they_are(rows):
    found = rows(
        mixup={"alpha": 1.0, "probability": 0.0}, dropblock={"block_size": 3, "keep_prob": 0.9, "probability": 0.0}
    )
    for name in ("mixup", "dropblock"):
        assert torch.equal(found[name].photos, found["baseline"].photos)
        assert len(found[name].words) == 1


@pytest.mark.parametrize(("side", "width"), [(16, 1), (55, 1), (56, 2), (224, 8)])
def test_stripes_are_dark_and_grey_across_and_let_a_little_of_the_photo_through(side, width):
    plain = IMAGENET(torch.full((2, 3, side, side), 100, dtype=torch.uint8))
    found = pixels(striped(plain, IMAGENET), IMAGENET)
    line = found[1, 2, 0].tolist()
    assert line == [32 if n // width % 2 == 0 else 108 for n in range(side)]  # 0.15 * 100 + 0.85 * (20 or 110)
    assert found[0, 0, 3].tolist()[: side - 3] == line[3:], "they run down to the left"


@pytest.mark.parametrize(("layer", "cells"), [("layer1", 12), ("layer2", 6), ("layer4", 2)])
def test_mixed_features_are_shown_as_cells_of_their_layer(layer, cells, rows):
    row = rows(manifold_mixup={"alpha": 1.0, "layers": [layer], **ALWAYS})["manifold_mixup"]
    side = 48 // cells
    corners = row.photos[..., ::side, ::side]
    assert torch.equal(row.photos, corners.repeat_interleave(side, 2).repeat_interleave(side, 3))
    assert row.words[1:] == [f"at {layer}: {cells} × {cells} cells"]
    assert ((row.targets > 0).sum(1) == 2).any()


def test_at_the_input_manifold_mixup_looks_like_mixup(rows):
    found = rows(manifold_mixup={"alpha": 1.0, "layers": ["input"], **ALWAYS})
    weights = found["manifold_mixup"].targets
    blended = torch.einsum("nc,chwx->nhwx", weights, IMAGENET(found["baseline"].photos))
    assert (found["manifold_mixup"].photos.int() - pixels(blended, IMAGENET).int()).abs().max() <= 1
    assert found["manifold_mixup"].words[1:] == ["at the input"]


@pytest.mark.parametrize(("name", "layer"), [("timm/test_convnext", "stages.1"), ("timm/test_mambaout", "stages.1")])
def test_every_kind_of_network_has_its_row(name, layer, imagenet):
    """Maps in either layout, and branches of any shape."""
    given = {"manifold_mixup": {"alpha": 1.0, "layers": [layer]}, "stochastic_depth": {"drop_prob": 0.8}}
    config = config_of(imagenet)
    config["backbones"] |= {key: {"network": name, "regularizers": {key: each | ALWAYS}} for key, each in given.items()}
    found = {row.name: row for row in gallery(plan(config).gallery, DatasetInfo.read(imagenet.check))}
    assert found["manifold_mixup"].words[1:] == [f"at {layer}: 6 × 6 cells"]
    branches = [branch for block in registry.network(name).blocks for branch in block.branches]
    assert found["stochastic_depth"].kept.shape == (4, len(branches))


def test_blocks_are_hollow_where_the_network_drops_them(rows):
    parameters = {"drop_prob": 0.8, **ALWAYS}
    found = rows(stochastic_depth=parameters)
    row = found["stochastic_depth"]
    assert torch.equal(row.photos, found["baseline"].photos)
    (regularizer,) = build({"stochastic_depth": parameters})
    images, dropped = IMAGENET(row.photos), []
    changes, _ = regularizer.feature_transforms(images, row.targets, rng(SEED, "stochastic_depth", 0), 1.0, NETWORK)
    network = Classifier("resnet50", 4).network
    with torch.no_grad(), changed(network, [changes], NETWORK):
        for name in changes:
            network.get_submodule(name).register_forward_hook(lambda m, i, out: dropped.append(not out.any()))
        network(images)
    assert row.kept.tolist() == [[not each for each in dropped]] * 4
    assert any(dropped)
    assert not all(dropped)


def test_dropped_cells_are_striped_and_the_rest_is_the_photo(rows):
    found = rows(dropblock={"block_size": 3, "keep_prob": 0.7, **ALWAYS})
    photos, row = found["baseline"].photos, found["dropblock"]
    striped = (row.photos != photos).any(1)
    share = striped.flatten(1).float().mean(1)
    assert ((share > 0.05) & (share < 1)).all()
    assert row.words[1].startswith("striped: dropped at layer4.")
    assert row.photos[striped[:, None].expand_as(photos)].max() < 140


def test_smoothing_is_seen_in_the_weights(rows):
    found = rows(label_smoothing={"smoothing": 0.2, **ALWAYS})
    assert caption(found["label_smoothing"].targets[0], list("abcd")) == ["a 0.85 · 3 others 0.15"]
    assert torch.equal(found["label_smoothing"].photos, found["baseline"].photos)


class Unheard(Regularizer):
    """One that the gallery cannot know."""

    name, mixes = "unheard", False

    def __init__(self, **changes):
        super().__init__(1.0)
        self.changes = changes

    def feature_transforms(self, images, targets, rng, progress, network):
        assert progress == 1.0
        return self.changes, targets


@pytest.mark.parametrize(
    ("changes", "words", "kept"),
    [
        ({"layer3": lambda x: x * 0}, "layer3 to layer3, a square each", [[False]] * 2),
        ({"layer2": lambda x: x * 2, "layer3": lambda x: x * torch.tensor([-0.5, 2.0]).view(2, 1, 1, 1)},
         "layer2 to layer3, a square each: filled is kept, hollow scaled at random", [[True, False]] * 2),
        ({"layer3": lambda x: x * torch.linspace(-1, 1, x.numel()).view(x.shape)},
         "layer3 to layer3, a square each: filled is kept, hollow scaled at random", [[False]] * 2),
        ({"layer1": lambda x: x, "layer2": lambda x: x.flip(0)}, "at layer2: 4 × 4 cells", None),
        ({"layer2": lambda x: torch.cat([x[..., :2] * 0, x[..., 2:]], -1)}, "striped: dropped at layer2", None),
        ({"layer2": lambda x: x, "layer4": lambda x: x}, None, None),
    ],
)  # fmt: skip
def test_a_regularizer_of_ones_own_is_shown_by_what_it_does(changes, words, kept):
    photos = torch.arange(2 * 3 * 32 * 32).remainder(251).view(2, 3, 32, 32).to(torch.uint8)
    row = regularized(
        Row("mine", [], photos, torch.eye(2)), [Unheard(**changes)], seed=0, network=NETWORK, prepare=IMAGENET
    )
    assert [text.startswith(words) for text in row.words] == ([True] if words else [])
    assert (row.kept.tolist() if kept else row.kept) == kept
    assert torch.equal(row.photos, photos) == (words is None or kept is not None)


def test_a_mask_without_a_part_that_is_left_is_shown_too():
    """Blocks as large as the map: whole channels are gone, others are not."""
    row, images = Row("mine", [], None, None), IMAGENET(torch.zeros(2, 3, 32, 32, dtype=torch.uint8))
    gone = torch.arange(2048).view(1, -1, 1, 1) % 2
    assert not torch.equal(inside(row, images, {"layer4": lambda x: x * gone}, NETWORK, IMAGENET), images)
    assert row.words == ["striped: dropped at layer4, one channel of it"]


def test_class_names_are_imagenet_s_where_its_list_is_there(tmp_path):
    check = info(root=str(tmp_path), classes=["n01440764", "n2"])
    assert class_names(check) == ["n01440764", "n2"]
    (tmp_path / "LOC_synset_mapping.txt").write_text("n01440764 tench, Tinca tinca\n", encoding="utf-8")
    assert class_names(check) == ["tench", "n2"]


def test_only_what_is_seen_is_tracked_and_each_backbone_stands_once(imagenet):
    config = config_of(imagenet, cutout={"size": 24, **ALWAYS}) | {"resources": DEMO["resources"] | {"cpu_threads": 3}}
    config["backbones"]["scratch"] = {"init": "random"}
    before = plan(config).gallery
    assert [(run.backbone, run.seeds["pretrain"]) for run in before] == [("cutout", SEED), ("baseline", SEED)]

    def tracked(**changes):
        found = plan(config | {"pretrain": config["pretrain"] | changes}).gallery
        return [run.tracked for run in found] != [run.tracked for run in before]

    assert not tracked(lr=0.5, epochs=9)
    assert tracked(crop_size=32)
    assert tracked(color_jitter=0.4)
