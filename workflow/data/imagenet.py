"""ImageNet as folders: ROOT/{train,val}/<class>/<image>. Labels are the places of the sorted class folders, as in
torchvision's ImageFolder, whose extensions are also ours. Class names are the folders' names."""

import os
from collections import Counter
from pathlib import Path

from workflow.data.checking import Faults, command_line, fingerprint, need_folder, refuse_shared, text_fault
from workflow.data.looking import look_at_all
from workflow.data.memory import Memory
from workflow.training.errors import UserError
from workflow.training.escaping import say

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
OFFICIAL = {"classes": 1000, "train": 1_281_167, "val": 50_000}


def classes(root: str | Path) -> list[str]:
    """The class folders of the training split, sorted: label = place in this list."""
    return sorted(entry.name for entry in (Path(root) / "train").iterdir() if entry.is_dir())


def images(folder: str | Path) -> list[str]:
    """The paths of one class folder's images, sorted. Text: a million Path objects take a minute."""
    return sorted(f"{folder}/{name}" for name in os.listdir(folder) if name.lower().endswith(EXTENSIONS))  # noqa: PTH208


def samples(root: str | Path, split: str) -> list[tuple[Path, int]]:
    """(image, label) of split `train` or `val`, class by class: torchvision's order."""
    labels = enumerate(classes(root))
    return [(Path(path), label) for label, name in labels for path in images(Path(root) / split / name)]


def _check_folders(root: Path, faults: Faults) -> None:
    """Both splits have the same class folders, none of them without an image."""
    for split in ("train", "val"):
        folder = need_folder(root / split, f"ImageNet's folder {split}")
        if not any(entry.is_dir() for entry in folder.iterdir()):
            flat = f"holds {len(images(folder))} images that are not sorted into them" if images(folder) else "is empty"
            raise UserError(f"{folder}: there are no class folders; it {flat}")
    names = classes(root)
    if len(names) < 2:
        raise UserError(f"{root / 'train'}: there must be two class folders at least, found {len(names)}")
    for split in ("train", "val"):
        for name in names:
            folder = root / split / name
            if not folder.is_dir():
                faults.add("missing class folders", f"{folder}: the class folder is missing, train has it")
            elif not images(folder):
                faults.add("class folders without images", f"{folder}: the class folder holds no image")
    for split in ("train", "val"):
        _check_entries(root / split, faults)
    for extra in sorted({entry.name for entry in (root / "val").iterdir() if entry.is_dir()} - set(names)):
        faults.add("unknown class folders", f"{root / 'val' / extra}: train has no such class folder")


def _check_entries(folder: Path, faults: Faults) -> None:
    """Names that can be shown, links that lead somewhere; what is no image is left out, and that is said."""
    others: Counter[str] = Counter()
    for entry in folder.iterdir():
        if fault := text_fault(entry.name):
            faults.add("bad names", f"{folder}: the name of the class folder {entry.name!r} {fault}")
        if entry.is_symlink() and not entry.exists():
            faults.add("broken links", f"{entry}: a link that leads nowhere, or in a circle")
        names = os.listdir(entry) if entry.is_dir() else [entry.name]  # noqa: PTH208
        others.update(Path(name).suffix or name for name in names if not name.lower().endswith(EXTENSIONS))
    if others:
        kinds = ", ".join(f"{count} {kind!r}" for kind, count in others.most_common(5))
        say(f"{folder}: left out, as no images by their names: {kinds}{', ...' * (len(others) > 5)}")


def _warn_of_lost_images(root: Path, counts: dict[str, int]) -> None:
    """The official classes and validation images, but other training images: hardly on purpose, but no fault."""
    as_official = {"classes": len(classes(root)), "val": counts["val"], "train": OFFICIAL["train"]} == OFFICIAL
    if as_official and counts["train"] != OFFICIAL["train"]:
        say(f"warning: {root / 'train'}: {counts['train']:,} images, not the official {OFFICIAL['train']:,}")


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> dict:
    """Check the set at `root`; return what CHECK.json holds. Raises UserError with every fault found.

    `remember`: the file that keeps what is known of its images; without it, all are looked at. `threads`: on how
    many cores; None: on all.
    """
    root, faults, memory = Path(root), Faults(), Memory(remember, root)
    need_folder(root, "the ImageNet folder")
    _check_folders(root, faults)
    faults.raise_if_any()
    looked = {
        split: look_at_all(
            (path for name in classes(root) for path in images(root / split / name)),
            f"checking ImageNet {split}",
            faults,
            memory,
            threads,
        )
        for split in ("train", "val")
    }
    refuse_shared(looked["train"], looked["val"], len(looked["val"]) == OFFICIAL["val"], faults)
    faults.raise_if_any()
    counts = {split: len(found) for split, found in looked.items()}
    _warn_of_lost_images(root, counts)
    return {
        "set": "imagenet",
        "root": str(root),
        "fingerprint": fingerprint(root, looked["train"] | looked["val"], {}),
        "classes": classes(root),
        "counts": counts,
    }


main = command_line(check)

if __name__ == "__main__":
    main()
