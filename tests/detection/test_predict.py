"""A kept network finds on a test image what its run's evaluation found, bit for bit; any photo will do."""

import re
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools.coco import COCO

from backbones import trained_network
from backbones.trained_network import load_network
from detection.cli import main
from detection.train import train
from tests.detection.conftest import make_run
from workflow.core.errors import UserError
from workflow.core.files import published as hashed_files
from workflow.core.files import read_json
from workflow.data.voc_lists import members


@pytest.fixture(scope="module")
def runs(checks, tiny, tmp_path_factory):
    """Folders of short trainings that kept their networks, by task."""
    found = {}
    for name, changes in (("ssd_voc", {}), ("faster_rcnn_coco", {"score_threshold": 0.0, "precision": "bf16"})):
        folder = tmp_path_factory.mktemp(name)
        run = replace(make_run(name, iterations=2, milestones=[], **changes), keep_network=True)
        train(run, tiny, checks[name], folder / "state", folder / "out")
        found[name] = folder / "out"
    return found


@pytest.fixture
def predict(monkeypatch, capsys):
    """predict(run, *words): the command; (status, what it printed)."""

    def call(folder, *words):
        monkeypatch.setattr(sys, "argv", ["detection", "predict", "--run", str(folder), *map(str, words)])
        status = 0
        try:
            main()
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr()

    return call


def of_photo(entries, image):
    return [{key: value for key, value in one.items() if key != "image_id"} for one in entries
            if one["image_id"] == image]  # fmt: skip


def test_a_voc_test_image_has_the_evaluation_s_detections(runs, voc, predict, tmp_path):
    """Evaluated in one batch of six, predicted by itself and in another order."""
    expected = read_json(runs["ssd_voc"] / "predictions.json")
    photos, ids = [*members(voc.root, "test07").values()], sorted({one["image_id"] for one in expected})
    assert len(ids) == len(photos) == 6
    chosen = [4, 1]
    status, printed = predict(runs["ssd_voc"], *(photos[n] for n in chosen), "--out", tmp_path)
    assert (status, "photos/s" in printed.out) == (0, True)
    found = read_json(tmp_path / "predictions.json")
    for number, place in enumerate(chosen, start=1):
        assert of_photo(found, number) == of_photo(expected, ids[place]) != []
    status, _ = predict(runs["ssd_voc"], photos[2], "--out", tmp_path / "one", "--score-threshold", 1)
    assert of_photo(read_json(tmp_path / "one/predictions.json"), 1) == of_photo(expected, ids[2])


def test_a_coco_test_image_has_the_evaluation_s_detections(runs, coco, predict, tmp_path):
    expected = read_json(runs["faster_rcnn_coco"] / "predictions.json")
    images = read_json(coco.root / "annotations/instances_val2014.json")["images"]
    predict(runs["faster_rcnn_coco"], coco.root / "val2014", "--out", tmp_path, "--score-threshold", 0)
    listed = COCO(str(tmp_path / "images.json"))
    assert listed.loadRes(str(tmp_path / "predictions.json"))
    assert {one["id"] for one in listed.dataset["categories"]} == {1, 2, 3, 5}
    numbers = {one["file_name"].rpartition("/")[2]: one["id"] for one in listed.dataset["images"]}
    found = read_json(tmp_path / "predictions.json")
    for image in images:
        assert of_photo(found, numbers[image["file_name"]]) == of_photo(expected, image["id"]) != []
    drawn = sorted(tmp_path.glob("*.jpg"))
    assert len(drawn) == len(images)
    with Image.open(drawn[0]) as picture:
        assert max(picture.size) == 1280


def test_photos_of_all_kinds_and_a_file_that_is_not_one(runs, predict, tmp_path):
    deep = Image.fromarray(np.arange(64 * 48, dtype=np.uint16).reshape(48, 64) * 20)
    deep.save(tmp_path / "16 bits.png")
    grey = deep.point(lambda value: value / 256).convert("L")
    for mode, suffix in (("L", "jpg"), ("CMYK", "tif"), ("RGBA", "png"), ("P", "gif")):
        grey.convert(mode).save(tmp_path / f"{mode}.{suffix}")
    (tmp_path / "no\nphoto.jpg").write_text("hello")
    (tmp_path / "notes.txt").write_text("hello")
    status, printed = predict(runs["ssd_voc"], tmp_path, "--out", tmp_path / "out")
    first, last = (line for line in printed.err.replace("\r", "\n").splitlines() if re.match("warning|error", line))
    assert first.endswith(r"no\nphoto.jpg: the image cannot be decoded: no known image format")
    assert last.startswith("error: 1 of 6 files could not be read, see above; 5 photos, ")
    assert status == 1
    found = {path.name.partition("_")[2] for path in (tmp_path / "out").glob("*.jpg")}
    assert found == {"16 bits.jpg", "L.jpg", "CMYK.jpg", "RGBA.jpg", "P.jpg"}


@pytest.mark.parametrize(("path", "fault"), [("gone.jpg", "No such file"), ("empty", "no image in this folder")])
def test_what_holds_no_photo_is_refused(path, fault, runs, predict, tmp_path):
    (tmp_path / "empty").mkdir()
    status, printed = predict(runs["ssd_voc"], tmp_path / path, "--out", tmp_path / "out")
    assert (status, printed.err.count("\n")) == (1, 1)
    assert printed.err.startswith(f"error: {tmp_path / path}: {fault}")


def test_no_hash_covers_a_kept_network(runs):
    assert "network.safetensors" not in read_json(runs["ssd_voc"] / "metrics.json")["files"]
    assert "keep_network" not in read_json(runs["ssd_voc"] / "config.json")
    assert runs["ssd_voc"] / "network.safetensors" not in hashed_files(runs["ssd_voc"])


def test_a_run_that_kept_none_says_how_to_get_it(runs, tmp_path):
    (tmp_path / "metrics.json").write_bytes((runs["ssd_voc"] / "metrics.json").read_bytes())
    again = "set resources.keep_networks: true in the config, remove .*/metrics.json and run snakemake again"
    with pytest.raises(UserError, match=f"this run did not keep its network; {again}"):
        load_network(tmp_path)
    content = bytearray((runs["ssd_voc"] / "network.safetensors").read_bytes())
    (tmp_path / "network.safetensors").write_bytes(content)
    assert load_network(tmp_path)[0].recipe["precision"] == "fp32"
    content[-1] ^= 1
    (tmp_path / "network.safetensors").write_bytes(content)
    with pytest.raises(UserError, match="damaged: its content is not what was written"):
        load_network(tmp_path)
    (tmp_path / "network.safetensors").write_bytes((runs["faster_rcnn_coco"] / "network.safetensors").read_bytes())
    with pytest.raises(UserError, match="of another run than"):
        load_network(tmp_path)
    with pytest.raises(UserError, match=r"metrics\.json: No such file"):
        load_network(tmp_path / "gone")


def test_a_network_of_a_run_before_is_removed(tmp_path):
    run = make_run("ssd_voc")
    (tmp_path / "network.safetensors").write_bytes(b"old")
    trained_network.save_network(tmp_path, run, {}, {"a": torch.zeros(1)}, None, {})
    assert list(tmp_path.iterdir()) == []
