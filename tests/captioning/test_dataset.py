"""Training samples of NIC: whole captions, each with one view of its image, drawn by seed, epoch and sample."""

import numpy as np
import pytest

from captioning import dataset
from captioning.dataset import CaptionTrain
from captioning.jvm import tokenize
from captioning.vocabulary import BOS, EOS, PAD, Vocabulary
from workflow.core.dataset_info import DatasetInfo
from workflow.data import coco as coco_set
from workflow.training.shared_artifact import read_array


@pytest.fixture
def train(artifacts):
    """By a seed."""
    return lambda seed: CaptionTrain(
        str(artifacts.vocabulary / "captions.npz"), {"folder": str(artifacts.features)}, seed
    )


def test_each_caption_is_there_once_with_a_view_of_its_image(train, artifacts):
    data, words = train(0), Vocabulary.load(artifacts.vocabulary / "vocabulary.json")
    images = coco_set.read(DatasetInfo.read(artifacts.check), "train")
    captions = [(row, caption) for row, image in enumerate(images) for caption in image.captions]
    assert len(data) == len(captions)
    features, said = (
        read_array(artifacts.features, "train"),
        tokenize([caption for _, caption in captions]),
    )
    for index, ((row, _), caption) in enumerate(zip(captions, said, strict=True)):
        sample = data[index, 0]
        assert sample["tokens"].tolist() == [BOS, *words.encode(caption), EOS]
        assert any(np.array_equal(sample["inputs"], view) for view in features[row])


def test_the_view_is_drawn_anew_by_seed_epoch_and_sample(train, artifacts):
    """Both views of an image come up, each in half of the draws; the same key draws the same."""
    features, trains = read_array(artifacts.features, "train"), [train(seed) for seed in range(20)]

    def first(index, epoch, seed):
        view = trains[seed][index, epoch]["inputs"]
        return np.array_equal(view, features[trains[seed].rows[index], 0])

    by_epoch = np.array([[first(index, epoch, 0) for epoch in range(20)] for index in range(40)])
    assert by_epoch.any(1).all()
    assert not by_epoch.all(1).any()
    assert by_epoch.mean() == pytest.approx(0.5, abs=0.07)  # four standard deviations
    assert 0 < by_epoch[:, 0].mean() < 1
    assert 0 < np.mean([first(0, 0, seed) for seed in range(20)]) < 1
    assert by_epoch[7, 3] == first(7, 3, 0)


def test_a_sample_s_name_is_its_image_or_the_photo(train, artifacts):
    """It stands in the message of a loss that is not finite."""
    cached, images = train(0), coco_set.read(DatasetInfo.read(artifacts.check), "train")
    photos = {"check": str(artifacts.check), "resize_size": 40, "crop_size": 32}
    tuned = CaptionTrain(str(artifacts.vocabulary / "captions.npz"), photos, seed=0)
    captioned = [image for image in images for _ in image.captions]
    assert [cached.name(index) for index in range(60)] == [f"image {image.image_id}" for image in captioned]
    assert [tuned.name(index) for index in range(60)] == [str(image.path) for image in captioned]


def test_a_batch_is_padded(train):
    cached = train(0)
    batch = dataset.caption_batch([cached[i, 0] for i in range(10)])
    lengths = (batch["tokens"] != PAD).sum(1)
    assert batch["inputs"].shape == (10, 2048)
    assert batch["tokens"].shape == (10, lengths.max())
    assert (batch["tokens"].gather(1, lengths[:, None] - 1) == EOS).all()
