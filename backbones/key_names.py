"""Names and shapes of a network's weights, as its own torch module has them, and how a file may name them."""

import re
from functools import cache

from backbones.resnet_files import ANCHOR, CLASSIFIERS, NAMINGS, Naming
from workflow.contracts import Network

COUNTER = "num_batches_tracked"  # BatchNorm's: no weight, and absent from old files
STATISTICS = ("running_mean", "running_var")
UNSAVED = re.compile(  # buffers that follow from the network: some files have them, and others do not
    r"(^|\.)(relative_position_index|relative_coords_table|attn_mask)$"
)
SELF_SUPERVISED = re.compile(  # names in a file whose encoder was trained without labels, and whose fc projects
    r"(^|[./])(encoder_[qk]|(online|target|momentum)_(encoder|net|network|backbone)|queue(_ptr)?|lemniscate|contrast|"
    r"memory_(bank|\d)|prototypes|projector|projection(_head|_mlp)?|proj_head|predictor|prediction_mlp)([./]|$)"
)


class Shapes:
    """A network without its classifier: name to shape, in its order.

    Args:
        network: its declaration.

    Attributes:
        network: its declaration.
        all: of its weights, without its batch norms' step counters and what follows from the network.
        parameters: of these the trained ones.
        classifier: of its classifier for one class, by the rest of the name.
        namings: those that its weights may have in a file.
        classifiers: where its classifier may lie in a file: (end of the prefix, what stands there instead).
    """

    def __init__(self, network: Network) -> None:
        import torch

        from backbones.construct import build

        with torch.device("meta"):
            module = build(network, classes=1)
        saved = module.state_dict()
        shapes = {key: tuple(value.shape) for key, value in saved.items() if not key.endswith(COUNTER)}
        trained = {key for key, _ in module.named_parameters(remove_duplicate=False)}
        self.network, self.last = network, f"{network.classifier}."
        self.all = {key: shape for key, shape in shapes.items() if not key.startswith(self.last)}
        self.parameters = {key: shape for key, shape in self.all.items() if key in trained}
        self.classifier = {key[len(self.last) :]: shape for key, shape in shapes.items() if key not in self.all}
        resnet = ANCHOR in self.all
        self.namings = NAMINGS if resnet else (Naming("its own", next(iter(self.all))),)
        self.classifiers = (("", self.last), *(CLASSIFIERS if resnet else ()))
        self._unsaved = {key for key, _ in module.named_buffers()} - saved.keys()
        self._parts = {key.partition(".")[0] for key in self.all} | ({"stem"} if resnet else set())  # another's stem

    def has_part(self, name: str) -> bool:
        """Whether a weight of this name would be the network's: in one of its modules, but not next to its classifier,
        where other heads may lie."""
        part, dot, _ = name.partition(".")
        return name in self.all or (bool(dot) and part in self._parts and not self.last.startswith(f"{part}."))

    def is_unsaved(self, name: str) -> bool:
        """Whether a tensor of this name follows from the network, so that it does not matter what a file says."""
        return name in self._unsaved or (name not in self.all and bool(UNSAVED.search(name)))


@cache
def shapes_of(name: str) -> Shapes:
    """Of a declared network."""
    from workflow import registry

    return Shapes(registry.network(name))
