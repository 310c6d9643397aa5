"""What Python code sees of the device: where a tensor is, moves from place to place, and what a host cannot read."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode

from tests.pretended_cuda.device import CPU, CUDA, DEVICE, PINNED, Device, is_cuda, tensors

FROM_VALUES = (torch.tensor, torch.as_tensor, torch.asarray)


class Calls(TorchFunctionMode):
    """Sees each call of torch's Python interface but those that torch's own Python code makes."""

    def __init__(self, device: Device) -> None:
        super().__init__()
        self.device, self.memory, on = device, device.memory, device.memory.on_device
        self.special: dict[Any, Callable] = {
            Tensor.device.__get__: lambda func, me, *_: CUDA if on(me) else CPU,
            Tensor.is_cuda.__get__: lambda func, me, *_: on(me),
            Tensor.is_cpu.__get__: lambda func, me, *_: not on(me),
            Tensor.get_device: lambda func, me: 0 if on(me) else -1,
            Tensor.is_pinned: lambda func, me, *_: self.memory.place(me) == PINNED,
            Tensor.grad.__set__: self.set_gradient,
            Tensor.numpy: self.numpy,
            Tensor.__array__: self.numpy,
            Tensor.tolist: self.tolist,
            Tensor.pin_memory: self.pin,
            Tensor.cpu: lambda func, me, **_: self.move(me, False),
            Tensor.cuda: lambda func, me, device=None, non_blocking=False, **_: self.move(me, True, non_blocking),
            Tensor.to: self.to,
            Tensor.type_as: lambda func, me, other: self.move(me, on(other), convert=lambda: me.to(other.dtype)),
            Tensor.new_tensor: self.new_tensor,
            Tensor.__deepcopy__: self.deepcopy,
            torch.nn.functional.one_hot: self.one_hot,
            **dict.fromkeys(FROM_VALUES, self.from_values),
        }

    def __torch_function__(self, func: Any, types: Any, args: tuple = (), kwargs: dict | None = None) -> Any:
        """torch's hook point."""
        kwargs = dict(kwargs or {})
        named = kwargs.get("device") is not None
        device, before = self.device, (self.device.inherited, self.device.wanted)
        device.wanted = is_cuda(kwargs["device"]) if named and func not in self.special else None
        device.inherited = not named and any(map(self.memory.on_device, tensors((args, kwargs))))
        try:
            if func in self.special:
                return self.special[func](func, *args, **kwargs)
            if named:
                kwargs["device"] = CPU
            return func(*args, **kwargs)
        finally:
            device.inherited, device.wanted = before

    def move(
        self, me: Tensor, to_device: bool, non_blocking: bool = False, convert: Callable[[], Tensor] | None = None
    ) -> Tensor:
        """To the other place, if it is not there; `convert` changes the type. Only what cannot be left to the device,
        as the host's memory is not pinned, is a wait."""
        out = convert() if convert else me
        if self.memory.on_device(me) == to_device:
            return out
        if self.memory.storage(out).cdata == self.memory.storage(me).cdata:
            out = out.clone()
        if to_device:
            late = non_blocking and self.memory.place(me) == PINNED
            self.memory.put(out, DEVICE)
        else:
            late = non_blocking  # torch takes pinned memory for the result then
            self.memory.put(out, PINNED if late else None)
        if not late:
            self.device.costs.wait(f"a copy to the {'device' if to_device else 'host'}")
        return out

    def to(self, func: Any, me: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """All of its forms: (other), (dtype), (device, dtype), each with non_blocking and copy."""
        rest, device = list(args), kwargs.pop("device", None)
        other = rest.pop(0) if rest and isinstance(rest[0], Tensor) else kwargs.pop("other", None)
        if other is not None:
            kwargs.setdefault("dtype", other.dtype)
            device = CUDA if self.memory.on_device(other) else CPU
        elif rest and (rest[0] is None or isinstance(rest[0], str | torch.device | int)):
            device = rest.pop(0)
        names = ("dtype", "non_blocking", "copy")[other is not None :]
        kwargs |= dict(zip(names, rest, strict=False))
        kwargs = {key: value for key, value in kwargs.items() if value is not None}
        to_device = self.memory.on_device(me) if device is None else is_cuda(device)
        late = kwargs.pop("non_blocking", False)
        return self.move(me, to_device, late, (lambda: func(me, **kwargs)) if kwargs else None)

    def from_values(self, func: Any, data: Any, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        """Values of the host, which wait for no device before they are on one; or a tensor from anywhere."""
        if isinstance(data, Tensor):
            to_device = self.memory.on_device(data) if device is None else is_cuda(device)
            return self.move(data, to_device, convert=lambda: func(data, *args, **kwargs))
        out = func(data, *args, **kwargs)
        return self.move(out, True) if is_cuda(device) else out

    def new_tensor(self, func: Any, me: Tensor, *args: Any, device: Any = None, **kwargs: Any) -> Tensor:
        """Where `me` is, unless it is said."""
        to_device = self.memory.on_device(me) if device is None else is_cuda(device)
        out = func(me, *args, **kwargs)
        self.memory.put(out, None)
        return self.move(out, to_device)

    def pin(self, func: Any, me: Tensor, *_: Any) -> Tensor:
        """A copy in pinned memory."""
        if self.memory.on_device(me):
            raise RuntimeError("cannot pin 'torch.cuda' tensors: only dense CPU tensors can be pinned")
        return me if self.memory.place(me) == PINNED else self.memory.put(me.clone(), PINNED)

    def numpy(self, func: Any, me: Tensor, *args: Any, **kwargs: Any) -> Any:
        """What a host can read."""
        if self.memory.on_device(me):
            raise TypeError(
                "can't convert cuda:0 device type tensor to numpy. Use Tensor.cpu() to copy it to host memory"
            )
        return func(me, *args, **kwargs)

    def tolist(self, func: Any, me: Tensor) -> Any:
        """Reads values without an operation."""
        if self.memory.on_device(me):
            self.device.costs.wait("tolist")
        return func(me)

    def set_gradient(self, func: Any, me: Tensor, gradient: Tensor | None) -> None:
        """A gradient lies where its tensor does."""
        if gradient is not None and self.memory.on_device(me) != self.memory.on_device(gradient):
            raise RuntimeError("assigned grad has data located on a different device")
        func(me, gradient)

    def deepcopy(self, func: Any, me: Tensor, memo: dict) -> Tensor:
        """By a new storage, which is on the device only when all is copied."""
        with self.silence():
            return self.memory.put(func(me, memo), self.memory.place(me))

    def one_hot(self, func: Any, me: Tensor, num_classes: int = -1) -> Tensor:
        """On a CPU it looks whether there are so many classes, on a device only if it must count them."""
        with self.silence() if num_classes > 0 else contextlib.nullcontext():
            return func(me, num_classes)

    @contextlib.contextmanager
    def silence(self) -> Iterator[None]:
        """Within, nothing is counted."""
        self.device.silent = True
        try:
            yield
        finally:
            self.device.silent = False
