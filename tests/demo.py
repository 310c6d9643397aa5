"""The demo's config with the rows and tasks that tests ask for, whichever of them the demo itself has."""

from pathlib import Path
from typing import Any

from workflow.config.loading import load

PROJECT = Path(__file__).parents[1]
CONFIGS = PROJECT / "config"
ROWS = ("baseline", "mixup", "cutout", "cutmix")
TASKS = ("ssd_voc", "faster_rcnn_voc", "nic_coco")


def demo(*rows: str) -> dict[str, Any]:
    """config/demo.yaml and demo-all.yaml with the tasks TASKS and these rows (ROWS if none is given)."""
    config = load(CONFIGS / "demo.yaml", CONFIGS / "demo-all.yaml")
    config["backbones"] = {name: config["backbones"][name] for name in rows or ROWS}
    config["tasks"] = {name: config["tasks"][name] for name in TASKS}
    return config
