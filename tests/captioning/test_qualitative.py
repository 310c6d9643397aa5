"""The same photos with each backbone's captions: which photos, whose words, and whose scores."""

import base64
import io
import json
import sys

import numpy as np
import pytest
from PIL import Image

from captioning import qualitative as door
from captioning.cli import main
from captioning.qualitative import examples
from workflow.core.dataset_info import DatasetInfo
from workflow.core.files import sha256, write_json
from workflow.data.coco import read
from workflow.reporting.figures import made_of
from workflow.training import per_image


@pytest.fixture
def runs(coco, tmp_path):
    """Two finished runs: captions that name the backbone and the image, CIDEr 10 or 20 plus the image's place."""
    test, folders = read(DatasetInfo.read(coco.check), "test"), {}
    for row, name in enumerate(("baseline", "cutmix"), start=1):
        folder = folders[name] = tmp_path / name
        ids = [image.image_id for image in test]
        message = [{"image_id": i, "caption": f"{name} sees {i}"} for i in reversed(ids)]
        write_json(folder / "predictions.json", message)
        write_json(folder / "metrics.json", {"backbone": name})
        per_image.write(folder / "per_image.npz", ids, CIDEr=np.arange(len(ids)) + 10.04 * row)
    return folders


def test_photos_are_spread_and_everything_is_of_the_same_image(coco, runs, monkeypatch):
    monkeypatch.setattr(door, "PHOTOS", 3)
    found = examples(runs, DatasetInfo.read(coco.check))
    test = read(DatasetInfo.read(coco.check), "test")
    assert found["total"] == 6
    for place, shown in zip((0, 2, 4), found["photos"], strict=True):
        image = test[place]
        assert (shown["image_id"], shown["references"]) == (image.image_id, image.captions)
        assert shown["captions"] == [
            {"backbone": name, "caption": f"{name} sees {image.image_id}", "CIDEr": score + place}
            for name, score in (("baseline", 10.0), ("cutmix", 20.1))
        ]
        photo = Image.open(io.BytesIO(base64.b64decode(shown["photo"])))
        original = Image.open(image.path).convert("RGB")
        assert photo.size == original.size
        assert np.abs(np.asarray(photo, float) - np.asarray(original, float)).mean() < 8


def test_photos_are_no_larger_than_a_page_can_carry(coco, runs, monkeypatch):
    monkeypatch.setattr(door, "SIDE", 20)
    shown = examples(runs, DatasetInfo.read(coco.check))["photos"][0]
    assert max(Image.open(io.BytesIO(base64.b64decode(shown["photo"]))).size) == 20


@pytest.fixture
def draw(monkeypatch, coco, tmp_path):
    """Runs the command line on runs given as text; returns the file that it writes."""

    def call(*named):
        out = tmp_path / "report/captions.json"
        monkeypatch.setattr(
            sys,
            "argv",
            ["captioning", "qualitative", "--runs", *named, "--dataset-info", str(coco.check), "--out", str(out)],
        )
        main()
        return out

    return call


def test_the_command_line_keeps_the_order_of_the_rows(draw, runs):
    out = draw(*(f"{name}={runs[name]}" for name in ("cutmix", "baseline")))
    assert made_of(out.read_bytes()) == {f"{run}/metrics.json": sha256(run / "metrics.json") for run in runs.values()}
    shown = json.loads(out.read_text())["photos"][0]
    assert [message["backbone"] for message in shown["captions"]] == ["cutmix", "baseline"]


def test_what_is_wrong_with_a_run_is_said_in_one_line(draw, runs, capsys):
    folder = runs["baseline"]

    def message(*named):
        with pytest.raises(SystemExit):
            draw(*named)
        return capsys.readouterr().err

    assert (
        message("baseline=nowhere")
        == "error: --runs baseline=nowhere: must be a backbone's name, = and the folder of its run\n"
    )
    write_json(folder / "predictions.json", [])
    assert "baseline: its predictions and evidence have no caption of image" in message(f"baseline={folder}")
    per_image.write(folder / "per_image.npz", [1], ROUGE_L=np.zeros(1))
    assert "per_image.npz: holds no CIDEr of each image" in message(f"baseline={folder}")
    (folder / "per_image.npz").unlink()
    assert "per_image.npz: holds no CIDEr of each image" in message(f"baseline={folder}")
