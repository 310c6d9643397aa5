"""What one training step of every task touches under every switch of its recipe, counted in as many processes as are
started: `python -m workflow.training.distributed.launch tests.switches --run-spec JSON --out DIR --inputs JSON`."""

import argparse
import contextlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from mmengine.hooks import Hook
from torch.nn.modules.batchnorm import _BatchNorm

from captioning import metric
from tests.captioning.conftest import NoMeteor
from workflow import registry
from workflow.config.loading import load
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import write_json
from workflow.planning.run_spec import RunSpec
from workflow.training.distributed import processes
from workflow.training.engine import fit

DEMO = load(Path(__file__).parents[1] / "config/demo.yaml")
SHORT = {"epochs": 1, "iterations": 1, "warmup_iters": 0, "milestones": [], "batch_size": 4, "eval_interval": 0}
PYRAMIDS = ("retinanet_voc", "faster_rcnn_fpn_voc", "faster_rcnn_fpn_coco")
SMALL = {
    "pretrain": {"batch_size": 40, "crop_size": 32, "val_resize_size": 32, "regularizers": {}},  # an epoch is one step
    "ssd_voc": {"size": 96},
    "faster_rcnn_voc": {
        "min_size": 96,
        "max_size": 96,
        "rois_per_image": 8,
        "rpn_post_nms_top_n": {"train": 30, "test": 8},
    },
    "nic_coco": {
        "batch_size": 60,
        "resize_size": 40,
        "crop_size": 32,
        "num_views": 1,
        "min_word_count": 1,
        "beam_size": 2,
        "max_length": 4,
    },
}
SMALL["faster_rcnn_coco"] = SMALL["faster_rcnn_voc"]
SMALL |= {name: {"min_size": 96, "max_size": 96} for name in PYRAMIDS}
LAST = {"ssd_voc": 4, "faster_rcnn_voc": 3, "faster_rcnn_coco": 3}  # the largest value of frozen_stages
LAST |= dict.fromkeys(PYRAMIDS, 4)
CASES = [  # each value of each switch in each task
    ("pretrain", {"precision": "fp32"}),
    ("pretrain", {"precision": "bf16"}),
    ("nic_coco", {"finetune_encoder": False, "precision": "bf16"}),
    ("nic_coco", {"finetune_encoder": True, "precision": "fp32"}),
    ("nic_coco", {"finetune_encoder": True, "precision": "bf16"}),
]
CASES += [
    (task, {"freeze_bn": frozen, "frozen_stages": stages, "precision": precision})
    for task, last in LAST.items()
    for frozen, stages, precision in ((True, -1, "bf16"), (False, last, "fp32"))
]


def name(task: str, changes: dict[str, Any]) -> str:
    """Of a case."""
    return " ".join([task, *(f"{key}={value}" for key, value in changes.items())])


def run_of(task: str, changes: dict[str, Any], gpus: int = 0) -> RunSpec:
    """One step of the task under the demo's recipe, in small."""
    recipes = {"pretrain": DEMO["pretrain"], **DEMO["tasks"]}
    section = recipes.get(task) or {
        key: value
        for key, value in recipes["faster_rcnn_voc"].items()
        if key in registry.task_schemas()[task]["properties"]
    }
    recipe = {**section, **SHORT, **SMALL[task], **changes}
    recipe.pop("iterations" if "epochs" in section else "epochs")
    return RunSpec(task, "baseline", {"pretrain": 0, "transfer": 0}, recipe, {}, threads=1, workers=0, gpus=gpus)


class Census(Hook):
    """Counts in the last training step, before anything else is done after it."""

    priority = "VERY_HIGH"

    def before_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None) -> None:
        """Watch what comes out of convolutions and the LSTM, and remember weights and statistics."""
        self.model, self.types = processes.unwrap_model(runner.model), {"step": set(), "test": set()}
        self.before = {key: value.detach().clone() for key, value in self.model.state_dict().items()}
        for module in self.model.modules():
            if isinstance(module, (torch.nn.Conv2d, torch.nn.LSTM)):
                module.register_forward_hook(self.watch)

    def watch(self, module: torch.nn.Module, _: Any, out: Any) -> None:
        """The type of one output."""
        dtype = (out[0] if isinstance(out, tuple) else out).dtype
        self.types["step" if self.model.training else "test"].add(str(dtype))

    def after_train_iter(self, runner: Any, batch_idx: int, data_batch: Any = None, outputs: Any = None) -> None:
        """Names, so that a difference says where it is."""
        modules, after = dict(self.model.named_modules()), self.model.state_dict()
        moved = [key for key, value in after.items() if not torch.equal(value, self.before[key])]
        self.found = {
            "training": sorted(key for key, module in modules.items() if module.training),
            "norms": sorted(key for key, each in modules.items() if isinstance(each, _BatchNorm)),
            "trainable": sorted(key for key, each in self.model.named_parameters() if each.requires_grad),
            "statistics": sorted(key for key in moved if "running_" in key),
            "weights": sorted(key for key in moved if not key.endswith(("running_mean", "running_var", "tracked"))),
        }

    def result(self) -> dict[str, list[str]]:
        """With the types of both passes."""
        return self.found | {place: sorted(types) for place, types in self.types.items()}


def prepared(run: RunSpec, inputs: dict[str, str], state: Path) -> tuple[dict, int, Any]:
    """What the task's own `train` gives to `fit`: config, number of samples, and how the weights are loaded."""
    from backbones.backbone import load_backbone, load_weights, network_of

    backbone = Path(inputs["backbone"])
    if run.task == "pretrain":
        import pretrain.dataset
        import pretrain.metric
        import pretrain.model  # noqa: F401 (registers)
        from pretrain.train import task

        check = DatasetInfo.read(Path(inputs["imagenet"]))
        return task(run, check, state), check.counts["train"], None
    if run.task == "nic_coco":
        import captioning.dataset
        import captioning.model  # noqa: F401 (registers)
        from captioning.train import task
        from captioning.vocabulary import captions

        check, folders = Path(inputs["coco"]), (Path(inputs["features"]), Path(inputs["vocabulary"]))
        learns = run.recipe["finetune_encoder"]
        start = (lambda model: load_backbone(backbone, model.encoder.network)) if learns else None
        return task(run, check, backbone, *folders, state), captions(folders[1]), start
    import detection.coco_metric
    import detection.loading
    import detection.metric
    import detection.models
    import detection.ssd_crop
    import detection.voc_reader  # noqa: F401 (registers)
    from detection.build_config import task
    from detection.train import parts, samples

    check = DatasetInfo.read(Path(inputs["coco" if run.task.endswith("coco") else "voc"]))
    config = task(run, check, load_weights(backbone)[1], network_of(backbone), state)
    return config, samples(check), lambda model: load_backbone(backbone, *parts(model))


def census(inputs: dict[str, str], folder: Path) -> dict[str, dict]:
    """Of all cases."""
    found = {}
    for number, (task, changes) in enumerate(CASES):
        run, hook, state = run_of(task, changes), Census(), folder / str(number)
        config, samples, start = prepared(run, inputs, state)
        fit(run, config, samples, state, start, [hook])
        shutil.rmtree(state, ignore_errors=True)  # by all processes
        found[name(task, changes)] = hook.result()
    return found


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--run-spec", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--inputs", required=True, type=json.loads)
    args = parser.parse_args()
    processes.init_process_group()
    metric.meteor = lambda captions: contextlib.nullcontext(NoMeteor())  # no JVM: what it says is of no interest
    processes.part = lambda: None  # here a process has more than one training
    found = census(args.inputs, args.out / "state")
    if torch.distributed.get_rank() == 0:
        write_json(args.out / "found.json", found)
    torch.distributed.barrier()
    processes.cleanup()


if __name__ == "__main__":
    main()
