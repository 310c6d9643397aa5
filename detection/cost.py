"""What fine-tuning a detector costs here (workflow/planning/cost.py)."""

from math import sqrt
from pathlib import Path

import detection.coco_metric
import detection.loading
import detection.metric
import detection.models
import detection.ssd_crop
import detection.voc_reader  # noqa: F401 (registers)
from backbones.backbone import load_backbone, network_of, publish_untrained
from detection.build_config import task
from detection.train import parts, samples
from workflow.core.dataset_info import DatasetInfo
from workflow.planning.run_spec import RunSpec
from workflow.training import timing

SIDES = (4, 3)  # of most photos


def cost(run: RunSpec, check_file: Path, out: Path, network: str) -> dict[str, float]:
    """A short fine-tuning. Drawn images are square: of a recipe with a short side they get the area of a photo."""
    if "min_size" in run.recipe:
        long, short = SIDES
        run.recipe["min_size"] = round(sqrt(long / short) * run.recipe["min_size"])
        run.recipe["max_size"] = max(run.recipe["max_size"], run.recipe["min_size"])
    run = timing.few_images(run, run.recipe.get("min_size") or run.recipe["size"])
    check, backbone, state = DatasetInfo.read(check_file), out / "backbone.safetensors", out / "state"
    config = task(run, check, publish_untrained(backbone, network), network_of(backbone), state)
    return timing.measure(run, config, samples(check), state, lambda model: load_backbone(backbone, *parts(model)))
