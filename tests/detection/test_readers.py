"""What a check has let pass, mmdetection's readers read whole: no object is left out, none has a box without area."""

import copy
import hashlib
import itertools
import json
import math
import re
import shutil
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from mmdet.datasets import CocoDataset, VOCDataset

from detection.evaluate import evaluate, ground_truth
from detection.visualize import scenes
from detection.voc_reader import ListedVOCDataset
from tests.bad.cases import edit
from tests.bad.good import all_renamed
from tests.bad.sets import as_file
from tests.workflow.data.test_annotations_fuzzed import GOOD, JSON, KNOWN, OBJECTS, faults_of, paths, with_images, xml
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.data import voc as voc_set
from workflow.data.coco_files import annotation_file, load
from workflow.data.validation.decoding import decode
from workflow.data.validation.errors import ErrorList
from workflow.data.voc_lists import SPLITS


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return with_images(tmp_path_factory.mktemp("readers"))


@given(OBJECTS)
@example([("car", ("1", "2", "9", "9"), ""), (" car", ("1", "2", "9", "9"), "0")])
@example([("car", ("5.2", "2", "5.9", "9"), "")])
@example([("car", ("0", "2", "1", "9"), "1")])
def test_of_a_voc_annotation(root, objects):
    path, faults = root / "a.xml", ErrorList()
    path.write_text(xml(objects), encoding="utf-8")
    try:
        annotation = voc_set.read(path, path)
    except UserError:
        return
    voc_set._check_annotation(path, annotation, KNOWN, faults)
    if faults:
        return
    (root / "VOC2007").mkdir(exist_ok=True)
    (root / "VOC2007/Annotations").exists() or (root / "VOC2007/Annotations").symlink_to("..")
    reader = ListedVOCDataset("test07", data_root=str(root), metainfo={"classes": tuple(KNOWN)}, lazy_init=True)
    info = reader._entry("a", root / "a.jpg", 1)
    assert (info["width"], info["height"]) == annotation.size
    assert [KNOWN[one["bbox_label"]] for one in info["instances"]] == [name for name, _, _ in annotation.objects]
    assert [bool(one["ignore_flag"]) for one in info["instances"]] == [
        difficult for *_, difficult in annotation.objects
    ]
    for one in info["instances"]:
        assert area_on_image(one["bbox"], *annotation.size) > 0


def test_the_devkit_s_files_are_read_as_by_mmdetection(voc):
    """Pixel by pixel and object by object, in the same order."""
    check = DatasetInfo.read(voc.check)
    common = {"data_root": check.root, "metainfo": {"classes": tuple(check.classes)}, "test_mode": True}
    for split, (year, name) in SPLITS.items():
        ours = ListedVOCDataset(split, **common)
        theirs = VOCDataset(ann_file=f"VOC{year}/ImageSets/Main/{name}.txt",
                            data_prefix={"sub_data_root": f"VOC{year}/"}, **common)  # fmt: skip
        for one, other in zip(ours, theirs, strict=True):
            assert one["img_id"] == int(re.sub(r"\D", "", other.pop("img_id")))
            assert {key: one[key] for key in other} == other


def test_other_names_and_suffixes_change_no_pixel_and_no_box(voc, tmp_path):
    """Nor the score: the truth as detections, by the ids of the reader."""
    root, suffixes = shutil.copytree(voc.root, tmp_path / "voc"), itertools.cycle((".PNG", ".bmp", ".webp", ".tiff"))
    for number, path in enumerate(sorted(root.glob("VOC*/JPEGImages/*.jpg"))):
        as_file(f"{path.relative_to(root)}", next(suffixes))(root)
        if number % 3 == 0:
            edit(f"{path.parent.parent.name}/Annotations/{path.stem}.xml", "<size>.*?</size>", "")(root)
    every = [DatasetInfo.read(voc.check), voc_set.check(voc.section, root)]
    assert every[1].counts == every[0].counts
    for split in SPLITS:
        plain, other = (
            ListedVOCDataset(split, data_root=check.root, metainfo={"classes": tuple(check.classes)}, lazy_init=True)
            for check in every
        )
        for one, two in zip(plain.load_data_list(), other.load_data_list(), strict=True):
            assert {key: one[key] for key in ("height", "width", "instances", "img_id")} == {
                key: two[key] for key in ("height", "width", "instances", "img_id")
            }
            assert one["img_path"] != two["img_path"]
            assert np.array_equal(decode(one["img_path"]), decode(two["img_path"]))


def test_any_names_are_scored(voc, tmp_path):
    """A hash in every name, as Roboflow writes: the truth written down as detections is all that is found."""
    root = shutil.copytree(voc.root, tmp_path / "voc")
    all_renamed(lambda name: f"IMG_{name}_jpg.rf.{hashlib.md5(name.encode()).hexdigest()}")(root)
    check = voc_set.check(voc.section, root)
    ids, annotations = ground_truth(check)
    assert ids == list(range(1, 7))
    results = [
        {"image_id": image, "category_id": int(label) + 1, "bbox": [x, y, right - x + 1, bottom - y + 1], "score": 0.5}
        for image, one in zip(ids, annotations, strict=True)
        for label, (x, y, right, bottom) in zip(one["labels"], one["bboxes"].tolist(), strict=True)
    ]
    (tmp_path / "predictions.json").write_text(json.dumps(results))
    assert evaluate(tmp_path / "predictions.json", check)["mAP"] == pytest.approx(100)
    assert {scene.image_id for scene in scenes(check)[0]} <= set(ids)


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
    count = len(content["instances"]["annotations"])
    instances = load(annotation_file(root, "train2014", "instances"), root / "train2014", "instances")
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
    assert kept == count
