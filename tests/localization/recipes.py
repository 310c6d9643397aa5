"""Short recipes of the localization tasks, and runs under them."""

from workflow.planning.run_spec import RunSpec

SIDE = 32
CAM = {
    "batch_size": 4,
    "precision": "fp32",
    "resize_size": SIDE + 8,
    "crop_size": SIDE,
    "sigma": 0.15,
    "cam_class": "ground_truth",
    "normalization": "minmax",
    "interpolation": "bicubic",
}
WSOL = CAM | {
    "epochs": 1,
    "lr": 0.01,
    "classifier_lr": 0.1,
    "momentum": 0.9,
    "nesterov": False,
    "weight_decay": 1e-4,
    "milestones": [],
    "map_stride": 16,
    "regularizers": "none",
    "eval_interval": 0,
}


def run(task, recipe, data, **changes):
    """A run of the row `baseline`."""
    seeds = {"pretrain": 0} | ({} if task == "cam_imagenet" else {"transfer": 0})
    machine = {"threads": 1, "workers": 0, "gpus": 0}
    return RunSpec(task=task, backbone="baseline", seeds=seeds, recipe=recipe | changes, data=data, **machine)
