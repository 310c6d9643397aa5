"""PyramidNets for CIFAR ("Deep Pyramidal Residual Networks", Han et al., CVPR 2017) by depth, widening factor alpha and
kind of block, which all decide the size: with 100 classes `pyramidnet110_a64_bottleneck` has 1.73 million parameters,
`pyramidnet110_a64_basic` 2.62. Weights are named as in the reference code of CutMix."""

import re
from collections.abc import Mapping

from workflow.contracts import Block, Network, NetworkFamily, Stage
from workflow.core.errors import UserError

FAMILY = NetworkFamily(
    prefix="pyramidnet",
    title="DEPTH_aALPHA_BLOCK",
    describe="backbones.networks.pyramidnet:describe",
    candidate="backbones.networks.pyramidnet:candidate",
)
NAME = re.compile(r"pyramidnet([1-9]\d{0,3})_a([1-9]\d{0,3})_(bottleneck|basic)")
STEM = 16  # channels
EXPANSION = {"bottleneck": 4, "basic": 1}  # times as many channels come out of a block as its 3x3 convolutions have
CONVOLUTIONS = {"bottleneck": 3, "basic": 2}  # of a block


def widths(depth: int, alpha: int, kind: str) -> tuple[tuple[int, ...], ...]:
    """Channels of the 3x3 convolutions in each block of the three stages: from 16 they rise linearly by `alpha`."""
    count = (depth - 2) // (3 * CONVOLUTIONS[kind])
    rising = [round(STEM + alpha * place / (3 * count)) for place in range(1, 3 * count + 1)]
    return tuple(tuple(rising[start : start + count]) for start in range(0, 3 * count, count))


def parsed(name: str) -> tuple[int, int, str]:
    """Depth, alpha and kind of block of a name.

    Raises:
        UserError: if it has another form, or there is no such depth.
    """
    match = NAME.fullmatch(name)
    if not match:
        raise UserError(f"there is no network {name} (PyramidNets are named as in pyramidnet200_a240_bottleneck)")
    depth, alpha, kind = int(match[1]), int(match[2]), match[3]
    layers = 3 * CONVOLUTIONS[kind]
    if depth < layers + 2 or (depth - 2) % layers:
        raise UserError(f"there is no network {name}: the depth of a PyramidNet of {kind} blocks is {layers} n + 2")
    return depth, alpha, kind


def candidate(shapes: Mapping[str, tuple[int, ...]]) -> str:
    """The name of the PyramidNet that weights of these shapes can be of; "" if there is none."""
    if not shapes.get("bn_final.weight"):
        return ""
    kind = "bottleneck" if "layer1.0.conv3.weight" in shapes else "basic"
    blocks = sum(name.startswith("layer") and name.endswith(".conv1.weight") for name in shapes)
    alpha = shapes["bn_final.weight"][0] // EXPANSION[kind] - STEM
    return f"pyramidnet{blocks * CONVOLUTIONS[kind] + 2}_a{alpha}_{kind}"


def block(name: str, convolutions: int) -> Block:
    """`bn1` is on the block's input; `bn2` to `bn4` (or `bn3`) are behind a convolution each, the last ends the
    branch."""
    norms = [f"{name}.bn{number}" for number in range(2, convolutions + 2)]
    return Block(branches=(norms[-1],), ends=(norms[-1],), outputs=(*norms, f"{name}.downsample"))


def describe(name: str) -> Network:
    """The declaration of a PyramidNet.

    Args:
        name: with depth, alpha and kind of block.

    Raises:
        UserError: if there is none of this name.
    """
    depth, alpha, kind = parsed(name)
    stages = [Stage("bn1", STEM, 1, index=0)]
    strided = ("conv2" if kind == "bottleneck" else "conv1", "downsample")
    for number, stage in enumerate(widths(depth, alpha, kind), start=1):
        blocks = tuple(block(f"layer{number}.{place}", CONVOLUTIONS[kind]) for place in range(len(stage)))
        last = "relu_final" if number == 3 else f"layer{number}"  # the classifier gets the mean of what that gives
        first = tuple(f"layer{number}.0.{each}" for each in strided) if number > 1 else ()
        stages.append(Stage(last, stage[-1] * EXPANSION[kind], 2 ** (number - 1), number, blocks, first))
    return Network(
        name=name,
        title=f"PyramidNet-{depth}, alpha {alpha}, {kind} blocks",
        constructor="backbones.pyramidnet:pyramidnet",
        classifier="fc",
        features=stages[-1].channels,
        stages=tuple(stages),
        input_size=32,
        pooled="NCHW",
    )
