"""What other programs name a ResNet-50's weights: from the keys under a prefix to torchvision's names."""

import re
from dataclasses import dataclass
from functools import cache

ANCHOR = "layer1.0.conv1.weight"  # every ResNet has it, whatever its depth, width and stem
BODY = re.compile(r"(conv1|bn1|layer[1-4])\.")
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
        """torchvision's name of a key, as far as this naming knows it."""
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
CLASSIFIERS = (
    ("", "fc."),
    ("backbone.", "head.fc."),
    ("resnet.", "classifier.1."),
)  # beside a prefix: mmpretrain's, HF's
SELF_SUPERVISED = re.compile(  # names in a file whose encoder was trained without labels, and whose fc projects
    r"(^|[./])(encoder_[qk]|(online|target|momentum)_(encoder|net|network|backbone)|queue(_ptr)?|lemniscate|contrast|"
    r"memory_(bank|\d)|prototypes|projector|projection(_head|_mlp)?|proj_head|predictor|prediction_mlp)([./]|$)"
)
SPLIT = ("backbone.", "roi_heads.res5.", "res5.")  # of detectron2's C4 detectors the last stage is in the head


@cache
def network() -> dict[str, tuple[int, ...]]:
    """A ResNet-50 without its classifier: name -> shape, in its order; without its batch norms' step counters."""
    import torch
    from torchvision.models import resnet50

    with torch.device("meta"):
        state = resnet50(weights=None).state_dict()
    skipped = ("fc.weight", "fc.bias")
    return {key: tuple(value.shape) for key, value in state.items() if key not in skipped and value.ndim}


@cache
def parameters() -> dict[str, tuple[int, ...]]:
    """Of these the trained ones, in the network's order."""
    return {key: shape for key, shape in network().items() if not key.endswith(STATISTICS)}
