"""Class activation maps: the definition, whose maps, and over which photos."""

import sys

import numpy as np
import pytest
import torch
from matplotlib import colormaps
from PIL import Image
from torchvision.models import resnet50

from backbones.backbone import IMAGENET, Preprocessing, save_backbone
from backbones.construct import build
from backbones.images import TestImages
from backbones.regularized_loss import changed
from pretrain.cam import activations, chosen, enlarged, overlaid, rows, unfit
from pretrain.cli import main
from workflow import registry
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import sha256, write_json
from workflow.data.class_folders import ClassFolders
from workflow.reporting.figures import made_of

RECIPE = {"val_resize_size": 48, "crop_size": 48}
BGR = Preprocessing("BGR", (100.0, 110.0, 120.0), (50.0, 60.0, 70.0))


@pytest.fixture(scope="module")
def backbone(tmp_path_factory):
    """Call it to get the folder of a published backbone: its classes (0: no fc), preprocessing, stride, origin."""
    torch.manual_seed(0)
    network = resnet50(num_classes=4)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.running_var.uniform_(0.5, 2)

    def make(classes=4, prepare=IMAGENET, stride="3x3", origin="pretrained"):
        folder = tmp_path_factory.mktemp("backbone")
        weights = {key: value for key, value in network.state_dict().items() if not key.startswith("fc.")}
        if classes:
            weights |= {"fc.weight": torch.randn(classes, 2048), "fc.bias": torch.randn(classes)}
        save_backbone(folder / "backbone.safetensors", weights, prepare, "resnet50", stride, origin=origin)
        write_json(folder / "config.json", {"recipe": RECIPE})
        write_json(folder / "metrics.json", {"classes": classes})
        return folder

    return make


def test_the_mean_of_a_map_is_the_logit_but_for_the_bias(backbone, imagenet):
    from safetensors.torch import load_file

    folder = backbone(prepare=BGR, stride="1x1")
    photos, labels = chosen(folder, DatasetInfo.read(imagenet.check))
    maps, probabilities = activations(folder, photos, labels)
    assert maps.shape == (5, 2, 2)
    torch.testing.assert_close(probabilities.sum(1), torch.ones(5))
    bias = load_file(folder / "backbone.safetensors")["fc.bias"]
    logits = torch.stack([activations(folder, photos, [c] * 5)[0].mean((1, 2)) + bias[c] for c in range(4)], 1)
    torch.testing.assert_close(logits.softmax(1), probabilities)
    expected = torch.stack([logits[n, label] - bias[label] for n, label in enumerate(labels)])
    torch.testing.assert_close(maps.mean((1, 2)), expected)


@pytest.mark.parametrize("name", ["timm/test_convnext", "timm/test_mambaout", "timm/test_efficientnet"])
def test_elsewhere_a_channel_weighs_as_much_as_its_rise_moves_the_logit(name, tmp_path):
    """Norms, convolutions or an MLP behind the last stage; maps (N, C, H, W) and (N, H, W, C)."""
    torch.manual_seed(0)
    declared = registry.network(name)
    network = build(declared, classes=4).eval()
    save_backbone(tmp_path / "backbone.safetensors", network.state_dict(), IMAGENET, name)
    photos = torch.randint(0, 256, (2, 3, 96, 96), dtype=torch.uint8)
    maps, probabilities = activations(tmp_path, photos, [1, 2])
    rise, last = torch.zeros(2, declared.stages[-1].channels, requires_grad=True), declared.stages[-1]
    with changed(network, [{last.name: lambda features: features + rise[..., None, None]}], declared):
        logits = network(IMAGENET(photos))
    (weights,) = torch.autograd.grad(logits[0, 1] + logits[1, 2], [rise])
    with torch.no_grad():
        (features,) = network.forward_intermediates(IMAGENET(photos), indices=[last.index], intermediates_only=True)
    torch.testing.assert_close(maps, torch.einsum("nchw,nc->nhw", features, weights), rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(probabilities, logits.softmax(1))


def test_a_network_without_a_last_map_is_named(tmp_path):
    weights = build(registry.network("timm/test_vit"), classes=4).state_dict()
    save_backbone(tmp_path / "backbone.safetensors", weights, IMAGENET, "timm/test_vit", origin="pretrained")
    assert unfit(tmp_path, 4) == "no module of a test_vit gives its last map"


def test_preprocessing_and_stride_are_the_backbone_s_own(backbone, imagenet):
    check = DatasetInfo.read(imagenet.check)
    found = []
    for changes in ({}, {"prepare": BGR}, {"stride": "1x1"}):
        torch.manual_seed(1)  # the same fc
        folder = backbone(**changes)
        found.append(activations(folder, *chosen(folder, check))[0])
    assert not torch.allclose(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_photos_are_spread_over_the_validation_set(backbone, imagenet):
    photos, labels = chosen(backbone(), DatasetInfo.read(imagenet.check))
    val = TestImages(ClassFolders(f"{imagenet.root}/val"), RECIPE)
    assert labels == [val[place]["labels"] for place in (0, 2, 4, 7, 9)]
    assert torch.equal(photos[3], val[7]["images"])


def test_the_photos_come_first_and_who_has_no_fitting_classifier_is_named(backbone, imagenet):
    runs = {
        "scratch": backbone(origin="random"),
        "baseline": backbone(),
        "mine": backbone(classes=7),
        "bare": backbone(classes=0),
        "cutmix": backbone(),
    }
    found = rows(runs, DatasetInfo.read(imagenet.check))
    assert [row.name for row in found] == ["photo", "baseline", "cutmix"]
    assert found[0].words[1:] == [
        "scratch is not shown: its weights are random",
        "mine is not shown: its fc has 7 outputs",
        "bare is not shown: it has no fc",
    ]
    assert torch.equal(
        found[0].targets.argmax(1), torch.tensor(chosen(runs["baseline"], DatasetInfo.read(imagenet.check))[1])
    )
    assert "2 × 2 cells" in found[1].words[0]


def test_small_photos_become_blocks():
    photos = torch.arange(12, dtype=torch.uint8).view(1, 3, 2, 2)
    large = enlarged(photos)
    assert large.shape == (1, 3, 224, 224)
    assert torch.equal(large[:, :, ::112, ::112], photos)
    assert enlarged(large) is not None
    assert enlarged(large).shape == large.shape


def test_red_is_where_the_map_is_high_and_scale_does_not_matter():
    photos = torch.full((1, 3, 48, 48), 128, dtype=torch.uint8)
    maps = torch.tensor([[[5.0, 1.0], [1.0, 1.0]]])
    red, _, blue = overlaid(photos, maps)[0].float()
    assert red[0, 0] > blue[0, 0] + 20
    assert blue[-1, -1] > red[-1, -1]
    assert torch.equal(overlaid(photos, maps), overlaid(photos, 10 * maps - 3))
    assert overlaid(photos, torch.zeros(1, 2, 2)).shape == (1, 3, 240, 240), "a flat map is no fault"


@pytest.mark.parametrize(("side", "shown"), [(112, 224), (223, 446), (224, 224), (225, 225)])
def test_a_pixel_is_half_the_grey_of_the_photo_and_half_the_colour_of_its_map(side, shown):
    """Its range goes from one end of the colours to the other; where it is flat, it is at the lower one."""
    photos = torch.tensor([210, 90, 30], dtype=torch.uint8).view(1, 3, 1, 1).expand(2, 3, side, side)
    maps = torch.stack([torch.tensor([[-2.0, 0.0], [0.0, 6.0]]), torch.full((2, 2), 3.0)])
    found = overlaid(photos, maps)
    assert found.shape == (2, 3, shown, shown)
    low, high = (55 + 127.5 * np.array(colormaps["turbo"](end)[:3]) for end in (0.0, 1.0))
    assert found[0, :, 0, 0].tolist() == pytest.approx(low, abs=1)
    assert found[0, :, -1, -1].tolist() == pytest.approx(high, abs=1)
    assert found[1, :, shown // 2, 0].tolist() == pytest.approx(low, abs=1)


@pytest.fixture
def draw_maps(imagenet, tmp_path, monkeypatch):
    """Runs the command line on folders by name; returns the picture's file."""
    threads, out = torch.get_num_threads(), tmp_path / "r/cam.png"

    def call(runs):
        named = [f"{name}={folder}" for name, folder in runs.items()]
        monkeypatch.setattr(
            sys, "argv", ["pretrain", "cam", "--runs", *named, "--dataset-info", str(imagenet.check), "--out", str(out)]
        )
        main()
        return out

    yield call
    torch.set_num_threads(threads)


def test_the_command_line_draws_a_png_that_says_of_which_records(draw_maps, backbone, capsys):
    runs = {name: backbone() for name in ("baseline", "cutmix")}
    out = draw_maps(runs)
    assert capsys.readouterr().out.startswith("activations: 2 backbones, ")
    assert np.asarray(Image.open(out)).shape[0] > 3 * 190
    assert made_of(out.read_bytes()) == {
        f"{folder}/metrics.json": sha256(f"{folder}/metrics.json") for folder in runs.values()
    }


def test_imported_files_alone_whose_classes_are_others_leave_the_photos_and_the_reasons(draw_maps, backbone, imagenet):
    runs = {"baseline": backbone(classes=7, origin="imported"), "bare": backbone(classes=0, origin="imported")}
    (only,) = rows(runs, DatasetInfo.read(imagenet.check))
    assert only.words[1:] == ["baseline is not shown: its fc has 7 outputs", "bare is not shown: it has no fc"]
    assert torch.equal(only.photos, enlarged(chosen(runs["baseline"], DatasetInfo.read(imagenet.check))[0]))
    assert 190 < np.asarray(Image.open(draw_maps(runs))).shape[0] < 2 * 190 + 100
