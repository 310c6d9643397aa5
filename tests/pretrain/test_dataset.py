"""Reading a photo: the fast ways give what the plain ones do."""

from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from torchvision.transforms import v2

from backbones.backbone import IMAGENET
from backbones.images import TestImages, decode
from pretrain.dataset import Crop, TrainImages
from workflow.core.errors import UserError
from workflow.data.class_folders import ClassFolders
from workflow.data.validation.decoding import pixels

RECIPE = {
    "crop_size": 32, "crop_scale": (0.3, 1), "crop_padding": 0, "mean": IMAGENET.mean, "color_jitter": 0,
    "pca_lighting": 0, "regularizers": {},
}  # fmt: skip


def photo(width: int, height: int, seed: int = 0) -> Image.Image:
    """Something like a photo: noise of all scales, the finer the fainter."""
    rng, found = np.random.default_rng(seed), np.zeros((height, width, 3))
    for cells in (4, 16, 64, 256):
        noise = rng.normal(size=(cells, cells, 3)).astype(np.float32)
        found += cv2.resize(noise, (width, height), interpolation=cv2.INTER_CUBIC) / cells
    return Image.fromarray((128 + 120 * found / np.abs(found).max()).astype(np.uint8))


@pytest.fixture
def write(tmp_path):
    """Write an image as JPEG; returns its path."""

    def to(image: Image.Image, **how) -> str:
        image.save(tmp_path / "x.JPEG", "JPEG", quality=92, **how)
        return str(tmp_path / "x.JPEG")

    return to


def cropped(path: str, size: int, seed: int, scale=(0.3, 1.0)) -> tuple[torch.Tensor, torch.Tensor]:
    """By the fast way, and decoded whole and cropped by torchvision: from the same draws."""
    torch.manual_seed(seed)
    with Image.open(path) as opened:
        fast = Crop(size, scale=scale)(opened)
    torch.manual_seed(seed)
    return fast, v2.RandomResizedCrop(size, scale=scale, antialias=True)(decode(path))


@pytest.mark.parametrize(
    ("mode", "how"),
    [("RGB", {}), ("RGB", {"subsampling": 0}), ("RGB", {"progressive": True}), ("L", {})],
)
def test_opencv_decodes_to_pillows_bits(mode, how, write):
    path = write(photo(301, 203).convert(mode), **how)
    with Image.open(path) as opened:
        assert torch.equal(decode(path), v2.functional.pil_to_tensor(opened.convert("RGB")))


def odd(kind: str, path: str) -> None:
    """Write a photo as ImageNet has some, under the name of a JPEG."""
    image = photo(600, 600)
    if kind == "16-bit PNG":
        _, data = cv2.imencode(".png", np.asarray(image).astype(np.uint16) * 256 + 99)
        Path(path).write_bytes(data.tobytes())
    else:
        mode, form = kind.split()
        image.convert(mode).save(path, form)


@pytest.mark.parametrize("kind", ["CMYK JPEG", "RGBA PNG", "RGB PNG", "L PNG", "P PNG", "16-bit PNG"])
def test_what_is_no_plain_jpeg_is_pillows_to_the_bit(kind, tmp_path):
    """Decoded, and cropped to far less than half, where a plain JPEG would be decoded at a part of its size."""
    path = str(tmp_path / "x.JPEG")
    odd(kind, path)
    with Image.open(path) as opened:
        assert torch.equal(decode(path), v2.functional.pil_to_tensor(opened.convert("RGB")))
    for seed in range(3):
        fast, plain = cropped(path, 48, seed)
        assert torch.equal(fast, plain)


def test_orientation_is_left_as_it_lies(write):
    exif = Image.Exif()
    exif[0x0112] = 6  # a viewer would turn it
    assert decode(write(photo(60, 40), exif=exif)).shape == (3, 40, 60)


@pytest.mark.parametrize("seed", range(4))
def test_a_crop_below_twice_its_size_is_torchvisions_to_the_bit(seed, write):
    fast, plain = cropped(write(photo(301, 203)), 112, seed)
    assert torch.equal(fast, plain)


@pytest.mark.parametrize(("side", "size", "n"), [(500, 96, 4), (600, 48, 8), (600, 224, 2)])
def test_a_photo_decoded_at_a_part_of_its_size_gives_nearly_the_same_crop(side, size, n, write, monkeypatch):
    """The box is rounded to n pixels, and there the mean difference is below two levels (the contrast, as a standard
    deviation, is about forty)."""
    path, shrinks = write(photo(side, side - 50)), []
    monkeypatch.setattr(
        "pretrain.dataset.pixels", lambda image, n, rows: shrinks.append(n) or pixels(image, n, rows=rows)
    )
    for seed in range(4):
        torch.manual_seed(seed)
        with Image.open(path) as opened:
            fast = Crop(size, scale=(0.8, 0.9))(opened).float()
            torch.manual_seed(seed)
            box = Crop(size, scale=(0.8, 0.9)).make_params([opened])
            whole = v2.functional.pil_to_tensor(opened.convert("RGB"))
        box = {edge: value // n * n for edge, value in box.items()}
        plain = v2.functional.resized_crop(whole, **box, size=[size, size], antialias=True).float()
        assert (fast - plain).abs().mean() < 2
        assert 0.95 < fast.std() / plain.std() < 1.05
    assert shrinks == [n] * 4


def test_only_so_much_is_decoded_less_that_no_side_of_the_box_is_enlarged(write, monkeypatch):
    """Boxes of all ratios: the narrower side decides, and the decoding is as coarse as it lets."""
    path, shrinks, expected, longer = write(photo(600, 550)), [], [], []
    monkeypatch.setattr(
        "pretrain.dataset.pixels", lambda image, n, rows: shrinks.append(n) or pixels(image, n, rows=rows)
    )
    for seed in range(60):
        with Image.open(path) as opened:
            torch.manual_seed(seed)
            Crop(96, scale=(0.05, 1.0))(opened)
            torch.manual_seed(seed)
            box = Crop(96, scale=(0.05, 1.0)).make_params([opened])
        for sides, found in ((min, expected), (max, longer)):
            side = sides(box["height"], box["width"])
            found.append(max([n for n in (1, 2, 4, 8) if n * 96 <= side], default=1))
    assert shrinks == expected
    assert expected != longer


def test_an_image_regularizer_draws_by_seed_epoch_and_sample(imagenet):
    """Of one photo, always cut alike by the transform."""
    cutout = {"cutout": {"size": 6, "probability": 1.0}}
    recipe = RECIPE | {"regularizers": cutout}

    def hole(index, epoch, seed=0):
        train = TrainImages(ClassFolders(f"{imagenet.root}/train"), recipe, seed)
        train.transform = lambda photo: torch.full((3, 32, 32), 255, dtype=torch.uint8)
        return tuple((train[index, epoch]["images"][0] != 255).nonzero().flatten().tolist())

    assert hole(3, 0) == hole(3, 0)
    for several in ([(3, epoch) for epoch in range(6)], [(index, 0) for index in range(6)],
                    [(3, 0, seed) for seed in range(6)]):  # fmt: skip
        assert len({hole(*keys) for keys in several}) >= 5


def test_it_does_not_alias(write):
    """Stripes too fine for the crop are grey by both ways."""
    stripes = np.zeros((600, 600, 3), np.uint8)
    stripes[:, ::2] = 255
    fast, plain = (each.float() for each in cropped(write(Image.fromarray(stripes)), 96, 0, scale=(0.9, 1.0)))
    assert fast.std() <= plain.std() + 1
    assert abs(fast.mean() - plain.mean()) < 2


def test_a_truncated_jpeg_is_told(write):
    path = Path(write(photo(301, 203)))
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(UserError, match=r"x\.JPEG: the image cannot be decoded: image file is truncated"):
        decode(str(path))


def test_a_sample_s_name_is_the_file_that_it_is_read_from(imagenet):
    """It stands in the message of a loss that is not finite."""
    train = TrainImages(ClassFolders(f"{imagenet.root}/train"), RECIPE, 0)
    train.transform = lambda photo: photo.filename
    names = [train.name(index) for index in range(len(train))]
    assert names == [train[index, 0]["images"] for index in range(len(train))]
    assert len(set(names)) == 40


def test_a_validation_image_is_the_centre_of_the_photo_at_its_shorter_side(tmp_path):
    """Of a photo of 60 x 40: to 48 x 32, of which 20 pixels are cut in the middle."""
    for name, label in (("a/x.JPEG", 0), ("b/x.JPEG", 1)):
        (tmp_path / name).parent.mkdir()
        photo(60, 40, label).save(tmp_path / name, "JPEG")
    val = TestImages(ClassFolders(str(tmp_path)), {"val_resize_size": 32, "crop_size": 20})
    for label, name in enumerate("ab"):
        whole = v2.functional.resize(decode(str(tmp_path / name / "x.JPEG")), [32, 48], antialias=True)
        assert torch.equal(val[label]["images"], whole[:, 6:26, 14:34])
        assert val[label]["labels"] == label
    assert len(val) == 2
