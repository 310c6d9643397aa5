"""Open a file that somebody brings, and run nothing of it: safetensors, or torch's reader for tensors alone.

Training checkpoints hold more than tensors. What is common and harmless in them (`DATA`) is rebuilt as `Inert`, which
takes whatever it is given and keeps nothing of it. Whatever else a pickle asks for is refused by name.
"""

import re
import zipfile
from pathlib import Path
from typing import Any

from workflow.training.errors import UserError

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

    def __setstate__(self, state: Any) -> None:
        """Takes anything."""


def contents(path: Path) -> tuple[Any, dict[str, str]]:
    """What a file holds, and its metadata (safetensors alone has any).

    Mappings and tensors are what they were; of a training checkpoint's other things only `Inert` is left. UserError if
    the file is absent, is neither kind, or asks for code.
    """
    if not path.is_file():
        raise UserError(f"checkpoint {path} does not exist")
    with path.open("rb") as file:
        header = file.read(9)
    if path.suffix == ".safetensors" or header[8:] == b"{":  # eight bytes of length, then JSON
        return safetensors_contents(path)
    return torch_contents(path), {}


def safetensors_contents(path: Path) -> tuple[dict[str, Any], dict[str, str]]:
    """Tensors and metadata of a safetensors file."""
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, framework="pt") as file:
            return {key: file.get_tensor(key) for key in file.keys()}, file.metadata() or {}  # noqa: SIM118 (no mapping)
    except SafetensorError as error:
        raise UserError(f"checkpoint {path}: cannot be read as safetensors: {error}") from None


def torch_contents(path: Path) -> Any:
    """What torch.save wrote, zip or older, read by its restricted unpickler."""
    import torch

    refuse_compressed(path)
    refuse_arrays(path)
    allowed = [(Inert, name) for name in DATA]
    try:
        with torch.serialization.safe_globals(allowed):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # a crafted or broken pickle fails in any way that Python knows
        raise UserError(f"checkpoint {path}: {reason(error)}") from None


def refuse_compressed(path: Path) -> None:
    """UserError for a zip with compressed entries: torch.save writes none, and a small one may unpack to anything."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as file:
            if any(entry.compress_type != zipfile.ZIP_STORED for entry in file.infolist()):
                raise UserError(f"checkpoint {path}: a compressed zip, and no file of torch.save")


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


def reason(error: Exception) -> str:
    """Why torch did not read a file, in one line."""
    text = str(error)
    asked = re.search(r"GLOBAL (\S+)", text)
    if asked:
        return (
            f"its pickle asks for {asked[1]}, which is neither a tensor nor plain data; nothing of it was run. "
            "Save the weights alone: torch.save(model.state_dict(), ...)"
        )
    inner = re.search(r"WeightsUnpickler error:\s*(.*)", text)
    said = (inner[1] if inner else text.partition("\n")[0]).strip() or type(error).__name__
    return f"cannot be read as a torch file of weights: {said}"
