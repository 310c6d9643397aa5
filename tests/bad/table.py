"""The whole table: each group with its door, how that is called, and its cases; as Markdown: docs/bad_input.md."""

import importlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from tests.bad import (
    boxed_sets,
    classification,
    coco,
    configs,
    doors,
    few,
    good,
    imported,
    localization,
    robustness,
    sets,
    small_sets,
)
from tests.bad.cases import Case, write
from workflow.planning.preflight import check_before_start, load_plan

HEAD = """# Input validation: every error message

All of these errors are found before the first training step. The command ends with status 1 and one line after
`error: ` that names the file and the key, line or entry at fault; several errors of a dataset are counted and listed.
`…` stands for a variable part. Snakemake reads a config before this code does: if the file is missing or not valid
YAML, its message is shorter, or a traceback; `python -m workflow.config FILE` names the line.

`python -m tests.bad` writes this page from the table of the tests, which run the same commands as the workflow.
"""


class Group(NamedTuple):
    """Cases of one door. `set_up`: from a folder of a good input and the drawn sets to the door's arguments."""

    title: str
    door: str
    cases: list[Case]
    set_up: Callable[[Path, object], list[str]]
    root: str = "."  # what the damage is done to, in the folder


def data(name: str, section: dict, without: tuple[str, ...] = ()) -> Callable[[Path, object], list[str]]:
    """A copy of the drawn set at data/<name>, without some of its folders."""

    def set_up(folder: Path, drawn: object) -> list[str]:
        shutil.copytree(getattr(drawn, name).root, folder / "data" / name, ignore=shutil.ignore_patterns(*without))
        whole = getattr(drawn, name).section | section
        return [
            "--dataset-config",
            json.dumps(whole),
            f"--root=data/{name}",
            "--out",
            "results/data/x.json",
            "--threads",
            "1",
        ]

    return set_up


boxed = data("imagenet", {"val_boxes": "val_boxes"})


def held_out(folder: Path, drawn: object) -> list[str]:
    """CUB, with two held-out images of a set of their own."""
    (folder / "more").mkdir()
    for name in ("a.png", "b.png"):
        Image.effect_noise((20, 16), 90).save(folder / "more" / name)
    write("lists/class_labels.txt", "a.png,0\nb.png,3\n")(folder)
    write("lists/localization.txt", "a.png,1,2,9,8\nb.png,0,0,19,15\n")(folder)
    return data("cub", {"held_out": {"images": "more", "lists": "lists"}})(folder, drawn)


def weights(folder: Path, drawn: object) -> list[str]:
    """A run of the import door."""
    (folder / "weights").mkdir()
    words = [
        "--dataset-info",
        str(drawn.imagenet.check),
        "--checkpoint-dir",
        ".work/x",
        "--out",
        "results/backbones/mine",
    ]
    return ["--run-spec", "RUN", f"--checkpoint={imported.FILE}", *words]


def photos(folder: Path, drawn: object) -> list[str]:
    """Two classes of objects, and the door that makes scenes of them."""
    for split in ("train", "val"):
        for name in ("cat", "dog"):
            (folder / "objects" / split / name).mkdir(parents=True)
            Image.effect_noise((30, 20), 90).save(folder / "objects" / split / name / "0.png")
    spec = {"photos": "objects", "trainval07": 1, "trainval12": 1, "test07": 1, "size": 64, "seed": 0}
    return ["voc", "--spec", json.dumps(spec), "--out", "results/data/voc"]


def archives(folder: Path, drawn: object) -> list[str]:
    """The door that unpacks the official archives."""
    section = {"root": "data/VOCdevkit", "classes": "voc", "source": "archives"}
    return ["voc", "--dataset-config", json.dumps(section), "--root=data/VOCdevkit"]


def small_dataset(name: str) -> Callable[[Path, object], list[str]]:
    """A copy of a drawn set, and the door that compares its counts with a config. The test makes check and needs."""

    def set_up(folder: Path, drawn: object) -> list[str]:
        shutil.copytree(getattr(drawn, name).root, folder / "data" / name)
        return ["--required-sizes", f"NEEDS {name}", "--dataset-info", f"{name}.json"]

    return set_up


karpathy = data("coco", {"split": "karpathy"})
GROUPS = [
    Group("A config", "workflow.config",
          configs.CONFIGS + robustness.CONFIGS + localization.CONFIGS + classification.CONFIGS,
          lambda folder, drawn: [configs.FILE]),
    Group("ImageNet as folders", "workflow.data.imagenet", sets.IMAGENET, data("imagenet", {}, ("val_boxes",)),
          "data/imagenet"),
    Group("ImageNet with boxes", "workflow.data.imagenet", boxed_sets.BOXED, boxed, "data/imagenet"),
    Group("CUB-200-2011", "workflow.data.cub", boxed_sets.CUB, data("cub", {}), "data/cub"),
    Group("Held-out images", "workflow.data.cub", boxed_sets.HELD_OUT, held_out),
    Group("Pascal VOC", "workflow.data.voc", sets.VOC, data("voc", {}), "data/voc"),
    Group("COCO", "workflow.data.coco", coco.COCO, data("coco", {}), "data/coco"),
    Group("ImageNet-C", "workflow.data.imagenet_c", robustness.IMAGENET_C, data("imagenet_c", {}), "data/imagenet_c"),
    Group("ImageNet-R and ImageNet-A", "workflow.data.imagenet_r", robustness.IMAGENET_R, data("imagenet_r", {}),
          "data/imagenet_r"),
    Group("CIFAR-10", "workflow.data.cifar10", small_sets.CIFAR10, data("cifar10", {}), "data/cifar10"),
    Group("CIFAR-100", "workflow.data.cifar100", small_sets.CIFAR100, data("cifar100", {}), "data/cifar100"),
    Group("FashionMNIST", "workflow.data.fashion_mnist", small_sets.IDX, data("fashion_mnist", {}),
          "data/fashion_mnist"),
    Group("Folders of one's own", "workflow.data.image_folder", small_sets.FOLDERS, data("image_folder", {}),
          "data/image_folder"),
    Group("Out-of-distribution images", "workflow.data.odin", robustness.ODIN, data("odin", {}), "data/odin"),
    Group("Classes of a test set", "workflow.planning.dataset_classes", robustness.CLASSES, robustness.checked),
    Group("COCO in Karpathy's split", "workflow.data.coco", coco.KARPATHY, karpathy, "data/coco"),
    *(Group(f"{title}, too small for the config", "workflow.planning.dataset_size", few.FEW[name], small_dataset(name))
      for name, title in {"imagenet": "ImageNet", "voc": "Pascal VOC", "coco": "COCO"}.items()),
    Group("FashionMNIST, too small for the config", "workflow.planning.dataset_size", classification.FEW,
          small_dataset("fashion_mnist")),
    Group("A call of Snakemake, before its first job", "snakemake", few.CALLS + robustness.CALLS,
          lambda folder, drawn: [configs.FILE]),
    Group("An imported backbone", "pretrain import_backbone", imported.IMPORTED, weights),
    Group("Photos for composed scenes", "workflow.data.synthetic.generate", imported.PHOTOS, photos),
    Group("Archives", "workflow.data.fetch.fetch", imported.FETCHED, archives),
    Group("Weights of a library", "workflow.data.fetch.weights", imported.WEIGHTS,
          lambda folder, drawn: ["timm:convnext_atto.d3_in1k", "--out", "record.json"]),
    Group("Tiny ImageNet", "workflow.data.tiny_imagenet", imported.TINY, lambda folder, drawn: ["tiny-imagenet-200"]),
    *(Group("Files that a command line gets", name, cases, doors.nothing)
      for name, cases in doors.DOORS.items()),
]  # fmt: skip


def main_of(group: Group) -> Callable[[], None]:
    """The door itself; of Snakemake, what the Snakefile does before any job."""
    if group.door == "snakemake":
        return lambda: check_before_start(load_plan([configs.FILE], {}).runs)
    name = group.door.partition(" ")[0]
    module = importlib.import_module(name if name == group.door else f"{name}.cli")
    return module.main if hasattr(module, "main") else importlib.import_module(f"{name}.__main__").main


def odd(group: Group) -> list[Case]:
    """What passes that door."""
    return good.CASES.get(group.door, []) if group.set_up not in (karpathy, boxed, doors.nothing) else []


def cell(text: str) -> str:
    """Text in code type, in a cell of a Markdown table."""
    fence = "``" if "`" in text else "`"
    return f"{fence} {text} {fence}" if len(fence) > 1 else f"`{text}`".replace("|", "\\|")


def markdown() -> str:
    """The page."""
    lines = [HEAD]
    for number, group in enumerate(GROUPS):
        lines += [
            *([f"\n## {group.title}"] if group.title != GROUPS[number - 1].title else []),
            "",
            f"`{'snakemake' if group.door == 'snakemake' else f'python -m {group.door}'}`\n",
            "| input | message |",
            "|:--|:--|",
        ]
        lines += [f"| {case.what} | {cell(case.said)} |" for case in group.cases]
    lines.append(f"\n{sum(len(group.cases) for group in GROUPS)} inputs in all.\n\n## Accepted variants\n")
    lines += ["These inputs are valid; training reads them as the check does.\n", "| input | variant |", "|:--|:--|"]
    lines += [f"| {group.title} | {case.what} |" for group in GROUPS for case in odd(group)]
    return "\n".join(lines) + "\n"
