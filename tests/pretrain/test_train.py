"""Pretraining, whole, on a set of drawn shapes: exact resume, the switches, the record."""

import json
import os
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from backbones.backbone import IMAGENET
from backbones.images import TestImages
from pretrain.dataset import TrainImages
from pretrain.evaluate import evaluate
from pretrain.metric import write_per_image
from pretrain.train import best, train
from tests.backbones.regularizers.examples import COMBINED, PARAMETERS
from tests.checks import info
from tests.killed import Killed
from tests.kills import results, survives
from tests.together import begin, losses, trained
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json, sha256
from workflow.data.class_folders import ClassFolders
from workflow.planning.run_spec import RunSpec
from workflow.training.resume import checkpointing as saving

RECIPE = {
    "epochs": 2, "batch_size": 8, "lr": 0.02, "momentum": 0.9, "nesterov": True, "weight_decay": 1e-4,
    "warmup_iters": 2, "milestones": [1], "precision": "fp32", "crop_size": 32, "val_resize_size": 36,
    "crop_padding": 0, "mean": IMAGENET.mean, "std": IMAGENET.std,
    "crop_scale": [0.4, 1.0], "color_jitter": 0.0, "pca_lighting": 0.0, "zero_init_residual": True,
    "eval_interval": 1, "regularizers": {},
    "network": "resnet50",
}  # fmt: skip
BOTH = {"cutout": {"size": 10, "probability": 0.5}, "cutmix": {"alpha": 1.0, "probability": 0.5}}

EVERYWHERE = {name: {**parameters, "probability": 0.5} for name, parameters in COMBINED.items()}


def run_of(seed=0, **changes):
    return RunSpec("pretrain", "baseline", {"pretrain": seed}, {**RECIPE, **changes}, {}, threads=1, workers=0, gpus=0)


WITHOUT_BATCH_NORM = {name: each for name, each in EVERYWHERE.items() if name != "dropblock"}
WITHOUT_BATCH_NORM["feature_cutmix"] = EVERYWHERE["feature_cutmix"] | {"layers": ["input", "stages.0", "stages.2"]}


@pytest.mark.parametrize(
    ("network", "parameters", "regularizers"),
    [("timm/test_resnet", 469_688, EVERYWHERE), ("timm/test_convnext", 272_128, WITHOUT_BATCH_NORM)],
)
def test_killed_and_started_again_ends_with_the_same_bits(
    network, parameters, regularizers, imagenet, tmp_path, monkeypatch
):
    """The small networks; the slow tests kill the large one."""
    run = run_of(regularizers=regularizers, network=network)
    train(run, imagenet.check, tmp_path / "state a", tmp_path / "a")
    save, moment = saving.ResumeCheckpointHook.save, DatasetInfo.read(imagenet.check).counts["train"] // 8 + 1

    def save_and_die(self, runner):
        save(self, runner)
        if runner.iter == moment:
            raise Killed

    with monkeypatch.context() as patch, pytest.raises(Killed):
        patch.setattr(saving, "SECONDS_BETWEEN_SAVES", 0)
        patch.setattr(saving.ResumeCheckpointHook, "save", save_and_die)
        train(run, imagenet.check, tmp_path / "state b", tmp_path / "b")
    assert not (tmp_path / "b").exists()
    train(run, imagenet.check, tmp_path / "state b", tmp_path / "b")
    assert not (tmp_path / "state b").exists()
    one, two = (read_json(tmp_path / name / "metrics.json") for name in "ab")
    assert one["provenance"]["backbone"] == two["provenance"]["backbone"]
    assert one["parameters"] == parameters
    assert (one["metrics"], one["history"], one["best"]) == (two["metrics"], two["history"], two["best"])
    # The published file gives the record's numbers, which are those of the last epoch (law 2).
    check = DatasetInfo.read(imagenet.check)
    again = evaluate(tmp_path / "a/backbone.safetensors", check, RECIPE, 1, tmp_path / "e.npz")
    assert again == one["metrics"]
    check_evidence(tmp_path / "a/per_image.npz", one["metrics"], imagenet.root / "val")
    files = [tmp_path / name for name in ("a/per_image.npz", "b/per_image.npz", "e.npz")]
    assert len({file.read_bytes() for file in files}) == 1
    assert one["history"]["evaluations"][-1]["top1_error"] == one["metrics"]["top1_error"]
    assert len(one["history"]["evaluations"]) == 2
    assert type(one["best"]["epoch"]) is int


def check_evidence(path, metrics, val):
    """Each image has its errors, and their mean is the metric to the last bit."""
    with np.load(path) as found:
        assert set(found) == {"images", *metrics}
        assert found["images"].tolist() == [str(f.relative_to(val)) for f in sorted(val.glob("*/*"))]
        for name, value in metrics.items():
            assert found[name].shape == found["images"].shape
            assert set(found[name]) <= {0.0, 100.0}
            assert found[name].mean() == value


def test_the_evidence_names_the_images_that_were_scored(tmp_path):
    """An image in a folder within a class folder is none of the set: no name may be shifted by it."""
    for name in ("a/.ipynb_checkpoints/0-checkpoint.jpg", "a/1.jpg", "b/2.jpg"):
        (tmp_path / "val" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "val" / name).touch()
    check = info(set="imagenet", root=str(tmp_path))
    write_per_image(tmp_path / "e.npz", check, [0, 7])
    with np.load(tmp_path / "e.npz") as found:
        assert found["images"].tolist() == ["a/1.jpg", "b/2.jpg"]
        assert found["top1_error"].tolist() == [0.0, 100.0]
    with pytest.raises(ValueError, match="zip"):
        write_per_image(tmp_path / "f.npz", check, [0, 7, 3])
    assert not (tmp_path / "f.npz").exists()


def test_the_best_epoch_is_shown_beside_the_last():
    evaluations = [
        {"iteration": 4 * e, "top1_error": t, "top5_error": 1.0} for e, t in ((1, 50.0), (2, 30.0), (3, 40.0))
    ]
    found = best(evaluations, 4)
    assert found == {"epoch": 2, "top1_error": 30.0, "top5_error": 1.0}
    assert type(found["epoch"]) is int, "it is shown as it is"


@pytest.mark.parametrize(
    "change",
    [
        {"crop_scale": [0.1, 0.2]},
        {"color_jitter": 0.4},
        {"pca_lighting": 0.5},
        {"regularizers": BOTH},
        {"crop_size": 24},
    ],
)
def test_each_switch_of_the_augmentation_changes_the_images(change, imagenet):
    root = f"{imagenet.root}/train"
    plain, changed = (TrainImages(ClassFolders(root), recipe, seed=0) for recipe in (RECIPE, {**RECIPE, **change}))
    assert any(not torch.equal(plain[(i, 0)]["images"], changed[(i, 0)]["images"]) for i in range(8))


def test_a_regularizer_never_moves_another_draw(imagenet):
    """Outside the holes the pixels are the baseline's: cutout's draws are its own."""
    source, once = ClassFolders(f"{imagenet.root}/train"), {"cutout": BOTH["cutout"]}
    plain, cut = (TrainImages(source, {**RECIPE, "regularizers": each}, seed=0) for each in ({}, once))
    wide = TrainImages(source, {**RECIPE, "regularizers": {"cutout": {"size": 16, "probability": 0.5}}}, seed=0)
    acted = 0
    for i in range(16):
        a, b, c = (s[(i, 1)]["images"] for s in (plain, cut, wide))
        hole, larger = (a != b).any(0), (a != c).any(0)
        assert hole.sum() <= 100
        assert larger.sum() <= 256
        assert not (hole & ~larger).any(), "a larger hole has the same centre"
        acted += bool(hole.any())
    assert 2 < acted < 14


def test_epochs_draw_anew_and_seeds_differ(imagenet):
    data = TrainImages(ClassFolders(f"{imagenet.root}/train"), RECIPE, seed=0)
    other = TrainImages(ClassFolders(f"{imagenet.root}/train"), RECIPE, seed=1)
    assert torch.equal(data[(0, 0)]["images"], data[(0, 0)]["images"])
    assert not torch.equal(data[(0, 0)]["images"], data[(0, 1)]["images"])
    assert not torch.equal(data[(0, 0)]["images"], other[(0, 0)]["images"])


def test_validation_is_a_centre_crop(imagenet):
    whole = TestImages(ClassFolders(f"{imagenet.root}/val"), {"val_resize_size": 36, "crop_size": 36})[0]["images"]
    crop = TestImages(ClassFolders(f"{imagenet.root}/val"), {"val_resize_size": 36, "crop_size": 32})[0]["images"]
    assert crop.shape == (3, 32, 32)
    assert torch.equal(crop, whole[:, 2:34, 2:34])


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [{"lr": 0.05}, {"momentum": 0.5}, {"nesterov": False}, {"weight_decay": 0.1}, {"zero_init_residual": False}],
)
def test_each_switch_of_the_optimizer_changes_the_weights(change, imagenet, tmp_path):
    for name, run in (("a", run_of(epochs=1, milestones=[])), ("b", run_of(epochs=1, milestones=[], **change))):
        train(run, imagenet.check, tmp_path / f"state {name}", tmp_path / name)
    a, b = (load_file(tmp_path / name / "backbone.safetensors")["layer4.2.conv3.weight"] for name in "ab")
    assert not torch.equal(a, b)


@pytest.mark.slow
def test_probability_0_leaves_the_run_bit_identical_to_baseline_and_1_does_not(imagenet, tmp_path):
    def weights(out, regularizers):
        train(
            run_of(epochs=1, milestones=[], regularizers=regularizers), imagenet.check, tmp_path / "s", tmp_path / out
        )
        return load_file(tmp_path / out / "backbone.safetensors")

    plain = weights("baseline", {})
    for name, parameters in PARAMETERS.items():
        off, on = (weights(f"{name} {p}", {name: {**parameters, "probability": p}}) for p in (0.0, 1.0))
        assert all(torch.equal(plain[key], off[key]) for key in plain), name
        assert not torch.equal(plain["layer4.2.conv3.weight"], on["layer4.2.conv3.weight"]), name


@pytest.mark.slow
def test_killed_in_each_of_its_phases(imagenet, tmp_path):
    """10 iterations of 8 images, evaluated after 5 and 10."""
    kills = [
        ["step", 2],  # inside an epoch: the state of before that step
        ["half", "*.pth", 2],  # inside a checkpoint
        ["after", "*.pth", 3],  # and before the oldest is removed
        ["half", "*-state/per_image.npz", 1],  # in an evaluation, after step 4
        ["before", "*/killed/backbone.safetensors", 1],
        ["half", "*/killed/backbone.safetensors", 1],
        ["after", "*/killed/backbone.safetensors", 1],
        ["half", "*/killed/metrics.json", 1],
    ]
    run = json.dumps(run_of(regularizers=BOTH).as_dict())
    words = ["--run-spec", run, "--dataset-info", imagenet.check]
    survives("pretrain", tmp_path, kills, [2, 2, 4, 4, 10, 10, 10, 10], 8, *words)


@pytest.mark.slow
def test_a_full_disk_is_said_leaves_nothing_wrong_and_costs_nothing_once_there_is_room(imagenet, small_disk, tmp_path):
    def go(state, out):
        words = [
            "--run-spec",
            json.dumps(run_of().as_dict()),
            "--dataset-info",
            imagenet.check,
            "--checkpoint-dir",
            state,
            "--out",
            out,
        ]
        call = [sys.executable, "-m", "pretrain", "train", *map(str, words)]
        done = subprocess.run(call, capture_output=True, text=True, timeout=600, check=False)
        return done.returncode, done.stdout, (done.stderr.splitlines() or [""])[-1]

    said, small = "error: no space left on the disk", tmp_path / "small"
    assert go(tmp_path / "s", tmp_path / "whole")[0] == 0
    small_disk("100m")  # a state is 190 MB
    status, _, last = go(small / "state", small / "out")
    assert (status, last[: len(said)]) == (1, said)
    assert not [*small.rglob("*.pth"), *small.rglob("*.part")]
    assert not (small / "out").exists()
    small_disk("250m")  # a state, but no backbone of 100 MB beside it
    status, _, last = go(small / "state", small / "out")
    assert (status, last[: len(said)]) == (1, said)
    assert not list((small / "out").iterdir())
    assert "no space left" in (small / "state/error.txt").read_text().lower()
    small_disk("400m")
    status, told, _ = go(small / "state", small / "out")
    assert status == 0
    assert "resumed at iteration 10 of 10" in told
    assert results(small / "out") == results(tmp_path / "whole")


@pytest.mark.slow
def test_two_processes_train_the_network_of_one_and_survive_a_kill(imagenet, tmp_path):
    run, check = run_of(lr=1e-3), imagenet.check
    train(run, check, tmp_path / "alone/state", tmp_path / "alone/out")
    one, two = read_json(tmp_path / "alone/out/metrics.json"), trained("pretrain", run, tmp_path, data=check)
    assert losses(two) == pytest.approx(losses(one), rel=0.02)
    assert [each["iteration"] for each in two["history"]["evaluations"]] == [5, 10]
    with np.load(tmp_path / "alone/out/per_image.npz") as mine, np.load(tmp_path / "out/per_image.npz") as theirs:
        assert mine["images"].tolist() == theirs["images"].tolist()
    again, state = tmp_path / "again", tmp_path / "again/state"
    with begin(["tests.together", "pretrain", "train"], run, again / "out", state, data=check) as job:
        while not list(state.glob("000003-*.pth")):
            assert job.poll() is None, job.stdout.read()
            time.sleep(0.05)
        os.killpg(job.pid, signal.SIGKILL)
    with begin(["pretrain", "train"], run, again / "out", state, data=check) as job:
        said = job.communicate(timeout=600)[0]
    assert job.returncode == 0, said
    assert re.search(r"resumed at iteration [1-9]", said)
    files = [folder / "out/backbone.safetensors" for folder in (tmp_path, again)]
    assert sha256(files[0]) == sha256(files[1])


@pytest.mark.slow
def test_two_processes_drop_the_same_branches_and_smooth_the_same_batches(imagenet, tmp_path):
    """What is drawn for a whole batch, at a rate that leaves the weights nearly as they are: a network whose branches
    do not begin at zero makes much of the last digits within a few steps."""
    drawn = {"stochastic_depth": {"drop_prob": 0.5}, "label_smoothing": {"smoothing": 0.5}}
    drawn = {name: {**parameters, "probability": 0.5} for name, parameters in drawn.items()}
    run, check = run_of(lr=1e-8, regularizers=drawn, zero_init_residual=False), imagenet.check
    train(run, check, tmp_path / "alone/state", tmp_path / "alone/out")
    two = trained("pretrain", run, tmp_path, data=check)
    assert losses(two) == pytest.approx(losses(read_json(tmp_path / "alone/out/metrics.json")), rel=0.01)
