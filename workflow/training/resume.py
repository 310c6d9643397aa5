"""Read a resume state and go on with it: tensors and plain data. Nothing that a file asks for is ever run.

mmengine tries that too, but then unpickles whatever the file holds, and it runs a config that stands in it. All of its
loaders are replaced here by one that refuses, for whatever else a library may want to load.
"""

import warnings
from pathlib import Path
from typing import Any

import torch
from mmengine.runner import CheckpointLoader, Runner

from workflow.training.errors import UserError
from workflow.training.processes import bare

# What a state holds, each with its type.
PARTS = {"run": str, "meta": dict, "state_dict": dict, "message_hub": dict, "optimizer": dict, "param_schedulers": list}
META = ("iter", "epoch")
HISTORY = {"points": list, "evaluations": list, "losses": list, "seconds": float, "waited": float}


def load(path: str | Path, map_location: Any = "cpu") -> Any:
    """What torch.save wrote, if that is tensors and plain data; UserError for all else. Nothing is allowed beside what
    torch itself allows: a state needs no more."""
    try:
        with warnings.catch_warnings(action="ignore"):  # of what is refused anyway
            return torch.load(path, map_location=map_location, weights_only=True)
    except OSError as error:
        raise UserError(f"{path}: {error.strerror or error}") from None
    except Exception as error:  # a crafted or broken pickle fails in any way that Python knows
        said = str(error).partition("WeightsUnpickler error:")[2].strip() or str(error) or type(error).__name__
        reason = f"not tensors and plain data, nothing of it was run: {said.splitlines()[0]}"
        raise UserError(f"{path}: {reason}") from None


for scheme in list(CheckpointLoader._schemes):  # files, servers and clouds
    CheckpointLoader.register_scheme(scheme, load, force=True)


def read(path: Path, map_location: Any = "cpu") -> dict[str, Any]:
    """A resume state of the run whose folder it lies in; UserError for what is none. Of its `meta` only what is needed:
    mmengine runs what stands there as `config`."""
    content = load(path, map_location)
    if fault := next(faults(content), ""):
        raise UserError(f"{path}: not a resume state: {fault}")
    if content["run"] != path.parent.name:
        raise UserError(f"{path}: a resume state of another run, {content['run']!r:.60}")
    return content | {"meta": {key: content["meta"][key] for key in META}}


def faults(content: Any) -> Any:
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

    def load_checkpoint(self, filename: str, map_location: Any = "cpu", **_: Any) -> dict[str, Any]:
        """Each weight of the network, and no other: mmengine would leave out what does not fit."""
        checkpoint = read(Path(filename), map_location)
        self.call_hook("after_load_checkpoint", checkpoint=checkpoint)
        bare(self.model).load_state_dict(checkpoint["state_dict"])
        return checkpoint

    def resume(self, filename: str, **options: Any) -> None:
        """UserError for a state that does not fit this network, optimizer or schedule."""
        try:
            super().resume(filename, **options)
        except (LookupError, TypeError, ValueError, AttributeError, RuntimeError) as error:
            reason = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            hint = "without this file, the state before it is gone on with"
            raise UserError(f"{filename}: does not fit this training; {hint}: {reason}") from None
