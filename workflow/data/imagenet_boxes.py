"""The boxes of ImageNet's validation images: FOLDER/<image>.xml in VOC's format, with one <object> or several, whose
<name> is the image's class folder. Edges count pixels from 0, as ImageNet's do."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from workflow.core.errors import UserError
from workflow.core.files import digest, sha256
from workflow.data.boxed_images import BoxedImage, check_boxes
from workflow.data.validation.errors import ErrorList, require_dir
from workflow.data.validation.image_cache import ImageInfo
from workflow.data.voc_xml import Annotation, parse

SYNTHETIC = "val_boxes"  # folder of a synthetic set
Labelled = Sequence[tuple[Any, int]]  # (path of an image, label)


def boxes_folder(section: Mapping[str, Any], root: str | Path) -> Path | None:
    """Where the boxes of a set are: the folder that its section names, below `root`; None if it has none."""
    name = section.get("val_boxes", SYNTHETIC if "synthetic" in section else None)
    folder = Path(root) / name if name else None
    return folder if folder and ("val_boxes" in section or folder.is_dir()) else None


def file_of(folder: Path, image: str | Path) -> Path:
    """The annotation of an image."""
    return folder / f"{Path(image).stem}.xml"


def read(images: Labelled, names: Sequence[str], folder: Path) -> list[BoxedImage]:
    """Images with the boxes of their class.

    Args:
        images: as the set lists them.
        names: of the class folders, in the order of the labels.
        folder: of the annotations.

    Raises:
        UserError: if an annotation is missing or cannot be parsed.
    """
    return [_boxed(path, label, names[label], _annotation(folder, path)) for path, label in images]


def _annotation(folder: Path, image: str | Path) -> Annotation:
    file = file_of(folder, image)
    if not file.is_file():
        raise UserError(f"{file}: the annotation of {image} is missing")
    return parse(file.read_bytes(), file)


def _boxed(path: str | Path, label: int, name: str, annotation: Annotation) -> BoxedImage:
    return BoxedImage(str(path), label, tuple(box for wnid, box, _ in annotation.objects if wnid == name))


def check(
    images: Labelled,
    names: Sequence[str],
    folder: Path,
    looked: Mapping[Any, ImageInfo],
    official: bool,
    faults: ErrorList,
) -> None:
    """Check the boxes of a split: images without a box, boxes outside, annotations of other images, classes or sizes.
    Of the official set they are printed as warnings, as nobody may change it.

    Args:
        images: of the split.
        names: of the class folders, in the order of the labels.
        folder: of the annotations.
        looked: what was seen of the images, by path.
        official: whether it is the official set.
        faults: more go here.
    """
    seen = {str(path): info for path, info in looked.items()}
    boxed, faults = [], ErrorList() if official else faults
    require_dir(folder, "the folder of the boxes of val")
    for path, label in images:
        try:
            annotation = _annotation(folder, path)
        except UserError as error:
            faults.add("missing annotations", str(error))
            continue
        boxed.append(_boxed(path, label, names[label], annotation))
        _check_annotation(file_of(folder, path), annotation, names[label], seen[str(path)], faults)
    check_boxes(boxed, seen, lambda one: file_of(folder, one.path), faults)
    stems: dict[str, Any] = {}
    for path, _ in images:
        if (first := stems.setdefault(Path(path).stem, path)) != path:
            faults.add("annotations of two images", f"{file_of(folder, path)}: may be of {first} or of {path}")
    for file in sorted(folder.glob("*.xml")):
        if file.stem not in stems:
            faults.add("annotations without an image", f"{file}: no image of val has this name")
    if official:
        faults.warn()


def _check_annotation(file: Path, annotation: Annotation, name: str, info: ImageInfo, faults: ErrorList) -> None:
    """Objects of the image's class only, on an image of the stated size."""
    for number, (wnid, _, _) in enumerate(annotation.objects, start=1):
        if wnid != name:
            faults.add("wrong classes", f"{file}: object {number} ({wnid:.60}): the image is in the folder {name}")
    if annotation.size and annotation.size != (info.width, info.height):
        sizes = "<size> says {}x{} px, the image has {}x{} px".format(*annotation.size, info.width, info.height)
        faults.add("wrong sizes", f"{file}: {sizes}")


def hashed(images: Labelled, folder: Path) -> dict[Path, str]:
    """The folder of the annotations to the hash of those of `images`."""
    return {folder: digest([[file.name, sha256(file)] for file in (file_of(folder, path) for path, _ in images)])}


def write_annotation(
    folder: Path, image: str, name: str, size: tuple[int, int], box: tuple[int, int, int, int]
) -> None:
    """Write the annotation of one object.

    Args:
        folder: of the annotations.
        image: name of the image file.
        name: of its class folder.
        size: (width, height) of the image in px.
        box: (x0, y0, x1, y1), its first and its last pixels.
    """
    edges = "".join(
        f"\t\t\t<{tag}>{edge}</{tag}>\n" for tag, edge in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True)
    )
    stem = Path(image).stem
    (folder / f"{stem}.xml").write_text(
        f"<annotation>\n\t<folder>val</folder>\n\t<filename>{escape(stem)}</filename>\n"
        f"\t<size>\n\t\t<width>{size[0]}</width>\n\t\t<height>{size[1]}</height>\n\t\t<depth>3</depth>\n\t</size>\n"
        f"\t<segmented>0</segmented>\n\t<object>\n\t\t<name>{escape(name)}</name>\n\t\t<pose>Unspecified</pose>\n"
        f"\t\t<truncated>0</truncated>\n\t\t<difficult>0</difficult>\n"
        f"\t\t<bndbox>\n{edges}\t\t</bndbox>\n\t</object>\n</annotation>\n",
        encoding="utf-8",
    )
