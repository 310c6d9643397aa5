"""What a network declares is so in its torch module; and what each of its readers asks of it is there."""

import pytest
import timm
import torch
import torchvision
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones.construct import build, encoder, parameters, set_map_stride
from workflow import registry
from workflow.core.errors import UserError

NETWORKS = registry.networks()
TIMM = ("convnext_tiny", "swin_tiny_patch4_window7_224", "efficientnet_b0", "mobilenetv3_large_100", "seresnet50",
        "vit_tiny_patch16_224")  # fmt: skip
PYRAMIDS = ("pyramidnet20_a48_basic", "pyramidnet11_a7_bottleneck")
LARGE = ("resnet34", "resnet101", "resnet152", "resnext101_32x8d", "wide_resnet50_2", "timm/resnext101_32x4d",
         "timm/seresnet101", "timm/regnety_002", "timm/densenet121", "timm/hrnet_w18", "resnet50_cifar",
         "resnet110_bottleneck_cifar", "pyramidnet200_a240_bottleneck")  # fmt: skip
NAMES = [*(name for name in NETWORKS if name not in LARGE), *PYRAMIDS, *(f"timm/{name}" for name in TIMM)]
SIDE = 64  # px, a multiple of every stride
every_network = pytest.mark.parametrize("network", NAMES, indirect=True)
IMAGES = torch.rand(2, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def network(request):
    return registry.network(request.param)


@pytest.fixture(scope="module")
def module(network):
    """With 5 classes, and branches that are not next to nothing, as ConvNeXt's layer scale makes them."""
    torch.manual_seed(0)
    made = build(network, classes=5).eval()
    with torch.no_grad():
        for name, weight in made.named_parameters():
            if name.rpartition(".")[2] == "gamma":
                weight.fill_(0.5)
    return made


def outputs(module, names):
    """Name to the output of that module, and "" to the network's, for `IMAGES`."""
    found = {}
    handles = [
        module.get_submodule(name).register_forward_hook(lambda m, i, out, name=name: found.update({name: out.clone()}))
        for name in names
    ]
    with torch.no_grad():
        found[""] = module(IMAGES)
    for handle in handles:
        handle.remove()
    return found


def maps(module, network):
    """Stage to its map, by timm's interface."""
    with torch.no_grad():
        found = module.forward_intermediates(
            IMAGES, indices=[stage.index for stage in network.stages], intermediates_only=True, stop_early=True,
            output_fmt="NCHW",
        )  # fmt: skip
    return dict(zip([stage.name for stage in network.stages], found, strict=True))


def test_the_names_are_those_of_the_library():
    assert {"resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "resnext101_32x8d", "wide_resnet50_2"} <= set(
        NETWORKS
    )


@every_network
def test_stages_have_the_channels_and_the_stride_that_are_declared(network, module):
    found = maps(module, network)
    for stage in network.stages:
        assert found[stage.name].shape == (2, stage.channels, SIDE // stage.stride, SIDE // stage.stride), stage.name


@every_network
def test_the_modules_of_the_stages_give_the_maps(network, module):
    if not network.layout:
        pytest.skip("it is said not to be so")
    found = outputs(module, [stage.name for stage in network.stages])
    for name, each in maps(module, network).items():
        torch.testing.assert_close(found[name] if network.layout == "NCHW" else found[name].permute(0, 3, 1, 2), each)


@every_network
def test_the_classifier_is_linear_on_what_the_head_gives_it(network, module):
    last = module.get_submodule(network.classifier)
    assert isinstance(last, nn.Linear)
    assert (last.in_features, last.out_features) == (network.features, 5)
    with torch.no_grad():
        pooled = module.forward_head(module.forward_features(IMAGES), pre_logits=True)
        assert pooled.shape == (2, network.features)
        torch.testing.assert_close(last(pooled), module(IMAGES))
        torch.testing.assert_close(module.forward_head(module.forward_features(IMAGES)), module(IMAGES))


@every_network
def test_an_encoder_gives_the_features(network, module):
    plain = encoder(network).eval()
    plain.load_state_dict({key: value for key, value in module.state_dict().items() if key in plain.state_dict()})
    with torch.no_grad():
        expected = module.forward_head(module.forward_features(IMAGES), pre_logits=True)
        torch.testing.assert_close(plain(IMAGES), expected)


@every_network
def test_blocks_have_modules_for_each_regularizer(network, module):
    """A mask has an output to act on, each is called, and no norm behind a convolution of a block is left out."""
    names = [output for block in network.blocks for output in block.outputs]
    names += [branch for block in network.blocks for branch in block.branches if branch not in names]
    assert len(set(names)) == len(names)
    named = dict(module.named_modules())
    called = [*outputs(module, list(named))]
    for block in network.blocks:
        assert len(block.branches) == len(block.ends) > 0
        assert all(isinstance(named[end].weight, nn.Parameter) for end in block.ends)
        if block.outputs:
            skip = block.outputs[-1]
            above = skip.removesuffix("downsample")
            inside = [name for name in called if name.startswith(above) and not name.startswith(f"{skip}.")]
            first = next(place for place, name in enumerate(inside) if isinstance(named[name], nn.Conv2d))
            assert [name for name in inside[first:] if isinstance(named[name], _BatchNorm)] == [*block.outputs[:-1]]
    assert outputs(module, names).keys() == {*names, ""}


@every_network
def test_without_its_branches_a_block_is_its_skip_connection(network, module):
    """So each branch is added to the stream, and there is no other one. A branch of zero and an end of zero are the
    same."""
    if not network.blocks:
        pytest.skip("a plain network")
    branches = [branch for block in network.blocks for branch in block.branches]
    handles = [module.get_submodule(name).register_forward_hook(lambda m, i, out: out * 0) for name in branches]
    dropped = outputs(module, [])[""]
    for handle in handles:
        handle.remove()
    assert not torch.allclose(dropped, outputs(module, [])[""], rtol=1e-3, atol=1e-5)
    started = build(network, classes=5, zero_init_residual=True).eval()
    ends = {f"{end}.{kind}" for block in network.blocks for end in block.ends for kind in ("weight", "bias")}
    started.load_state_dict({key: value for key, value in module.state_dict().items() if key not in ends}, strict=False)
    torch.testing.assert_close(outputs(started, [])[""], dropped)


@every_network
def test_residual_branches_start_at_zero_if_that_is_asked_for(network):
    started, usual = (build(network, 2, zero_init_residual=zero) for zero in (True, False))
    for end in (end for block in network.blocks for end in block.ends):
        assert not started.get_submodule(end).weight.any()
        assert usual.get_submodule(end).weight.any()


@every_network
def test_bottlenecks_only_have_two_places_for_the_stride(network, module):
    bottlenecks = "torchvision" in network.libraries and any(hasattr(each, "conv3") for each in module.modules())
    assert network.strides == (("3x3", "1x1") if bottlenecks else ("3x3",))


@every_network
@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_the_weights_have_the_names_and_shapes_of_the_libraries(network, library, module):
    if library not in network.libraries:
        pytest.skip(f"{library} has it not")
    make = {"torchvision": torchvision.models.get_model, "timm": timm.create_model}[library]
    size = (
        {"img_size": SIDE} if "vit_" in network.name else {"strict_img_size": False} if "swin" in network.name else {}
    )
    theirs = make(network.library_name, num_classes=5, **size).eval()
    own = module.state_dict()
    if "vit_" in network.name:  # its embedding of places, of another size
        own["pos_embed"], keep = theirs.state_dict()["pos_embed"], own["pos_embed"]
        own["pos_embed"] = timm.layers.resample_abs_pos_embed(keep, (SIDE // 16, SIDE // 16))
    theirs.load_state_dict(own)
    assert list(theirs.state_dict()) == list(own)
    with torch.no_grad():
        torch.testing.assert_close(theirs(IMAGES), module(IMAGES), rtol=1e-4, atol=1e-4)


def test_torchvision_s_networks_are_torchvision_s_bit_by_bit():
    """The order of random draws too, on which the bits of a pretraining depend."""
    for name in ("resnet18", "resnet50"):
        torch.manual_seed(0)
        theirs = torchvision.models.get_model(name, num_classes=3)
        torch.manual_seed(0)
        own = build(NETWORKS[name], classes=3)
        assert list(own.state_dict()) == list(theirs.state_dict())
        assert all(map(torch.equal, own.state_dict().values(), theirs.state_dict().values()))
        with torch.no_grad():
            assert torch.equal(own(IMAGES), theirs(IMAGES))


@pytest.mark.parametrize("network", LARGE, indirect=True)
def test_large_networks_are_as_declared_and_as_in_their_library(network):
    """Without numbers: shapes and names."""
    makers = {"torchvision": torchvision.models.get_model, "timm": timm.create_model}
    with torch.device("meta"):
        own = build(network, 5).eval()
        libraries = [makers[library](network.library_name, num_classes=5) for library in network.libraries[:1]]
        indices = [stage.index for stage in network.stages]
        found = own.forward_intermediates(torch.empty(1, 3, SIDE, SIDE), indices=indices, intermediates_only=True)
        assert own.forward_head(own.forward_features(torch.empty(1, 3, SIDE, SIDE)), pre_logits=True).shape == (
            1, network.features)  # fmt: skip
    shapes = [tuple(each.shape) for each in found]
    assert shapes == [(1, each.channels, SIDE // each.stride, SIDE // each.stride) for each in network.stages]
    assert all([*own.state_dict()] == [*theirs.state_dict()] for theirs in libraries)
    for block in network.blocks:
        for name in (*block.branches, *block.ends, *block.outputs):
            own.get_submodule(name)


IN_PAPER = {  # millions, as the tables of the CutMix paper have them
    "resnet50": 25.6,
    "resnet101": 44.6,
    "resnet152": 60.3,
    "timm/resnext101_32x4d": 44.1,
    "timm/seresnet50": 28.1,
    "timm/seresnet101": 49.4,
}


@pytest.mark.parametrize(("name", "millions"), IN_PAPER.items())
def test_parameters_are_those_of_the_paper(name, millions):
    assert parameters(registry.network(name), 1000) / 1e6 == pytest.approx(millions, abs=0.2)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("vgg16", "there is no network vgg16 (known: resnet18, "),
        ("timm/resnet5", "has no network resnet5; did you mean timm/resnet50 or "),
        ("timm/resnet50.a1_in1k", "has no network resnet50.a1_in1k; did you mean timm/resnet50 or "),
        ("timm/mixer_s16_224", "timm/mixer_s16_224 takes images of 224 × 224 px only"),
        ("timm/levit_128s", "timm/levit_128s does not end with one linear classifier"),
    ],
)
def test_what_is_no_backbone_is_refused_in_a_line(name, message):
    with pytest.raises(UserError) as refused:
        registry.network(name)
    assert message in str(refused.value)


def test_describing_a_network_draws_nothing():
    """Or the bits of a training would depend on whether it was described in its process."""
    from backbones import timm_networks

    torch.manual_seed(0)
    before = torch.get_rng_state()
    timm_networks.describe.__wrapped__("timm/convnext_tiny")
    assert torch.equal(torch.get_rng_state(), before)


def test_a_name_is_declared_once(monkeypatch):
    twice = (NETWORKS["resnet18"], NETWORKS["resnet18"])
    monkeypatch.setattr("backbones.networks.resnet.NETWORKS", twice)
    with pytest.raises(ValueError, match="resnet18 is declared twice"):
        registry.networks.__wrapped__()


@every_network
def test_a_pooled_network_s_classifier_gets_the_mean_over_the_cells(network, module):
    with torch.no_grad():
        features = module.forward_features(IMAGES)
        given = module.forward_head(features, pre_logits=True)
    means = {}
    if features.ndim == 4:
        means = {"NCHW": features.mean((2, 3)), "NHWC": features.mean((1, 2))}
    found = [
        name for name, mean in means.items() if mean.shape == given.shape and torch.allclose(mean, given, atol=1e-5)
    ]
    assert found == ([network.pooled] if network.pooled else [])


def test_networks_whose_maps_are_class_activation_maps():
    assert {name: registry.network(name).pooled for name in (*NETWORKS, *(f"timm/{name}" for name in TIMM))} == {
        **dict.fromkeys(NETWORKS, "NCHW"),
        "timm/convnext_tiny": "",
        "timm/swin_tiny_patch4_window7_224": "NHWC",
        "timm/efficientnet_b0": "NCHW",
        "timm/mobilenetv3_large_100": "",
        "timm/seresnet50": "NCHW",
        "timm/vit_tiny_patch16_224": "",
    }


@pytest.mark.parametrize(
    "network", ["resnet18", "resnet50", "vgg16_gap", "resnet18_cifar", "resnet110_bottleneck_cifar", *PYRAMIDS],
    indirect=True,
)  # fmt: skip
def test_the_last_map_can_have_the_strides_that_are_declared(network):
    assert network.map_strides[0] == network.stages[-1].stride
    for stride in network.map_strides:
        with torch.device("meta"):
            other = build(network, classes=5).eval()
            set_map_stride(other, network, stride)
            features = other.forward_features(torch.empty(1, 3, SIDE, SIDE))
        assert features.shape == (1, network.features, SIDE // stride, SIDE // stride)
