"""What a check has let pass, mmdetection's readers read whole: no object is left out, none has a box without area."""

import copy
import math
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mmdet.datasets import CocoDataset, VOCDataset

from tests.workflow.data.test_annotations_fuzzed import GOOD, JSON, KNOWN, OBJECTS, faults_of, paths, with_images, xml
from workflow.data import coco, voc
from workflow.data.checking import Faults
from workflow.training.errors import UserError


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return with_images(tmp_path_factory.mktemp("readers"))


@given(OBJECTS)
@example([("car", ("1", "2", "9", "9"), ""), (" car", ("1", "2", "9", "9"), "0")])
@example([("car", ("5.2", "2", "5.9", "9"), "")])
@example([("car", ("0", "2", "1", "9"), "1")])
def test_of_a_voc_annotation(root, objects):
    path, faults = root / "a.xml", Faults()
    path.write_text(xml(objects), encoding="utf-8")
    try:
        annotation = voc.parse(path.read_bytes(), path)
    except UserError:
        return
    voc._check_annotation(path, annotation, KNOWN, faults)
    if faults:
        return
    reader = VOCDataset(data_root=str(root), metainfo={"classes": tuple(KNOWN)}, lazy_init=True)
    info = reader.parse_data_info({"img_id": "a", "file_name": "a.jpg", "xml_path": str(path)})
    assert (info["width"], info["height"]) == annotation.size
    assert [KNOWN[one["bbox_label"]] for one in info["instances"]] == [name for name, _, _ in annotation.objects]
    assert [bool(one["ignore_flag"]) for one in info["instances"]] == [
        difficult for *_, difficult in annotation.objects
    ]
    for one in info["instances"]:
        assert area_on_image(one["bbox"], *annotation.size) > 0


def area_on_image(box: list[float], width: int, height: int) -> float:
    """Of (x0, y0, x1, y1), clipped as the detectors' Resize does."""
    x0, y0, x1, y1 = np.clip(box, 0, [width, height, width, height])
    return math.prod((x1 - x0, y1 - y0)) if x1 > x0 and y1 > y0 else 0.0


@given(st.sampled_from(paths(GOOD["instances"], ("instances",))), JSON)
@example(("instances", "annotations", 0, "area"), 0)
@example(("instances", "annotations", 0, "bbox"), [-1, 2, 1, 9])
@example(("instances", "annotations", 0, "bbox"), [3, 2, 0.5, 9])
def test_of_coco_instances(root, path, new):
    assume(path != ("instances",))
    content = copy.deepcopy(GOOD)
    place = content
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = new
    if faults_of(root, content):
        return
    instances = content["instances"]
    cats = [category["id"] for category in instances["categories"]]
    reader = SimpleNamespace(
        data_prefix={"img": ""}, return_classes=False, cat_ids=cats, cat2label={cat: n for n, cat in enumerate(cats)}
    )
    kept = 0
    for image in instances["images"]:
        notes = [one for one in instances["annotations"] if one["image_id"] == image["id"]]
        raw = {"raw_img_info": image | {"img_id": image["id"]}, "raw_ann_info": notes}
        found = CocoDataset.parse_data_info(reader, raw)["instances"]
        assert all(area_on_image(one["bbox"], image["width"], image["height"]) > 0 for one in found)
        kept += len(found)
    assert kept == len(instances["annotations"])
    assert coco.annotation_file(root, "train2014", "instances").is_file()
