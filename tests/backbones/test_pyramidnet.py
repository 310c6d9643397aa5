"""PyramidNets and ResNets for CIFAR have the sizes of the papers, and PyramidNets are built as their authors say."""

import subprocess
import sys

import pytest
import torch
from mmengine.logging import MessageHub
from torch import nn
from torch.nn import functional

from backbones.construct import build, parameters, published_parameters
from backbones.networks.pyramidnet import widths
from pretrain.model import Classifier
from workflow import registry
from workflow.core.errors import UserError
from workflow.training.cpu_convs import channels_last

MILLIONS = {  # with 100 classes
    "pyramidnet200_a240_bottleneck": 26.84,
    "pyramidnet110_a64_bottleneck": 1.73,
    "pyramidnet110_a64_basic": 2.62,
    "pyramidnet20_a48_basic": 0.32,
    "resnet18_cifar": 11.22,
    "resnet50_cifar": 23.71,
    "resnet110_bottleneck_cifar": 1.17,
}


@pytest.mark.parametrize(("name", "millions"), MILLIONS.items())
def test_parameters_are_those_of_the_papers(name, millions):
    assert parameters(registry.network(name), 100) / 1e6 == pytest.approx(millions, abs=0.005)


def test_a_table_on_cifar_has_the_sizes_with_as_many_classes():
    """Of a set of fewer classes too, as for ImageNet."""
    name = "pyramidnet200_a240_bottleneck"
    sizes = {data: published_parameters(name, data) for data in ("cifar10", "cifar100", "imagenet")}
    features = registry.network(name).features
    assert sizes["cifar100"] == 26_844_952
    assert sizes["cifar100"] - sizes["cifar10"] == 90 * (features + 1)
    assert sizes["imagenet"] - sizes["cifar100"] == 900 * (features + 1)


def test_widths_rise_from_16_by_alpha():
    stages = widths(200, 240, "bottleneck")
    assert [len(stage) for stage in stages] == [22, 22, 22]
    rising = [width for stage in stages for width in stage]
    assert rising[:3] == [20, 23, 27], "16 + 240 / 66, and so on, each rounded by itself"
    assert rising[-1] == 16 + 240
    for depth, alpha, kind in ((11, 1, "bottleneck"), (110, 64, "basic"), (110, 64, "bottleneck")):
        rising = [16, *(width for stage in widths(depth, alpha, kind) for width in stage)]
        assert rising == sorted(rising)
        assert rising[-1] == 16 + alpha
    assert registry.network("pyramidnet200_a240_bottleneck").features == 1024


@pytest.mark.parametrize("kind", ["bottleneck", "basic"])
def test_a_block_is_as_the_paper_draws_it(kind):
    """A norm first and last, ReLUs between; the shortcut is pooled and has zeros as further channels."""
    torch.manual_seed(0)
    network = build(registry.network(f"pyramidnet20_a8_{kind}"), 5).train()
    block, maps = network.layer2[0], torch.randn(2, network.layer2[0].conv1.in_channels, 7, 8)
    names = ["conv1", "conv2", "conv3"] if kind == "bottleneck" else ["conv1", "conv2"]
    assert [tuple(block.get_submodule(name).kernel_size) for name in names] == (
        [(1, 1), (3, 3), (1, 1)] if kind == "bottleneck" else [(3, 3), (3, 3)]
    )
    branch = block.bn1(maps)
    for place, name in enumerate(names, start=2):
        branch = block.get_submodule(f"bn{place}")(block.get_submodule(name)(branch))
        branch = functional.relu(branch) if place <= len(names) else branch
    pooled = functional.avg_pool2d(maps, 2, ceil_mode=True)
    expected = branch.clone()
    expected[:, : maps.shape[1]] += pooled
    torch.testing.assert_close(block(maps), expected)
    assert branch.shape[2:] == (4, 4)


def test_a_bottleneck_s_shortcut_begins_at_the_stem_s_channels():
    network = registry.network("pyramidnet110_a64_bottleneck")
    with torch.device("meta"):
        module = build(network, 100)
    convolutions = [each for each in module.modules() if isinstance(each, nn.Conv2d | nn.Linear)]
    assert len(convolutions) == 110, "layers with weights, as the depth counts them"
    assert not any(isinstance(each, nn.Conv2d) for each in module.layer1[0].downsample.modules())


@pytest.mark.parametrize("name", ["pyramidnet20_a8_bottleneck", "pyramidnet20_a8_basic", "resnet18_cifar"])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_it_learns_on_a_cpu(name, precision):
    torch.manual_seed(0)
    model = channels_last(Classifier(name, 4).train())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    images = (torch.rand(8, 3, 32, 32) * 255).to(torch.uint8)
    hub = MessageHub.get_current_instance()
    hub.update_info("iter", 0)
    hub.update_info("progress", 0.0)
    losses = []
    for _ in range(6):
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == "bf16"):
            loss = model(images, torch.arange(8) % 4, mode="loss")["loss"]
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0], losses


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("pyramidnet110", "are named as in pyramidnet200_a240_bottleneck"),
        ("pyramidnet110_a64", "are named as in pyramidnet200_a240_bottleneck"),
        ("pyramidnet110_a064_basic", "are named as in pyramidnet200_a240_bottleneck"),
        ("pyramidnet111_a64_basic", "the depth of a PyramidNet of basic blocks is 6 n + 2"),
        ("pyramidnet2_a64_basic", "the depth of a PyramidNet of basic blocks is 6 n + 2"),
        ("pyramidnet20_a64_basic_x", "are named as in pyramidnet200_a240_bottleneck"),
        ("pyramidnet104_a64_bottleneck", "the depth of a PyramidNet of bottleneck blocks is 9 n + 2"),
    ],
)
def test_another_name_is_refused_in_a_line(name, message):
    with pytest.raises(UserError) as refused:
        registry.network(name)
    assert f"there is no network {name} (" in str(refused.value) or f"there is no network {name}: " in str(
        refused.value
    )
    assert message in str(refused.value)


def test_planning_describes_it_without_torch():
    code = "import sys; from workflow import registry; registry.network('pyramidnet14_a7_basic')"
    command = [sys.executable, "-c", f"{code}; sys.exit('torch' in sys.modules)"]
    assert subprocess.run(command, cwd=registry.PROJECT, check=False).returncode == 0
