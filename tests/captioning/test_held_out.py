"""The choice of a captioner's learning rate: its held-out photos, what scores them, the record of a whole run."""

from dataclasses import replace

import numpy as np
import pytest

from captioning import train
from captioning.dataset import CaptionTest, CaptionTrain
from captioning.metric import references
from captioning.vocabulary import captions
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import read_json
from workflow.data import coco

pytestmark = pytest.mark.usefixtures("no_meteor")


@pytest.fixture(params=["features", "photos"])
def images(request, artifacts):
    """Both kinds of source."""
    photos = {"check": str(artifacts.check), "resize_size": 40, "crop_size": 32}
    return {"folder": str(artifacts.features)} if request.param == "features" else photos


def test_a_tenth_of_the_images_is_scored_and_none_of_its_captions_trained_on(images, artifacts):
    file = str(artifacts.vocabulary / "captions.npz")
    whole, kept = CaptionTrain(file, images, seed=0), CaptionTrain(file, images, seed=0, held_out=False)
    scored = CaptionTest(str(artifacts.check), images, held_out=True)
    listed = [image.image_id for image in coco.read(DatasetInfo.read(artifacts.check), "train")]
    used = {listed[kept.rows[place]] for place in kept.places}
    assert used | set(scored.image_ids) == set(listed)
    assert used & set(scored.image_ids) == set()
    assert len(scored) == round(0.1 * len(listed))
    assert captions(artifacts.vocabulary, held_out=False) == len(kept) < len(whole) == captions(artifacts.vocabulary)
    assert list(references(artifacts.check, held_out=True)) == scored.image_ids


def test_a_rate_is_tried_without_the_held_out_images_and_scored_on_them(run, artifacts, tmp_path):
    def parts(**held_out):
        given = (artifacts.check, artifacts.backbone, artifacts.features, artifacts.vocabulary, tmp_path)
        found = train.task(run, *given, **held_out)
        sets = (found["train_dataloader"]["dataset"], found["val_dataloader"]["dataset"], found["val_evaluator"])
        return [each.get("held_out") for each in sets]

    assert parts(held_out=True) == [False, True, True]
    assert parts() == [None, None, None]


def test_a_sample_is_the_same_with_and_without_the_others(images, artifacts):
    file = str(artifacts.vocabulary / "captions.npz")
    whole, kept = CaptionTrain(file, images, seed=0), CaptionTrain(file, images, seed=0, held_out=False)
    for index in (0, len(kept) - 1):
        one, other = kept[index, 3], whole[int(kept.places[index]), 3]
        assert all(np.array_equal(one[key], other[key]) for key in ("inputs", "tokens"))
        assert kept.name(index) == whole.name(int(kept.places[index]))


@pytest.mark.parametrize("finetune", [False, pytest.param(True, marks=pytest.mark.slow)])
def test_a_run_chooses_its_rate_and_says_which(finetune, run, artifacts, tmp_path):
    def record(lr, folder):
        one = replace(run, recipe=run.recipe | {"lr": lr, "epochs": 1, "finetune_encoder": finetune})
        given = (artifacts.backbone, artifacts.features, artifacts.vocabulary, artifacts.check)
        train.train(one, *given, tmp_path / "state", tmp_path / folder)
        return read_json(tmp_path / folder / "metrics.json")

    found = record([1e-5, 0.1], "sweep")
    tried, lr = found["chosen"]["held_out"], found["chosen"]["lr"]
    assert list(tried) == ["1e-05", "0.1"]
    assert lr == (1e-5 if tried["1e-05"] >= tried["0.1"] else 0.1)
    assert found["protocol"]["lr"] == "best of 2 by CIDEr on held-out training images"
    assert record(lr, "one")["metrics"] == found["metrics"], "as with this rate alone"
