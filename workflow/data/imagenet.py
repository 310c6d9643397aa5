"""ImageNet as folders: ROOT/{train,val}/<class>/<image>. Labels are the places of the sorted class folders, as in
torchvision's ImageFolder, whose extensions are also ours. Class names are the folders' names."""

from pathlib import Path

from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.escaping import say
from workflow.data import imagenet_boxes
from workflow.data.boxed_images import check_boxes, check_held_out, held_out_hashes, lines
from workflow.data.sets.imagenet import BOXES, DATASET
from workflow.data.validation.errors import (
    ErrorList,
    check_split_overlap,
    command_line,
    fingerprint,
    require_dir,
    text_error,
)
from workflow.data.validation.image_cache import ImageCache, ImageInfo
from workflow.data.validation.image_scan import look_at_all
from workflow.data.validation.unused import files_below, is_leftover, say_kinds, say_unused, walk

EXTENSIONS = (".jpg", ".jpeg", ".png", ".ppm", ".bmp", ".pgm", ".tif", ".tiff", ".webp")
NAMES = "LOC_synset_mapping.txt"  # as ImageNet's Kaggle edition has it: `n01440764 tench, Tinca tinca`
OFFICIAL = {"classes": DATASET.classes, **DATASET.counts[""]}


def class_folders(folder: str | Path) -> list[str]:
    """The class folders of a split, sorted."""
    return sorted(entry.name for entry in Path(folder).iterdir() if entry.is_dir() and not is_leftover(entry.name))


def classes(root: str | Path) -> list[str]:
    """The class folders of the training split, sorted: label = place in this list."""
    return class_folders(Path(root) / "train")


def folder_names(root: str | Path) -> dict[str, str]:
    """Names for people of the class folders of a set that has a list of them: the first one of each line.

    Raises:
        UserError: it is no text, or a line has no name.
    """
    path, found = Path(root) / NAMES, {}
    for line in lines(path, 2, "a class folder and its names", None, 1) if path.is_file() else ():
        folder, words = line.fields
        found[folder] = words.split(",")[0].strip()
    return found


def images(folder: str | Path) -> list[str]:
    """The paths of the images of one class folder and of those below it, in torchvision's order. Text: a million Path
    objects take a minute."""
    found = walk(str(folder))
    return [f"{place}/{name}" for place, files, _ in found for name in files if name.lower().endswith(EXTENSIONS)]


def samples(root: str | Path, split: str) -> list[tuple[Path, int]]:
    """(image, label) of split `train` or `val`, class by class: torchvision's order."""
    labels = enumerate(classes(root))
    return [(Path(path), label) for label, name in labels for path in images(Path(root) / split / name)]


def check_folders(root: Path, splits: tuple[str, str], title: str, faults: ErrorList) -> None:
    """Both splits have the same class folders, none of them without an image; the first is that of the training."""
    train, test = splits
    for split in splits:
        folder = require_dir(root / split, f"{title}'s folder {split}")
        if not class_folders(folder):
            count = len(images(folder))
            flat = f"holds {count} images that are not sorted into them" if count else "is empty"
            raise UserError(f"{folder}: there are no class folders; it {flat}")
    names = class_folders(root / train)
    if len(names) < 2:
        raise UserError(f"{root / train}: there must be two class folders at least, found {len(names)}")
    for split in splits:
        for name in names:
            folder = root / split / name
            if not folder.is_dir():
                faults.add("missing class folders", f"{folder}: the class folder is missing, {train} has it")
            elif not images(folder):
                faults.add("class folders without images", f"{folder}: the class folder holds no image")
    for split in splits:
        check_entries(root / split, faults)
    ours = (*splits, NAMES, "val_boxes", "fetched.json", ".fetch", ".snakemake_timestamp")
    others = (entry.name for entry in root.iterdir() if entry.name not in ours)
    say_unused(root, f"neither {train} nor {test}", others)
    for extra in sorted(set(class_folders(root / test)) - set(names)):
        faults.add("unknown class folders", f"{root / test / extra}: {train} has no such class folder")
    folder_names(root)  # figures read it


def check_entries(folder: Path, faults: ErrorList) -> None:
    """Names that can be shown, links that lead somewhere; what is not used is said."""
    outside, others, leftovers = [], [], []
    for entry in folder.iterdir():
        if fault := text_error(entry.name):
            faults.add("bad names", f"{folder}: the name of the class folder {entry.name!r} {fault}")
        if entry.is_symlink() and not entry.exists():
            faults.add("broken links", f"{entry}: a link that leads nowhere, or in a circle")
        elif is_leftover(entry.name):
            leftovers += files_below(entry)
        elif not entry.is_dir():
            outside.append(entry.name)
        else:
            for place, files, rest in walk(str(entry)):
                others += [name for name in files if not name.lower().endswith(EXTENSIONS)]
                leftovers += [f"{entry.name}/{name}" for each in rest for name in files_below(Path(place) / each)]
    say_unused(folder, "outside the class folders", outside)
    say_kinds(folder, "no images by their names", others)
    say_unused(folder, "left by tools or the file system", leftovers)


def _warn_of_lost_images(root: Path, counts: dict[str, int]) -> None:
    """The official classes and validation images, but other training images: hardly on purpose, but no fault."""
    as_official = {"classes": len(classes(root)), "val": counts["val"], "train": OFFICIAL["train"]} == OFFICIAL
    if as_official and counts["train"] != OFFICIAL["train"]:
        say(f"warning: {root / 'train'}: {counts['train']:,} images, not the official {OFFICIAL['train']:,}")


def check(section: dict, root: Path, remember: Path | None = None, threads: int | None = None) -> DatasetInfo:
    """Check the set at `root`; return what it has found. Raises UserError with every fault found.

    `remember`: the file that keeps what is known of its images; without it, all are looked at. `threads`: on how
    many cores; None: on all.
    """
    root, faults, memory = Path(root), ErrorList(), ImageCache(remember, root)
    require_dir(root, "the ImageNet folder")
    check_folders(root, ("train", "val"), DATASET.title, faults)
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
    check_split_overlap(looked["train"], looked["val"], len(looked["val"]) == OFFICIAL["val"], faults)
    boxes = imagenet_boxes.boxes_folder(section, root)
    if boxes:
        official = len(looked["val"]) == OFFICIAL["val"]
        imagenet_boxes.check(samples(root, "val"), classes(root), boxes, looked["val"], official, faults)
    held = _look_at_held_out(section, len(classes(root)), looked["val"], faults, threads)
    faults.raise_if_any()
    counts = {split: len(found) for split, found in looked.items()}
    _warn_of_lost_images(root, counts)
    hashes = imagenet_boxes.hashed(samples(root, "val"), boxes) if boxes and "val_boxes" in section else {}
    hashes |= held_out_hashes(section["held_out"]) if held else {}
    return DatasetInfo(
        set=DATASET.name,
        root=str(root),
        fingerprint=fingerprint(root, looked["train"] | looked["val"] | held, hashes),
        classes=classes(root),
        kinds=[BOXES] if boxes else [],
        counts=counts | ({"held_out": len(held)} if held else {}),
    )


def _look_at_held_out(
    section: dict, classes: int, test: dict[str, ImageInfo], faults: ErrorList, threads: int | None
) -> dict[str, ImageInfo]:
    """Look at the held-out images of a section, if it has any: none is among the test images."""
    if "held_out" not in section:
        return {}
    images = check_held_out(section["held_out"], classes, faults)
    memory = ImageCache(None, Path(section["held_out"]["images"]))
    looked = look_at_all([image.path for image in images], "checking held-out images", faults, memory, threads)
    check_boxes(images, looked, lambda image: section["held_out"]["lists"], faults)
    check_split_overlap(looked, test, False, faults)
    return looked


main = command_line(check)

if __name__ == "__main__":
    main()
