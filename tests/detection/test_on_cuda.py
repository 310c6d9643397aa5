"""The detectors on a pretended device: training, a kill and a resume, evaluation."""

import json

import pytest

from detection.mmcv_stubs import Operators
from detection.train import train
from tests.pretended_cuda.trainings import costs_of_a_step, survives

from .conftest import RECIPES, make_run

ALL = list(RECIPES)
# Of the host for the device in a step. A detector of two stages has one more in each image: its proposals are
# suppressed image by image.
WAITS = {"ssd_voc": 3, "retinanet_voc": 8} | dict.fromkeys(("faster_rcnn_voc", "faster_rcnn_coco"), 19)
WAITS |= dict.fromkeys(("faster_rcnn_fpn_voc", "faster_rcnn_fpn_coco"), 31)


@pytest.mark.slow  # quickly: of a step below, of a kill tests/pretrain/test_on_cuda.py
@pytest.mark.parametrize("name", ALL)
def test_a_run_survives_a_kill(name, checks, published, tmp_path):
    precision = "bf16" if name == "ssd_voc" else "fp32"
    short = {"iterations": 2, "milestones": [], "warmup_iters": 0}
    run = make_run(name, **short, precision=precision, score_threshold=0.0)  # RetinaNet's scores start near 0.01

    def go(folder):
        out = tmp_path / folder
        train(run, published.path, checks[name], tmp_path / f"{folder}-state", out)
        record = json.loads((out / "metrics.json").read_text())
        found = [(out / file).read_bytes() for file in ("predictions.json", "per_image.npz")]
        return record["metrics"], record["history"], found

    _, history, files = survives(go)
    assert len(history["points"]) == 1
    assert json.loads(files[0])


@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("name", ALL)
def test_a_step_runs_on_the_device_and_the_host_hardly_waits(name, batch, checks, tiny, tmp_path, monkeypatch):
    """Quickly, what a kill and a resume show at length. mmdet takes the compiled focal loss on a device only."""
    focal_loss, levels = Operators.sigmoid_focal_loss_forward, []

    def counted(scores, *args, **kwargs):
        levels.append(scores.is_cuda)
        focal_loss(scores, *args, **kwargs)

    monkeypatch.setattr(Operators, "sigmoid_focal_loss_forward", staticmethod(counted))
    run = make_run(name, iterations=2, milestones=[], warmup_iters=0, batch_size=batch)
    costs = costs_of_a_step(lambda: train(run, tiny, checks[name], tmp_path / "state", tmp_path / "out"), 0)
    assert sum(costs.kernels.values()) > 300
    assert sum(costs.waits.values()) <= WAITS[name] + batch * name.startswith("faster"), costs.waits
    assert levels == [True] * (10 if name == "retinanet_voc" else 0), "five levels, forwards and backwards"
