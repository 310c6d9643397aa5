"""Any declared network as a detector's backbone, and its last stage as the head that C4 has on each region.

Names of weights are the network's own, below `network` in the backbone, so that a published backbone fills them.
"""

from collections.abc import Iterable, Sequence

import torch
from mmdet.registry import MODELS
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from backbones.backbone import set_stride
from backbones.construct import encoder
from workflow import registry


@MODELS.register_module()
class NetworkBackbone(nn.Module):
    """A network from images to the maps of some of its stages. What is behind the last of them gets no gradient.

    Args:
        network: name of its declaration.
        out_indices: places of the stages in the declaration, ascending.
        frozen_stages: -1: none; 0: all that is defined before the first stage; n: all up to the end of the n-th stage.
            Frozen modules are in eval mode and get no gradient.
        freeze_bn: keep statistics and weights of every batch norm. A network may have none.
        stride: convolution of a bottleneck that has the stride.
        last_stage: whether the last stage is here; without it `LastStage` has it.
    """

    def __init__(
        self,
        network: str,
        out_indices: Sequence[int],
        frozen_stages: int,
        freeze_bn: bool,
        stride: str,
        last_stage: bool = True,
    ) -> None:
        super().__init__()
        declared = registry.network(network)
        names = [stage.name for stage in declared.stages]
        self.network, self.freeze_bn = encoder(declared), freeze_bn
        self.indices = [declared.stages[place].index for place in out_indices]
        set_stride(self.network, stride, declared)
        if not last_stage:
            self.network.set_submodule(names[-1], nn.Identity())
        parameters, modules = (
            [name for name, _ in pairs] for pairs in (self.network.named_parameters(), self.network.named_modules())
        )
        last = names[out_indices[-1]]
        fixed, self.frozen = parameters[len(up_to(parameters, last)) :], modules[len(up_to(modules, last)) :]
        if frozen_stages >= 0:
            end = names[max(frozen_stages - 1, 0)]
            fixed += up_to(parameters, end, inclusive=frozen_stages > 0)
            self.frozen += [each for each in up_to(modules, end, frozen_stages > 0) if not contains(each, end)]
        for name in fixed:
            self.network.get_parameter(name).requires_grad_(False)
        if freeze_bn:
            freeze_norms(self.network)

    def forward(self, images: Tensor) -> tuple[Tensor, ...]:
        """Images (N, 3, H, W) to the maps (N, C, H / stride, W / stride) of the stages."""
        maps = self.network.forward_intermediates(
            images, indices=self.indices, intermediates_only=True, stop_early=True, output_fmt="NCHW"
        )
        return tuple(maps)

    def train(self, mode: bool = True) -> "NetworkBackbone":
        """Like any module's, but for what is frozen."""
        super().train(mode)
        for name in self.frozen:  # names, because batch norm of several processes are other modules
            self.network.get_submodule(name).eval()
        if self.freeze_bn:
            freeze_norms(self.network)
        return self


@MODELS.register_module()
class LastStage(nn.Module):
    """The last stage of a network, on the features of regions (N, C, H, W).

    Args:
        network: name of its declaration.
        freeze_bn: as in NetworkBackbone.
        stride: as in NetworkBackbone.
    """

    def __init__(self, network: str, freeze_bn: bool, stride: str) -> None:
        super().__init__()
        declared, self.freeze_bn = registry.network(network), freeze_bn
        self.name = declared.stages[-1].name
        stage, parent = encoder(declared).get_submodule(self.name), self
        set_stride(stage, stride, declared)
        *above, last = self.name.split(".")
        for part in above:
            parent.add_module(part, nn.Module())
            parent = parent.get_submodule(part)
        parent.add_module(last, stage)
        if freeze_bn:
            freeze_norms(self)

    def forward(self, features: Tensor) -> Tensor:
        """To (N, C', H / 2, W / 2), rounded up. RoIAlign gives no channels last, which the convolutions have."""
        return self.get_submodule(self.name)(features.contiguous(memory_format=torch.channels_last))

    def train(self, mode: bool = True) -> "LastStage":
        """Like any module's, but for frozen batch norm."""
        super().train(mode)
        if self.freeze_bn:
            freeze_norms(self)
        return self


def contains(module: str, stage: str) -> bool:
    """Whether the module of this name is above the stage."""
    return not module or stage.startswith(f"{module}.")


def up_to(names: Iterable[str], stage: str, inclusive: bool = True) -> list[str]:
    """The names of parameters or modules, in order of definition, up to the end of a stage or to its beginning."""
    names = list(names)
    inside = [place for place, name in enumerate(names) if f"{name}.".startswith(f"{stage}.")]
    return names[: inside[-1] + 1 if inclusive else inside[0]]


def freeze_norms(module: nn.Module) -> None:
    """Statistics and weights of every batch norm, in place; also of those of several processes."""
    for norm in module.modules():
        if isinstance(norm, _BatchNorm):
            norm.eval().requires_grad_(False)
