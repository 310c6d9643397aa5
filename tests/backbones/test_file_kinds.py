"""Files of other kinds are named as what they are (most of them: tests/bad/other_files.py); torch's are let through."""

import io
import zipfile

import pytest
import torch
from safetensors.torch import save_file

from backbones.file_kinds import TABLE_END, fault, some


def saved(tmp_path, **how):
    torch.save({"w": torch.rand(3)}, tmp_path / "a.pth", **how)


@pytest.mark.parametrize(
    "how",
    [{}, *({"_use_new_zipfile_serialization": False, "pickle_protocol": protocol} for protocol in (2, 4, 5))],
    ids=str,
)
def test_torch_s_files_are_let_through(how, tmp_path):
    saved(tmp_path, **how)
    assert fault(tmp_path / "a.pth") is None


def test_safetensors_of_any_length_of_header_are_let_through(tmp_path):
    """The first byte of one is a brace, of one a `<`, as of text."""
    starts = set()
    for length in range(300):
        save_file({"w": torch.rand(1)}, tmp_path / "a.safetensors", metadata={"x": "x" * length})
        starts.add((tmp_path / "a.safetensors").read_bytes()[0])
        assert fault(tmp_path / "a.safetensors") is None
    assert len(starts) > 20


@pytest.mark.parametrize(
    ("name", "what"),
    [
        ("r50.ckpt.data-00000-of-00001", "a part of a TensorFlow checkpoint"),
        ("r50.ckpt.meta", "a part of a TensorFlow checkpoint"),
        ("saved_model.pb", "a TensorFlow model"),
        ("flax_model.msgpack", "a Flax model"),
        ("ResNet-50.caffemodel", "a model of another framework"),
    ],
)
def test_formats_without_a_mark_are_known_by_their_names(name, what, tmp_path):
    (tmp_path / name).write_bytes(b"\n\x08ResNet50\x9a\xff\0\0")
    assert fault(tmp_path / name).startswith(f"{what}, and not a file of torch: load it into the same network")


def test_the_other_archives_of_torch_are_named(tmp_path):
    network = torch.jit.script(torch.nn.Linear(2, 2))
    network.save(tmp_path / "a.pth")
    assert "a TorchScript archive" in fault(tmp_path / "a.pth")
    buffer = io.BytesIO()
    with torch.package.PackageExporter(buffer) as package:
        package.save_pickle("model", "model.pkl", {"w": 1})
    (tmp_path / "b.pth").write_bytes(buffer.getvalue())
    assert "an archive of torch.package" in fault(tmp_path / "b.pth")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<html>404</html>", "a web page"),
        ("\ufeff  <!doctype HTML>", "a web page"),
        ("<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>", "text, and not weights"),
        ("ä" * 300, "text, and not weights"),
        ("x" * 511 + "ä", "text, and not weights"),
        ("\0\1\2", None),
        ("\x1b[0m", None),
    ],
)
def test_text_is_told_from_bytes(text, what, tmp_path):
    (tmp_path / "a.pth").write_text(text, encoding="utf-8")
    said = fault(tmp_path / "a.pth")
    assert said is None if what is None else said.startswith(what)


def test_of_an_archive_the_first_names_are_said(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.pth", "w") as file:
        for number in range(5):
            file.writestr(f"{number}\n.txt", "x")
    assert fault(tmp_path / "a.pth").endswith(r"(0\n.txt, 1\n.txt, 2\n.txt, ...)")
    assert some([]) == "it is empty"


@pytest.mark.parametrize("size", [len(TABLE_END), 100, 5000])
def test_a_table_of_tensorflow_is_known_by_its_end(size, tmp_path):
    """Under any name."""
    (tmp_path / "a").write_bytes(bytes(size - len(TABLE_END)) + TABLE_END)
    assert fault(tmp_path / "a").startswith("a part of a TensorFlow checkpoint, ")
    (tmp_path / "a").write_bytes(bytes(size - len(TABLE_END)) + TABLE_END + b"x")
    assert fault(tmp_path / "a") is None
