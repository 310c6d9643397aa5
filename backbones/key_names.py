"""What other programs name a network's weights, and those of ResNets: from the keys under a prefix to its own names."""

import re
from dataclasses import dataclass
from functools import cache

from workflow.contracts import Network

ANCHOR = "layer1.0.conv1.weight"  # every ResNet has it, whatever its depth, width and stem
STATISTICS = ("running_mean", "running_var")
STAGES = {f"{number + 3}.": f"layer{number}." for number in range(1, 5)}


@dataclass(frozen=True)
class Naming:
    """A naming by its `title`, its `anchor`, and how what its keys begin with and hold (`inside`) is replaced."""

    title: str
    anchor: str
    begin: dict[str, str]
    inside: dict[str, str]

    def translate(self, key: str) -> str:
        """The network's own name of a key, as far as this naming knows it."""
        start = next((old for old in self.begin if key.startswith(old)), "")
        key = self.begin.get(start, "") + key[len(start) :]
        for old, new in self.inside.items():
            key = re.sub(old, new, key)
        return key


NAMINGS = (
    Naming("torchvision, timm", ANCHOR, {}, {}),
    Naming("nn.Sequential of its layers", "4.0.conv1.weight", {"0.": "conv1.", "1.": "bn1.", **STAGES}, {}),
    Naming("a first layer0", ANCHOR, {"layer0.0.": "conv1.", "layer0.1.": "bn1."}, {}),
    Naming(
        "detectron2",
        "res2.0.conv1.weight",
        {"stem.": "", **{f"res{number + 1}.": f"layer{number}." for number in range(1, 5)}},
        {r"conv(\d)\.norm\.": r"bn\1.", r"shortcut\.norm\.": "downsample.1.", r"shortcut\.": "downsample.0."},
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
CLASSIFIERS = (("backbone.", "head.fc."), ("resnet.", "classifier.1."))  # beside a prefix: mmpretrain's, HF's
SELF_SUPERVISED = re.compile(  # names in a file whose encoder was trained without labels, and whose fc projects
    r"(^|[./])(encoder_[qk]|(online|target|momentum)_(encoder|net|network|backbone)|queue(_ptr)?|lemniscate|contrast|"
    r"memory_(bank|\d)|prototypes|projector|projection(_head|_mlp)?|proj_head|predictor|prediction_mlp)([./]|$)"
)
SPLIT = ("backbone.", "roi_heads.res5.", "res5.")  # of detectron2's C4 detectors the last stage is in the head


class Shapes:
    """A network without its classifier: name to shape, in its order.

    Args:
        network: its declaration.

    Attributes:
        network: its declaration.
        all: of its weights, without its batch norms' step counters.
        parameters: of these the trained ones.
        namings: those that its weights may have in a file.
    """

    def __init__(self, network: Network) -> None:
        import torch

        from backbones.construct import build

        with torch.device("meta"):
            state = build(network, classes=1).state_dict()
        last = f"{network.classifier}."
        self.network = network
        self.all = {key: tuple(value.shape) for key, value in state.items() if not key.startswith(last) and value.ndim}
        self.parameters = {key: shape for key, shape in self.all.items() if not key.endswith(STATISTICS)}
        own = Naming("its own", next(iter(self.all)), {}, {})
        self.namings = NAMINGS if ANCHOR in self.all else (own,)
        self._parts = {key.partition(".")[0] for key in self.all}

    def has_part(self, name: str) -> bool:
        """Whether a weight of this name is in one of its modules."""
        part, dot, _ = name.partition(".")
        return bool(dot) and part in self._parts


@cache
def shapes_of(name: str) -> Shapes:
    """Of a declared network."""
    from workflow import registry

    return Shapes(registry.network(name))
