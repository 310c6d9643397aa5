"""Imported files are opened without running anything of them: what is data opens, what asks for code is named."""

import argparse
import os
import pickle
import zipfile
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import ConfigDict
from mmengine.logging import HistoryBuffer, MessageHub
from safetensors.torch import save_file

from backbones.checkpoint import ENDS, Inert, contents, reason, refuse_arrays
from workflow.core.errors import UserError


def hub() -> dict:
    hub = MessageHub("tests of checkpoints")
    hub.update_scalar("loss", np.float32(1.5))
    hub.update_info("epoch", 3)
    return hub.state_dict()


COMPANY = {
    "namespace": lambda: argparse.Namespace(lr=0.1, out=Path("somewhere")),
    "float64": lambda: np.float64(23.5),
    "int64": lambda: np.int64(3),
    "bool": lambda: np.bool_(True),
    "array": lambda: np.arange(3.0),
    "dtype": lambda: np.dtype("float32"),
    "buffer": lambda: HistoryBuffer([1.0, 2.0], [1, 1]),
    "message_hub": hub,
    "config": lambda: ConfigDict(a=1, b={"c": [2]}),
    "version": lambda: torch.__version__,
    "plain": lambda: {"a": [1, (2.5, None)], "b": {3}, "c": b"bytes", 4: "five"},
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", COMPANY)
def test_what_stands_beside_the_tensors_of_real_checkpoints_is_no_obstacle(name, legacy, tmp_path):
    tensor = torch.rand(3, 2)
    kept = {"w": tensor, "company": [COMPANY[name]()], "after": 7}
    torch.save(kept, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    found, metadata = contents(tmp_path / "a.pth")
    assert torch.equal(found["w"], tensor)
    assert (found["after"], metadata) == (7, {})


def test_numpy_of_either_generation_opens(tmp_path):
    """numpy 2 writes `numpy._core`, numpy 1 wrote `numpy.core`: the same pickle with the older name."""
    torch.save({"err": np.float64(1)}, tmp_path / "a.pth", _use_new_zipfile_serialization=False)
    data = (tmp_path / "a.pth").read_bytes()
    assert b"numpy._core.multiarray" in data
    (tmp_path / "b.pth").write_bytes(data.replace(b"numpy._core.multiarray", b"numpy.core.multiarray"))
    assert isinstance(contents(tmp_path / "b.pth")[0]["err"], Inert)


def test_a_stand_in_keeps_nothing(tmp_path):
    torch.save({"args": argparse.Namespace(items="x")}, tmp_path / "a.pth")
    args = contents(tmp_path / "a.pth")[0]["args"]
    assert type(args) is Inert
    assert vars(args) == {}


class Call:
    """Pickled as a call of `function` with `arguments`, and then whatever a pickle may do to its result."""

    def __init__(self, function, *arguments, state=None):
        self.parts = (function, arguments) if state is None else (function, arguments, state)

    def __reduce__(self):
        return self.parts


def touch(file: Path) -> str:
    return f"touch '{file}'"


ATTACKS = {  # a file that runs would leave; what the message must name
    "os.system": (lambda file: Call(os.system, touch(file)), r"asks for (posix|nt)\.system"),
    "eval": (lambda file: Call(eval, f"open({str(file)!r}, 'w')"), "asks for eval"),
    "open": (lambda file: Call(open, str(file), "w"), r"asks for _?io\.open"),
    "state that is a call": (
        lambda file: Call(argparse.Namespace, state={"x": Call(os.system, touch(file))}),
        r"asks for (posix|nt)\.system",
    ),
    "a class of its own": (lambda file: Call(Call, print), r"asks for \S*Call"),
    "a whole network": (lambda file: torch.nn.Linear(1, 1), r"asks for torch\.nn\.modules\.linear\.Linear"),
}


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
@pytest.mark.parametrize("name", ATTACKS)
def test_a_pickle_that_would_run_code_never_does(name, legacy, tmp_path, capfd):
    make, message = ATTACKS[name]
    target = tmp_path / "ran"
    torch.save({"w": make(target)}, tmp_path / "a.pth", _use_new_zipfile_serialization=not legacy)
    with pytest.raises(UserError, match=message) as caught:
        contents(tmp_path / "a.pth")
    assert str(caught.value).startswith(f"checkpoint {tmp_path}/a.pth: ")
    assert "\n" not in str(caught.value)
    assert not target.exists()
    assert capfd.readouterr().out == ""


def text(words: str) -> bytes:
    return b"X" + len(words).to_bytes(4, "little") + words.encode()


GETATTR, NAMESPACE = b"c__builtin__\ngetattr\n", b"cargparse\nNamespace\n"
CRAFTED = {  # what no honest pickle does, in the pickle machine's own words; FILE is replaced by the attack's command
    "getattr of a module's function": (GETATTR + b"(cos\nsystem\n" + text("x") + b"tR.", r"asks for os\.system"),
    "call of what getattr gave": (GETATTR + b"(" + NAMESPACE + text("mro") + b"tR)R.", "unrecognized function"),
    "call of a stand-in": (NAMESPACE + b")R(FILEtR.", "unrecognized function"),
    "change of the stand-in's class": (NAMESPACE + b"}(" + text("__init__") + b"FILEub.", "Can only build"),
    "items laid into a stand-in": (NAMESPACE + b")R" + text("a") + b"FILEs.", "Can only SETITEM"),
    "a name with a path": (b"cargparse\nos.system\n(FILEtR.", r"asks for argparse\.os\.system"),
}


@pytest.mark.parametrize("name", CRAFTED)
def test_crafted_pickles_get_nothing_done(name, tmp_path):
    body, message = CRAFTED[name]
    target = tmp_path / "ran"
    head = (torch.serialization.MAGIC_NUMBER, torch.serialization.PROTOCOL_VERSION, {"little_endian": True})
    data = b"".join(pickle.dumps(part, protocol=2) for part in head)
    data += b"\x80\x02" + body.replace(b"FILE", text(touch(target)))
    (tmp_path / "a.pth").write_bytes(data + pickle.dumps([], protocol=2))
    before = dict(vars(Inert))
    with pytest.raises(UserError, match=message):
        contents(tmp_path / "a.pth")
    assert not target.exists()
    assert dict(vars(Inert)) == before


def test_a_bare_pickle_is_not_run_either(tmp_path):
    (tmp_path / "a.pth").write_bytes(pickle.dumps(Call(os.system, touch(tmp_path / "ran")), protocol=2))
    with pytest.raises(UserError, match=r"asks for posix\.system|cannot be read"):
        contents(tmp_path / "a.pth")
    assert not (tmp_path / "ran").exists()


def test_the_allow_list_ends_with_the_reading(tmp_path):
    torch.save({"args": argparse.Namespace()}, tmp_path / "a.pth")
    contents(tmp_path / "a.pth")
    with pytest.raises(pickle.UnpicklingError):
        torch.load(tmp_path / "a.pth", weights_only=True)


def test_safetensors_are_known_by_their_bytes_too(tmp_path):
    save_file({"w": torch.ones(2)}, tmp_path / "a.safetensors", metadata={"format": "pt"})
    (tmp_path / "a.safetensors").rename(tmp_path / "a.bin")
    found, metadata = contents(tmp_path / "a.bin")
    assert found["w"].tolist() == [1, 1]
    assert metadata == {"format": "pt"}


def test_absent_and_garbled_files_are_said(tmp_path):
    with pytest.raises(UserError, match=r"none\.pth does not exist"):
        contents(tmp_path / "none.pth")
    with pytest.raises(UserError, match=r"a folder: name the file of weights in it"):
        contents(tmp_path)
    for name, message in (("a.pth", "a torch file of weights"), ("a.safetensors", "safetensors")):
        (tmp_path / name).write_bytes(b"\1\2garbage that is neither\0")
        with pytest.raises(UserError, match=f"cannot be read as {message}"):
            contents(tmp_path / name)


def test_a_safetensors_file_that_broke_off_is_said(tmp_path):
    save_file({"w": torch.ones(100)}, tmp_path / "a.safetensors")
    data = (tmp_path / "a.safetensors").read_bytes()
    for part in (8, 20, len(data) - 1):
        (tmp_path / "a.safetensors").write_bytes(data[:part])
        with pytest.raises(
            UserError, match=r"cannot be read as safetensors: .*; it is shorter or longer than its head"
        ):
            contents(tmp_path / "a.safetensors")


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "legacy"])
def test_a_file_of_torch_is_read_under_any_name(legacy, tmp_path):
    for name in ("a.safetensors", "model.ckpt.index", "a.onnx", "a.pth.tar"):
        torch.save({"w": torch.ones(2)}, tmp_path / name, _use_new_zipfile_serialization=not legacy)
        assert contents(tmp_path / name)[0]["w"].tolist() == [1, 1]


def test_a_compressed_zip_is_refused_before_it_is_unpacked(tmp_path):
    torch.save({"w": torch.zeros(10**6)}, tmp_path / "a.pth")
    with zipfile.ZipFile(tmp_path / "a.pth") as file, zipfile.ZipFile(tmp_path / "b.pth", "w", 8) as small:
        for name in file.namelist():
            small.writestr(name, file.read(name))
    assert (tmp_path / "b.pth").stat().st_size < 20_000
    with pytest.raises(UserError, match="a compressed zip, and no file of torch"):
        contents(tmp_path / "b.pth")


@pytest.mark.parametrize(
    ("place", "kind"),
    [(100, "a pickle of detectron2"), (ENDS - 10, "a pickle of detectron2"),
     (5 * ENDS - 20, "a pickle of detectron2"),
     (4 * ENDS, "a pickle of detectron2"), (2 * ENDS, "a pickle of numpy's arrays"),
     (None, "a pickle of numpy's arrays")],
)  # fmt: skip
def test_the_author_of_a_pickle_of_arrays_stands_near_one_of_its_ends(place, kind, tmp_path):
    content = bytearray(5 * ENDS)
    content[:40] = b"\x80\x04 numpy.core.multiarray _reconstruct ...."[:40]
    if place is not None:
        content[place : place + 10] = b"__author__"
    (tmp_path / "a.pkl").write_bytes(content[: 5 * ENDS])
    with pytest.raises(UserError, match=f"a.pkl: {kind}, and no file of torch.save; nothing of it was run"):
        refuse_arrays(tmp_path / "a.pkl")


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (RuntimeError("the first line\nand more"), "the first line"),
        (RuntimeError("Weights only load failed.\nWeightsUnpickler error:  Unsupported 149\nmore"), "Unsupported 149"),
        (RuntimeError(""), "RuntimeError"),
        (ValueError("\nmore"), "ValueError"),
    ],
)
def test_a_reason_is_torch_s_in_one_line(error, said, tmp_path):
    (tmp_path / "a.pth").write_bytes(b"PK")
    assert reason(tmp_path / "a.pth", error) == f"cannot be read as a torch file of weights: {said}"
