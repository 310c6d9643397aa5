"""What the device does with an operation: refuse a mixture as CUDA does, run it, note where the result lies, count."""

import contextlib
from collections.abc import Iterator
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from tests.pretended_cuda.device import CPU, DEVICE, PINNED, Device, is_cuda, tensors

aten = torch.ops.aten
COPIES = {aten.copy_.default, aten._to_copy.default, aten._copy_from.default}
ANYWHERE = {aten.set_.source_Storage, aten.is_same_size.default}
INDEXED = {
    aten.index.Tensor,
    aten._unsafe_index.Tensor,
    aten.index_put.default,
    aten.index_put_.default,
    aten._index_put_impl_.default,
    aten._unsafe_index_put.default,
}
# Beside those that torch calls pointwise: a number may come as a tensor of no dimension on the CPU.
SCALARS = {
    aten.fill.Tensor,
    aten.fill_.Tensor,
    aten.masked_fill.Tensor,
    aten.masked_fill_.Tensor,
    aten.where.self,
    aten.index_fill.int_Tensor,
    aten.index_fill_.int_Tensor,
    aten._foreach_add.Tensor,
    aten._foreach_add_.Tensor,
    aten._foreach_mul.Tensor,
    aten._foreach_mul_.Tensor,
    aten._foreach_div.Tensor,
    aten._foreach_div_.Tensor,
}
# Their result, or its size, has to be known to the host.
WAITS = {
    aten._local_scalar_dense.default,
    aten.bincount.default,
    aten.equal.default,
    aten.is_nonzero.default,
    aten.masked_select.default,
    aten.nonzero.default,
    aten.repeat_interleave.Tensor,
    aten._unique2.default,
    aten.unique_consecutive.default,
    aten.unique_dim.default,
}
NO_KERNEL = ("alias", "detach", "empty", "new_empty", "_unsafe_view", "set_", "resize_", "lift_fresh", "_reshape_alias")


class Kernels(TorchDispatchMode):
    """Sees each operation, also those of C++ and of a backward pass."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device, self.memory = device, device.memory

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """torch's hook point."""
        with torch._C.DisableTorchFunction():
            return self.run(func, args, dict(kwargs or {}))

    def run(self, func: Any, args: tuple, kwargs: dict[str, Any]) -> Any:
        """One operation."""
        wanted = True if is_cuda(kwargs.get("device")) else self.device.wanted
        if is_cuda(kwargs.get("device")):
            kwargs["device"] = CPU
        given = tensors((args, kwargs))
        placed = [self.memory.on_device(tensor) for tensor in given]
        if any(placed) and not all(placed) and not self.mixes(func, args, kwargs, given, placed):
            found = ", ".join(f"{tuple(t.shape)} on {'cuda:0' if self.memory.on_device(t) else 'cpu'}" for t in given)
            raise RuntimeError(f"Expected all tensors to be on the same device ({func}): {found}")
        target = any(placed) or (not given and self.device.inherited) if wanted is None else wanted
        with self.drawing(func, kwargs.get("generator"), target):
            out = func(*args, **kwargs)
        if target:
            before = {self.memory.storage(tensor).cdata for tensor in given}
            for tensor in tensors(out):
                if self.memory.storage(tensor).cdata not in before:
                    self.memory.put(tensor, DEVICE)
        if target or any(placed):
            self.count(func, args, kwargs, given, placed)
        return out

    def mixes(self, func: Any, args: tuple, kwargs: dict, given: list[torch.Tensor], placed: list[bool]) -> bool:
        """Whether CUDA takes these tensors of both places together."""
        if func in COPIES or func in ANYWHERE:
            return True
        hosts = [tensor for tensor, on in zip(given, placed, strict=True) if not on]
        if func in INDEXED:
            allowed = tensors(args[1]) + [tensor for tensor in tensors(args[2:]) if tensor.dim() == 0]
            return all(any(host is tensor for tensor in allowed) for host in hosts)
        if any(host is tensor for host in hosts for tensor in written(func, args, kwargs)):
            return False
        scalars = torch.Tag.pointwise in func.tags or func in SCALARS
        return scalars and all(host.dim() == 0 for host in hosts)

    @contextlib.contextmanager
    def drawing(self, func: Any, generator: torch.Generator | None, target: bool) -> Iterator[None]:
        """Within, what draws on the device draws from the device's generator, or from the one that it was given."""
        if generator is not None and (generator._cdata == self.device.generator._cdata) != target:
            kinds = ("cuda", "cpu") if target else ("cpu", "cuda")
            raise RuntimeError("Expected a '{}' device type for generator but found '{}'".format(*kinds))
        if not target or generator is not None or torch.Tag.nondeterministic_seeded not in func.tags:
            yield
            return
        host = torch.default_generator
        before = host.get_state()
        host.set_state(self.device.generator.get_state())
        try:
            yield
        finally:
            self.device.generator.set_state(host.get_state())
            host.set_state(before)

    def count(self, func: Any, args: tuple, kwargs: dict, given: list[torch.Tensor], placed: list[bool]) -> None:
        """Kernels and waits."""
        if self.device.silent:
            return
        name = func._schema.name.partition("::")[2]
        if func in COPIES and not all(placed):
            self.count_copy(func, args, kwargs, given, placed)
        elif func in INDEXED:
            index = tensors(args[1])
            if any(not self.memory.on_device(tensor) for tensor in index):
                self.device.costs.wait("an index on the CPU")
            if any(tensor.dtype in (torch.bool, torch.uint8) for tensor in index):
                self.device.costs.wait("an index that is a mask")
        elif func in WAITS:
            self.device.costs.wait(name)
        elif func.name() == "torchvision::nms":
            self.device.costs.wait("nms")
        if not func.is_view and not name.startswith(NO_KERNEL):
            self.device.costs.kernel()

    def count_copy(self, func: Any, args: tuple, kwargs: dict, given: list[torch.Tensor], placed: list[bool]) -> None:
        """Between the places: without a wait if it is asked for and the host's memory is pinned."""
        late = kwargs.get("non_blocking", args[2] if func is aten.copy_.default and len(args) > 2 else False)
        host = given[placed.index(False)]
        if not (late and self.memory.place(host) == PINNED):
            to = "device" if func is not aten.copy_.default or placed[0] else "host"
            self.device.costs.wait(f"a copy to the {to}")


def written(func: Any, args: tuple, kwargs: dict[str, Any]) -> list[torch.Tensor]:
    """The arguments that an operation writes to: `out=`, or itself in place."""
    named = zip(func._schema.arguments, args, strict=False)
    values = [value for argument, value in named if argument.alias_info and argument.alias_info.is_write]
    for argument in func._schema.arguments:
        if argument.name in kwargs and argument.alias_info and argument.alias_info.is_write:
            values.append(kwargs[argument.name])
    return tensors(values)
