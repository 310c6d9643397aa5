"""A localizer starts from a backbone with a new classifier; rates and regularizers are those of the recipe."""

import pytest
import torch
from mmengine.logging import MessageHub

from backbones.backbone import load_weights, metadata
from localization.model import Localizer
from localization.photos import photos
from localization.train import rates, task
from tests.localization.recipes import WSOL, run
from workflow.core.dataset_info import DatasetInfo

IMAGES = torch.randint(0, 256, (4, 3, 64, 64), dtype=torch.uint8, generator=torch.Generator().manual_seed(1))
LABELS, PLACES = torch.tensor([0, 1, 2, 0]), torch.arange(4)


def localizer(about, classes=3, **changes):
    torch.manual_seed(5)
    prepare = {key: about[key] for key in ("channel_order", "mean", "std")}
    values = {"map_stride": 16, "cam_class": "ground_truth", "regularizers": {}, "seed": 0} | changes
    return Localizer(network=about["network"], classes=classes, prepare=prepare, stride=about["stride"], **values)


@pytest.mark.parametrize("classes", [3, 4])
def test_all_but_the_classifier_is_the_backbone_s(backbone, classes):
    """Also where the old classifier would fit."""
    model = localizer(metadata(backbone), classes)
    new = {key: value.clone() for key, value in model.network.state_dict().items() if key.startswith("fc.")}
    model.load(backbone)
    published = load_weights(backbone)[0]
    for key, value in model.network.state_dict().items():
        assert torch.equal(value, new[key] if key.startswith("fc.") else published[key]), key
    assert model.network.layer4[0].conv1.stride == (1, 1), "loading places strides anew"
    assert model.network.layer3[0].conv1.stride == (2, 2)


def test_its_maps(backbone):
    model = localizer(metadata(backbone)).eval()
    (given,) = model(IMAGES, LABELS, PLACES, mode="predict")
    assert given["maps"].shape == (4, 4, 4)
    logits = model(IMAGES, LABELS, PLACES)
    assert torch.equal(given["predicted"], logits.argmax(dim=1))
    expected = logits[range(4), LABELS] - model.network.fc.bias[LABELS]
    torch.testing.assert_close(given["maps"].mean(dim=(1, 2)), expected, rtol=1e-4, atol=1e-5)
    other = localizer(metadata(backbone), cam_class="predicted").eval()
    expected = logits.amax(dim=1) - model.network.fc.bias[given["predicted"]]
    (given,) = other(IMAGES, LABELS, PLACES, mode="predict")
    torch.testing.assert_close(given["maps"].mean(dim=(1, 2)), expected, rtol=1e-4, atol=1e-5)


def test_regularizers_change_its_loss(backbone):
    hub, losses = MessageHub.get_current_instance(), []
    hub.update_info("iter", 0)
    hub.update_info("progress", 0.0)
    for row in ({}, {"cutmix": {"alpha": 1.0, "probability": 1.0}}):
        model = localizer(metadata(backbone), regularizers=row).eval()
        losses.append(model(IMAGES, LABELS, PLACES, mode="loss")["loss"].item())
    assert losses[0] != losses[1]


def test_rates_of_the_classifier_of_the_rest_and_of_single_networks(cub, backbone, tmp_path):
    recipe = WSOL | {"lr_of_networks": {"vgg16_gap": {"lr": 0.0001, "classifier_lr": 0.001}}}
    assert rates(recipe, "resnet18") == (0.01, 0.1)
    assert rates(recipe, "vgg16_gap") == (0.0001, 0.001)
    check, about = DatasetInfo.read(cub.check), metadata(backbone)
    config = task(run("wsol_cub", recipe, {}), check, about, {}, photos(check, {}), tmp_path)["optim_wrapper"]
    from mmengine.optim import build_optim_wrapper

    model = localizer(about)
    optimizer = build_optim_wrapper(model, config).optimizer
    names = {id(weight): name for name, weight in model.named_parameters()}
    found = {names[id(group["params"][0])]: group["lr"] for group in optimizer.param_groups}
    assert {name: lr for name, lr in found.items() if "fc" in name} == pytest.approx(
        {"network.fc.weight": 0.1, "network.fc.bias": 0.1}
    )
    assert {lr for name, lr in found.items() if "fc" not in name} == {0.01}
