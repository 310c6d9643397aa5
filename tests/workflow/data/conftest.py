"""A real HTTP server on this machine that can be told to misbehave, and tiny archives in the official layouts."""

import contextlib
import dataclasses
import hashlib
import http.server
import io
import tarfile
import threading
import time
import zipfile
from pathlib import Path

import pytest

from workflow.data import voc_lists
from workflow.data.fetch.fetch import Source, official


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`; each entry of `server.faults` spoils one answer, in order."""

    protocol_version = "HTTP/1.0"

    def log_message(self, *_):
        """Say nothing."""

    def do_GET(self):
        server, fault = self.server, self.server.faults.pop(0) if self.server.faults else {}
        wanted = self.headers.get("Range")
        server.asked.append((self.path, wanted))
        if "hang" in fault:
            time.sleep(fault["hang"])
            return
        if "redirect" in fault:
            self.send_response(302)
            self.send_header("Location", fault["redirect"])
            self.end_headers()
            return
        data = server.files.get(self.path.lstrip("/"))
        if data is None or "status" in fault:
            self.send_error(fault.get("status", 404))
            return
        tag = f'"{hashlib.md5(data).hexdigest()}"'
        fresh = self.headers.get("If-Range") in (None, tag) or fault.get("if-range") == "ignore"
        start = int(wanted[len("bytes=") : -1]) if wanted and fresh and fault.get("range") != "ignore" else 0
        if start >= len(data) > 0:
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.end_headers()
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(data) - 1}/{fault.get('total', len(data))}")
        if "coding" in fault:
            self.send_header("Content-Encoding", fault["coding"])
        if fault.get("etag") != "none":
            self.send_header("ETag", tag)
        if fault.get("length") != "none":
            self.send_header("Content-Length", str(len(data) - start + fault.get("lie", 0)))
        self.end_headers()
        self.wfile.write(data[start : start + fault["cut"] if "cut" in fault else None])
        for _ in range(fault.get("more", 0)):
            with contextlib.suppress(OSError):  # whoever asked has gone
                self.wfile.write(fault.get("chunk", bytes(1 << 20)))
                server.sent += 1
                time.sleep(fault.get("drip", 0))
        time.sleep(fault.get("stall", 0))
        server.files.update(fault.get("then", {}))


@pytest.fixture
def server():
    """`files`: name -> bytes; `faults`: what goes wrong with the next answers; `asked`: (path, Range) of each request;
    `url`: its address."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.faults, server.asked, server.sent = {}, [], [], 0
        server.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def hub_files(repository: str, data: bytes) -> dict[str, bytes]:
    """The weights of a repository as the hub serves them: the file, and the Git LFS pointer in its place."""
    pointer = f"version 1\noid sha256:{hashlib.sha256(data).hexdigest()}\nsize {len(data)}\n".encode()
    return {f"{repository}/{kind}/main/model.safetensors": each for kind, each in (("resolve", data), ("raw", pointer))}


def tar_of(files: dict[str, bytes], **links: str) -> bytes:
    """A tar of these files, and of symbolic links name -> target."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
        for name, target in links.items():
            info = tarfile.TarInfo(name)
            info.type, info.linkname = tarfile.SYMTYPE, target
            archive.addfile(info)
    return buffer.getvalue()


def zip_of(files: dict[str, bytes]) -> bytes:
    """A zip of these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in files.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def below(folder: Path, prefix: str = "") -> dict[str, bytes]:
    """All files below a folder: prefix + relative path -> bytes."""
    return {prefix + str(p.relative_to(folder)): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()}


@pytest.fixture(scope="session")
def voc_archives(voc):
    """The three tars of the drawn VOC set, as the official ones hold it."""
    archives = {}
    for split, name in (("trainval07", "VOCtrainval_06-Nov-2007"), ("test07", "VOCtest_06-Nov-2007")):
        members = list(voc_lists.members(voc.root, split))
        listed = ("trainval", "train", "val") if split == "trainval07" else ("test",)
        whole = below(voc.root / "VOC2007", "VOCdevkit/VOC2007/")
        keep = {Path(f"{m}.{kind}").name for m in members for kind in ("jpg", "xml")} | {f"{n}.txt" for n in listed}
        archives[f"{name}.tar"] = tar_of({path: data for path, data in whole.items() if Path(path).name in keep})
    return archives | {"VOCtrainval_11-May-2012.tar": tar_of(below(voc.root / "VOC2012", "VOCdevkit/VOC2012/"))}


@pytest.fixture(scope="session")
def coco_archives(coco):
    """The four zips of the drawn COCO set, as the official ones hold it."""
    notes = below(coco.root / "annotations")
    split = {"dataset_coco.json": notes.pop("dataset_coco.json"), "dataset_flickr8k.json": b"{}"}
    return {
        "annotations_trainval2014.zip": zip_of({f"annotations/{name}": data for name, data in notes.items()}),
        "caption_datasets.zip": zip_of(split),
        "train2014.zip": zip_of(below(coco.root / "train2014", "train2014/")),
        "val2014.zip": zip_of(below(coco.root / "val2014", "val2014/")),
    }


def small(name: str, archives: dict[str, bytes], gives: list[dict[str, int]]) -> list[Source]:
    """The official sources of a set, for these archives."""
    return [
        dataclasses.replace(
            source,
            bytes=len(archives[source.file]),
            md5=None,
            sha256=hashlib.sha256(archives[source.file]).hexdigest(),
            gives=given,
        )
        for source, given in zip(official(name), gives, strict=True)
    ]


@pytest.fixture
def voc_sources(voc_archives):
    lists = ["VOC2007/ImageSets/Main/trainval.txt", "VOC2007/ImageSets/Main/test.txt"]
    counts = [8, 6, 8]
    gives = [{key: n} for key, n in zip([*lists, "VOC2012/ImageSets/Main/trainval.txt"], counts, strict=True)]
    return small("voc", voc_archives, gives)


@pytest.fixture
def coco_sources(coco_archives):
    notes = {"annotations/captions_*2014.json": 2, "annotations/instances_*2014.json": 2}
    gives = [notes, {"annotations/dataset_coco.json": 1}, {"val2014/*.jpg": 6}, {"train2014/*.jpg": 12}]
    return small("coco", coco_archives, gives)
