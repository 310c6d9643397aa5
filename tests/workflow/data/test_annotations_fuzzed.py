"""Laws of boxes, VOC's XML and COCO's lists: what passes can be used, the rest is said, nothing is lost in between."""

import copy
import json
import math
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from tests.workflow.config.test_loading_fuzzed import paths
from workflow.core.errors import UserError
from workflow.data import coco, karpathy, voc
from workflow.data.coco_files import annotation_file, load
from workflow.data.validation.errors import SLACK, ErrorList, box_fault, text_error

EDGES = st.integers(-3, 60) | st.floats(-3, 60, width=32) | st.sampled_from([math.nan, math.inf, -math.inf, 1e300])
SIDES = st.integers(1, 50)


@given(st.tuples(EDGES, EDGES, EDGES, EDGES), st.sampled_from([0, 1]), SIDES, SIDES)
@example((0, 5, 1, 9), 1, 20, 20)
@example((-1, 5, 0, 9), 0, 20, 20)
def test_a_box_that_passes_shows_some_of_the_image(box, low, width, height):
    fault = box_fault(box, low, width, height)
    if fault is not None:
        assert fault.isprintable()
        return
    x0, y0, x1, y1 = (float(edge) for edge in box)
    assert all(map(math.isfinite, (x0, y0, x1, y1)))
    assert low - SLACK <= x0 < x1 <= width + SLACK
    assert low - SLACK <= y0 < y1 <= height + SLACK
    assert min(x1 - low, width) > max(x0 - low, 0), "clipped to the image it has an area"
    assert min(y1 - low, height) > max(y0 - low, 0)


@given(st.data(), st.sampled_from([0, 1]), SIDES, SIDES)
def test_every_box_on_the_image_passes(data, low, width, height):
    x0, x1 = sorted(data.draw(st.lists(st.integers(0, width), min_size=2, max_size=2, unique=True)))
    y0, y1 = sorted(data.draw(st.lists(st.integers(0, height), min_size=2, max_size=2, unique=True)))
    assert box_fault((x0 + low, y0 + low, x1 + low, y1 + low), low, width, height) is None


KNOWN = ["car", "tram"]
NAMES = st.sampled_from([*KNOWN, *KNOWN, " car", "zebra", "", "tr&amp;am", "ç"])
NUMBERS = st.sampled_from(["1", "5", "7.5", "20", "31", "-4", "nan", "1e1", "x", "", " 9 ", "0x1", "1_0", "∞", "٣"])
OBJECTS = st.lists(
    st.tuples(NAMES, st.tuples(NUMBERS, NUMBERS, NUMBERS, NUMBERS), st.sampled_from(["", "0", "1", "no"])), max_size=3
)


def xml(objects: list) -> str:
    """An annotation of an image of 30 x 30 px."""
    parts = ["<annotation><size><width>30</width><height>30</height></size>"]
    for name, box, difficult in objects:
        edges = "".join(f"<{tag}>{edge}</{tag}>" for tag, edge in zip(voc_tags(), box, strict=True))
        parts.append(f"<object><name>{name}</name>{difficult and f'<difficult>{difficult}</difficult>'}")
        parts.append(f"<bndbox>{edges}</bndbox></object>")
    return "".join([*parts, "</annotation>"])


def voc_tags() -> tuple[str, ...]:
    return "xmin", "ymin", "xmax", "ymax"


def checked(text: bytes) -> tuple[int, int] | None:
    """(objects that are kept, objects of which something is said); None if the file is refused whole, in one line."""
    try:
        annotation = voc.parse(text, Path("a.xml"))
    except UserError as error:
        said = str(error)
        return None if said.startswith("a.xml:") else pytest.fail(said)
    faults = ErrorList()
    voc._check_annotation(Path("a.xml"), annotation._replace(size=annotation.size or (30, 30)), KNOWN, faults)
    said = {line.split(" (")[0] for lines in faults.kinds.values() for line in lines}
    return len(annotation.objects) - len(said), len(said)


@given(OBJECTS)
def test_each_object_of_an_xml_is_kept_or_said(objects):
    found = checked(xml(objects).encode())
    if found is not None:
        assert sum(found) == len(objects)


@given(OBJECTS, st.data())
def test_a_damaged_xml_loses_no_object_silently(objects, data):
    text = xml(objects)
    start = data.draw(st.integers(0, len(text)))
    end = data.draw(st.integers(start, min(len(text), start + 12)))
    new = data.draw(
        st.sampled_from(["", "<object>", "</object>", "<Object/>", "<x>", "&", "<!-- ", "\x00", "<a:b/>", "9"])
    )
    damaged = (text[:start] + new + text[end:]).encode()
    found = checked(damaged)
    if found is not None:
        tags = [element.tag.lower() for element in ET.fromstring(damaged).iter()]
        assert sum(found) == tags.count("object")


@given(st.binary(max_size=60) | st.text(st.sampled_from("<>/a&;!?=\"' \n[]-"), max_size=60).map(str.encode))
@example(b'<?xml version="1.0" encoding="utf-7"?><annotation/>')
@example(b'<?xml version="1.0" encoding="rot13"?><annotation/>')
@example(b"<a>" * 20_000)
def test_any_bytes_are_an_annotation_or_are_refused(content):
    assert checked(content) is None


IMAGES = [{"id": n, "file_name": f"{n}.jpg", "width": 30, "height": 30} for n in (1, 2)]
GOOD = {
    "captions": {
        "images": IMAGES,
        "annotations": [{"id": n, "image_id": n, "caption": "a car"} for n in (1, 2)],
    },
    "instances": {
        "images": IMAGES,
        "annotations": [
            {"id": n, "image_id": n, "category_id": n, "bbox": [1, 2, 9, 9], "area": 60.5, "iscrowd": 0} for n in (1, 2)
        ],
        "categories": [{"id": n + 1, "name": name} for n, name in enumerate(KNOWN)],
    },
}
LEAVES = st.sampled_from(
    [None, True, 0, 1, 2, -1, 10**30, 0.5, math.nan, math.inf, "", "1", "a\nb", "\ud800", "../x", "é"]
)
JSON = st.recursive(
    LEAVES, lambda below: st.lists(below, max_size=4) | st.dictionaries(st.just("id"), below), max_leaves=4
)


def with_images(root: Path) -> Path:
    """The folder, with the images of GOOD."""
    for name in ("train2014", "annotations"):
        (root / name).mkdir()
    for image in IMAGES:
        (root / "train2014" / image["file_name"]).write_bytes(b"")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    return with_images(tmp_path_factory.mktemp("coco"))


def faults_of(root: Path, content: dict) -> int:
    """How many faults these lists have; 1 if they are refused at once."""
    for kind, lists in content.items():
        coco.annotation_file(root, "train2014", kind).write_text(json.dumps(lists))
    faults = ErrorList()
    try:
        coco._check_annotations(root, "train2014", faults)
    except UserError as error:
        said = str(error)
        return 1 if said.startswith(str(root)) else pytest.fail(said)
    return len(faults)


def test_what_the_damages_begin_with_is_good(root):
    assert faults_of(root, GOOD) == 0


@given(st.sampled_from(paths(GOOD)), JSON, st.booleans())
def test_damaged_lists_are_refused_or_lose_nothing(root, path, new, remove):
    content = copy.deepcopy(GOOD)
    place = content
    for part in path[:-1]:
        place = place[part]
    if remove:
        del place[path[-1]]
    else:
        place[path[-1]] = new
    assume(content.keys() == GOOD.keys() and isinstance(content["captions"], dict | list))
    if faults_of(root, content):
        return
    found = coco.captioned(root, "2014", "train")
    assert sum(len(image.captions) for image in found) == len(content["captions"]["annotations"])
    assert all(text_error(text) is None for image in found for text in image.captions)
    instances = load(annotation_file(root, "train2014", "instances"), root / "train2014", "instances")
    assert len(instances["annotations"]) == len(content["instances"]["annotations"])
    for one in instances["annotations"]:
        assert {one["image_id"]} <= {image["id"] for image in instances["images"]}
        assert {one["category_id"]} <= {category["id"] for category in instances["categories"]}
        assert coco._left_out(one) is None


@given(st.text(max_size=20) | st.sampled_from(["\u2028", "a\x85b", "\ud83d", "|||", "\u202e", "e\u0301"]))
def test_every_caption_is_read_back_or_said(root, text):
    content = copy.deepcopy(GOOD)
    content["captions"]["annotations"][0]["caption"] = text
    faults = faults_of(root, content)
    assert faults == (text_error(text) is not None)
    if not faults:
        assert coco.captioned(root, "2014", "train")[0].captions == [text]
        text.encode()


@given(JSON, st.sampled_from(["filepath", "filename", "cocoid", "split", "sentences"]))
def test_karpathys_entries_are_good_or_refused(root, new, key):
    sentences = [{"raw": "a car"}]
    entry = {"filepath": "train2014", "filename": "1.jpg", "cocoid": 1, "split": "train", "sentences": sentences}
    test = entry | {"filename": "2.jpg", "cocoid": 2, "split": "test"}
    karpathy.split_file(root).write_text(json.dumps({"images": [entry | {key: new}, test]}))
    faults = ErrorList()
    known = {("train2014", "1.jpg"): 1, ("train2014", "2.jpg"): 2}
    try:
        karpathy.check(root, known, False, faults)
    except UserError:
        return
    if not faults:
        read = coco.captioned(root, "karpathy", "train")
        assert [text_error(text) for image in read for text in image.captions] == [None]
