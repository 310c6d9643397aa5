"""What a config asks for that only its data and its brought files can tell: read before anything is trained, by
`python -m pretrain.preflight`. Part of workflow.plan.Plan."""

import json
from typing import Any

from workflow.training.files import short

COUNTED = {  # of a data check: what a batch of the task is drawn from
    "pretrain": ("train",),
    "ssd_voc": ("trainval07", "trainval12"),
    "faster_rcnn_voc": ("trainval07", "trainval12"),
    "faster_rcnn_coco": ("train_images",),
    "nic_coco": ("train_captions",),
}


class Preflight:
    """What Plan knows of it. Runs are workflow.plan.PlannedRun."""

    config: dict[str, Any]
    runs: list[Any]

    @property
    def demands(self) -> str:
        """As JSON. `batches`: key of the config to value, check, what of its counts; `brought`: row to recipe."""
        batches, brought = {}, {}
        for run in self.runs:
            if run.origin == "brought" and run.task == "pretrain":
                brought[run.backbone] = run.run["recipe"]
            elif run.task != "pretrain" or run.origin == "pretrained":
                key = f"tasks.{run.task}.batch" if run.task != "pretrain" else f"pretrain.batch of {run.backbone}"
                batches[key] = [run.run["recipe"]["batch"], run.check, COUNTED[run.task]]
        return json.dumps({"batches": batches, "brought": brought})

    @property
    def preflight(self) -> str:
        """The file that says that all of it can be had."""
        return f"results/data/preflight-{short(json.loads(self.demands))}.json"
