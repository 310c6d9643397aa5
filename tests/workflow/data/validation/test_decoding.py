"""Of every odd file the check and all tasks have the same pixels, and what a task cannot read the check refuses."""

import io
import os
import sys

import cv2
import numpy as np
import pytest
import torch
from PIL import Image, ImageOps
from torchvision.transforms.v2 import functional

import detection  # noqa: F401 (stand-ins for what mmdet imports)
from backbones.images import decode as pretrain_decode
from captioning import encoder
from detection.loading import DecodeImage
from pretrain.dataset import Crop
from tests.workflow.data.validation.test_image_scan import broken_exif, image, ycck
from workflow.core.errors import UserError
from workflow.data.validation.decoding import SHRUNK, ImageError, decode, open_image, pixels
from workflow.data.validation.image_scan import inspect_image
from workflow.reporting.figures import photo

SIDES = (64, 48)


def gradient(top: int = 255) -> np.ndarray:
    """A grey picture (48, 64) from 0 to `top`."""
    return np.linspace(0, top, SIDES[0] * SIDES[1]).reshape(SIDES[::-1]).round()


def saved(picture: Image.Image, form: str, **options) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, form, **options)
    return buffer.getvalue()


def deep(form: str, top: int = 65535) -> bytes:
    """A grey picture of 16 bits."""
    return saved(Image.fromarray(gradient(top).astype(np.uint16)), form)


def by_opencv(suffix: str, channels: int) -> bytes:
    """A picture of 16 bits and several channels, which Pillow cannot write."""
    return cv2.imencode(suffix, np.repeat(gradient(65535).astype(np.uint16)[..., None], channels, 2))[1].tobytes()


def turned() -> bytes:
    exif = Image.Exif()
    exif[0x0112] = 6
    return image(size=SIDES, exif=exif)


def frames(form: str) -> bytes:
    first, second = (Image.new("RGB", SIDES, colour) for colour in ("red", "blue"))
    return saved(first, form, save_all=True, append_images=[second])


def cut(data: bytes, by: int) -> bytes:
    return data[:-by]


JPEG = image(size=SIDES)
RGB = Image.open(io.BytesIO(JPEG))
CLEAR = RGB.convert("RGBA")
CLEAR.putalpha(Image.fromarray(gradient().astype(np.uint8)))
FLOATS = Image.fromarray(gradient(1).astype(np.float32))
GREY = Image.fromarray(gradient().astype(np.uint8))
FILES = {
    "JPEG": JPEG,
    "grey JPEG": image("L", SIDES),
    "progressive JPEG": image(size=SIDES, progressive=True),
    "CMYK": image("CMYK", SIDES),
    "YCCK": ycck(),
    "turned by EXIF": turned(),
    "broken EXIF": broken_exif(),
    "MPO": frames("MPO"),
    "PNG": saved(RGB, "PNG"),
    "PNG of 16 bits grey": deep("PNG"),
    "PNG of 16 bits RGB": by_opencv(".png", 3),
    "PNG of 16 bits RGBA": by_opencv(".png", 4),
    "RGBA": saved(CLEAR, "PNG"),
    "LA": saved(CLEAR.convert("LA"), "PNG"),
    "palette": saved(RGB.convert("P"), "PNG"),
    "palette with transparency": saved(RGB.convert("P"), "PNG", transparency=3),
    "1 bit": saved(RGB.convert("1"), "PNG"),
    "TIFF": saved(RGB, "TIFF"),
    "TIFF of 16 bits grey": deep("TIFF"),
    "TIFF of 16 bits RGB": by_opencv(".tiff", 3),
    "TIFF of floats": saved(FLOATS, "TIFF"),
    "TIFF of 32-bit integers": saved(FLOATS.convert("I"), "TIFF"),
    "TIFF in LAB": saved(RGB.convert("LAB"), "TIFF"),
    "CMYK TIFF": saved(RGB.convert("CMYK"), "TIFF"),
    "PGM of 16 bits": deep("PPM"),
    "BMP": saved(RGB, "BMP"),
    "WebP": saved(RGB, "WEBP"),
    "WebP with transparency": saved(CLEAR, "WEBP", lossless=True),
    "GIF": saved(RGB, "GIF"),
    "animated GIF": frames("GIF"),
    "animated PNG": frames("PNG"),
    "TIFF of two pages": frames("TIFF"),
    "TGA": saved(RGB, "TGA"),
    "PCX": saved(RGB, "PCX"),
    "ICO": saved(RGB, "ICO"),
    "SGI": saved(RGB, "SGI"),
    "DDS": saved(RGB, "DDS"),
    "EPS": saved(RGB, "EPS"),
    "web page": b"<html>not found</html>",
    "bomb": saved(Image.new("1", (20_000, 20_000)), "PNG"),
    **{f"JPEG without {n} bytes": cut(image(size=SIDES), n) for n in (1, 2, 8, 60, 800)},
    **{f"PNG without {n} bytes": cut(saved(RGB, "PNG"), n) for n in (1, 8, 12, 16, 20, 400)},
    "TIFF without 90 bytes": cut(saved(RGB, "TIFF"), 90),
    "WebP without 90 bytes": cut(saved(RGB, "WEBP"), 90),
}
REFUSED = {  # nobody may guess a scale; what only some readers know
    *("TIFF of floats", "TIFF of 32-bit integers", "TGA", "PCX", "ICO", "SGI", "DDS", "EPS"),
    *("web page", "bomb", "TIFF without 90 bytes", "WebP without 90 bytes", "PNG without 400 bytes"),
    *(f"JPEG without {n} bytes" for n in (1, 2, 8, 60, 800)),
}


def readers(path: str) -> dict:
    """Each task's own function -> uint8 RGB (3, H, W), without any resizing."""
    with open_image(path) as opened:
        height, width = opened.size[::-1]

    def crop() -> torch.Tensor:
        with open_image(path) as opened:
            step = Crop((height, width))
            step.make_params = lambda _: {"top": 0, "left": 0, "height": height, "width": width}
            return step(opened)

    def captions() -> torch.Tensor:
        square = encoder.load(path, height)
        return square if height == width else pretrain_decode(path)

    return {
        "pretrain, val": lambda: pretrain_decode(path),
        "pretrain, training": crop,
        "detectors": lambda: torch.from_numpy(DecodeImage().transform({"img_path": path})["img"][..., ::-1].copy())
        .permute(2, 0, 1),
        "NIC": captions,
        "pictures": lambda: functional.pil_to_tensor(photo(path, 10_000)),
    }  # fmt: skip


@pytest.mark.parametrize("kind", FILES)
@pytest.mark.filterwarnings("ignore")
def test_all_readers_agree_with_each_other_and_with_the_check(kind, tmp_path):
    path = tmp_path / "x.jpg"
    path.write_bytes(FILES[kind])
    found = inspect_image(str(path))
    if kind in REFUSED:
        assert isinstance(found, str), "the check refuses it"
        for read in (pretrain_decode, lambda p: encoder.load(p, 8), lambda p: photo(p, 8)):
            with pytest.raises(UserError, match=r"x\.jpg: the image cannot be decoded"):
                read(path)
        with pytest.raises(UserError, match=r"x\.jpg: the image cannot be decoded"):
            DecodeImage().transform({"img_path": str(path)})
        return
    assert not isinstance(found, str), found
    expected = torch.from_numpy(decode(path)).permute(2, 0, 1)
    assert tuple(expected.shape) == (3, found.height, found.width)
    for name, read in readers(str(path)).items():
        assert torch.equal(read(), expected), name


@pytest.mark.parametrize("kind", [kind for kind in FILES if "16 bits" in kind])
def test_16_bits_are_scaled(kind, tmp_path):
    (tmp_path / "x").write_bytes(FILES[kind])
    assert np.abs(decode(tmp_path / "x").astype(int) - gradient()[..., None]).max() <= 1


def test_a_tiff_of_12_bits_and_one_whose_zero_is_white_are_scaled(tmp_path):
    grey = Image.fromarray(gradient(65535).astype(np.uint16))
    grey.save(tmp_path / "white.tif", tiffinfo={262: 0})
    expected = gradient()
    if Image.open(tmp_path / "white.tif").tag_v2[262] == 0:
        expected = 255 - expected
    assert np.abs(decode(tmp_path / "white.tif")[..., 0].astype(int) - expected).max() <= 1


def test_what_is_dropped_and_which_frame_counts(tmp_path):
    for kind in ("RGBA", "PNG"):
        (tmp_path / "x").write_bytes(FILES[kind])
        assert np.array_equal(decode(tmp_path / "x"), np.asarray(RGB))
    for kind in ("animated GIF", "animated PNG", "TIFF of two pages"):
        (tmp_path / "x").write_bytes(FILES[kind])
        assert decode(tmp_path / "x")[5, 5].tolist() == [255, 0, 0]
    (tmp_path / "x").write_bytes(FILES["turned by EXIF"])
    with Image.open(tmp_path / "x") as opened:
        assert ImageOps.exif_transpose(opened).size == SIDES[::-1]
    assert decode(tmp_path / "x").shape == (*SIDES[::-1], 3), "as its pixels are stored, which boxes are of"


def test_of_a_plain_jpeg_it_is_opencv_s_and_pillow_s_bits(tmp_path):
    (tmp_path / "x").write_bytes(data := FILES["JPEG"])
    flags = cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION
    assert np.array_equal(decode(tmp_path / "x", "BGR"), cv2.imdecode(np.frombuffer(data, np.uint8), flags))
    assert np.array_equal(decode(tmp_path / "x"), np.asarray(RGB))


@pytest.fixture(scope="module")
def opened():
    """All files that this process opens, by name, as the interpreter tells; a listener of it cannot be taken away."""
    names = []
    sys.addaudithook(lambda event, args: names.append(args[0]) if event == "open" else None)
    return names


@pytest.mark.parametrize("kind", ["JPEG", "grey JPEG", "CMYK", "PNG", "TIFF of 16 bits grey", "BMP", "WebP", "GIF"])
def test_each_task_opens_a_file_once(kind, tmp_path, opened):
    path = tmp_path / "x.jpg"
    path.write_bytes(FILES[kind])
    for name, read in readers(str(path)).items():
        opened.clear()
        read()
        times = sum(os.fspath(each) == str(path) for each in opened if isinstance(each, str | os.PathLike))
        assert times == 1 + (name == "NIC"), name  # which reads it again in this test: its own squashes a photo


def noise(mode: str, **options) -> bytes:
    """A photo of colours that change from pixel to pixel, 203 rows."""
    colours = np.random.default_rng(0).integers(0, 256, (203, 61, 3), dtype=np.uint8)
    return saved(Image.fromarray(colours).convert(mode), "JPEG", quality=90, **options)


@pytest.mark.parametrize("shrink", SHRUNK)
@pytest.mark.parametrize(
    ("mode", "options"), [("L", {}), *(("RGB", {"subsampling": kind}) for kind in ("4:4:4", "4:2:2", "4:2:0", "4:1:1"))]
)
def test_the_rows_that_are_needed_have_the_bits_of_the_whole_photo(mode, options, shrink, capfd):
    """However many they are; after these not much is decoded, and nothing is said of what is left out."""
    data = noise(mode, **options)
    with Image.open(io.BytesIO(data)) as opened:
        whole = pixels(opened, shrink)
    for rows in range(1, 204):
        with Image.open(io.BytesIO(data)) as opened:
            part = pixels(opened, shrink, rows=rows)
        needed = rows // shrink
        assert np.array_equal(part[:needed], whole[:needed]), rows
        assert needed <= len(part) <= needed + 4 or rows > 203 - 32 - 2 * shrink, rows
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("options", "tail"),
    [({"progressive": True}, b""), ({"restart_marker_rows": 1}, b""), ({}, b"\0 more"), ({}, None)],
    ids=["progressive", "with restarts", "bytes after the end", "without an end"],
)
def test_of_other_jpegs_they_have_them_too(options, tail, capfd):
    data = noise("RGB", **options)
    with Image.open(io.BytesIO(data)) as opened:
        whole = pixels(opened)
    data = data[:-2] if tail is None else data + tail
    with Image.open(io.BytesIO(data)) as opened:
        assert np.array_equal(pixels(opened, rows=50)[:50], whole[:50])
    assert capfd.readouterr() == ("", "")


def test_a_file_that_cannot_be_read_is_named_before_the_reason(tmp_path):
    (tmp_path / "a.jpg").write_bytes(b"no image")
    with pytest.raises(ImageError) as error:
        decode(tmp_path / "a.jpg")
    assert error.value.reason == "the image cannot be decoded: no known image format"
    assert str(error.value) == f"{tmp_path / 'a.jpg'}: {error.value.reason}"
