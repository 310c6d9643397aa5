"""What people have under the name of a checkpoint and torch.save did not write, as the real programs write it."""

import gzip
import json
import pickle
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

from tests.bad.cases import Case, Damage, write

FILE = "weights/mine.pth"
AT = f"checkpoint {FILE}"
NO_TORCH = (
    f"{AT}: … and not a file of torch: load it into the same network in torch, and save that with torch.save(model.…"
)
HDF5, TABLE = b"\x89HDF\r\n\x1a\n", b"\0" * 40 + b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"
ONNX = b"\x08\x08\x12\x07pytorch\x1a\x052.3.0:\x9a\x01\n\x10\0\0"


def older(root: Path) -> bytes:
    """A file of torch before 1.6."""
    import torch

    torch.save({"w": torch.rand(1000)}, root / FILE, _use_new_zipfile_serialization=False)
    return (root / FILE).read_bytes()


def older_broken_off(part: float) -> Damage:
    """A part of it, from its beginning."""

    def damage(root: Path) -> None:
        data = older(root)
        (root / FILE).write_bytes(data[: int(part * len(data))])

    return damage


def torch_script(root: Path) -> None:
    """A traced network."""
    import torch

    torch.jit.trace(torch.nn.Linear(2, 2), torch.rand(1, 2)).save(root / FILE)


def exported(root: Path) -> None:
    """An exported program."""
    code = "import torch; program = torch.export.export(torch.nn.Linear(2, 2), (torch.rand(1, 2),)); "
    code += "torch.export.save(program, 'program.pt2')"
    # A process of its own: torch cannot export once the precision of fp32 is set, as every training does.
    subprocess.run([sys.executable, "-c", code], cwd=root, check=True, capture_output=True)
    (root / "program.pt2").rename(root / FILE)


def arrays(root: Path) -> None:
    """numpy's archive."""
    import numpy as np

    with (root / FILE).open("wb") as file:
        np.savez(file, w=np.zeros(3))


def zipped(root: Path) -> None:
    """A file of torch in a zip."""
    older(root)
    (root / FILE).rename(root / "weights/r50.pth")
    with zipfile.ZipFile(root / FILE, "w") as file:
        file.write(root / "weights/r50.pth", "r50.pth")


def in_tar(root: Path) -> None:
    """And in a tar."""
    older(root)
    (root / FILE).rename(root / "weights/r50.pth")
    with tarfile.open(root / FILE, "w") as file:
        file.add(root / "weights/r50.pth", "r50.pth")


def torch_0_1(root: Path) -> None:
    """What torch 0.1 wrote: a tar of four files."""
    with tarfile.open(root / FILE, "w") as file:
        for name in ("sys_info", "pickle", "tensors", "storages"):
            file.addfile(tarfile.TarInfo(name))


POINTER = "version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 102530333\n"
PAGE = '\n<!DOCTYPE html>\n<html><head><title>Google Drive - Virus scan warning</title></head><body>"ü"</body></html>'
PARTS = json.dumps({"metadata": {"total_size": 9}, "weight_map": {"conv1.weight": "model-00001-of-00002.safetensors"}})
OTHER_FILES = [
    Case("an empty file", f"{AT}: the file is empty (0 bytes): download or copy it again", write(FILE)),
    Case("a web page", f"{AT}: a web page (HTML) in the place of the file: …", write(FILE, PAGE)),
    Case("what a server says", f"{AT}: text, and not weights (it begins with '404: Not Found'): …",
         write(FILE, "404: Not Found")),
    Case("a pointer of Git LFS", f"{AT}: a Git LFS pointer in the place of the file: `git lfs pull` fetches it",
         write(FILE, POINTER)),
    Case("a list of a checkpoint's parts", f"{AT}: a JSON file, and not weights; if it lists the parts …",
         write(FILE, PARTS)),
    Case("a file of torch before 1.6 that broke off in its weights",
         f"{AT}: the file broke off, after … bytes; download or copy it again", older_broken_off(0.5)),
    Case("the same, in its first bytes", f"{AT}: the file broke off, after … bytes; download or copy it again",
         older_broken_off(0.01)),
    Case("a zip archive that broke off", f"{AT}: the file broke off, after 6 bytes: its archive has no end; …",
         write(FILE, b"PK\x03\x04\0\0")),
    Case("a TorchScript archive",
         f"{AT}: a TorchScript archive (torch.jit.save), whose code is not run. Save its weights …: "
         "torch.save(torch.jit.load(FILE, map_location='cpu').state_dict(), 'weights.pth')", torch_script),
    Case("an exported program (.pt2)", f"{AT}: an exported program (torch.export.save, .pt2), and not a state dict. …",
         exported),
    Case("numpy's arrays (.npz)", NO_TORCH.replace("…", "an archive of numpy's arrays (.npz),", 1), arrays),
    Case("HDF5, as of Keras", NO_TORCH.replace("…", "an HDF5 file, as Keras writes,", 1), write(FILE, HDF5)),
    Case("an ONNX model", NO_TORCH.replace("…", "an ONNX model,", 1), write(FILE, ONNX)),
    Case("a part of a TensorFlow checkpoint", NO_TORCH.replace("…", "a part of a TensorFlow checkpoint,", 1),
         write(FILE, TABLE)),
    Case("a file that gzip has compressed", f"{AT}: compressed by gzip: unpack it, and name the file of weights in it",
         write(FILE, gzip.compress(b"x"))),
    Case("weights in a zip", f"{AT}: a zip archive, and no file of torch.save: unpack it, … (r50.pth)", zipped),
    Case("weights in a tar", f"{AT}: a tar archive: unpack it, and name the file of weights in it (r50.pth)", in_tar),
    Case("a file of torch 0.1", f"{AT}: a file of torch 0.1 (tar), which torch no longer reads safely: …", torch_0_1),
    Case("a bare pickle", f"{AT}: a bare pickle, and no file of torch.save; nothing of it was run. …",
         lambda root: (root / FILE).write_bytes(pickle.dumps({"w": [1, 2]}, protocol=4))),
]  # fmt: skip
