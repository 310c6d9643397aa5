"""Three sets from Tiny ImageNet (tiny-imagenet-200, CS231n at Stanford): classes to pretrain on, and ten others.

`imagenet/` has 40 classes in ImageNet's layout, 64 x 64 px, up to 500 images each to train on and 50 to test on, whose
boxes are in `val_boxes/` in ImageNet's format. `objects/` has the objects of ten other classes, cut out by their boxes,
in folders of classes: for a probe, and for the scenes of workflow.data.synthetic. The images of the public train split
from number 350 on, and those of its val split, are kept for testing. `ood_images/held_out/` has the whole images of
these ten classes in the val split, which are out of distribution for a network of the 40."""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image
from tqdm import tqdm

from workflow.core.errors import UserError, cli_entry_point
from workflow.data.imagenet_boxes import SYNTHETIC, write_annotation
from workflow.data.validation.decoding import decode, open_image

PRETRAINED = [
    "n01944390",
    "n01983481",
    "n02094433",
    "n02190166",
    "n02233338",
    "n02403003",
    "n02423022",
    "n02486410",
    "n02669723",
    "n02699494",
    "n02788148",
    "n02793495",
    "n02795169",
    "n02815834",
    "n02823428",
    "n02841315",
    "n02843684",
    "n02883205",
    "n02892201",
    "n02909870",
    "n02917067",
    "n02948072",
    "n02963159",
    "n03026506",
    "n03042490",
    "n03201208",
    "n03404251",
    "n03444034",
    "n03599486",
    "n03637318",
    "n03662601",
    "n03763968",
    "n03854065",
    "n04371430",
    "n04376876",
    "n04486054",
    "n04532106",
    "n04562935",
    "n07871810",
    "n09246464",
]
HELD_OUT = {
    "n01443537": "goldfish",
    "n02002724": "stork",
    "n02123394": "cat",
    "n02165456": "ladybug",
    "n02481823": "chimpanzee",
    "n03447447": "gondola",
    "n04146614": "bus",
    "n04398044": "teapot",
    "n04399382": "teddy",
    "n07715103": "cauliflower",
}
OOD = Path("ood_images/held_out")
FIRST_OF_TEST = 350
LEAST_SIDE = 20  # px: what is smaller cannot be told even by a person


class Listed(NamedTuple):
    """An image of the public set; box is (x0, y0, x1, y1) in px, both ends inside."""

    path: Path
    wnid: str
    box: tuple[int, int, int, int]


def listed(source: Path, split: str) -> Iterator[Listed]:
    """The images of a split of the public set in the order of their numbers; UserError if a list is not as expected."""
    if split == "val":
        yield from _lines(source / "val/val_annotations.txt", source / "val/images")
        return
    for wnid in [*PRETRAINED, *HELD_OUT]:
        yield from _lines(source / "train" / wnid / f"{wnid}_boxes.txt", source / "train" / wnid / "images", wnid)


def _lines(file: Path, images: Path, wnid: str | None = None) -> Iterator[Listed]:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise UserError(f"{file}: {error.strerror}; is the folder above it tiny-imagenet-200?") from None
    except UnicodeDecodeError as error:
        raise UserError(f"{file}: not UTF-8 text: byte {error.start}: {error.reason}") from None
    for place, line in enumerate(lines, 1):
        try:
            name, *rest = line.split()
            named = wnid or rest.pop(0)
            x0, y0, x1, y1 = map(int, rest)
            if not (0 <= x0 <= x1 and 0 <= y0 <= y1 and number(Path(name)) >= 0):
                raise ValueError(line)
        except (ValueError, IndexError):
            wanted = "a file name and a box" if wnid else "a file name, a class and a box"
            raise UserError(f"{file}:{place}: not {wanted}: {line:.80}") from None
        yield Listed(images / name, named, (x0, y0, x1, y1))


def number(path: Path) -> int:
    """`n01443537_17.JPEG` is 17."""
    return int(path.stem.rsplit("_", 1)[1])


def prepare(source: Path, out: Path, train_images: int | None = None) -> dict[str, int]:
    """Make the three sets in `out` from the unpacked public set.

    Args:
        source: the folder tiny-imagenet-200.
        out: a folder that is not there yet.
        train_images: of each class to pretrain on, by their numbers; None: all.

    Returns:
        Images of each part.

    Raises:
        UserError: if something is missing or `out` is there already.
    """
    if train_images is not None and train_images < 1:
        raise UserError(f"--train-images: {train_images} is not a number of images")
    if out.exists():
        raise UserError(f"{out} exists already; remove it to make it again")
    temporary, counts = out.with_name(f".{out.name}.part"), {}
    shutil.rmtree(temporary, ignore_errors=True)
    for split in ("train", "val"):
        for image in tqdm([*listed(source, split)], desc=f"Tiny ImageNet {split}", unit="img"):
            for target in _targets(image, split, train_images):
                if _write(image, temporary / target):
                    part = "/".join(target.parts[:2])
                    counts[part] = counts.get(part, 0) + 1
            if split == "val" and image.wnid in PRETRAINED:
                _write_box(image, temporary / "imagenet" / SYNTHETIC)
    (temporary / "imagenet/LOC_synset_mapping.txt").write_text("".join(_names(source)), encoding="utf-8")
    temporary.rename(out)
    return counts


def _names(source: Path) -> Iterator[str]:
    """Lines of ImageNet's own list of class names, from words.txt (`wnid<tab>name, name`)."""
    file = source / "words.txt"
    try:
        names = dict(line.split("\t", 1) for line in file.read_text(encoding="utf-8").splitlines())
    except (OSError, ValueError) as error:
        raise UserError(f"{file}: not the set's list of class names: {error}") from None
    return (f"{wnid} {names.get(wnid, wnid)}\n" for wnid in PRETRAINED)


def _targets(image: Listed, split: str, train_images: int | None) -> list[Path]:
    """Where an image goes: nowhere for a class that is not used."""
    place = number(image.path)
    if image.wnid in HELD_OUT:
        kept = "val" if split == "val" or place >= FIRST_OF_TEST else "train"
        cut = Path("objects", kept, HELD_OUT[image.wnid], f"{image.path.stem}.png")
        return [cut, OOD / image.path.name] if split == "val" else [cut]
    if image.wnid not in PRETRAINED or (split == "train" and train_images is not None and place >= train_images):
        return []
    return [Path("imagenet", split, image.wnid, image.path.name)]


def _write(image: Listed, target: Path) -> bool:
    """The whole image, or the object as PNG; False for an object that is too small."""
    x0, y0, x1, y1 = image.box
    cut = target.suffix == ".png"
    if cut and min(x1 - x0, y1 - y0) + 1 < LEAST_SIDE:
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        if not cut:
            shutil.copyfile(image.path, target)
            return True
        Image.fromarray(decode(image.path)).crop((x0, y0, x1 + 1, y1 + 1)).save(target)
    except OSError as error:
        raise UserError(f"{image.path}: {error.strerror or error}") from None
    return True


def _write_box(image: Listed, folder: Path) -> None:
    """Its box in ImageNet's format."""
    folder.mkdir(exist_ok=True)
    with open_image(str(image.path)) as photo:
        write_annotation(folder, image.path.name, image.wnid, photo.size, image.box)


@cli_entry_point
def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Three sets from the public Tiny ImageNet, for config/tiny.yaml.")
    parser.add_argument("source", type=Path, help="the unpacked tiny-imagenet-200")
    parser.add_argument("--out", type=Path, default=Path("data/tiny-imagenet"), help="default: data/tiny-imagenet")
    parser.add_argument("--train-images", type=int, metavar="N", help="of each class to pretrain on; default: all 500")
    args = parser.parse_args()
    counts = prepare(args.source, args.out, args.train_images)
    print("\n".join(f"{args.out / part}: {count} images" for part, count in sorted(counts.items())))


if __name__ == "__main__":
    main()
