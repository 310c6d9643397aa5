"""A training on a pretended device: killed and started again, and what one of its steps costs."""

import copy
from collections.abc import Callable
from typing import Any

import pytest

from tests.killed import Killed, killed_after
from tests.pretended_cuda.device import Costs, Device
from tests.pretended_cuda.runtime import pretended_cuda
from workflow.training import hooks, seeding


def survives(train: Callable[[str], Any], after: int = 1) -> Any:
    """Killed after iteration `after` + 1, the run ends as an undisturbed one does. Each attempt has a device of its
    own, as each is a process. Losses wait for their point of the curve while it is killed.

    Args:
        train: trains the same run in folders by the name that it is given; returns all that the run leaves.

    Returns:
        What the undisturbed run leaves.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "POINTS_OF_A_CURVE", 1)
        with pretended_cuda():
            whole = train("whole")
        with pretended_cuda(), killed_after(after):
            train("killed")
        with pretended_cuda():
            again = train("killed")
    assert again == whole
    return whole


def costs_of_a_step(train: Callable[[], Any], of: int = 1) -> Costs:
    """Kernels and waits of iteration `of` + 1 of a training: from its first hook on (the batch is loaded before, its
    copy to the device is in it) to its last. Losses are not looked at in it.

    Args:
        train: has more iterations than these; it ends there.
    """
    found: list[Costs] = []

    def begins(self: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
        device.costs.clear()
        begin(self, runner, *args, **kwargs)

    def ends(self: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
        end(self, runner, *args, **kwargs)
        if runner.iter == of:
            found.append(copy.deepcopy(device.costs))
            raise Killed

    device: Device
    begin, end = seeding.SeedHook.before_train_iter, hooks.History.after_train_iter
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "POINTS_OF_A_CURVE", 1)
        patch.setattr(seeding.SeedHook, "before_train_iter", begins)
        patch.setattr(hooks.History, "after_train_iter", ends)
        with pretended_cuda() as device, pytest.raises(Killed):
            train()
    return found[0]
