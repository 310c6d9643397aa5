"""Which photos are tested and which thresholds are chosen on; how they are cut."""

import numpy as np
import pytest
import torch
from PIL import Image

from localization.photos import TestPhotos, TrainPhotos, photos, truth
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data.boxed_images import BoxedImage


@pytest.fixture
def held_out(cub, tmp_path):
    """A held-out set in the benchmark's layout: three images."""
    (tmp_path / "more").mkdir()
    labels, boxes = [], []
    for number in range(3):
        Image.effect_noise((30, 20), 90).convert("RGB").save(tmp_path / f"more/{number}.png")
        labels.append(f"{number}.png,{number}\n")
        boxes.append(f"{number}.png,1,2,20,15\n")
    (tmp_path / "more/class_labels.txt").write_text("".join(labels))
    (tmp_path / "more/localization.txt").write_text("".join(boxes) + "0.png,3,4,10,11\n")
    return {"images": str(tmp_path / "more"), "lists": str(tmp_path / "more")}


def test_of_cub_each_sixth_training_image_of_a_class_is_held_out(cub):
    found = photos(DatasetInfo.read(cub.check), {})
    assert (len(found.held_out), len(found.test)) == (4, 10)
    assert [image.label for image in found.held_out] == [0, 1, 2, 3]
    assert all("_train_" in image.path for image in found.held_out)
    assert found.names[:2] == ["001.circle/circle_test_0000.jpg", "002.square/square_test_0001.jpg"]
    assert found.chosen_on == "4 training images, each sixth of a class"


def test_of_imagenet_each_second_validation_image_of_a_class_is_held_out(imagenet):
    found = photos(DatasetInfo.read(imagenet.check), imagenet.section)
    assert sorted([*found.held_out, *found.test]) == sorted(found.all)
    assert {image.path for image in found.held_out}.isdisjoint(image.path for image in found.test)
    assert [image.label for image in found.held_out] == [0, 0, 1, 1, 2, 2, 3, 3]
    assert [image.label for image in found.test] == [0, 1, 2, 3]
    assert all(len(image.boxes) == 1 for image in found.all)


def test_a_set_of_their_own_leaves_the_test_images_whole(cub, imagenet, held_out):
    found = photos(DatasetInfo.read(cub.check), {"held_out": held_out})
    assert [len(image.boxes) for image in found.held_out] == [2, 1, 1]
    assert found.held_out[0].boxes[0] == (1, 2, 20, 15)
    assert len(found.test) == 10
    assert len(photos(DatasetInfo.read(imagenet.check), imagenet.section | {"held_out": held_out}).test) == 12


def test_a_set_without_boxes_is_refused(imagenet):
    with pytest.raises(UserError, match="the set has no boxes of val"):
        photos(DatasetInfo.read(imagenet.check), {})


def test_a_photo_becomes_a_square_whatever_its_shape(tmp_path):
    pixels = np.zeros((60, 100, 3), dtype=np.uint8)
    pixels[12:36, 30:60] = 255
    Image.fromarray(pixels).save(tmp_path / "a.png")
    (one,) = TestPhotos([(str(tmp_path / "a.png"), 3)], resize=50, crop=50)
    assert (one["images"].shape, one["images"].dtype, one["labels"], one["image"]) == ((3, 50, 50), torch.uint8, 3, 0)
    box = truth(BoxedImage(str(tmp_path / "a.png"), 3, ((30, 12, 60, 36),)), 50, 50)[0].astype(int)
    bright = torch.nonzero(one["images"][0] > 127)
    assert bright.amin(dim=0).tolist() == [box[1], box[0]]
    assert bright.amax(dim=0).tolist() == [box[3] - 1, box[2] - 1]
    (cut,) = TestPhotos([(str(tmp_path / "a.png"), 3)], resize=50, crop=20)
    assert torch.equal(cut["images"], one["images"][:, 15:35, 15:35])


@pytest.mark.parametrize("kind", ["cub", "imagenet"])
def test_what_is_drawn_of_a_training_photo_follows_from_its_keys(kind, cub, imagenet):
    check = DatasetInfo.read((cub if kind == "cub" else imagenet).check)
    cutout = {"cutout": {"size": 8, "probability": 1.0}}
    found = TrainPhotos(check, resize=40, crop=32, regularizers=cutout, mean=[10.0, 20.4, 30.0], seed=1)
    assert len(found) == (24 if kind == "cub" else 40)
    first = found[3, 0]["images"]
    assert first.shape == (3, 32, 32)
    filled = (first == torch.tensor([10, 20, 30]).view(3, 1, 1)).all(0)
    assert filled.sum() >= 4 * 4, "with the mean of the backbone"
    torch.rand(1)
    assert torch.equal(first, found[3, 0]["images"])
    assert not torch.equal(first, found[3, 1]["images"])
    assert found.name(3).endswith((".jpg", ".JPEG"))
