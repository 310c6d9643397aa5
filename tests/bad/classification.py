"""Recipes and sets that do not suit classification, said before the first training step."""

from tests.bad.cases import Case, Damage
from tests.bad.configs import DEMO, value
from tests.classification.recipes import FINETUNE, KNN, PROBE
from workflow.config.loading import overlay

DRAWN = {"synthetic": {"classes": 4, "train": 20, "test": 8, "seed": 0}}  # as tests/conftest.py has it
R = {"layout": "imagenet_r", "synthetic": {"classes": 3, "test": 6, "size": 48, "seed": 0}}
BASE = overlay(DEMO, {"data": {"fashion_mnist": DRAWN, "renditions": R}}) | {"tasks": {}}


def recipe(name: str, recipe: dict, **changes: object) -> Damage:
    """The demo's config with a task under another recipe."""
    return value("tasks", {name: recipe | changes}, BASE)


CONFIGS = [
    Case("strengths of regularization that fall", "x.yaml: tasks.linear_probe.l2: must be in ascending order…",
         recipe("linear_probe", PROBE, l2=[1, 0.1])),
    Case("no strength of regularization", "x.yaml: tasks.linear_probe.l2: must not be empty, not []",
         recipe("linear_probe", PROBE, l2=[])),
    Case("no neighbour", "x.yaml: tasks.knn.k: must be at least 1, not 0", recipe("knn", KNN, k=0)),
    Case("a temperature of 0", "x.yaml: tasks.knn.temperature: must be above 0, not 0",
         recipe("knn", KNN, temperature=0)),
    Case("features of a crop that is larger than the image",
         "x.yaml: tasks.knn.crop_size: 48 is larger than resize_size (32)", recipe("knn", KNN, crop_size=48)),
    Case("a set without training images",
         "x.yaml: tasks.knn.data: renditions (layout imagenet_r) has no training images; layouts that have: …",
         recipe("knn", KNN, data="renditions")),
    Case("a set whose images have no class each",
         "x.yaml: tasks.probe_voc.data: voc (layout voc) has no classes of its images; layouts that have: …",
         recipe("probe_voc", PROBE, task="linear_probe", data="voc")),
    Case("a part of a network that has no such name",
         "x.yaml: tasks.finetune.train: must be head or last_stage or all, not 'fc'",
         recipe("finetune", FINETUNE, train="fc")),
    Case("a fraction of nothing", "x.yaml: tasks.finetune.fraction: must be above 0, not 0",
         recipe("finetune", FINETUNE, fraction=0)),
    Case("a flip that is more than certain", "x.yaml: tasks.finetune.vflip_prob: must be at most 1, not 1.5",
         recipe("finetune", FINETUNE, vflip_prob=1.5)),
    Case("a rotation of more than half a turn", "x.yaml: tasks.finetune.rotation_degrees: must be at most 180, not 360",
         recipe("finetune", FINETUNE, rotation_degrees=360)),
]  # fmt: skip
FEW = [
    Case("more neighbours than training images",
         "tasks.knn.k: 21 is more than the 20 training images in data/fashion_mnist", recipe("knn", KNN, k=21)),
    Case("a batch larger than what a fraction leaves",
         "tasks.finetune.batch_size: 6 is too large: fraction 0.2 leaves 4 of the 20 training images in "
         "data/fashion_mnist after 4 are held out", recipe("finetune", FINETUNE, fraction=0.2)),
]  # fmt: skip
