"""ResNet-50s pass in whole; every other network is refused in one line that says what it looks like."""

import re

import pytest
import timm
import torch
from torchvision import models
from torchvision.models import resnet50

from backbones import network_signature
from backbones.checkpoint_weights import find_weights
from backbones.construct import build
from workflow import registry
from workflow.core.errors import UserError


def checked(path, weights, network="resnet50"):
    return network_signature.check_weights(path, weights, registry.network(network))


@pytest.fixture(scope="module")
def weights():
    torch.manual_seed(0)
    return resnet50(num_classes=3).state_dict()


def test_a_file_without_fc_or_counters_is_whole(weights, tmp_path):
    bare = {k: v for k, v in weights.items() if not k.startswith("fc.") and "num_batches" not in k}
    found = checked(tmp_path / "x", bare)
    assert list(found) == [k for k in weights if not k.startswith("fc.")]
    assert found["bn1.num_batches_tracked"] == 0


def test_weights_become_fp32_of_their_own(weights, tmp_path):
    for kind in (torch.float16, torch.bfloat16, torch.float64):
        cast = {k: v.to(kind) if v.is_floating_point() else v for k, v in weights.items()}
        found = checked(tmp_path / "x", cast)
        assert found["conv1.weight"].dtype == torch.float32
        assert torch.equal(found["conv1.weight"], cast["conv1.weight"].float())
    shared = torch.zeros(64)
    found = checked(tmp_path / "x", {**weights, "bn1.weight": shared, "bn1.bias": shared})
    assert found["bn1.weight"].data_ptr() != found["bn1.bias"].data_ptr() != shared.data_ptr()


def test_a_file_that_claims_millions_of_classes_costs_no_memory(weights, tmp_path):
    claims = {**weights, "fc.weight": torch.zeros(1).expand(10**8, 2048), "fc.bias": torch.zeros(1).expand(10**8)}
    with pytest.raises(UserError, match=r"fc\.weight claims more numbers than the file holds"):
        checked(tmp_path / "x", claims)


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (torch.full((64,), float("nan")), r"bn1\.weight holds values that are not finite"),
        (torch.ones(64).index_fill(0, torch.tensor([63]), -torch.inf), r"bn1\.weight holds values that are not finite"),
        (
            torch.ones(64, dtype=torch.int8),
            r"bn1\.weight is of type int8, strided on cpu; weights must be dense floating",
        ),
        (torch.ones(64).to_sparse(), r"bn1\.weight is of type float32, sparse_coo"),
        (torch.ones(64, device="meta"), r"bn1\.weight is of type float32, strided on meta"),
        (torch.ones(1).expand(64), r"bn1\.weight claims more numbers than the file holds"),
    ],
)
def test_what_is_no_number_is_named(value, message, weights, tmp_path):
    with pytest.raises(UserError, match=message):
        checked(tmp_path / "x", {**weights, "bn1.weight": value})


def library_weights(name):
    """Names and shapes are all that matters: nothing is computed."""
    with torch.device("meta"):
        return (
            timm.create_model(name).state_dict() if name in timm.list_models() else getattr(models, name)().state_dict()
        )


KNOWN = {  # timm's or torchvision's model: how a config declares it
    **{
        name: name for name in ("resnet18", "resnet34", "resnet101", "resnet152", "wide_resnet50_2", "resnext101_32x8d")
    },
    **{name: f"timm/{name}" for name in ("resnet26", "resnext50_32x4d", "resnet50d", "seresnet50", "resnet50_gn")},
    **{
        name: f"timm/{name}"
        for name in ("convnext_atto", "mobilenetv3_small_050", "efficientnet_b0", "swin_tiny_patch4_window7_224")
    },
}


@pytest.mark.parametrize("name", KNOWN)
def test_another_known_network_is_named_with_what_to_declare(name, tmp_path):
    with pytest.raises(UserError) as caught:
        checked(tmp_path / "x.pth", library_weights(name))
    start = f"checkpoint {tmp_path}/x.pth is not torchvision's ResNet-50, but looks like "
    like, declare, rest = re.fullmatch(r"(.*?) \((.*?)\): it (.*)", str(caught.value).removeprefix(start)).groups()
    several = like != KNOWN[name]
    assert KNOWN[name] in like.split(" or ")
    assert declare == f"declare {'which, as in ' * several}`network: {like.split(' or ')[0]}`"
    assert rest.startswith(("has ", "lacks "))


def test_a_known_model_that_is_no_network_here_is_named(tmp_path):
    with pytest.raises(UserError, match="looks like torchvision's vit_b_16, which is not among the networks here: it"):
        checked(tmp_path / "x.pth", library_weights("vit_b_16"))


NEAR = {  # with a tensor too much, so that it is no known network
    "resnet18": r"looks like a ResNet-18 \(2, 2, 2, 2 blocks instead of 3, 4, 6, 3\): it has layer1\.0\.conv1",
    "resnet34": r"looks like a ResNet-34 \(3, 4, 6, 3 blocks of two convolutions\)",
    "resnet26": r"looks like a ResNet-26",
    "resnet101": r"looks like a ResNet-101 \(3, 4, 23, 3 blocks instead of 3, 4, 6, 3\): it has layer3\.6\.conv1"
    r"\.weight, which a ResNet-50 has not \(and \d+ more differences\)",
    "resnet152": r"looks like a ResNet-152 \(3, 8, 36, 3",
    "wide_resnet50_2": r"a ResNet-50 \(a layer1 that is 128 channels wide instead of 64\): it has layer1\.0",
    "resnext50_32x4d": r"a ResNet-50 \(3×3 convolutions in 32 groups, as in ResNeXt\)",
    "resnet50d": r"a deep stem, as in ResNet-C and -D; average pooling in its shortcuts, as in ResNet-D\): it lacks",
    "resnet50c": r"a ResNet-50 \(a deep stem, as in ResNet-C and -D\)",
    "seresnet50": r"a ResNet-50 \(squeeze-and-excitation in its blocks\): it has layer1\.0\.se\.fc1\.weight",
    "resnet50_gn": r"a ResNet-50 \(no statistics of BatchNorm, as with GroupNorm or of parameters only\): it lacks bn1",
    "resnetv2_50": r"nor any other known network \(its keys begin with stem\.conv\.weight",
    "vit_b_16": r"nor any other known network \(its keys begin with class_token",
}


@pytest.mark.parametrize("name", NEAR)
def test_a_relative_is_described(name, tmp_path):
    with pytest.raises(UserError, match=NEAR[name]) as caught:
        checked(tmp_path / "x.pth", {**library_weights(name), "more": torch.ones(1)})
    assert str(caught.value).startswith(f"checkpoint {tmp_path}/x.pth is not torchvision's ResNet-50, ")
    assert "\n" not in str(caught.value)


def test_mmpretrains_deep_stem_is_named(tmp_path):
    from detection.mmcv_stubs import install

    install()  # mmdet imports what a bare environment lacks
    from mmdet.models.backbones import ResNetV1d

    with torch.device("meta"):
        weights = ResNetV1d(depth=50).state_dict()
    with pytest.raises(UserError, match=r"a deep stem.*; average pooling in its shortcuts.*it lacks conv1\.weight"):
        checked(tmp_path / "x", weights)


CHANGES = {
    "grey": (
        {"conv1.weight": (64, 1, 7, 7)},
        r"for images of 1 channels\): it has conv1\.weight of shape \(64, 1, 7, 7\)",
    ),
    "cifar": ({"conv1.weight": (64, 3, 3, 3)}, r"looks like resnet50_cifar \(declare `network: resnet50_cifar`\)"),
    "stem": ({"conv1.weight": (64, 3, 5, 5)}, r"a first convolution of 5×5\)"),
    "bias": (
        {"layer1.0.conv1.bias": (64,)},
        r"convolutions with a bias\): it has layer1\.0\.conv1\.bias, which a ResN",
    ),
    "blur": ({"layer2.0.conv2.1.filt": (128, 1, 3, 3)}, r"anti-aliased downsampling\)"),
    "width": (
        {"conv1.weight": (32, 3, 7, 7)},
        r"ResNet-50: it has conv1\.weight of shape \(32, 3, 7, 7\) instead of \(64",
    ),
    "more": ({"stem2.weight": (1,)}, r"ResNet-50: it has stem2\.weight, which a ResNet-50 has not$"),
    "fc": ({"fc.weight": (3, 512)}, r"ResNet-50: it has fc\.weight of shape \(3, 512\) instead of \(3, 2048\)"),
    "fc.bias": ({"fc.bias": (4,)}, r"it has fc\.bias of shape \(4,\) instead of \(3,\)"),
}


@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_pyramidnet_of_another_size_is_named(prefix, tmp_path):
    """As the reference code of CutMix saves it."""
    with torch.device("meta"):
        state = build(registry.network("pyramidnet20_a12_bottleneck"), 100).state_dict()
    state = {f"{prefix}{name}": torch.zeros(value.shape, dtype=value.dtype) for name, value in state.items()}
    for declared in ("pyramidnet20_a13_bottleneck", "pyramidnet20_a12_basic", "resnet50", "resnet110_bottleneck_cifar"):
        network, content = registry.network(declared), {"epoch": 3, "state_dict": state}
        found = find_weights(tmp_path / "x", content, None, network)
        with pytest.raises(UserError, match=r"but looks like pyramidnet20_a12_bottleneck \(declare `network: pyr"):
            network_signature.check_weights(tmp_path / "x", found.weights, network, state)
    network = registry.network("pyramidnet20_a12_bottleneck")
    found = find_weights(tmp_path / "x", content, None, network)
    assert checked(tmp_path / "x", found.weights, network.name).keys() == build(network, 100).state_dict().keys()


def test_a_resnet_of_three_stages_is_named_by_its_blocks(tmp_path):
    state = build(registry.network("resnet110_bottleneck_cifar"), 10).state_dict()
    state = {name: value for name, value in state.items() if "layer3.11." not in name}
    for declared, more in (("resnet50", "3, 4, 6, 3; a first"), ("pyramidnet20_a12_bottleneck", r"2, 2, 2\)")):
        with pytest.raises(UserError, match=rf"of another depth \(12, 12, 11 blocks instead of {more}"):
            checked(tmp_path / "x", state, declared)


@pytest.mark.parametrize("name", CHANGES)
def test_one_difference_is_named(name, weights, tmp_path):
    shapes, message = CHANGES[name]
    with pytest.raises(UserError, match=message):
        checked(tmp_path / "x", {**weights, **{key: torch.zeros(shape) for key, shape in shapes.items()}})


def test_half_a_classifier_is_named(weights, tmp_path):
    for key in ("fc.weight", "fc.bias"):
        with pytest.raises(UserError, match=f"it lacks {key}"):
            checked(tmp_path / "x", {k: v for k, v in weights.items() if k != key})


OF_RESNET18 = {  # each from the real network, with a tensor too much
    "resnet50": r"not torchvision's ResNet-18, but looks like a ResNet-50 \(3, 4, 6, 3 blocks instead of 2, 2, 2, 2\)",
    "resnet34": r"looks like a ResNet-34 \(3, 4, 6, 3 blocks instead of 2, 2, 2, 2\): it has layer1\.2\.conv1\.weight",
    "resnet26": r"looks like a ResNet-26 \(2, 2, 2, 2 blocks of three convolutions\)",
    "resnet18d": r"but looks like a ResNet-18 \(a deep stem, as in ResNet-C and -D\)",
}


def test_a_resnet18_is_whole_where_it_is_declared(tmp_path):
    weights = models.resnet18(num_classes=3).state_dict()
    assert list(checked(tmp_path / "x", weights, "resnet18")) == list(weights)
    with pytest.raises(UserError, match="not torchvision's ResNet-50, but looks like resnet18"):
        checked(tmp_path / "x", weights)


@pytest.mark.parametrize(("name", "message"), OF_RESNET18.items())
def test_what_is_no_resnet18_is_described(name, message, tmp_path):
    with pytest.raises(UserError, match=message):
        checked(tmp_path / "x", {**library_weights(name), "more": torch.ones(1)}, "resnet18")
