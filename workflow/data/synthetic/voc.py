"""A synthetic set of objects in the layout of VOCdevkit, 2007 and 2012."""

from pathlib import Path
from xml.sax.saxutils import escape

from workflow.core.rng import rng
from workflow.data.synthetic.scenes import Scene, SceneObject, progress, save, scene
from workflow.data.synthetic.sprites import cast


def _voc_object(thing: SceneObject) -> str:
    """One <object>; VOC boxes are 1-based and inclusive."""
    x0, y0, x1, y1 = thing.box
    return (
        f"\t<object>\n\t\t<name>{escape(thing.look.name)}</name>\n\t\t<pose>Unspecified</pose>\n"
        f"\t\t<truncated>{int(thing.truncated)}</truncated>\n\t\t<difficult>{int(thing.difficult)}</difficult>\n"
        f"\t\t<bndbox>\n\t\t\t<xmin>{x0 + 1}</xmin>\n\t\t\t<ymin>{y0 + 1}</ymin>\n"
        f"\t\t\t<xmax>{x1}</xmax>\n\t\t\t<ymax>{y1}</ymax>\n\t\t</bndbox>\n\t</object>\n"
    )


def _voc_xml(year: str, name: str, picture: Scene) -> str:
    height, width, depth = picture.pixels.shape
    return (
        f"<annotation>\n\t<folder>VOC{year}</folder>\n\t<filename>{name}.jpg</filename>\n"
        f"\t<source>\n\t\t<database>synthetic scenes</database>\n\t</source>\n"
        f"\t<size>\n\t\t<width>{width}</width>\n\t\t<height>{height}</height>\n\t\t<depth>{depth}</depth>\n"
        f"\t</size>\n\t<segmented>0</segmented>\n{''.join(map(_voc_object, picture.things))}</annotation>\n"
    )


def _voc_split(root: Path, spec: dict, split: str, year: str, names: list[str]) -> None:
    folder = root / f"VOC{year}"
    for sub in ("Annotations", "ImageSets/Main", "JPEGImages"):
        (folder / sub).mkdir(parents=True, exist_ok=True)
    shown = cast(spec, "val" if split == "test07" else "train")
    for index in progress(f"VOC{year} {split}", len(names)):
        picture = scene(shown, spec["size"], rng("synthetic", "voc", spec["seed"], split, index))
        save(folder / "JPEGImages" / f"{names[index]}.jpg", picture.pixels)
        (folder / "Annotations" / f"{names[index]}.xml").write_text(_voc_xml(year, names[index], picture))
    lists = {"test": names} if split == "test07" else {"trainval": names, "train": names[::2], "val": names[1::2]}
    for name, members in lists.items():
        (folder / "ImageSets/Main" / f"{name}.txt").write_text("".join(f"{member}\n" for member in members))


def make(root: Path, spec: dict) -> None:
    """VOC2007 (trainval and test, interleaved in one numbering) and VOC2012 (trainval)."""
    _voc_split(root, spec, "trainval07", "2007", [f"{2 * i + 1:06d}" for i in range(spec["trainval07"])])
    _voc_split(root, spec, "test07", "2007", [f"{2 * i + 2:06d}" for i in range(spec["test07"])])
    _voc_split(root, spec, "trainval12", "2012", [f"2008_{i + 1:06d}" for i in range(spec["trainval12"])])
