"""A fine-tuning in small: its record, predictions and evidence; all three tasks from one backbone; the same bits after
kills."""

import json

import numpy as np
import pytest

from localization.evaluate import evaluate
from localization.train import train
from localization.visualize import curves, maps
from tests.kills import survives
from tests.localization.recipes import CAM, WSOL, run
from tests.together import losses, trained
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.reporting.figures import made_of, records


@pytest.fixture
def call(cub, imagenet, backbone, tmp_path):
    """call(task, changes of the recipe): the record of a run in a folder of that name."""

    def call(task, **changes):
        section, check = ({}, cub.check) if task == "wsol_cub" else (imagenet.section, imagenet.check)
        program, recipe = (evaluate, CAM) if task == "cam_imagenet" else (train, WSOL)
        one = run(task, recipe, section, **changes)
        program(one, backbone, check, tmp_path / f"{task}-state", tmp_path / task)
        return json.loads((tmp_path / task / "metrics.json").read_text())

    return call


def test_a_fine_tuning_leaves_record_predictions_and_evidence(call, cub, tmp_path):
    record = call("wsol_cub", epochs=2, batch_size=12, eval_interval=1)
    with np.load(tmp_path / "wsol_cub/per_image.npz") as evidence:
        assert len(evidence["images"]) == 10
        for name, value in record["metrics"].items():
            assert value == pytest.approx(evidence[name].mean())
    assert [one["iteration"] for one in record["history"]["evaluations"]] == [2, 4]
    assert record["best"]["MaxBoxAccV2"] >= record["metrics"]["MaxBoxAccV2"]
    assert record["protocol"]["regularizers"] == {}
    assert record["thresholds"] == read_json(tmp_path / "wsol_cub/predictions.json")["thresholds"]
    assert np.shape(read_json(tmp_path / "wsol_cub/predictions.json")["photos"][0]["map"]) == (2, 2)
    runs = {"baseline": tmp_path / "wsol_cub"}
    curves(runs, tmp_path / "curves.png")
    maps(runs, DatasetInfo.read(cub.check), tmp_path / "maps.jpg")
    for figure in ("curves.png", "maps.jpg"):
        assert made_of((tmp_path / figure).read_bytes()) == records(runs)


@pytest.mark.slow
def test_a_backbone_goes_through_all_three_tasks(call):
    found = {task: call(task) for task in ("cam_imagenet", "wsol_cub", "wsol_imagenet")}
    for task, record in found.items():
        assert record["metrics"].keys() >= {"MaxBoxAccV2", "Top-1 Loc"}, task
        assert record["metrics"]["Top-1 Loc"] <= min(
            100 - record["metrics"]["top1_error"], record["metrics"]["GT-known"]
        )
    gaussian = [found[task]["references"] for task in ("cam_imagenet", "wsol_imagenet")]
    assert gaussian[0] == gaussian[1], "of the same photos, which it does not look at"


@pytest.mark.slow
def test_a_killed_fine_tuning_ends_with_the_same_bits(cub, backbone, tmp_path):
    told = json.dumps(run("wsol_cub", WSOL, {}, epochs=2, batch_size=8, eval_interval=1).as_dict())
    kills = [["step", 2], ["after", "*/predictions.json", 2], ["before", "*/metrics.json", 1]]
    words = ["--run-spec", told, "--backbone", backbone, "--dataset-info", cub.check]
    survives("localization", tmp_path, kills, [2, 5, 6], 8, *words)


@pytest.mark.slow
def test_two_processes_learn_what_one_does(cub, backbone, tmp_path):
    one_run = run("wsol_cub", WSOL, {}, lr=1e-4, classifier_lr=1e-3)
    (tmp_path / "alone").mkdir()
    train(one_run, backbone, cub.check, tmp_path / "alone/state", tmp_path / "alone/out")
    one = read_json(tmp_path / "alone/out/metrics.json")
    two = trained("localization", one_run, tmp_path, backbone=backbone, data=cub.check)
    assert losses(two)[0] == pytest.approx(losses(one)[0], rel=0.2), "batch norm sees half a batch each"
    with np.load(tmp_path / "out/per_image.npz") as evidence:
        assert len(evidence["images"]) == 10, "each test photo once, whatever the processes"
    assert two["metrics"].keys() == one["metrics"].keys()
