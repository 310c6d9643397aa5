"""Stand-ins for two modules that mmdet imports and a bare environment lacks, so that `import mmdet.models` works.

`mmcv._ext`, mmcv's compiled operators: the detectors need `nms`, and RetinaNet on a GPU the focal loss. torchvision has
both, on every device. `imgaug`, which one transform for lane detection uses. Where the real one is installed it is left
alone.
"""

import importlib.util
import sys
from importlib.machinery import ModuleSpec, PathFinder
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor

COMPILED = "mmcv._ext"
IMGAUG = ["imgaug", "imgaug.augmenters", "imgaug.augmentables", "imgaug.augmentables.lines"]
IMGAUG += ["imgaug.augmentables.segmaps"]


def install() -> None:
    """Register a stand-in for each module that is not installed and not yet imported."""
    if COMPILED not in sys.modules and compiled() is None:
        sys.modules[COMPILED] = Operators(COMPILED)
    if "imgaug" not in sys.modules and importlib.util.find_spec("imgaug") is None:
        sys.modules.update({name: Absent(name) for name in IMGAUG})


def compiled() -> ModuleSpec | None:
    """Where mmcv's compiled extension lies, None if there is none. Does not import mmcv, which takes seconds."""
    mmcv = importlib.util.find_spec("mmcv")
    return PathFinder.find_spec(COMPILED, mmcv.submodule_search_locations) if mmcv else None


class Absent(ModuleType):
    """A module of which everything can be imported and nothing called: NotImplementedError names what is missing."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.__spec__ = ModuleSpec(name, None)  # find_spec, with which mmengine looks for mmcv._ext, wants one

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)  # Python itself asks for __path__, __file__ and the like
        if f"{self.__name__}.{name}" in sys.modules:
            return sys.modules[f"{self.__name__}.{name}"]

        def absent(*_: Any, **__: Any) -> Any:
            raise NotImplementedError(f"'{name}' needs {self.__name__}, which is not installed")

        return absent


class Operators(Absent):
    """Stands in for mmcv's compiled extension: `nms` and the sigmoid focal loss work, every other operator raises when
    called."""

    @staticmethod
    def nms(bboxes: "Tensor", scores: "Tensor", iou_threshold: float, offset: int = 0) -> "Tensor":
        """Indices of the boxes kept, best score first; boxes (n, 4) as x1 y1 x2 y2, scores (n,), on any device.

        `offset` 1 is the convention in which a box from pixel 3 to pixel 5 is three wide. mmcv's caller drops low
        scores before and cuts to `max_num` after.
        """
        from torchvision.ops import nms  # here: importing this module should stay cheap

        corners = bboxes.float()
        return nms(corners + corners.new_tensor([0, 0, offset, offset]), scores.float(), iou_threshold)

    @staticmethod
    def sigmoid_focal_loss_forward(
        input: "Tensor", target: "Tensor", weight: "Tensor", output: "Tensor", gamma: float, alpha: float
    ) -> None:
        """Write the loss of each score into `output`.

        Args:
            input: scores before the sigmoid (N, C).
            target: classes (N,); C is background.
            weight: of the classes, empty: mmdet weighs the loss itself.
            output: (N, C).
            gamma: exponent of the focal loss.
            alpha: weight of the positive class.
        """
        import torch
        from torchvision.ops import sigmoid_focal_loss

        if weight.numel():
            raise NotImplementedError("the focal loss with weights of classes needs a compiled mmcv")
        positive = target[:, None] == torch.arange(input.shape[1], device=input.device)
        output.copy_(sigmoid_focal_loss(input, positive.to(input.dtype), alpha, gamma))

    @staticmethod
    def sigmoid_focal_loss_backward(
        input: "Tensor", target: "Tensor", weight: "Tensor", grad_input: "Tensor", gamma: float, alpha: float
    ) -> None:
        """Write the derivative of each score's loss with respect to it into `grad_input` (N, C); arguments as above."""
        import torch

        with torch.enable_grad():
            scores = input.detach().requires_grad_()
            loss = torch.empty_like(scores)
            Operators.sigmoid_focal_loss_forward(scores, target, weight, loss, gamma, alpha)
            grad_input.copy_(torch.autograd.grad(loss.sum(), scores)[0])
