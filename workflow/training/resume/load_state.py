"""Read a resume state and go on with it: tensors and plain data. Nothing that a file asks for is ever run.

mmengine would run a config that stands in it, and leave out the weights that do not fit.
"""

from pathlib import Path
from typing import Any

import torch
from mmengine.runner import Runner

from workflow.core.errors import UserError
from workflow.training.distributed.processes import unwrap_model
from workflow.training.loaders import load

# What a state holds, each with its type.
PARTS = {"run": str, "meta": dict, "state_dict": dict, "message_hub": dict, "optimizer": dict, "param_schedulers": list}
META = ("iter", "epoch")
HISTORY = {"points": list, "evaluations": list, "losses": list, "seconds": float, "waited": float}


def read(path: Path, map_location: str | torch.device = "cpu") -> dict[str, Any]:
    """A resume state of the run whose folder it lies in; UserError for what is none. Of its `meta` only what is needed:
    mmengine runs what stands there as `config`."""
    content = load(path, map_location)
    if fault := next(faults(content), ""):
        raise UserError(f"{path}: not a resume state: {fault}")
    if content["run"] != path.parent.name:
        raise UserError(f"{path}: a resume state of another run, {content['run']!r:.60}")
    return content | {"meta": {key: content["meta"][key] for key in META}}


def faults(content: object) -> Any:
    """What keeps it from being a resume state, in words."""
    if not isinstance(content, dict):
        yield f"a {type(content).__name__}"
        return
    wanted = {"history": dict} | PARTS
    yield from (f"no {key}" for key, kind in wanted.items() if not isinstance(content.get(key), kind))
    yield from (f"no {key} in meta" for key in META if type(content["meta"].get(key)) is not int)
    history = content["history"]
    yield from (f"no {key} in history" for key, kind in HISTORY.items() if not isinstance(history.get(key), kind))
    if not all(isinstance(value, torch.Tensor) for value in content["state_dict"].values()):
        yield "weights that are no tensors"


class ResumableRunner(Runner):
    """mmengine's Runner, which goes on with resume states of ours alone."""

    def _log_env(self, env_cfg: dict[str, Any]) -> None:
        """Nothing: it lists the environment at each start, for which it calls the C compiler and nvcc. They may be
        absent, and the record has what matters."""

    def load_checkpoint(self, filename: str, map_location: str | torch.device = "cpu", **_: Any) -> dict[str, Any]:
        """Each weight of the network, and no other: mmengine would leave out what does not fit."""
        checkpoint = read(Path(filename), map_location)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        unwrap_model(self.model).load_state_dict(checkpoint["state_dict"])
        return checkpoint

    def resume(self, filename: str, **options: Any) -> None:
        """UserError for a state that does not fit this network, optimizer or schedule."""
        try:
            super().resume(filename, **options)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            hint = "without this file, the state before it is gone on with"
            raise UserError(f"{filename}: does not fit this training; {hint}: {reason}") from None
