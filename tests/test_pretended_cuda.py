"""The pretended device refuses what CUDA refuses, allows what CUDA allows, and knows when the host waits."""

import copy
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.pretended_cuda.runtime import pretended_cuda

ELSEWHERE = "same device"


@pytest.fixture
def device():
    """The whole test is on a machine with a device."""
    with pretended_cuda() as device:
        yield device


def on_device(*shape):
    return torch.randn(*shape, device="cuda")


def reasons(device):
    """Of the waits since the last call."""
    found = [reason for (reason, _), number in device.costs.waits.items() for _ in range(number)]
    device.costs.clear()
    return found


REFUSED = {
    "add": lambda x, y: x + y,
    "add the other way": lambda x, y: y + x,
    "a device's number to a CPU's tensor": lambda x, y: y + x[0, 0],
    "in place": lambda x, y: x.add_(y),
    "in place on the CPU": lambda x, y: y.mul_(x),
    "in place on the CPU by a number": lambda x, y: y.mul_(x[0, 0]),
    "in place on a CPU's number": lambda x, y: y[0, 0].add_(x[0, 0]),
    "matmul": lambda x, y: x @ y,
    "matmul with a number's shape": lambda x, y: x[0] @ y[0],
    "stack": lambda x, y: torch.stack([x, y]),
    "stack of numbers": lambda x, y: torch.stack([x[0, 0], y[0, 0]]),
    "cat": lambda x, y: torch.cat([y, x]),
    "where": lambda x, y: torch.where(x > 0, x, y),
    "out=": lambda x, y: torch.add(x, x, out=y),
    "out= on the device": lambda x, y: torch.add(y, y, out=x),
    "reduction with out=": lambda x, y: torch.sum(x, 0, out=y[0]),
    "index on the device of a CPU's tensor": lambda x, y: y[torch.tensor([0, 1], device="cuda")],
    "mask on the device of a CPU's tensor": lambda x, y: y[x > 0],
    "assign to a device's tensor": lambda x, y: x.__setitem__(torch.tensor([0], device="cuda"), y[:1]),
    "gather": lambda x, y: x.gather(0, torch.zeros(1, 3, dtype=torch.long)),
    "scatter": lambda x, y: x.scatter_(0, torch.zeros(1, 3, dtype=torch.long, device="cuda"), y),
    "index_select": lambda x, y: x.index_select(0, torch.tensor([0])),
    "embedding": lambda x, y: nn.functional.embedding(torch.tensor([0]), x),
    "linear": lambda x, y: nn.Linear(3, 2)(x),
    "conv": lambda x, y: nn.Conv2d(1, 1, 1).cuda()(y[None, None]),
    "batch norm": lambda x, y: nn.BatchNorm1d(3)(x),
    "loss": lambda x, y: nn.functional.mse_loss(x, y),
    "cross-entropy": lambda x, y: nn.functional.cross_entropy(x, torch.tensor([0, 1, 2])),
    "equal": lambda x, y: torch.equal(x, y),
    "foreach": lambda x, y: torch._foreach_add_([x], [y]),
    "optimizer": lambda x, y: stepped(x, y),
    "nms": lambda x, y: nms(torch.rand(2, 4, device="cuda"), torch.rand(2)),
}


def nms(boxes, scores):
    import torchvision

    return torchvision.ops.nms(boxes, scores, 0.5)


def stepped(x, y):
    """Adam's count of steps on the CPU, as a wrongly loaded state has it."""
    weight = nn.Parameter(x)
    weight.grad = torch.ones(3, 3, device="cuda")
    optimizer = torch.optim.Adam([weight], fused=True)
    optimizer.step()
    optimizer.state[weight]["step"] = torch.tensor(1.0)
    optimizer.step()


@pytest.mark.parametrize("what", REFUSED)
def test_it_refuses_tensors_of_both_places(what, device):
    with pytest.raises(RuntimeError, match=ELSEWHERE):
        REFUSED[what](on_device(3, 3), torch.randn(3, 3))


def test_numpy_reads_no_device(device):
    for read in (lambda x: x.numpy(), np.asarray, lambda x: x.detach().numpy()):
        with pytest.raises(TypeError, match="can't convert cuda:0 device type tensor to numpy"):
            read(on_device(2))
        assert read(torch.ones(2)).tolist() == [1, 1]
        assert read(on_device(2).cpu()).shape == (2,)


def test_a_generator_belongs_to_one_place(device):
    mine, its = torch.Generator(), torch.cuda.default_generators[0]
    for draw in (lambda g: torch.randn(3, device="cuda", generator=g), lambda g: on_device(3).normal_(generator=g)):
        with pytest.raises(RuntimeError, match="Expected a 'cuda' device type for generator but found 'cpu'"):
            draw(mine)
        assert draw(its).is_cuda
    for draw in (lambda g: torch.randperm(3, generator=g), lambda g: torch.ones(3).bernoulli_(0.5, generator=g)):
        with pytest.raises(RuntimeError, match="Expected a 'cpu' device type for generator but found 'cuda'"):
            draw(its)
        assert not draw(mine).is_cuda


def test_the_device_draws_from_a_generator_of_its_own(device):
    def draws(seed, where):
        torch.default_generator.manual_seed(0)
        torch.cuda.manual_seed_all(seed)
        x = torch.ones(64, device=where)
        return [torch.rand(3, device=where), nn.functional.dropout(x), torch.randperm(9, device=where), x.normal_()]

    before = torch.default_generator.get_state()
    assert not torch.equal(torch.rand(3, device="cuda"), torch.rand(3, device="cuda"))
    one, two, again = draws(1, "cuda"), draws(2, "cuda"), draws(1, "cuda")
    assert not any(torch.equal(a, b) for a, b in zip(one, two, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(one, again, strict=True))
    assert all(torch.equal(a, b) for a, b in zip(draws(1, "cpu"), draws(2, "cpu"), strict=True))
    torch.default_generator.manual_seed(0)
    expected = torch.rand(3)
    torch.default_generator.manual_seed(0)
    torch.rand(3, device="cuda")
    assert torch.equal(torch.rand(3), expected), "the host's generator stays where it was"
    torch.default_generator.set_state(before)


def test_gradients_stay_with_their_tensors(device):
    x = on_device(2).requires_grad_()
    with pytest.raises(RuntimeError, match="different device"):
        x.grad = torch.ones(2)
    (x * 2).sum().backward()
    assert x.grad.is_cuda
    assert x.grad.tolist() == [2, 2]


ALLOWED = {
    "a CPU's number": lambda x: x + torch.tensor(2.0),
    "in place": lambda x: x.mul_(torch.tensor(2.0)),
    "a CPU's number first": lambda x: torch.tensor(2.0) - x,
    "where": lambda x: torch.where(x > 0, x, torch.tensor(0.0)),
    "clamp": lambda x: x.clamp(min=torch.tensor(0.0)),
    "masked_fill": lambda x: x.masked_fill(x > 0, torch.tensor(0.0)),
    "fill": lambda x: x.fill_(torch.tensor(0.0)),
    "view": lambda x: x.view(9)[2:].unsqueeze(0),
    "new": lambda x: x.new_zeros(3),
    "like": lambda x: torch.ones_like(x, dtype=torch.int64),
    "empty": lambda x: torch.empty(3, device=x.device),
    "arange": lambda x: torch.arange(3, device=x.device),
    "module": lambda x: nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Dropout())(x.cpu()).cuda(),
    "moved module": lambda x: nn.Sequential(nn.Linear(3, 4), nn.LayerNorm(4)).cuda()(x),
    "LSTM": lambda x: nn.LSTM(3, 4).cuda()(x)[0],
    "copy": lambda x: copy.deepcopy(x),
    "type": lambda x: torch.ones(3, dtype=torch.int64).type_as(x),
    "to": lambda x: torch.ones(3).to(x),
    "assign from the CPU": lambda x: x.copy_(torch.ones(3, 3)),
}


@pytest.mark.parametrize("what", ALLOWED)
def test_it_allows_what_cuda_allows_and_the_result_is_on_the_device(what, device):
    found = ALLOWED[what](on_device(3, 3))
    assert found.is_cuda
    assert (found.device, found.is_cpu, found.get_device()) == (torch.device("cuda", 0), False, 0)
    back = found.cpu()
    assert (back.device, back.is_cpu, back.get_device()) == (torch.device("cpu"), True, -1)
    assert found.is_cuda, "the copy is another tensor"


def test_values_and_gradients_are_those_of_the_cpu(device):
    torch.manual_seed(0)
    layer, x = nn.Conv2d(3, 5, 3, padding=1), torch.randn(2, 3, 4, 4)
    there = copy.deepcopy(layer).cuda()
    ends = [(m(y).relu().square().mean(), m) for m, y in ((layer, x), (there, x.cuda()))]
    for loss, _ in ends:
        loss.backward()
    assert ends[0][0].item() == ends[1][0].item()
    assert torch.equal(layer.weight.grad, there.weight.grad.cpu())


class Doubled(torch.autograd.Function):
    """With Python code in its backward pass, which asks where the gradient is."""

    @staticmethod
    def forward(ctx, x):
        assert x.is_cuda
        return 2 * x

    @staticmethod
    def backward(ctx, gradient):
        assert gradient.device == torch.device("cuda", 0)
        assert not torch.ones(3).is_cuda
        return gradient * torch.full((3,), 2.0, device=gradient.device)


def test_python_code_of_a_backward_pass_sees_the_device(device):
    x = on_device(3).requires_grad_()
    Doubled.apply(x).sum().backward()
    assert x.grad.is_cuda
    assert x.grad.tolist() == [2, 2, 2]


WAITS = {
    "item": (lambda x: x[0, 0].item(), ["_local_scalar_dense"]),
    "bool": (lambda x: bool((x > 0).all()), ["_local_scalar_dense"]),
    "tolist": (lambda x: x.tolist(), ["tolist"]),
    "nonzero": (lambda x: x.nonzero(), ["nonzero"]),
    "mask": (lambda x: x[x > 0], ["an index that is a mask"]),
    "assign by a mask": (lambda x: x.__setitem__(x > 0, x.new_zeros(())), ["an index that is a mask"]),
    "index": (lambda x: x[torch.tensor([0, 1])], ["an index on the CPU"]),
    "index on the device": (lambda x: x[torch.arange(2, device="cuda")], []),
    "unique": (lambda x: x.unique(), ["_unique2"]),
    "repeat": (lambda x: x.repeat_interleave(torch.arange(3, device="cuda"), 0), ["repeat_interleave"]),
    "cpu": (lambda x: x.cpu(), ["a copy to the host"]),
    "values": (lambda x: torch.tensor([1.0], device="cuda"), ["a copy to the device"]),
    "new values": (lambda x: x.new_tensor([1.0]), ["a copy to the device"]),
    "synchronize": (lambda x: torch.cuda.synchronize(), ["synchronize"]),
    "arithmetic": (lambda x: (x @ x + 1).softmax(1).topk(2), []),
    "one_hot": (lambda x: nn.functional.one_hot(torch.arange(3, device="cuda"), 4), []),
    "one_hot of all": (lambda x: nn.functional.one_hot(torch.arange(3, device="cuda")), ["_local_scalar_dense"]),
    "deepcopy": (lambda x: copy.deepcopy(x), []),
    "on the CPU": (lambda x: torch.randn(3).nonzero().tolist(), []),
}  # fmt: skip


@pytest.mark.parametrize("what", WAITS)
def test_it_knows_when_the_host_waits(what, device):
    act, expected = WAITS[what]
    x = on_device(3, 3)
    reasons(device)
    act(x)
    assert sorted(set(reasons(device))) == expected


def test_a_copy_from_pinned_memory_is_no_wait(device):
    plain = torch.ones(3)
    pinned = plain.pin_memory()
    assert (plain.is_pinned(), pinned.is_pinned(), pinned.is_cuda, pinned[1:].is_pinned()) == (False, True, False, True)
    for source, late, waits in ((plain, False, 1), (plain, True, 1), (pinned, False, 1), (pinned, True, 0)):
        assert source.to("cuda", non_blocking=late).is_cuda
        assert len(reasons(device)) == waits, (source.is_pinned(), late)
        source.cuda(non_blocking=late)
        assert len(reasons(device)) == waits
        on_device(3).copy_(source, non_blocking=late)
        assert len(reasons(device)) == waits
    with pytest.raises(RuntimeError, match="cannot pin"):
        on_device(3).pin_memory()
    assert on_device(3).to("cpu", non_blocking=True).is_pinned()
    assert reasons(device) == []


def test_a_loader_pins_what_it_is_asked_to(device):
    batches = [next(iter(torch.utils.data.DataLoader(torch.ones(4, 2), 2, pin_memory=pin))) for pin in (True, False)]
    assert [batch.is_pinned() for batch in batches] == [True, False]


def test_kernels_and_waits_are_counted_by_line(device):
    x = on_device(3)
    device.costs.clear()
    y = x + 1
    y.relu_()
    y.view(3, 1)
    y.sum().item()
    assert {place.rpartition(":")[0].rpartition("/")[2] for place in device.costs.kernels} == {Path(__file__).name}
    assert list(device.costs.kernels.values()) == [1, 1, 2]
    [((reason, place), number)] = device.costs.waits.items()
    assert (reason, number) == ("_local_scalar_dense", 1)
    assert place == list(device.costs.kernels)[-1]


def test_a_file_remembers_the_place_and_can_be_told_another(device, tmp_path):
    torch.save({"there": on_device(2), "here": torch.ones(2)}, tmp_path / "file")
    for where, expected in ((None, [True, False]), ("cpu", [False, False]), ("cuda", [True, True])):
        found = torch.load(tmp_path / "file", map_location=where)
        assert [found[key].is_cuda for key in ("there", "here")] == expected


def test_without_it_there_is_no_device_and_nothing_is_left(tmp_path):
    with pretended_cuda():
        there = on_device(2)
    assert not torch.cuda.is_available() or torch.cuda.get_device_name() != "pretended device"
    assert not there.is_cuda
    assert there.numpy().shape == (2,)
    with pretended_cuda() as device:
        assert on_device(2).is_cuda
        with pytest.raises(ZeroDivisionError):
            on_device(2 // 0)
        assert not device.inherited


def test_an_lstm_s_weights_lie_in_one_piece(device):
    lstm = nn.LSTM(3, 4).cuda()
    assert len({weight.untyped_storage().data_ptr() for weight in lstm._flat_weights}) == 1
    lstm.load_state_dict(nn.LSTM(3, 4).state_dict())
    assert len({weight.untyped_storage().data_ptr() for weight in lstm._flat_weights}) == 1
