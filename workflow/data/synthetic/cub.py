"""A synthetic set of objects in the layout of CUB-200-2011, one with its box on each image."""

from pathlib import Path

from workflow.core.rng import rng
from workflow.data.synthetic.scenes import progress, save, single_object_scene
from workflow.data.synthetic.sprites import Shapes


def make(root: Path, spec: dict) -> None:
    """images/<class>/<image>.jpg and the lists of the layout; ids count training images first."""
    shapes = Shapes(spec["classes"])
    folders = [f"{label + 1:03d}.{name}" for label, name in enumerate(shapes.names)]
    for folder in folders:
        (root / "images" / folder).mkdir(parents=True)
    lists: dict[str, list[str]] = {"classes": [f"{n} {folder}" for n, folder in enumerate(folders, start=1)]}
    for part in ("train", "test"):
        for index in progress(f"CUB {part}", spec[part]):
            label, number = index % len(folders), len(lists.get("images", [])) + 1
            picture = single_object_scene(
                label, shapes, spec["size"], rng("synthetic", "cub", spec["seed"], part, index)
            )
            name = f"{folders[label]}/{shapes.names[label]}_{part}_{index:04d}.jpg"
            save(root / "images" / name, picture.pixels)
            x0, y0, x1, y1 = picture.things[0].box
            entry = {"images": name, "image_class_labels": label + 1, "train_test_split": int(part == "train")}
            entry["bounding_boxes"] = f"{x0:.1f} {y0:.1f} {x1 - x0:.1f} {y1 - y0:.1f}"
            for key, value in entry.items():
                lists.setdefault(key, []).append(f"{number} {value}")
    for name, content in lists.items():
        (root / f"{name}.txt").write_text("".join(f"{line}\n" for line in content))
