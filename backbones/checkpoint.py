"""Open a file that somebody brings, and run nothing of it: safetensors, or torch's reader for tensors alone.

Training checkpoints hold more than tensors. What is common and harmless in them (`DATA`) is rebuilt as `Inert`, which
takes whatever it is given and keeps nothing of it. Whatever else a pickle asks for is refused by name.
"""

import re
from pathlib import Path
from typing import Any

from backbones import file_kinds
from workflow.core.errors import UserError

ARRAYS = ("multiarray.scalar", "multiarray._reconstruct")
DATA = [
    "argparse.Namespace",  # the options of timm's and torchvision's training scripts
    "types.SimpleNamespace",
    *(f"pathlib.{name}" for name in ("Path", "PosixPath", "WindowsPath", "PurePosixPath", "PureWindowsPath")),
    *(f"pathlib._local.{name}" for name in ("PosixPath", "WindowsPath")),  # Python 3.13
    "numpy.ndarray",
    "numpy.dtype",
    *(f"numpy.{core}.{name}" for core in ("core", "_core") for name in ARRAYS),  # numpy 1 and numpy 2
    "mmengine.logging.history_buffer.HistoryBuffer",
    "mmengine.config.config.ConfigDict",
    "builtins.getattr",  # how a HistoryBuffer names its own methods; the stand-in looks nothing up
    "torch.torch_version.TorchVersion",
]


LEGACY = b"\x80\x02\x8a\nl\xfc\x9cF\xf9 j\xa8P\x19."  # torch's own pickles begin with its magic number
ENDS = 2**16  # bytes of a file's two ends in which a pickle of arrays and its author are recognized


class Inert:
    """Stands where a pickle wants one of `DATA`: no code of the named thing runs, and nothing is kept."""

    def __init__(self, *_: Any) -> None:
        """Takes anything."""

    def __setstate__(self, state: object) -> None:
        """Takes anything."""


def contents(path: Path) -> tuple[Any, dict[str, str]]:
    """What a file holds, and its metadata (safetensors alone has any).

    Mappings and tensors are what they were; of a training checkpoint's other things only `Inert` is left. UserError if
    the file is absent, is neither kind, or asks for code.
    """
    if path.is_dir():
        raise UserError(f"checkpoint {path}: a folder: name the file of weights in it")
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist")
    if fault := file_kinds.fault(path):
        raise UserError(f"checkpoint {path}: {fault}")
    with path.open("rb") as file:
        header = file.read(9)
    of_torch = header.startswith((file_kinds.ZIP, file_kinds.PICKLE))  # whatever its name says
    if header[8:] == b"{" or (path.suffix == ".safetensors" and not of_torch):  # eight bytes of length, then JSON
        return safetensors_contents(path)
    return torch_contents(path), {}


def safetensors_contents(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors and metadata of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        wrong = re.search("header length|incomplete", str(error))
        short = f"; it is shorter or longer than its header says: {file_kinds.AGAIN}" if wrong else ""
        raise UserError(f"checkpoint {path}: cannot be read as safetensors: {error}{short}") from None


def torch_contents(path: Path) -> Any:
    """What torch.save wrote, zip or older, read by its restricted unpickler."""
    import torch

    refuse_arrays(path)
    allowed = [(Inert, name) for name in DATA]
    try:
        with torch.serialization.safe_globals(allowed), path.open("rb") as file:  # of a path it would heed the ending
            return torch.load(file, map_location="cpu", weights_only=True)
    except Exception as error:  # a crafted or broken pickle fails in any way that Python knows
        raise UserError(f"checkpoint {path}: {reason(path, error)}") from None


def refuse_arrays(path: Path) -> None:
    """UserError for a bare pickle of numpy's arrays, as of detectron2: its bytes tell, and it is never opened."""
    with path.open("rb") as file:
        start = file.read(ENDS)
        file.seek(max(path.stat().st_size - ENDS, 0))
        end = file.read(ENDS)
    if start.startswith(b"\x80") and not start.startswith(LEGACY) and b"numpy" in start and b"_reconstruct" in start:
        kind = "a pickle of detectron2" if b"__author__" in start + end else "a pickle of numpy's arrays"
        raise UserError(
            f"checkpoint {path}: {kind}, and no file of torch.save; nothing of it was run. "
            "Convert it where you trust it: load it into its network (detectron2: "
            "DetectionCheckpointer(model).load(...)), and save the weights with torch.save(model.state_dict(), ...)"
        )


def reason(path: Path, error: Exception) -> str:
    """Why torch did not read a file, in one line."""
    text = str(error)
    asked = re.search(r"GLOBAL (\S+)", text)
    if asked:
        return (
            f"its pickle asks for {asked[1]}, which is neither a tensor nor plain data; nothing of it was run. "
            "Save the weights alone: torch.save(model.state_dict(), ...)"
        )
    if file_kinds.broken_off(path, error):
        return f"the file broke off, after {path.stat().st_size:,} bytes; {file_kinds.AGAIN}"
    with path.open("rb") as file:
        bare = file.read(1) == file_kinds.PICKLE and not file_kinds.is_older(path)
    if bare:
        return (
            "a bare pickle, and no file of torch.save; nothing of it was run. "
            "Save the weights where you trust it: torch.save(model.state_dict(), ...)"
        )
    inner = re.search(r"WeightsUnpickler error:\s*(.*)", text)
    said = (inner[1] if inner else text.partition("\n")[0]).strip() or type(error).__name__
    return f"cannot be read as a torch file of weights: {said}"
