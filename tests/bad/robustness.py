"""Test sets of a classifier's robustness, and recipes and networks that do not suit them."""

import shutil
from pathlib import Path

import yaml

from tests.bad.cases import Case, circle, cut, several, write
from tests.bad.configs import DEMO, FILE, value
from tests.bad.images import image
from tests.bad.sets import FETCH, LONG
from tests.robustness.recipes import OOD_RECIPES, RECIPE
from workflow.core.dataset_info import DatasetInfo

C, COPY = "data/imagenet_c", "snow/2/n00000001/ILSVRC2012_val_00000001.JPEG"
R, PRINT = "data/imagenet_r", "n00000001/rendition_0.JPEG"
OUT, OUTSIDE = "data/odin", "LSUN/LSUN_1.JPEG"


def flat(root: Path) -> None:
    """All images in one folder."""
    for path in sorted(root.rglob("*.JPEG")):
        path.rename(root / path.name)
    for folder in [entry for entry in root.iterdir() if entry.is_dir()]:
        folder.rmdir()


IMAGENET_C = [
    Case("no such root", f"{C}: the folder of ImageNet-C is missing; {FETCH}", shutil.rmtree),
    Case("a severity that is missing", f"{C}/snow/2: the folder of this corruption and severity is missing",
         lambda root: shutil.rmtree(root / "snow/2")),
    Case("a corruption that is missing", f"5 faults in the data: {C}/fog/1: the folder of this corruption …",
         lambda root: shutil.rmtree(root / "fog")),
    Case("a file in place of a severity", f"{C}/snow/2: the folder of this corruption and severity is missing",
         several(lambda root: shutil.rmtree(root / "snow/2"), write("snow/2"))),
    Case("another class in one severity", f"{C}/snow/2: its class folders are not those of {C}/gaussian_noise/1",
         lambda root: (root / "snow/2/n00000001").rename(root / "snow/2/n00000009")),
    Case("an image that one severity lacks",
         f"{C}/snow/2: n00000001/ILSVRC2012_val_00000001.JPEG is missing (1 of 4 images), it is in {C}/gaussian_…",
         lambda root: (root / COPY).unlink()),
    Case("an image that only one severity has", f"{C}/snow/2: n00000001/more.JPEG is not in {C}/gaussian_noise/1",
         lambda root: shutil.copy(root / COPY, root / "snow/2/n00000001/more.JPEG")),
    Case("an empty image", f"{C}/{COPY}: the image is empty (0 bytes)", write(COPY)),
    Case("an image that is a link to itself", f"{C}/{COPY}: the image cannot be decoded: … symbolic links…",
         circle(COPY)),
]  # fmt: skip
IMAGENET_R = [
    Case("no such root", f"{R}: the folder of ImageNet-R is missing; {FETCH}", shutil.rmtree),
    Case("images without class folders", f"{R}: there must be two class folders at least, found 0", flat),
    Case("a class without an image", f"{R}/n00000002: the class folder holds no image",
         lambda root: [path.unlink() for path in (root / "n00000002").iterdir()]),
    Case("a truncated image", f"{R}/{PRINT}: the image cannot be decoded: image file is truncated …", cut(PRINT, 300)),
    Case("an image of 20,000 × 1 px", f"{R}/{PRINT}: the image has 20000x1 px: {LONG}", image(PRINT, (20_000, 1))),
]  # fmt: skip
ODIN = [
    Case("no such root", f"{OUT}: the folder of ODIN's out-of-distribution images is missing; {FETCH}", shutil.rmtree),
    Case("nothing but files", f"{OUT}: there is no folder of a set in it",
         lambda root: [shutil.rmtree(folder) for folder in root.iterdir() if folder.is_dir()]),
    Case("a set that is missing", f"{OUT}/iSUN: the folder of the set iSUN is missing; {FETCH}",
         lambda root: shutil.rmtree(root / "iSUN")),
    Case("a set without an image", f"{OUT}/LSUN: the folder of the set holds no image",
         lambda root: [path.unlink() for path in (root / "LSUN").iterdir()]),
    Case("an image of another size", f"{OUT}/{OUTSIDE}: the image has 36x32 px, not 32x32", image(OUTSIDE, (36, 32))),
    Case("a truncated image", f"{OUT}/{OUTSIDE}: the image cannot be decoded: image file is truncated …",
         cut(OUTSIDE, 300)),
]  # fmt: skip


def recipe(**changes: object):
    """The demo's config with the task under another recipe."""
    return value("tasks/robustness_imagenet", RECIPE | changes)


def ood(**sets: list[str]):
    """The demo's config with out-of-distribution detection against these groups of sets."""
    drawn = {"odin": {"synthetic": {"classes": 4, "test": 2, "seed": 0}}}
    task = {"ood_cifar": OOD_RECIPES["ood_cifar"] | {"sets": sets}}
    return write(FILE, yaml.safe_dump(DEMO | {"data": DEMO["data"] | drawn, "tasks": task}))


CONFIGS = [
    Case("a bound of FGSM beyond all pixels",
         "x.yaml: tasks.robustness_imagenet.fgsm_eps[1]: must be at most 255, not 300",
         recipe(fgsm_eps=[8, 300])),
    Case("bounds of FGSM that fall", "x.yaml: tasks.robustness_imagenet.fgsm_eps: must be in ascending order…",
         recipe(fgsm_eps=[8, 2])),
    Case("steps of PGD that do not reach its bound",
         "x.yaml: tasks.robustness_imagenet.pgd_steps: 2 steps of pgd_step_size (3) do not reach pgd_eps (8)",
         recipe(pgd_steps=2)),
    Case("a hole that grows by less than a pixel",
         "x.yaml: tasks.robustness_imagenet.occlusion_steps: 49 steps to crop_size (48 px) are not whole pixels",
         recipe(occlusion_steps=49)),
    Case("a fill that is none", "x.yaml: tasks.robustness_imagenet.occlusion_fill: must be mean or black, not 'grey'",
         recipe(occlusion_fill="grey")),
    Case("an out-of-distribution set that is named twice", "x.yaml: tasks.ood_cifar.sets: iSUN is named twice",
         ood(near=["iSUN", "LSUN"], far=["uniform", "iSUN"])),
    Case("an out-of-distribution set with the name of a score",
         "x.yaml: tasks.ood_cifar.sets: energy is the name of a score; rename its folder", ood(near=["energy"])),
    Case("a group without a set", "x.yaml: tasks.ood_cifar.sets.near: must not be empty, not []", ood(near=[])),
    Case("a set that is a path", "x.yaml: tasks.ood_cifar.sets.near[0]: …", ood(near=["../iSUN"])),
    Case("a test set of another layout",
         "x.yaml: tasks.imagenet_r.data: must be a data set with layout imagenet_r, not imagenet (layout imagenet)",
         value("tasks/imagenet_r", {"batch_size": 8, "crop_size": 48, "val_resize_size": 48, "data": "imagenet"})),
]  # fmt: skip


def checked(folder: Path, drawn: object) -> list[str]:
    """The check of a test set with a class that the pretraining set lacks."""
    for name, classes in (("p", ["n1", "n2"]), ("r", ["n2", "n3", "n4", "n5", "n6"])):
        info = DatasetInfo(set="imagenet", root=f"data/{name}", fingerprint="0", classes=classes, counts={})
        info.write(folder / f"{name}.json")
    return ["--pairs", '[["tasks.imagenet_r", "r.json", "p.json"]]']


CLASSES = [
    Case("classes of a test set that the pretraining set lacks",
         "tasks.imagenet_r: data/r has classes that the pretraining set data/p lacks: n3, n4, n5 and 1 more; "
         "no classifier of a backbone knows them", lambda root: None),
]  # fmt: skip


def encoder(root: Path) -> None:
    """A ResNet-18 without its classifier, and a config that scores it."""
    import torch
    from torchvision.models import resnet18

    weights = {key: value for key, value in resnet18().state_dict().items() if not key.startswith("fc.")}
    torch.save(weights, root / "encoder.pth")
    config = DEMO | {"backbones": {"mine": {"checkpoint": "encoder.pth"}}, "tasks": {"robustness_imagenet": RECIPE}}
    (root / FILE).write_text(yaml.safe_dump(config | {"pretrain": DEMO["pretrain"] | {"network": "resnet18"}}))


CALLS = [Case("an imported encoder without the classifier that a task scores",
              "checkpoint encoder.pth: it has no fc, which tasks.robustness_imagenet scores", encoder)]  # fmt: skip
