"""Pretraining on a pretended device: each regularizer, a kill and a resume, scoring."""

from pretrain.train import train
from tests.pretended_cuda.resumed import survives
from workflow.training.files import read_json, sha256
from workflow.training.run import Run

RECIPE = {
    "epochs": 1, "batch": 16, "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4, "warmup": 2,
    "steps": [], "precision": "fp32", "size": 32, "resize": 36, "crop_scale": [0.4, 1.0], "color_jitter": 0.4,
    "lighting": 0.1, "zero_init_residual": False, "evaluate_every": 1, "regularizers": {},
}  # fmt: skip
REGULARIZERS = {
    "autoaugment": {}, "cutmix": {"alpha": 1.0}, "cutout": {"size": 9}, "dropblock": {"block": 7, "keep": 0.5},
    "feature_cutmix": {"alpha": 1.0, "layers": ["layer1"]}, "label_smoothing": {"smoothing": 0.1},
    "manifold_mixup": {"alpha": 1.0, "layers": ["layer1"]}, "mixup": {"alpha": 1.0}, "stochastic_depth": {"drop": 0.5},
}  # fmt: skip


def run_of(**regularizers):
    recipe = {**RECIPE, "regularizers": {name: {**REGULARIZERS[name], "probability": 1.0} for name in regularizers}}
    return Run("pretrain", "baseline", {"pretrain": 0}, recipe, {}, threads=1, workers=0, gpus=1)


def go(run, imagenet, folder):
    """All that the run leaves but for the figures of the machine."""
    out = folder / "out"
    train(run, imagenet.check, folder / "state", out)
    record = read_json(out / "metrics.json")
    return record["metrics"], record["history"], sha256(out / "backbone.safetensors"), sha256(out / "evidence.npz")


def test_a_run_survives_a_kill(imagenet, tmp_path):
    """With draws of the device's own, dropblock's."""
    run = run_of(dropblock={}, autoaugment={})
    survives(lambda name: go(run, imagenet, tmp_path / name))
