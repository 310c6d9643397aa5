"""What the three checks share: listing faults, the fingerprint, images in both splits, the door."""

import io
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from tests.checks import info
from tests.conftest import PROJECT
from workflow.core.errors import UserError
from workflow.data.validation.errors import (
    FILE,
    LIST,
    LISTED,
    NUMBER,
    TEXT,
    WHOLE,
    ErrorList,
    box_fault,
    check_split_overlap,
    command_line,
    fingerprint,
)
from workflow.data.validation.image_cache import ImageCache, ImageInfo
from workflow.data.validation.image_scan import look_at_all


def jpeg(mode: str = "RGB", size: tuple[int, int] = (200, 120), form: str = "JPEG") -> bytes:
    buffer = io.BytesIO()
    noise = Image.effect_noise(size, 80)
    noise.convert(mode).save(buffer, form)
    return buffer.getvalue()


def test_ten_faults_of_a_kind_are_listed_then_counted():
    faults = ErrorList()
    faults.raise_if_any()
    for number in range(LISTED):
        faults.add("absent images", f"list.txt:{number}: missing")
    assert faults.lines() == [f"list.txt:{number}: missing" for number in range(LISTED)]
    for number in range(LISTED, LISTED + 3):
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
        ((0, 3, 1, 9), 1, "outside"),  # in the pixel beside it alone
        ((0, 3, 1.5, 9), 1, None),
        ((100, 3, 101, 9), 1, None),
        ((101, 3, 101.5, 9), 1, "outside"),
        ((-1, 3, 0, 9), 0, "outside"),
        ((100, 3, 101, 9), 0, "outside"),
        ((99.5, 3, 101, 9), 0, None),
        ((3, 0, 9, 1), 1, "outside"),
        ((3, 0, 9, 1.5), 1, None),
        ((3, 51, 9, 51.5), 1, "outside"),
        ((3, -1, 9, 0), 0, "outside"),
        ((3, 50, 9, 51), 0, "outside"),
        ((3, 49.5, 9, 51), 0, None),
        ((-1, -1, 101, 51), 0, None),
        ((0, 0, 101.5, 9), 0, "outside"),
        ((0, 0, 9, 51.5), 0, "outside"),
    ],
)
def test_boxes_may_be_one_pixel_off_and_no_more(box, low, fault):
    found = box_fault(box, low, 100, 50)
    assert (found is None) == (fault is None)
    assert fault is None or fault in found


@pytest.mark.parametrize(
    ("kind", "fits", "others"),
    [
        (WHOLE, [0, -7, 2**53 - 1, 1 - 2**53], [2**53, -(2**53), 1.0, True, "1", None]),
        (NUMBER, [0, 1.5, 2**53 - 1, -1e15], [2**53, 1e16, float("nan"), float("inf"), True, "1", None]),
        (TEXT, ["", "a"], [1, None]),
        (LIST, [[], [1]], [(), {}, None]),
        (FILE, ["a.jpg", "a/b.jpg"], ["", " ", "/a.jpg", "../a.jpg", "a/../b.jpg", "a\0.jpg", "\ud800", 1]),
    ],
)
def test_a_value_is_of_its_kind(kind, fits, others):
    assert all(kind[1](value) for value in fits)
    assert not any(kind[1](value) for value in others)


def test_the_fingerprint_follows_content_and_names_but_not_the_root(tmp_path):
    def key(root: Path, name: str = "a.jpg", crc: int = 5, text: str = "f00") -> str:
        return fingerprint(root, {root / name: ImageInfo(10, crc, 4, 4)}, {root / "list.txt": text})

    assert key(tmp_path) == key(Path("elsewhere"))
    assert len({key(tmp_path), key(tmp_path, "b.jpg"), key(tmp_path, crc=6), key(tmp_path, text="f01")}) == 4


def test_an_image_both_trained_and_tested_on_is_found_under_any_name(tmp_path, capsys):
    for name in ("train.jpg", "other.jpg"):
        (tmp_path / name).write_bytes(jpeg())
    shutil.copy(tmp_path / "train.jpg", tmp_path / "test.jpg")
    (tmp_path / "other.jpg").write_bytes(jpeg(size=(90, 90)))
    train = look_at_all(
        [tmp_path / "train.jpg", tmp_path / "other.jpg"], "test", ErrorList(), ImageCache(None, tmp_path)
    )
    test = look_at_all([tmp_path / "test.jpg"], "test", ErrorList(), ImageCache(None, tmp_path))
    faults = ErrorList()
    check_split_overlap(train, test, official=False, faults=faults)
    message = f"{tmp_path / 'test.jpg'}: the same image is used for training, as {tmp_path / 'train.jpg'}"
    assert faults.lines() == [message]
    official = ErrorList()
    check_split_overlap(train, test, official=True, faults=official)
    assert not official.kinds
    assert f"warning: {message}" in capsys.readouterr().out


def test_the_door_lists_every_fault_in_a_file(imagenet, tmp_path):
    root, out = shutil.copytree(imagenet.root, tmp_path / "set"), tmp_path / "out/check.json"
    broken = sorted((root / "train").rglob("*.JPEG"))[:13]
    for path in broken:
        path.write_bytes(b"broken")
    command = [
        sys.executable,
        "-m",
        "workflow.data.imagenet",
        "--dataset-config",
        "{}",
        "--root",
        str(root),
        "--out",
        str(out),
    ]
    bad = subprocess.run(command, capture_output=True, text=True)
    assert bad.returncode == 1
    assert "  ... and 3 more: images that cannot be decoded\n" in bad.stderr
    assert bad.stderr.endswith(f"\nAll 13 stand in {out.with_suffix('.errors.txt')}\n")
    listed = out.with_suffix(".errors.txt").read_text().splitlines()
    assert [line.split(": ")[0] for line in listed] == [str(path) for path in broken]
    for path in broken:
        shutil.copy(imagenet.root / path.relative_to(root), path)
    good = subprocess.run(command, capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert "13/52" not in good.stderr
    assert "27/40" in good.stderr, "begins behind those that are remembered"
    assert sorted(path.suffix for path in out.parent.iterdir()) == [".json", ".sqlite"]


@pytest.mark.parametrize("number", [1, 2, 11])
def test_the_door_names_the_list_of_several_faults(number, tmp_path, monkeypatch, capsys):
    def check(*given):
        faults = ErrorList()
        for n in range(number):
            faults.add("bad", f"fault {n}")
        faults.raise_if_any()

    command = ["check", "--dataset-config", "{}", "--root", "x", "--out", str(tmp_path / "new/folder/check.json")]
    monkeypatch.setattr(sys, "argv", command)
    with pytest.raises(SystemExit):
        command_line(check)()
    listed = tmp_path / "new/folder/check.errors.txt"
    assert listed.read_text().splitlines() == [f"fault {n}" for n in range(number)]
    said, more = capsys.readouterr().err, f"All {number} stand in {listed}\n"
    assert said.endswith(more) == (number > 1)
    assert ("stand in" in said) == (number > 1)


def test_the_door_hands_the_threads_on(tmp_path, monkeypatch):
    given = []

    def check(section, root, memory, threads):
        given.append(threads)
        return info()

    command = ["check", "--dataset-config", "{}", "--root", "x", "--out", str(tmp_path / "check.json")]
    for more in ([], ["--threads", "3"]):
        monkeypatch.setattr(sys, "argv", [*command, *more])
        command_line(check)()
    assert given == [None, 3]


def test_a_project_that_was_moved_with_its_data_remembers_them(imagenet, tmp_path):
    shutil.copytree(imagenet.root, tmp_path / "here/set")
    command = [sys.executable, "-m", "workflow.data.imagenet", "--dataset-config", "{}", "--threads", "1"]
    command += ["--root", "set", "--out", "out/check.json"]
    said = []
    for folder in ("here", "there"):
        environment = os.environ | {"PYTHONPATH": str(PROJECT)}
        done = subprocess.run(command, cwd=tmp_path / folder, env=environment, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        said.append(done.stderr)
        if folder == "here":
            (tmp_path / "here").rename(tmp_path / "there")
    assert ["| 0/40 " in one for one in said] == [True, False]


def test_a_check_must_be_given_each_of_its_arguments(required):
    assert required(command_line(lambda *given: {})) == ["--dataset-config", "--root", "--out"]
