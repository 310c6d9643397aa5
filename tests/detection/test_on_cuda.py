"""The detectors on a pretended device: training, a kill and a resume, evaluation."""

import json

import pytest

from detection.train import train
from tests.pretended_cuda.trainings import survives

from .conftest import make_run

NAMES = ["ssd_voc", "faster_rcnn_voc", pytest.param("faster_rcnn_coco", marks=pytest.mark.slow)]


@pytest.mark.parametrize("name", NAMES)
def test_a_run_survives_a_kill(name, checks, published, tmp_path):
    run = make_run(name, iterations=2, steps=[], warmup=0)

    def go(folder):
        out = tmp_path / folder
        train(run, published.path, checks[name], tmp_path / f"{folder}-state", out)
        record = json.loads((out / "metrics.json").read_text())
        found = [(out / file).read_bytes() for file in ("predictions.json", "evidence.npz")]
        return record["metrics"], record["history"], found

    _, history, files = survives(go)
    assert len(history["points"]) == 1
    assert json.loads(files[0])
