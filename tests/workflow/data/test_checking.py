"""What the three checks share: looking into images, listing faults, the fingerprint."""

import io
import shutil
from pathlib import Path

import pytest
from PIL import Image

from workflow.data.checking import LISTED, Faults, box_fault, fingerprint, refuse_shared
from workflow.data.memory import Looked
from workflow.training.errors import UserError


def jpeg(mode: str = "RGB", size: tuple[int, int] = (200, 120), form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise(size, 80)
    noise.convert(mode).save(buffer, form)
    return buffer.getvalue()


@pytest.mark.parametrize(
    "data",
    [jpeg(), jpeg("L"), jpeg("CMYK"), jpeg(form="PNG")],
    ids=["colour", "grey", "CMYK", "a PNG named JPEG"],
)
def test_real_sets_oddities_are_fine(data, tmp_path):
    path = tmp_path / "x.JPEG"
    path.write_bytes(data)
    assert look(str(path))[2:] == (200, 120)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty (0 bytes)"),
        (b"<html>not found</html>", "cannot be decoded: no known image format"),
        (jpeg()[: len(jpeg()) // 2], "cannot be decoded: image file is truncated"),
        (jpeg()[:-60], "cannot be decoded: image file is truncated"),
        (jpeg(form="PNG")[:-60], "cannot be decoded"),
    ],
    ids=["empty", "a web page", "half a JPEG", "a JPEG without its end", "a PNG without its end"],
)
def test_broken_images_are_faults_with_their_path(data, message, tmp_path):
    path, good, faults = tmp_path / "x.jpg", tmp_path / "good.jpg", Faults()
    path.write_bytes(data)
    good.write_bytes(jpeg())
    assert list(look_at_all([path, good, good], "test", faults)) == [good]
    with pytest.raises(UserError) as error:
        faults.raise_if_any()
    assert str(error.value).startswith(f"{path}: the image ")
    assert message in str(error.value)


def test_ten_faults_of_a_kind_are_listed_then_counted():
    faults = Faults()
    faults.raise_if_any()
    for number in range(LISTED + 3):
        faults.add("absent images", f"list.txt:{number}: missing")
    faults.add("empty captions", "captions.json: caption 7 is empty")
    with pytest.raises(UserError) as error:
        faults.raise_if_any()
    lines = str(error.value).splitlines()
    assert lines[0] == "14 faults in the data:"
    assert lines[10] == "  list.txt:9: missing"
    assert lines[11:] == ["  ... and 3 more: absent images", "  captions.json: caption 7 is empty"]


@pytest.mark.parametrize(
    ("box", "low", "fault"),
    [
        ((1, 1, 100, 50), 1, None),
        ((0, 0, 100, 50), 0, None),
        ((0, 0, 101, 51), 1, None),
        ((-0.5, 3, 20, 50.4), 0, None),
        ((-2, 3, 20, 50), 0, "the box (-2, 3, 20, 50) is outside the image of 100x50 px"),
        ((3, 3, 103, 50), 1, "outside"),
        ((3, 3, 20, 52), 1, "outside"),
        ((3, -7, 20, 50), 1, "outside"),
        ((5, 5, 5, 9), 1, "no area"),
        ((5, 9, 8, 9), 1, "no area"),
        ((9, 5, 5, 9), 0, "no area"),
        ((float("nan"), 5, 5, 9), 0, "no area"),
    ],
)
def test_boxes_may_be_one_pixel_off_and_no_more(box, low, fault):
    found = box_fault(box, low, 100, 50)
    assert (found is None) == (fault is None)
    assert fault is None or fault in found


def test_the_fingerprint_follows_content_and_names_but_not_the_root(tmp_path):
    def key(root: Path, name: str = "a.jpg", crc: int = 5, text: str = "f00") -> str:
        return fingerprint(root, {root / name: Looked(10, crc, 4, 4)}, {root / "list.txt": text})

    assert key(tmp_path) == key(Path("elsewhere"))
    assert len({key(tmp_path), key(tmp_path, "b.jpg"), key(tmp_path, crc=6), key(tmp_path, text="f01")}) == 4


def test_an_image_both_trained_and_tested_on_is_found_under_any_name(tmp_path, capsys):
    for name in ("train.jpg", "other.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    shutil.copy(tmp_path / "train.jpg", tmp_path / "test.jpg")
    (tmp_path / "other.jpg").write_bytes(jpeg(size=(90, 90)))
    train = look_at_all([tmp_path / "train.jpg", tmp_path / "other.jpg"], "test", Faults())
    test = look_at_all([tmp_path / "test.jpg"], "test", Faults())
    faults = Faults()
    refuse_shared(train, test, official=False, faults=faults)
    message = f"{tmp_path / 'test.jpg'}: the same image is used for training, as {tmp_path / 'train.jpg'}"
    assert faults.lines() == [message]
    official = Faults()
    refuse_shared(train, test, official=True, faults=official)
    assert not official.kinds
    assert f"warning: {message}" in capsys.readouterr().out
