"""Several processes that train one network, a device each, as torchrun starts them: what must not depend on how many.

Gradients are the mean over the processes (torch's DDP). A loss that is a mean over other things than samples is weighed
by `reduce_mean`, and batch norm sees the whole batch. With one process, nothing here does anything.
"""

import datetime
import os
import signal
import sys
import warnings
from collections.abc import Callable
from typing import Any, TypeVar

import torch
from mmengine.dist import all_reduce, broadcast_object_list, get_rank, get_world_size
from mmengine.model import MMDistributedDataParallel
from mmengine.optim import OptimWrapper
from mmengine.registry import MODEL_WRAPPERS
from torch import Tensor, nn
from torch import distributed as dist
from torch.autograd.function import FunctionCtx
from torch.nn.modules.batchnorm import _BatchNorm

from workflow.core.signals import die_with_parent
from workflow.training.cpu_convs import channels_last

T = TypeVar("T")
LAUNCHER = "TRAINING_LAUNCHER"  # its process number, in the environment of those that it starts
PATIENCE = datetime.timedelta(hours=2)  # of processes that wait while the first one scores


def init_process_group() -> None:
    """Meet the other processes, if torchrun started this one; over NCCL where there is CUDA, else over Gloo."""
    if not dist.is_torchelastic_launched() or dist.is_initialized():
        return
    die_with_parent()  # torchrun, which holds the devices, may be killed
    if os.environ.get(LAUNCHER, str(os.getppid())) != str(os.getppid()):
        os.kill(os.getpid(), signal.SIGKILL)  # it was, meanwhile
    if torch.cuda.is_available():
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    dist.init_process_group("nccl" if torch.cuda.is_available() else "gloo", timeout=PATIENCE)


def part() -> None:
    """The end of all but the first process, which publishes what all have trained."""
    if get_rank():
        cleanup()
        sys.stdout.flush()
        sys.stderr.flush()
        # At once: a thread of torch's that meets an interpreter on its way out aborts the process, now and then, and
        # torchrun would end the first one too, which is not yet done.
        os._exit(0)


def cleanup() -> None:
    """The first process's end."""
    if dist.is_initialized():
        dist.destroy_process_group()


def broadcast_from_main(make: Callable[[], T]) -> T:
    """What the first process makes, for all: of files that all will read."""
    made: list[Any] = [make() if get_rank() == 0 else None]
    broadcast_object_list(made)
    return made[0]


def reduce_mean(number: float, how: str = "mean") -> float:
    """The mean of the processes' numbers (or, by `how`, their `max`); the number itself where there is one process."""
    if get_world_size() == 1:
        return number
    shared = torch.tensor(number, dtype=torch.float64)
    all_reduce(shared, how)
    return shared.item()


@MODEL_WRAPPERS.register_module()
class ChannelsLastDDP(MMDistributedDataParallel):
    """A network that each process has, laid out for speed, with batch norm over the batch of all of them."""

    def __init__(self, module: nn.Module, device_ids: list[int]) -> None:
        if torch.cuda.is_available():
            from timm.layers import convert_sync_batchnorm  # torch's own drops the activations of timm's batch norm

            layout = {"device_ids": device_ids}
            module = convert_sync_batchnorm(module)
        else:
            layout = {}
            module = share_statistics(module)
            # Of 1 × 1 convolutions that are products (layout.py); the layout of a 1 × 1 kernel is the same either way.
            warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
        super().__init__(channels_last(module), forward_sync_buffers=False, gradient_as_bucket_view=True, **layout)

    def train_step(self, data: dict[str, Any], optim_wrapper: OptimWrapper) -> dict[str, Tensor]:
        """mmengine's, with the loss of the whole batch, which is the mean over the processes."""
        found = super().train_step(data, optim_wrapper)
        all_reduce(loss := found["loss"].detach().clone(), "mean")
        return found | {"loss": loss}


def unwrap_model(model: nn.Module) -> nn.Module:
    """The network itself."""
    return model.module if isinstance(model, ChannelsLastDDP) else model


def share_statistics(model: nn.Module) -> nn.Module:
    """For a CPU, on which torch has no SyncBatchNorm: make all batch norm of `model` SharedBatchNorm, in place."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.__class__ = SharedBatchNorm
    return model


class SharedBatchNorm(_BatchNorm):
    """Batch norm with the mean and variance of the batch of all processes."""

    def _check_input_dim(self, x: Tensor) -> None:
        """Any."""

    def forward(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same. timm's batch norm may have dropout and an activation behind it."""
        x = self.normalize(x) if self.training else super().forward(x)
        for behind in (getattr(self, name, None) for name in ("drop", "act")):
            x = behind(x) if behind else x
        return x

    def normalize(self, x: Tensor) -> Tensor:
        """(N, C, ...) to the same, by the statistics of the batch, which are noted."""
        dims, shape = [0, *range(2, x.ndim)], [1, -1] + [1] * (x.ndim - 2)
        values = x.float()
        here = values.new_full((1,), values.numel() // values.shape[1])  # processes may have different shares
        sums, number = Sum.apply(torch.cat([values.sum(dims), here])).tensor_split([-1])
        centre, number = sums / number.detach(), number.detach()
        away = values - centre.view(shape)
        variance = Sum.apply(away.square().sum(dims)) / number
        with torch.no_grad():
            self.num_batches_tracked += 1
            self.running_mean.lerp_(centre, self.momentum)
            self.running_var.lerp_(variance * number / (number - 1).clamp(min=1), self.momentum)
        scale = self.weight * (variance + self.eps).rsqrt()
        return torch.addcmul(self.bias.view(shape), away, scale.view(shape)).to(x.dtype)


class Sum(torch.autograd.Function):
    """The sum of a tensor over the processes; backwards, that of its gradients."""

    @staticmethod
    def forward(ctx: FunctionCtx, x: Tensor) -> Tensor:
        """To a new tensor."""
        all_reduce(total := x.clone())
        return total

    @staticmethod
    def backward(ctx: FunctionCtx, gradient: Tensor) -> Tensor:
        """Likewise."""
        return Sum.forward(ctx, gradient)
