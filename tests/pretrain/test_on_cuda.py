"""Pretraining on a pretended device: each regularizer, a kill and a resume, scoring, maps of activation."""

import functools

import pytest
import torch
from mmengine.device import get_device
from mmengine.logging import MessageHub

from backbones.backbone import IMAGENET, save_backbone
from pretrain import cam, evaluate
from pretrain.model import Classifier
from pretrain.train import train
from tests.backbones.regularizers.examples import COMBINED, PARAMETERS
from tests.pretended_cuda.runtime import pretended_cuda
from tests.pretended_cuda.trainings import costs_of_a_step, survives
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json, sha256, write_json
from workflow.planning.run_spec import RunSpec

RECIPE = {
    "epochs": 1, "batch_size": 16, "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
    "warmup_iters": 2, "milestones": [], "precision": "fp32", "crop_size": 32, "val_resize_size": 36,
    "crop_padding": 0, "mean": IMAGENET.mean, "std": IMAGENET.std,
    "crop_scale": [0.4, 1.0], "color_jitter": 0.4, "pca_lighting": 0.1, "zero_init_residual": False,
    "eval_interval": 1, "regularizers": {},
    "network": "resnet50",
}  # fmt: skip


def run_of(*names, **changes):
    recipe = {**RECIPE, "regularizers": {name: {**PARAMETERS[name], "probability": 1.0} for name in names}}
    return RunSpec("pretrain", "baseline", {"pretrain": 0}, {**recipe, **changes}, {}, threads=1, workers=0, gpus=1)


def test_a_run_survives_a_kill(imagenet, tmp_path):
    """With all regularizers but three of the four that mix, in the state the losses that wait for their point."""
    run = run_of(*COMBINED, network="timm/test_resnet")

    def go(folder):
        out = tmp_path / folder / "out"
        train(run, imagenet.check, tmp_path / folder / "state", out)
        record = read_json(out / "metrics.json")
        return record["metrics"], record["history"], sha256(out / "backbone.safetensors"), sha256(out / "per_image.npz")

    _, history, *_ = survives(go)
    assert len(history["points"]) == 1


def loss_and_gradient(names):
    """Of one batch, on the device in use; there it is pinned first, as the loader does it."""
    torch.manual_seed(0)
    settings = {name: {**PARAMETERS[name], "probability": 1.0} for name in names}
    model = Classifier("resnet50", 4, regularizers=settings).to(get_device())
    MessageHub.get_current_instance().update_info_dict({"iter": 3, "progress": 1.0})
    batch = {"images": torch.randint(0, 256, (4, 3, 32, 32), dtype=torch.uint8), "labels": torch.arange(4)}
    if get_device() == "cuda":
        batch = {key: value.pin_memory() for key, value in batch.items()}
    loss = model(**model.data_preprocessor(batch, True), mode="loss")["loss"]
    loss.backward()
    return loss.item(), model.network.conv1.weight.grad.cpu()


@pytest.mark.parametrize("name", PARAMETERS)
def test_each_regularizer_computes_what_it_does_on_a_cpu(name):
    loss, gradient = loss_and_gradient([name])
    with pretended_cuda() as device:
        its_loss, its_gradient = loss_and_gradient([name])
    assert sum(device.costs.kernels.values()) > 100
    if name == "dropblock":  # whose squares a device draws in another way: test_dropblock.py
        assert its_gradient.isfinite().all()
    else:
        assert its_loss == pytest.approx(loss, rel=1e-4)
        torch.testing.assert_close(its_gradient, gradient, rtol=1e-3, atol=1e-3 * gradient.abs().max().item())


@pytest.mark.parametrize("name", ["", "cutmix", "dropblock", "feature_cutmix", "shakedrop"])
def test_a_step_waits_for_nothing(imagenet, tmp_path, name):
    """The loader pins the batch; all else that a step takes to the device is pinned, too."""
    run = run_of(*([name] if name else []), epochs=2, network="timm/test_resnet")
    costs = costs_of_a_step(lambda: train(run, imagenet.check, tmp_path / "state", tmp_path / "out"))
    assert sum(costs.kernels.values()) > 100
    assert costs.waits == {}


def test_dropblock_launches_a_quarter_more_kernels_than_a_step_without(imagenet, tmp_path):
    kernels = {}
    for name in ("", "dropblock"):
        run, state = run_of(*([name] if name else []), epochs=2), tmp_path / f"state {name}"
        costs = costs_of_a_step(functools.partial(train, run, imagenet.check, state, tmp_path / "out"))
        kernels[name] = sum(costs.kernels.values())
    assert kernels[""] < kernels["dropblock"] <= 1.25 * kernels[""], kernels


def test_a_backbone_is_scored_as_on_a_cpu(solved, imagenet, tmp_path):
    """By `python -m pretrain evaluate`, and where one is imported."""
    check = DatasetInfo.read(imagenet.check)
    save_backbone(tmp_path / "backbone.safetensors", solved.weights, IMAGENET, "resnet50")
    with pretended_cuda() as device:
        found = evaluate.evaluate(tmp_path / "backbone.safetensors", check, solved.recipe, 1, tmp_path / "e.npz")
    assert found["top1_error"] == 0
    assert sum(device.costs.kernels.values()) > 100


def test_maps_of_activation_need_no_device(solved, imagenet, tmp_path):
    """The drawing doors run on the CPU, whatever the machine has."""
    save_backbone(tmp_path / "backbone.safetensors", solved.weights, IMAGENET, "resnet50")
    write_json(tmp_path / "config.json", {"recipe": solved.recipe})
    with pretended_cuda() as device:
        photo, shown = cam.rows({"baseline": tmp_path}, DatasetInfo.read(imagenet.check))
    assert len(photo.photos) == len(shown.photos) == cam.PHOTOS
    assert not device.costs.kernels
