"""Detections as arrays: the numbers of a loop over them, and a file that is the same bytes as `json.dumps`."""

import json

import numpy as np
import pytest

from detection import coco_results
from detection.coco_results import arrays, detections, entries, joined, stream, write

from .generated import world


def test_the_rounding_is_pythons_own():
    draw = np.random.default_rng(0)
    boxes = (draw.random((20_000, 4)) * 600).astype(np.float32)
    boxes[:1000] = (boxes[:1000] * 100).round() / 100 + np.float32(0.005)
    scores = draw.random(20_000).astype(np.float32)
    scores[:2000] = draw.integers(0, 128, 2000) / 128  # with 7 decimals, the last a 5: ties
    found = detections(2008000008, boxes, scores, np.arange(20_000) % 20)
    assert found["score"].tolist() == [round(float(score), 6) for score in scores]
    sides = [[x, y, right - x, bottom - y] for x, y, right, bottom in boxes.astype(np.float64)]
    assert found["bbox"].tolist() == [[float(np.round(value, 2)) for value in box] for box in sides]
    assert found["category_id"][:21].tolist() == [*range(1, 21), 1]
    assert set(found["image_id"].tolist()) == {2008000008}


def test_arrays_and_entries_are_each_others_inverse():
    _, _, found = world(0, 30, 4)
    assert entries(arrays(found)) == found
    assert entries(joined([arrays(found[:7]), arrays([]), arrays(found[7:])])) == found
    assert entries(joined([])) == []


@pytest.mark.parametrize("count", [0, 1, 4, 5, 12])
def test_the_file_is_what_json_makes_of_a_dict_for_each(tmp_path, monkeypatch, count):
    monkeypatch.setattr(coco_results, "ENTRIES", 4)
    found = world(0, 30, 4)[2][:count]
    write(tmp_path / "predictions.json", arrays(found))
    assert (tmp_path / "predictions.json").read_text() == json.dumps(found)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf, -0.0, 1e-7, 1e22, 0.1 + 0.2])
def test_numbers_are_written_as_json_writes_them(tmp_path, odd):
    found = [{"image_id": 1, "category_id": 2, "bbox": [1.0, odd, 3.5, 4.0], "score": 0.5}]
    write(tmp_path / "predictions.json", arrays(found))
    assert (tmp_path / "predictions.json").read_text() == json.dumps(found)


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("characters", [1, 7, 64, 10_000])
def test_a_file_is_read_in_pieces_wherever_they_end(tmp_path, monkeypatch, characters, indent):
    monkeypatch.setattr(coco_results, "CHARACTERS", characters)
    found = world(1, 5, 4)[2] + [{"image_id": 1, "segmentation": {"counts": "}, {]"}, "nested": [{}, {}]}]
    (tmp_path / "found.json").write_text(" \n" + json.dumps(found, indent=indent) + "\n ")
    assert list(stream(tmp_path / "found.json")) == found
    (tmp_path / "found.json").write_text(" [ \n] ")
    assert list(stream(tmp_path / "found.json")) == []


@pytest.mark.parametrize(
    "text", ["", "[", "[{}", "[{},", "[{},]", "[{}] 1", "[{} {}]", '{"a": 1}', "{}", "[1, 2", "null"]
)
def test_what_is_no_list_of_objects_is_refused(tmp_path, monkeypatch, text):
    monkeypatch.setattr(coco_results, "CHARACTERS", 3)
    (tmp_path / "found.json").write_text(text)
    with pytest.raises((json.JSONDecodeError, TypeError)):
        list(stream(tmp_path / "found.json"))
