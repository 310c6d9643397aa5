"""Any network as a detector's backbone: its maps, what of it is frozen, and what of it learns."""

import pytest
import torch
from mmdet.models.backbones import ResNet
from timm.layers import convert_sync_batchnorm
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones.construct import build
from detection.backbone import LastStage, NetworkBackbone
from detection.stages import PYRAMID, out_indices
from workflow import registry
from workflow.training.distributed.processes import share_statistics

SWIN, NORMS = "timm/swin_tiny_patch4_window7_224", "timm/efficientnet_b0"
NETWORKS = ["resnet18", "timm/convnext_atto", SWIN, NORMS]
STEMS = {"resnet18": ("conv1", "bn1"), "timm/convnext_atto": ("stem",), SWIN: ("patch_embed",)}
STEMS |= {NORMS: ("conv_stem", "bn1", "blocks.0")}


def backbone(name: str, frozen_stages: int = -1, freeze_bn: bool = False) -> NetworkBackbone:
    """With the maps of a feature pyramid."""
    torch.manual_seed(0)
    places = out_indices(registry.network(name), PYRAMID)
    return NetworkBackbone(name, places, frozen_stages, freeze_bn, stride="3x3").train()


def under(name: str, parts: tuple[str, ...]) -> bool:
    return any(f"{name}.".startswith(f"{part}.") for part in parts)


@pytest.mark.parametrize("name", NETWORKS)
def test_maps_have_the_declared_strides_and_channels_and_whatever_learns_gets_a_gradient(name):
    """Of several processes, each weight that learns must get one."""
    module, declared = backbone(name), registry.network(name)
    maps = module(torch.randn(2, 3, 64, 96))
    assert [tuple(each.shape) for each in maps] == [
        (2, stage.channels, 64 // stage.stride, 96 // stage.stride) for stage in declared.stages
    ]
    sum(each.square().sum() for each in maps).backward()
    learns = {key: weight for key, weight in module.network.named_parameters() if weight.requires_grad}
    assert [key for key, weight in learns.items() if weight.grad is None] == []
    assert all(
        any(under(key, (part,)) for key in learns) for part in (*STEMS[name], *(s.name for s in declared.stages))
    )
    assert not [key for key in module.network.state_dict() if under(key, (declared.classifier,))]


@pytest.mark.parametrize("name", NETWORKS)
def test_frozen_stages_neither_learn_nor_train(name):
    declared = registry.network(name)
    for frozen in (0, 2):
        module = backbone(name, frozen)
        fixed = STEMS[name] + tuple(stage.name for stage in declared.stages[:frozen])
        found = {key: weight.requires_grad for key, weight in module.network.named_parameters()}
        assert not any(learns for key, learns in found.items() if under(key, fixed))
        rest = tuple(stage.name for stage in declared.stages[frozen:])
        assert all(learns for key, learns in found.items() if under(key, rest))
        for key, each in module.network.named_modules():
            if under(key, fixed) or under(key, rest):
                assert each.training == under(key, rest), key


@pytest.mark.parametrize("name", NETWORKS)
def test_freeze_bn_is_of_batch_norm_only(name):
    """Layer norm learns; networks without batch norm are taken as they are."""
    module = backbone(name, freeze_bn=True)
    norms = [each for each in module.modules() if isinstance(each, _BatchNorm)]
    assert bool(norms) == (name in ("resnet18", NORMS))
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)
    others = [each for each in module.modules() if isinstance(each, nn.LayerNorm)]
    assert bool(others) != bool(norms)
    assert any(each.training and each.weight.requires_grad for each in others) == bool(others)
    learns = sum(weight.requires_grad for weight in module.parameters())
    assert learns == sum(weight.requires_grad for weight in backbone(name).parameters()) - 2 * used(norms, module)


def used(norms: list[nn.Module], module: NetworkBackbone) -> int:
    """How many of them are not behind the last map."""
    frozen = {id(module.network.get_submodule(name)) for name in module.frozen}
    return sum(id(norm) not in frozen for norm in norms)


@torch.no_grad()
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("convert", [share_statistics, convert_sync_batchnorm])
def test_batch_norm_of_several_processes_keeps_what_timm_has_behind_it(convert, training):
    """EfficientNet's batch norm has its activation in it."""
    maps = []
    for change in (convert, lambda module: module):
        module = change(backbone(NORMS)).train(training)
        torch.manual_seed(1)
        maps.append(module(torch.randn(2, 3, 64, 64))[-1])
    torch.testing.assert_close(*maps, rtol=1e-3, atol=1e-3)


@torch.no_grad()
@pytest.mark.parametrize("depth", [18, 50])
def test_a_resnet_gives_the_bits_of_mmdetections(depth):
    name = f"resnet{depth}"
    module, theirs = backbone(name).eval(), ResNet(depth)
    theirs.load_state_dict(module.network.state_dict())
    theirs.eval()
    images = torch.randn(1, 3, 64, 96)
    for found, expected in zip(module(images), theirs(images), strict=True):
        assert torch.equal(found, expected)


@torch.no_grad()
@pytest.mark.parametrize("name", ["resnet18", "timm/resnet26t", "timm/regnety_002"])
def test_c4_s_two_parts_are_the_network(name):
    declared = registry.network(name)
    inner = NetworkBackbone(name, [len(declared.stages) - 2], -1, True, "3x3", last_stage=False).eval()
    last, whole = LastStage(name, True, "3x3").eval(), build(declared, classes=10).eval()
    weights = whole.state_dict()
    assert not inner.network.state_dict().keys() & last.state_dict().keys()
    for part in (inner.network, last):
        part.load_state_dict({key: weights[key] for key in part.state_dict()})
    for part in (inner, last, whole):  # as a training has them
        part.to(memory_format=torch.channels_last)
    images = torch.randn(1, 3, 64, 64)
    (features,) = inner(images)
    (expected,) = whole.forward_intermediates(images, indices=[declared.stages[-1].index], intermediates_only=True)
    assert torch.equal(last(features), expected)
