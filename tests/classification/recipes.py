"""Short recipes of the classification tasks, and runs under them."""

from workflow.planning.run_spec import RunSpec

SIZES = {"resize_size": 32, "crop_size": 32, "precision": "fp32"}
KNN = SIZES | {"k": 3, "temperature": 0.07}
PROBE = SIZES | {"l2": [0.01, 1.0]}
FINETUNE = SIZES | {
    **{"train": "all", "fraction": 1.0, "epochs": 2, "batch_size": 6, "lr": 0.01, "momentum": 0.9, "nesterov": False},
    **{"weight_decay": 1e-4, "milestones": [], "freeze_bn": False, "regularizers": "none", "eval_interval": 0},
    **{"hflip_prob": 0.5, "vflip_prob": 0.5, "rotation_degrees": 10},
}


def run(task, recipe, seed=0, **changes):
    """A run of the row `baseline`."""
    seeds = {"pretrain": 0} | ({"transfer": seed} if "train" in recipe else {})
    machine = {"threads": 1, "workers": 0, "gpus": 0}
    return RunSpec(task=task, backbone="baseline", seeds=seeds, recipe=recipe | changes, data={}, **machine)
