"""What a network declares is so in its torch module; and what each of its readers asks of it is there."""

import pytest
import timm
import torch
import torchvision
from torch import nn

from backbones.construct import build, encoder
from backbones.resnet import with_skips
from workflow import registry

NETWORKS = registry.networks()
SIDE = 64  # px, a multiple of every stride
every_network = pytest.mark.parametrize("network", NETWORKS.values(), ids=NETWORKS)


@pytest.fixture(scope="module")
def module():
    """module(network): with 5 classes."""
    made = {}

    def of(network):
        if network.name not in made:
            torch.manual_seed(0)
            made[network.name] = build(network, classes=5).eval()
        return made[network.name]

    return of


IMAGES = torch.rand(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))


def outputs(module, names):
    """Name to the output of that module, and "" to the network's, for `IMAGES`."""
    found = {}
    handles = [
        module.get_submodule(name).register_forward_hook(lambda m, i, out, name=name: found.update({name: out}))
        for name in names
    ]
    with torch.no_grad():
        found[""] = module(IMAGES)
    for handle in handles:
        handle.remove()
    return found


def test_the_names_are_those_of_the_library():
    assert {"resnet18", "resnet50"} <= NETWORKS.keys()


@every_network
def test_stages_have_the_channels_and_the_stride_that_are_declared(network, module):
    found = outputs(module(network), [stage.name for stage in network.stages])
    for stage in network.stages:
        assert found[stage.name].shape == (1, stage.channels, SIDE // stage.stride, SIDE // stage.stride), stage.name


@every_network
def test_the_classifier_is_linear_on_the_mean_of_the_last_stage(network, module):
    """As class activation maps take it: bias and mean of the map are the logit."""
    last = module(network).get_submodule(network.classifier)
    assert isinstance(last, nn.Linear)
    assert (last.in_features, last.out_features) == (network.features, 5)
    found = outputs(module(network), [network.stages[-1].name])
    pooled = found[network.stages[-1].name].mean(dim=(2, 3))
    torch.testing.assert_close(last(pooled), found[""], rtol=1e-4, atol=1e-4)


@every_network
def test_an_encoder_gives_the_features(network):
    assert encoder(network).eval()(torch.rand(2, 3, SIDE, SIDE)).shape == (2, network.features)


@every_network
def test_blocks_end_with_a_norm_and_no_other_block_is_there(network, module):
    """A branch that is scaled to zero leaves the skip connection, and a mask has an output to act on."""
    names = [output for block in network.blocks for output in block.outputs]
    assert len(set(names)) == len(names)
    named = dict(module(network).named_modules())
    for stage in network.stages:
        for block in stage.blocks:
            assert block.branch in block.outputs
            assert all(output.startswith(f"{stage.name}.") for output in block.outputs)
            assert isinstance(named[block.branch], nn.BatchNorm2d)
        within = [m for m in named[stage.name].children() if hasattr(m, "downsample")]
        assert len(within) == len(stage.blocks)
        norms = [
            name for name, m in named.items() if name.startswith(f"{stage.name}.") and isinstance(m, nn.BatchNorm2d)
        ]
        covered = {output for block in stage.blocks for output in block.outputs}
        assert all(
            any(name == each or name.startswith(f"{each}.") for each in covered) for name in norms if stage.blocks
        )
    assert outputs(module(network), names).keys() == {*names, ""}, "each of them is called"


@every_network
def test_residual_branches_start_at_zero_if_that_is_asked_for(network):
    started = build(network, 2, zero_init_residual=True)
    for block in network.blocks:
        assert not started.get_submodule(block.branch).weight.any()


@every_network
def test_bottlenecks_only_have_two_places_for_the_stride(network, module):
    bottlenecks = any(hasattr(each, "conv3") for each in module(network).modules())
    assert network.strides == (("3x3", "1x1") if bottlenecks else ("3x3",))


@every_network
@pytest.mark.parametrize("library", ["torchvision", "timm"])
def test_the_weights_have_the_names_and_shapes_of_the_libraries(network, library, module):
    if library not in network.libraries:
        pytest.skip(f"{library} has it not")
    make = {"torchvision": torchvision.models.get_model, "timm": timm.create_model}[library]
    theirs = make(network.name, num_classes=5).eval()
    theirs.load_state_dict(module(network).state_dict())
    with torch.no_grad():
        torch.testing.assert_close(theirs(IMAGES), module(network)(IMAGES), rtol=1e-4, atol=1e-4)


@every_network
def test_mmdetection_has_the_same_network(network, module):
    if not network.mmdet:
        pytest.skip("mmdetection has it not")
    from mmdet.models.backbones import ResNet

    import detection  # noqa: F401 (stand-ins)

    theirs = ResNet(**network.mmdet)
    theirs.eval()
    own = {key: value for key, value in module(network).state_dict().items() if not key.startswith(network.classifier)}
    theirs.load_state_dict(own)
    found = outputs(module(network), [stage.name for stage in network.stages])
    with torch.no_grad():
        for stage, theirs_map in zip(network.stages, theirs(IMAGES), strict=True):
            torch.testing.assert_close(theirs_map, found[stage.name], rtol=1e-4, atol=1e-4)


def test_a_module_in_each_skip_connection_changes_no_bit_and_no_name():
    torch.manual_seed(0)
    plain = torchvision.models.resnet18(num_classes=3).eval()
    with torch.no_grad():
        expected, names = plain(IMAGES), list(plain.state_dict())
        assert torch.equal(with_skips(plain)(IMAGES), expected)
    assert list(plain.state_dict()) == names


@every_network
def test_a_name_is_declared_once(network, monkeypatch):
    monkeypatch.setattr("backbones.networks.resnet.NETWORKS", (network, network))
    with pytest.raises(ValueError, match=f"{network.name} is declared twice"):
        registry.networks.__wrapped__()
