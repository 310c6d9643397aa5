"""What an imported file is where neither torch.save nor safetensors wrote it, or where it broke off: by its first and
last bytes, the names in its archive, and its own name last. Nothing is unpacked, and nothing of it is run."""

import re
import tarfile
import zipfile
from pathlib import Path

ZIP, PICKLE = b"PK\x03\x04", b"\x80"  # what torch.save's files begin with, since 1.6 and before
MAGIC = b"l\xfc\x9cF\xf9 j\xa8P\x19"  # torch's number, near the start of each file before 1.6, whatever the protocol
TABLE_END = b"\x57\xfb\x80\x8b\x24\x75\x47\xdb"  # of a LevelDB table, TensorFlow's .index
HEAD = 512
AGAIN = "download or copy it again"
CONVERT = (
    "and not a file of torch: load it into the same network in torch, and save that with "
    "torch.save(model.state_dict(), 'weights.pth')"
)
STARTS = (
    (b"version https://git-lfs", "a Git LFS pointer in the place of the file: `git lfs pull` fetches it"),
    (b"\x89HDF\r\n\x1a\n", f"an HDF5 file, as Keras writes, {CONVERT}"),
    (b"\x93NUMPY", f"an array of numpy (.npy), {CONVERT}"),
    (b"GGUF", f"a GGUF file, {CONVERT}"),
    *(
        (start, f"compressed by {program}: unpack it, and name the file of weights in it")
        for start, program in (
            *((b"\x1f\x8b", "gzip"), (b"BZh", "bzip2"), (b"\xfd7zXZ\0", "xz"), (b"\x28\xb5\x2f\xfd", "zstd")),
            *((b"7z\xbc\xaf\x27\x1c", "7-Zip"), (b"Rar!", "RAR")),
        )
    ),
)
ONNX = re.compile(rb"\x08[\x01-\x20]\x12[\x01-\x40][ -~]+\x1a")  # version and producer, in protobuf
NAMES = (  # for formats that have no mark
    (r"\.onnx$", "an ONNX model"),
    (r"\.(data-\d+-of-\d+|index|meta)$", "a part of a TensorFlow checkpoint"),
    (r"\.(pb|tflite)$", "a TensorFlow model"),
    (r"\.msgpack$", "a Flax model"),
    (r"\.(caffemodel|mlmodel|params)$", "a model of another framework"),
)
ARCHIVES = (  # a name in a zip, what has it, and what to do
    (
        r"(^|/)constants\.pkl$",
        "a TorchScript archive (torch.jit.save), whose code is not run. Save its weights where you trust it: "
        "torch.save(torch.jit.load(FILE, map_location='cpu').state_dict(), 'weights.pth')",
    ),
    (
        r"(^|/)(archive_format|serialized_exported_program\.json)$",
        "an exported program (torch.export.save, .pt2), and not a state dict. Save its weights where you trust it: "
        "torch.save(torch.export.load(FILE).state_dict, 'weights.pth')",
    ),
    (
        r"(^|/)\.data/extern_modules$",
        "an archive of torch.package, whose code is not run. Save the network's weights where you trust it: "
        "torch.save(model.state_dict(), 'weights.pth')",
    ),
    (r"\.npy$", f"an archive of numpy's arrays (.npz), {CONVERT}"),
    (r"(^|/)model\.weights\.h5$", f"a Keras model, {CONVERT}"),
)


def fault(path: Path) -> str | None:
    """What is wrong with a file, and the cure, in one line; None if torch or safetensors may read it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        head = file.read(HEAD)
        file.seek(max(size - len(TABLE_END), 0))
        end = file.read()
    if not head:
        return f"the file is empty (0 bytes): {AGAIN}"
    for start, what in STARTS:
        if head.startswith(start):
            return what
    if head.startswith(ZIP):
        return zip_fault(path)
    if head.startswith(PICKLE) or head[8:9] == b"{":
        return None
    if head[257:262] == b"ustar":
        return tar_fault(path)
    if end == TABLE_END:
        return f"a part of a TensorFlow checkpoint, {CONVERT}"
    if ONNX.match(head):
        return f"an ONNX model, {CONVERT}"
    named = next((what for pattern, what in NAMES if re.search(pattern, path.name.lower())), None)
    return f"{named}, {CONVERT}" if named else text_fault(head)


def zip_fault(path: Path) -> str | None:
    """The same of a zip archive; torch.save compresses no entry, and a small one may unpack to anything."""
    try:
        with zipfile.ZipFile(path) as file:
            entries = file.infolist()
    except (zipfile.BadZipFile, NotImplementedError, ValueError):
        return f"the file broke off, after {path.stat().st_size:,} bytes: its archive has no end; {AGAIN}"
    names = [entry.filename for entry in entries]
    for pattern, what in ARCHIVES:
        if any(re.search(pattern, name) for name in names):
            return what
    if not any(name == "data.pkl" or name.endswith("/data.pkl") for name in names):
        return (
            f"a zip archive, and no file of torch.save: unpack it, and name the file of weights in it ({some(names)})"
        )
    if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
        return "a compressed zip, and no file of torch.save"
    return None


def tar_fault(path: Path) -> str:
    """The same of a tar archive (torch's own files of that ending are none)."""
    try:
        with tarfile.open(path) as file:
            names = [member.name for _, member in zip(range(4), file, strict=False)]
    except tarfile.TarError:
        return f"a tar archive that broke off: {AGAIN}"
    if {"sys_info", "pickle", "storages", "tensors"} & {name.removeprefix("./") for name in names}:
        return "a file of torch 0.1 (tar), which torch no longer reads safely: save it again with a later torch"
    return f"a tar archive: unpack it, and name the file of weights in it ({some(names)})"


def text_fault(head: bytes) -> str | None:
    """The same of text in the place of weights: what a server says, a list of a checkpoint's parts."""
    try:
        text = head.decode("utf-8-sig", errors="strict" if len(head) < HEAD else "ignore").strip()
    except UnicodeDecodeError:
        return None
    if not all(letter.isprintable() or letter.isspace() for letter in text):
        return None
    if re.match(r"<(!doctype html|html|head|body|script|!--)", text, re.IGNORECASE):
        return f"a web page (HTML) in the place of the file: {AGAIN}, from the address of the file itself"
    if text.startswith("{"):
        return "a JSON file, and not weights; if it lists the parts of a checkpoint, save the whole network in one file"
    return f"text, and not weights (it begins with {text[:40]!a}): {AGAIN}"


def some(names: list[str]) -> str:
    """The first names of an archive."""
    return ", ".join(ascii(name)[1:-1] for name in names[:3]) + ", ..." * (len(names) > 3) or "it is empty"


def broken_off(path: Path, error: Exception) -> bool:
    """Did torch come to the end of a file of its older format too early?"""
    early = isinstance(error, (EOFError, IndexError)) or "unexpected EOF" in str(error)
    return early and is_older(path)


def is_older(path: Path) -> bool:
    """Is it a file of torch before 1.6, or what is left of one?"""
    with path.open("rb") as file:
        head = file.read(HEAD)
    return MAGIC in head or (len(head) < len(MAGIC) + 4 and head.startswith(PICKLE))
