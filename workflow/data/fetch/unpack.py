"""Unpack an archive into a folder that it cannot leave, and the two layouts of ImageNet's tars.

A data set is made of files and folders: an archive with a link, a device or a path that leads outside is refused."""

import functools
import io
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from tqdm import tqdm

from workflow.core.errors import UserError

BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError)


class Member(NamedTuple):
    """One file of an archive: its path there, its size in bytes, and its open content."""

    path: PurePosixPath
    size: int
    content: IO[bytes]


def _names_damage(unpacks: Callable) -> Callable:
    """Let a damaged archive (the first argument) be a UserError that names it."""

    @functools.wraps(unpacks)
    def guarded(archive: Path, *args: Any, **kwargs: Any) -> Any:
        try:
            return unpacks(archive, *args, **kwargs)
        except BROKEN as error:
            raise UserError(f"{archive}: the archive is damaged: {error}") from None

    return guarded


@_names_damage
def size(archive: Path) -> int:
    """Bytes on disk of what is in it: of a .tar its own, of a .zip as its members say."""
    if archive.suffix != ".zip":
        return archive.stat().st_size
    with zipfile.ZipFile(archive) as file:
        return sum(info.file_size for info in file.infolist())


@_names_damage
def unpack(archive: Path, target: Path, inside: str = "", only: list[str] | None = None) -> None:
    """The files below the folder `inside` of a .tar, .tar.gz or .zip to `target`; `only` those paths, if given."""
    for member in members(archive):
        if member.path.is_relative_to(inside):
            path = member.path.relative_to(inside)
            if only is None or str(path) in only:
                _save(member, target / path)


@_names_damage
def unpack_classes(archive: Path, target: Path) -> None:
    """ILSVRC2012_img_train.tar, one <wnid>.tar a class, to target/train/<wnid>/. Classes that are there are skipped."""
    for member in members(archive):
        folder = target / "train" / _safe(archive, f"{member.path.stem}/x").parent
        if folder.exists():
            continue
        part = target / f"{folder.name}.part"
        shutil.rmtree(part, ignore_errors=True)
        for image in _tar_members(archive, member.content):
            _save(image, part / image.path.name)
        folder.parent.mkdir(parents=True, exist_ok=True)
        part.rename(folder)


@_names_damage
def unpack_labelled(archive: Path, target: Path, devkit: Path) -> None:
    """ILSVRC2012_img_val.tar to target/val/<wnid>/: image n of it has the n-th label of the devkit."""
    wnids = validation_classes(devkit)
    for member in members(archive):
        number = int(member.path.stem.rsplit("_", 1)[-1])
        if not 1 <= number <= len(wnids):
            raise UserError(f"{archive}: {member.path}: the devkit has labels for {len(wnids)} images")
        _save(member, target / "val" / wnids[number - 1] / member.path.name)


@_names_damage
def validation_classes(devkit: Path) -> list[str]:
    """The WordNet id of each validation image, by its number, as ILSVRC2012_devkit_t12.tar.gz has them."""
    import scipy.io

    needed, found = ("meta.mat", "ILSVRC2012_validation_ground_truth.txt"), {}
    for member in members(devkit):
        if member.path.name in needed:
            found[member.path.name] = member.content.read()
    for name in needed:
        if name not in found:
            raise UserError(f"{devkit}: it has no data/{name}")
    synsets = scipy.io.loadmat(io.BytesIO(found["meta.mat"]), squeeze_me=True)["synsets"]
    classes = {int(synset["ILSVRC2012_ID"]): str(synset["WNID"]) for synset in synsets if not synset["num_children"]}
    labels = [classes[int(line)] for line in found[needed[1]].split()]
    for wnid in set(labels):
        _safe(devkit, f"{wnid}/x")  # it becomes the name of a folder
    return labels


def members(archive: Path) -> Iterator[Member]:
    """The files of an archive, in its order; each content must be read before the next is asked for."""
    with tqdm(desc=f"unpacking {archive.name}", total=archive.stat().st_size, unit="B", unit_scale=True) as bar:
        for member in _zip_members(archive) if archive.suffix == ".zip" else _tar_members(archive):
            yield member
            bar.update(member.size)


def _zip_members(archive: Path) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as file:
        for info in file.infolist():
            path = _safe(archive, info.filename)
            if stat.S_ISLNK(info.external_attr >> 16):
                raise UserError(f"{archive}: refused: {info.filename} is a link, not a file")
            if not info.is_dir():
                with file.open(info) as content:
                    yield Member(path, info.file_size, content)


def _tar_members(archive: Path, within: IO[bytes] | None = None) -> Iterator[Member]:
    with tarfile.open(fileobj=within, mode="r|") if within else tarfile.open(archive) as file:
        for info in file:
            path = _safe(archive, info.name)
            if not (info.isfile() or info.isdir()):
                raise UserError(f"{archive}: refused: {info.name} is a link or a device, not a file")
            if info.isfile():
                yield Member(path, info.size, file.extractfile(info))


def _safe(archive: Path, name: str) -> PurePosixPath:
    """The path of a member; UserError if it leads out of the folder that it is unpacked into."""
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\\" in name:
        raise UserError(f"{archive}: refused: {name} leads out of the folder that it is unpacked into")
    return path


def _save(member: Member, path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        shutil.copyfileobj(member.content, file, 1 << 20)
