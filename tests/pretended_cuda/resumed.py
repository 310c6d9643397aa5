"""A training on a pretended device, killed and started again."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.pretended_cuda.device import Device
from tests.pretended_cuda.runtime import pretended_cuda
from workflow.training import hooks
from workflow.training import state as saving


class Killed(BaseException):
    """As from outside: no handler of the run's own sees it."""


def survives(train: Callable[[str], Any], after: int = 1) -> tuple[Device, Any]:
    """Killed after iteration `after` + 1, the run ends as an undisturbed one does. Each attempt has a device of its
    own, as each is a process. Losses wait for their point of the curve while it is killed.

    Args:
        train: trains the same run in folders by the name that it is given; returns all that the run leaves.

    Returns:
        The device of the undisturbed run, and what that left.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hooks, "POINTS_OF_A_CURVE", 1)
        with pretended_cuda() as device:
            whole = train("whole")
        step = hooks.History.after_train_iter

        def dies(self: Any, runner: Any, *args: Any, **kwargs: Any) -> None:
            step(self, runner, *args, **kwargs)
            if runner.iter == after:
                raise Killed

        with patch.context() as mortal:
            mortal.setattr(saving, "SECONDS_BETWEEN_SAVES", 0.0)
            mortal.setattr(hooks.History, "after_train_iter", dies)
            with pretended_cuda(), pytest.raises(Killed):
                train("killed")
        with pretended_cuda():
            again = train("killed")
    assert again == whole
    return device, whole
