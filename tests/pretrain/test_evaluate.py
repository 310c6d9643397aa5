"""Scores of a finished backbone, and what counts as guessing."""

import json

import numpy as np
import pytest
import torch

from backbones.backbone import IMAGENET, Preprocessing, save_backbone
from pretrain.cli import main
from pretrain.evaluate import better, evaluate, near_chance, ranked
from pretrain.metric import errors
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import write_json
from workflow.reporting.figures import spread

BGR = Preprocessing("BGR", IMAGENET.mean[::-1], IMAGENET.std[::-1])
DARK = Preprocessing("RGB", (0.0, 0.0, 0.0), IMAGENET.std)


def score(*arguments):
    return errors(ranked(*arguments))


def test_a_solved_backbone_is_right_everywhere(solved, imagenet):
    assert score(solved.weights, IMAGENET, "3x3", DatasetInfo.read(imagenet.check), solved.recipe, 1)["top1_error"] == 0


@pytest.mark.parametrize(
    ("prepare", "stride"), [(BGR, "3x3"), (DARK, "3x3"), (IMAGENET, "1x1")], ids=["channel order", "mean", "stride"]
)
def test_channel_order_mean_and_stride_change_the_score(prepare, stride, solved, imagenet):
    assert score(solved.weights, prepare, stride, DatasetInfo.read(imagenet.check), solved.recipe, 1)["top1_error"] > 0


@pytest.mark.parametrize("stride", ["3x3", "1x1"])
def test_a_published_file_is_scored_as_it_declares(stride, solved, imagenet, tmp_path, monkeypatch, capsys):
    check = DatasetInfo.read(imagenet.check)
    expected = score(solved.weights, BGR, stride, check, solved.recipe, 1)
    save_backbone(tmp_path / "b.safetensors", solved.weights, BGR, "resnet50", stride)
    assert evaluate(tmp_path / "b.safetensors", check, solved.recipe, 1) == expected
    write_json(tmp_path / "config.json", {"recipe": solved.recipe, "threads": 1})
    words = [
        "--backbone",
        tmp_path / "b.safetensors",
        "--dataset-info",
        imagenet.check,
        "--config",
        tmp_path / "config.json",
    ]
    monkeypatch.setattr("sys.argv", ["pretrain", "evaluate", *map(str, words)])
    capsys.readouterr()
    main()
    assert json.loads(capsys.readouterr().out) == expected
    monkeypatch.setattr("sys.argv", ["pretrain", "evaluate", *map(str, [*words, "--evidence", tmp_path / "e.npz"])])
    main()
    with np.load(tmp_path / "e.npz") as found:
        assert {name: found[name].mean() for name in expected} == expected


def test_another_number_of_classes_is_refused(solved, imagenet, tmp_path):
    save_backbone(
        tmp_path / "b.safetensors", {**solved.weights, "fc.weight": torch.zeros(7, 2048)}, IMAGENET, "resnet50"
    )
    with pytest.raises(UserError, match="its fc has 7 classes, the data have 4"):
        evaluate(tmp_path / "b.safetensors", DatasetInfo.read(imagenet.check), solved.recipe, 1)


def test_a_sample_is_spread_evenly(solved, imagenet):
    arguments = (solved.weights, BGR, "3x3", DatasetInfo.read(imagenet.check), solved.recipe, 1, 0)
    whole = ranked(*arguments)
    assert [whole[n] for n in spread(len(whole), 5)] == ranked(*arguments, 5)


@pytest.mark.parametrize(
    ("declared", "other", "clearly"),
    [
        ([1] * 12, [0] * 12, True),
        ([1] * 9, [0] * 9, False),  # too few images
        ([0] * 12, [1] * 12, False),
        ([1] * 300 + [0] * 700, [0] * 200 + [1] * 100 + [0] * 600 + [1] * 100, True),
        ([1] * 300 + [0] * 700, [0] * 100 + [1] * 200 + [0] * 620 + [1] * 80, False),
    ],
)
def test_another_declaration_is_better_only_beyond_chance(declared, other, clearly):
    assert better(declared, other) is clearly


@pytest.mark.parametrize(
    ("error", "classes", "images", "chance"),
    [
        (99.9, 1000, 50_000, True),  # 1 in 1,000
        (99.8, 1000, 50_000, True),  # all called by one class, which is twice as common as the others
        (99.7, 1000, 50_000, False),
        (60.0, 1000, 50_000, False),
        (99.0, 1000, 100, True),  # one lucky hit in a hundred images
        (90.0, 1000, 100, False),
        (75.0, 4, 10_000, True),
        (51.0, 4, 10_000, True),
        (49.0, 4, 10_000, False),
        (40.0, 4, 12, True),  # few images: luck alone may give 7 of 12
        (30.0, 4, 12, False),
        (50.0, 2, 10_000, True),
        (20.0, 2, 10_000, False),
        (0.0, 2, 3, False),
    ],
)
def test_chance_depends_on_classes_and_images(error, classes, images, chance):
    assert near_chance(error, classes, images) is chance


def test_a_guesser_is_near_chance():
    """Random answers, drawn many times, are let through once in a hundred draws at most."""
    generator = torch.Generator().manual_seed(0)
    for classes, images in ((4, 50), (12, 400), (1000, 5000)):
        hits = torch.binomial(torch.full((2000,), float(images)), torch.tensor(1 / classes), generator=generator)
        through = sum(not near_chance(100 - 100 * hit / images, classes, images) for hit in hits.tolist())
        assert through <= 20
