"""What a network declares: its stages, residual branches, feature layers and classifier."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Block:
    """A residual block.

    Args:
        branches: modules whose outputs are added to the stream, in their order: one, or several (attention and MLP of a
            transformer). Stochastic depth drops them.
        ends: the module with the last weight of each branch: a branch is zero where weight and bias of its end are.
        outputs: what DropBlock masks: the batch norm of each convolution, and the skip connection. Empty in blocks of
            another kind.
    """

    branches: tuple[str, ...]
    ends: tuple[str, ...]
    outputs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stage:
    """A stage of a network, whose output is a feature layer.

    Args:
        name: of the module that gives it.
        channels: of its output.
        stride: pixels of the image per cell.
        index: of its map in `forward_intermediates` of the torch module.
        blocks: its residual blocks from input to output; none in a plain network.
        strided: the modules (convolutions, pooling) without whose `stride` its output has twice as many cells a side;
            none if that is not known.
    """

    name: str
    channels: int
    stride: int
    index: int
    blocks: tuple[Block, ...] = ()
    strided: tuple[str, ...] = ()


@dataclass(frozen=True)
class Network:
    """A backbone's architecture: where its stages, residual branches, feature layers and classifier are.

    Its torch module maps images (N, 3, H, W) to logits (N, classes), and has timm's feature interface:
    `forward_features(images)`; `forward_head(features, pre_logits=False)`, with `pre_logits` what the classifier gets
    (N, features); `forward_intermediates(images, indices=[…], intermediates_only=True, stop_early=True,
    output_fmt="NCHW")`, a list of maps.

    Args:
        name: torchvision's, or as a config names it.
        title: for people, after "a".
        constructor: "module:function"; function(name, classes, zero_init_residual) gives the torch module, with random
            weights.
        classifier: name of its last module, a linear layer.
        features: width of what the classifier gets.
        stages: from input to output.
        input_size: side of the images that it was designed for, px. It takes other sizes too.
        layout: of what the modules of the stages give; "" if it is no map, not the stage's, or not one cell for each
            stride.
        pooled: layout of what `forward_features` gives if the classifier gets the mean over its cells and nothing else;
            otherwise "".
        batch_norm: whether it has any batch norm.
        strides: the convolutions of a stage's first block that may have its stride with the same weights, the usual
            one first.
        libraries: those that have this network under this name, with the same names of weights.
    """

    name: str
    title: str
    constructor: str
    classifier: str
    features: int
    stages: tuple[Stage, ...]
    input_size: int = 224
    layout: Literal["NCHW", "NHWC", ""] = "NCHW"
    pooled: Literal["NCHW", "NHWC", ""] = ""
    batch_norm: bool = True
    strides: tuple[str, ...] = ("3x3",)
    libraries: tuple[str, ...] = ()

    @property
    def blocks(self) -> tuple[Block, ...]:
        """The residual blocks of all stages."""
        return tuple(block for stage in self.stages for block in stage.blocks)

    @property
    def maskable(self) -> bool:
        """Whether each block of its last two stages says what DropBlock masks."""
        last = [block for stage in self.stages[-2:] for block in stage.blocks]
        return bool(last) and all(block.outputs for block in last)

    @property
    def map_strides(self) -> tuple[int, ...]:
        """The strides that its last map can have with the same weights, px: its own, then those without the stride of
        the last stage, of the last two, and so on."""
        found = [self.stages[-1].stride]
        for stage in reversed(self.stages):
            if not stage.strided:
                break
            found.append(found[-1] // 2)
        return tuple(found)

    @property
    def library_name(self) -> str:
        """Its name in its libraries: without the prefix of a family."""
        return self.name.rpartition("/")[2]


@dataclass(frozen=True)
class NetworkFamily:
    """Networks of a library that are too many to declare: one is described when a config names it.

    Args:
        prefix: of their names.
        title: what may follow the prefix, for people.
        describe: "module:function"; function(name) gives the Network, or raises UserError that says why not. It may
            import torch.
        candidate: "module:function"; function(shapes of weights by name) gives the name of the only network of the
            family that these can be of, "" if there is none. Families without it are looked up in
            backbones/signatures.txt.
    """

    prefix: str
    title: str
    describe: str
    candidate: str = ""
