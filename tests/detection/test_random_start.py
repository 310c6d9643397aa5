"""The negative control can learn: from random weights with statistics, each weight of the backbone gets a gradient."""

import functools

import pytest
import torch
from torchvision.models import resnet50

from backbones.backbone import IMAGENET, load_backbone, save_backbone
from detection.train import parts
from pretrain.random_backbone import make
from tests.pretrain.test_random_backbone import run_of

TASKS = ["ssd_voc", "faster_rcnn_voc"]


@pytest.fixture(scope="module")
def control(imagenet, tmp_path_factory):
    """The published negative control."""
    folder = tmp_path_factory.mktemp("scratch")
    make(run_of(), imagenet.check, folder)
    return folder / "backbone.safetensors"


@pytest.fixture(scope="module")
def step(build):
    """step(task, backbone): the first loss, and which of the backbone's trainable tensors get a gradient, by name."""

    @functools.cache
    def first(task, backbone):
        built = build(task)
        load_backbone(backbone, *parts(built.model))
        model = built.model.train()
        batch = model.data_preprocessor(next(iter(built.train)), training=True)
        loss, _ = model.parse_losses(model(**batch, mode="loss"))
        loss.backward()
        weights = [weight for part in parts(model) for weight in part.named_parameters() if weight[1].requires_grad]
        return loss.item(), {name: bool(weight.grad.any()) for name, weight in weights}

    return first


@pytest.mark.parametrize("task", TASKS)
def test_no_weight_has_a_gradient_of_zero(step, control, task):
    _, gradients = step(task, control)
    assert len(gradients) > 40
    assert [name for name, gradient in gradients.items() if not gradient] == []


@pytest.mark.parametrize("task", TASKS)
def test_the_first_loss_is_near_that_of_blocks_which_are_the_identity(step, control, tmp_path, task):
    """These begin with features of the size that a trained backbone's have, but cannot learn with frozen batch norm."""
    torch.manual_seed(0)
    save_backbone(
        tmp_path / "identity.safetensors", resnet50(zero_init_residual=True).state_dict(), IMAGENET, "resnet50"
    )
    loss, (usual, stuck) = step(task, control)[0], step(task, tmp_path / "identity.safetensors")
    assert sum(not gradient for gradient in stuck.values()) > 20
    assert loss < 2 * usual


@pytest.mark.parametrize("task", TASKS)
def test_without_statistics_the_loss_would_begin_far_off(step, tmp_path, control, task):
    torch.manual_seed(0)
    save_backbone(tmp_path / "plain.safetensors", resnet50().state_dict(), IMAGENET, "resnet50")
    assert step(task, tmp_path / "plain.safetensors")[0] > 3 * step(task, control)[0]
