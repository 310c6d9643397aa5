"""Read what torch.save wrote: tensors and plain data. Nothing that a file asks for is ever run, by no library.

mmengine tries that too, but then unpickles whatever the file holds, and its YAML makes any object. Its loaders are
replaced here, whatever a library may want to load by them; it fetches nothing either.
"""

import warnings
from pathlib import Path
from typing import IO, Any

import torch
import yaml
from mmengine.fileio import register_handler
from mmengine.fileio.handlers import PickleHandler, YamlHandler
from mmengine.runner import CheckpointLoader

from workflow.core.errors import UserError

Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's is ten times as fast: mmdet has 102 files of YAML


def load(path: str | Path, map_location: str | torch.device = "cpu") -> Any:
    """Tensors and plain data; UserError for all else. Nothing is allowed beside what torch itself allows: a state needs
    no more."""
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


@register_handler(["yaml", "yml"])
class PlainYaml(YamlHandler):
    """YAML of plain data."""

    def load_from_fileobj(self, file: IO[str], **_: Any) -> Any:
        """As mmengine asks for it."""
        return yaml.load(file, Loader)


@register_handler(["pickle", "pkl"])
class NoPickle(PickleHandler):
    """No pickle."""

    def load_from_fileobj(self, file: IO[str], **_: Any) -> Any:
        """UserError."""
        raise UserError("a pickle is to be read: refused, nothing of it was run")
