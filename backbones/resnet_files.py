"""What other programs name a ResNet's weights, and what marks a ResNet's relatives in their names and shapes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from workflow.contracts import Network

ANCHOR = "layer1.0.conv1.weight"  # every ResNet has it, whatever its depth, width and stem
ANTI_ALIASED = ("resnetaa", "resnetblur")  # timm's, whose filters leave no trace in the weights
STAGES = {f"{number + 3}.": f"layer{number}." for number in range(1, 5)}
KNOWN = {  # blocks of the four stages, and whether a block has three convolutions
    ((2, 2, 2, 2), False): "ResNet-18",
    ((3, 4, 6, 3), False): "ResNet-34",
    ((2, 2, 2, 2), True): "ResNet-26",
    ((3, 4, 6, 3), True): "ResNet-50",
    ((3, 4, 23, 3), True): "ResNet-101",
    ((3, 8, 36, 3), True): "ResNet-152",
}


@dataclass(frozen=True)
class Naming:
    """A naming by its `title`, its `anchor`, and how what its keys begin with and hold (`inside`) is replaced. `split`
    is a stage that may lie elsewhere: (end of the prefix, what stands there instead, the stage)."""

    title: str
    anchor: str
    begin: Mapping[str, str] = field(default_factory=dict)
    inside: Mapping[str, str] = field(default_factory=dict)
    split: tuple[str, str, str] = ("", "", "")

    def translate(self, key: str) -> str:
        """The network's own name of a key, as far as this naming knows it."""
        start = next((old for old in self.begin if key.startswith(old)), "")
        key = self.begin.get(start, "") + key[len(start) :]
        for old, new in self.inside.items():
            key = re.sub(old, new, key)
        return key

    def below(self, prefix: str, key: str) -> str:
        """What of a key stands behind a prefix; empty if it does not begin with it."""
        if key.startswith(prefix):
            return key[len(prefix) :]
        inside, outside, stage = self.split
        head = prefix.removesuffix(inside) + outside
        return stage + key[len(head) :] if outside and key.startswith(head) else ""


NAMINGS = (
    Naming("torchvision, timm", ANCHOR),
    Naming("nn.Sequential of its layers", "4.0.conv1.weight", {"0.": "conv1.", "1.": "bn1.", **STAGES}),
    Naming("a first layer0", ANCHOR, {"layer0.0.": "conv1.", "layer0.1.": "bn1."}),
    Naming(
        "detectron2",
        "res2.0.conv1.weight",
        {"stem.": "", **{f"res{number + 1}.": f"layer{number}." for number in range(1, 5)}},
        {r"conv(\d)\.norm\.": r"bn\1.", r"shortcut\.norm\.": "downsample.1.", r"shortcut\.": "downsample.0."},
        split=("backbone.", "roi_heads.res5.", "res5."),  # of its C4 detectors the last stage is in the head
    ),
    Naming(
        "transformers",
        "encoder.stages.0.layers.0.layer.0.convolution.weight",
        {
            "embedder.embedder.convolution.": "conv1.",
            "embedder.embedder.normalization.": "bn1.",
            **{f"encoder.stages.{number - 1}.layers.": f"layer{number}." for number in range(1, 5)},
        },
        {
            r"shortcut\.convolution\.": "downsample.0.",
            r"shortcut\.normalization\.": "downsample.1.",
            **{rf"\.layer\.{n}\.{old}\.": f".{new}{n + 1}." for n in range(3)
               for old, new in (("convolution", "conv"), ("normalization", "bn"))},
        },
    ),
)  # fmt: skip
CLASSIFIERS = (("backbone.", "head.fc."), ("resnet.", "classifier.1."))  # next to a prefix: mmpretrain's, HF's


def anti_aliased(content: object, network: Network) -> str:
    """What a training checkpoint says of its network, where the weights cannot tell; empty if that is no other one."""
    arch = dict.get(content, "arch") if isinstance(content, dict) else None
    other = isinstance(arch, str) and arch.startswith(ANTI_ALIASED) and arch != network.library_name
    return str(arch) if other else ""


def looks_like(shapes: dict[str, tuple[int, ...]], network: Network) -> str | None:
    """`, but looks like a ResNet-101 (3, 4, 23, 3 blocks)`; empty if it looks like the network, None if like none."""
    stages = [{key.split(".")[1] for key in shapes if key.startswith(f"layer{n}.")} for n in range(1, 5)]
    blocks = tuple(len(stage) for stage in stages if stage)
    if not blocks:
        return None
    name = KNOWN.get((blocks, "layer1.0.conv3.weight" in shapes), "ResNet of another depth")
    wanted = tuple(len(stage.blocks) for stage in network.stages if stage.blocks)
    about = [] if name == network.title else [f"{', '.join(map(str, blocks))} blocks{unlike(blocks, wanted, shapes)}"]
    about += signs(shapes) if network.libraries else ()
    return f", but looks like a {name} ({'; '.join(about)})" if about else ""


def unlike(blocks: tuple[int, ...], wanted: tuple[int, ...], shapes: dict[str, tuple[int, ...]]) -> str:
    """What of these blocks is not the network's: their numbers, or their convolutions."""
    if blocks == wanted:
        return f" of {'three' if 'layer1.0.conv3.weight' in shapes else 'two'} convolutions"
    return f" instead of {', '.join(map(str, wanted))}" if any(wanted) else ""


def signs(shapes: dict[str, tuple[int, ...]]) -> Iterator[str]:
    """What marks the relatives of torchvision's ResNets."""
    stem, first = shapes.get("conv1.weight"), shapes.get("layer1.0.conv2.weight")
    if any(key.startswith(("conv1.0.", "stem.")) for key in shapes):
        yield "a deep stem, as in ResNet-C and -D"
    elif stem and stem[1] != 3:
        yield f"for images of {stem[1]} channels"
    elif stem and stem[2:] != (7, 7):
        yield f"a first convolution of {stem[2]}×{stem[3]}"
    if len(shapes.get("layer1.0.downsample.1.weight", ())) == 4:
        yield "average pooling in its shortcuts, as in ResNet-D"
    if first and first[0] != first[1]:
        yield f"3×3 convolutions in {first[0] // max(first[1], 1)} groups, as in ResNeXt"
    elif first and "layer1.0.conv3.weight" in shapes and first[0] != 64:
        yield f"a layer1 that is {first[0]} channels wide instead of 64"
    if any(".se." in key or ".fc1." in key for key in shapes):
        yield "squeeze-and-excitation in its blocks"
    if any(key.endswith(".filt") for key in shapes):
        yield "anti-aliased downsampling"
    if any(re.search(r"conv\d\.bias$", key) for key in shapes):
        yield "convolutions with a bias"
    if not any(key.endswith("running_mean") for key in shapes):
        yield "no statistics of BatchNorm, as with GroupNorm or of parameters only"
