"""The COCO check lets good sets pass and names what is wrong with bad ones."""

import json
import shutil
import subprocess
import sys
from itertools import product

import pytest
from PIL import Image
from pycocotools.coco import COCO

from detection.coco_metric import QuietCocoDataset
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import read_json
from workflow.data import coco as door

IMAGE = "COCO_train2014_000000000009.jpg"
TRAIN_CAPTIONS, VAL_CAPTIONS = (f"annotations/captions_{split}2014.json" for split in ("train", "val"))
TRAIN_INSTANCES, VAL_INSTANCES = INSTANCES = [f"annotations/instances_{split}2014.json" for split in ("train", "val")]


@pytest.fixture
def root(coco, tmp_path):
    return shutil.copytree(coco.root, tmp_path / "coco")


def edit(path: str, change):
    """Apply `change` to the content of one annotation file."""

    def damage(root):
        content = json.loads((root / path).read_text())
        change(content)
        (root / path).write_text(json.dumps(content))

    return damage


def first(kind: str, **values):
    return lambda content: content[kind][0].update(values)


def same_id(root):
    """A test image with the id of a training image, everywhere."""
    for path in (VAL_CAPTIONS, VAL_INSTANCES):
        text = (root / path).read_text()
        (root / path).write_text(text.replace('"id": 12,', '"id": 9,').replace('"image_id": 12,', '"image_id": 9,'))


def resize(root):
    with Image.open(root / "train2014" / IMAGE) as image:
        image.resize((50, 40)).save(root / "train2014" / IMAGE)


BROKEN = {
    "no root": (shutil.rmtree, r"coco: the COCO folder is missing"),
    "no image folder": (lambda root: shutil.rmtree(root / "val2014"), r"val2014: the folder val2014 is missing"),
    "no captions": (lambda root: (root / TRAIN_CAPTIONS).unlink(), r"captions_train2014.json: .* is missing"),
    "no instances": (lambda root: (root / VAL_INSTANCES).unlink(), r"instances_val2014.json: .* is missing"),
    "broken JSON": (
        lambda root: (root / TRAIN_CAPTIONS).write_text('{"images": [\n'),
        r"captions_train2014.json: not valid JSON: .*line 2",
    ),
    "no list": (
        edit(TRAIN_CAPTIONS, lambda c: c.pop("images")),
        r"captions_train2014.json: the list 'images' is missing",
    ),
    "no key": (
        edit(TRAIN_CAPTIONS, lambda c: c["annotations"][1].pop("caption")),
        r"captions_train2014.json: annotations\[1\] has no 'caption'",
    ),
    "empty split": (
        edit(VAL_CAPTIONS, lambda c: c.update(images=[], annotations=[])),
        r"captions_val2014.json: the split is empty",
    ),
    "absent image": (
        lambda root: (root / "train2014" / IMAGE).unlink(),
        rf"captions_train2014.json: image 9: .*{IMAGE} is missing",
    ),
    "caption of an absent image": (
        edit(TRAIN_CAPTIONS, first("annotations", image_id=77)),
        r"captions_train2014.json: caption 90: image 77 is not in 'images'",
    ),
    "empty caption": (
        edit(VAL_CAPTIONS, first("annotations", caption=" \n")),
        r"captions_val2014.json: caption 120 of image 12 is empty",
    ),
    "image without a caption": (
        edit(TRAIN_CAPTIONS, lambda c: c.update(annotations=c["annotations"][5:])),
        r"captions_train2014.json: image 9 has no caption",
    ),
    "image listed twice": (
        edit(TRAIN_CAPTIONS, lambda c: c["images"].append(c["images"][0])),
        rf"captions_train2014.json: file_name {IMAGE} stands 2 times in 'images'",
    ),
    "caption id twice": (
        edit(TRAIN_CAPTIONS, first("annotations", id=91)),
        r"captions_train2014.json: id 91 stands 2 times in 'annotations'",
    ),
    "instance of an absent image": (
        edit(TRAIN_INSTANCES, first("annotations", image_id=77)),
        r"instances_train2014.json: instance 90: image 77 is not in 'images'",
    ),
    "unknown class": (
        edit(TRAIN_INSTANCES, first("annotations", category_id=4)),
        r"instances_train2014.json: instance 90: category 4 is not in the class list 'categories'",
    ),
    "no box": (
        edit(TRAIN_INSTANCES, lambda c: c["annotations"][1].pop("bbox")),
        r"instances_train2014.json: annotations\[1\] has no 'bbox'",
    ),
    "class of no name": (
        edit(VAL_INSTANCES, lambda c: c["categories"][0].pop("name")),
        r"instances_val2014.json: categories\[0\] has no 'name'",
    ),
    "class id twice": (
        lambda root: [edit(path, first("categories", id=2))(root) for path in INSTANCES],
        r"instances_train2014.json: id 2 stands 2 times in 'categories'",
    ),
    "class name twice": (
        lambda root: [edit(path, first("categories", name="square"))(root) for path in INSTANCES],
        r"instances_train2014.json: categories 1, 2 have the same name, square, and objects of each",
    ),
    "box of two numbers": (
        edit(TRAIN_INSTANCES, first("annotations", bbox=[1, 2])),
        r"instances_train2014.json: instance 90 of image 9: bbox must be \[x, y, width, height\], not \[1, 2\]",
    ),
    "box without area": (
        edit(TRAIN_INSTANCES, first("annotations", bbox=[1, 2, 0, 5])),
        r"instances_train2014.json: instance 90 of image 9: the box \(1, 2, 1, 7\) has no area",
    ),
    "box outside": (
        edit(VAL_INSTANCES, first("annotations", bbox=[1, 2, 300, 5])),
        r"instances_val2014.json: instance 120 of image 12: the box .* is outside the image of \d+x\d+ px",
    ),
    "differing classes": (
        edit(VAL_INSTANCES, first("categories", name="disc")),
        r"instances_val2014.json: its 'categories' are not those of .*instances_train2014.json",
    ),
    "wrong size": (resize, r"captions_train2014.json: image 9: stated as \d+x\d+ px, the file has 50x40 px"),
    "shared image": (
        lambda root: shutil.copy(root / "train2014" / IMAGE, root / "val2014/COCO_val2014_000000000012.jpg"),
        rf"COCO_val2014_000000000012.jpg: the same image is used for training, as .*{IMAGE}",
    ),
    "empty image": (
        lambda root: (root / "train2014" / IMAGE).write_bytes(b""),
        rf"{IMAGE}: the image is empty \(0 bytes\)",
    ),
    "truncated image": (
        lambda root: (root / "train2014" / IMAGE).write_bytes((root / "train2014" / IMAGE).read_bytes()[:-400]),
        rf"{IMAGE}: the image cannot be decoded: image file is truncated",
    ),
}


@pytest.mark.parametrize("fault", BROKEN)
def test_every_fault_is_named(fault, root, coco):
    damage, message = BROKEN[fault]
    damage(root)
    with pytest.raises(UserError, match=message):
        door.check(coco.section, root)


def test_an_unknown_split_is_refused(root):
    with pytest.raises(UserError, match=r"data\.coco\.split: must be one of 2014, karpathy, not '2017'"):
        door.check({"split": "2017"}, root)


def grey(root):
    with Image.open(root / "train2014" / IMAGE) as image:
        image.convert("L").save(root / "train2014" / IMAGE)


HARMLESS = {
    "ids of either part": same_id,
    "grey image": grey,
    "crowd": edit(TRAIN_INSTANCES, first("annotations", iscrowd=1, segmentation={"counts": [9], "size": [3, 3]})),
    "box to the border": edit(TRAIN_INSTANCES, first("annotations", bbox=[-0.3, 2, 20.2, 5.5])),
    "newline in a caption": edit(TRAIN_CAPTIONS, first("annotations", caption="A red ring.\n")),
    "a sixth caption": edit(
        TRAIN_CAPTIONS, lambda c: c["annotations"].append({"id": 1, "image_id": 9, "caption": "A ring."})
    ),
}


@pytest.mark.parametrize("oddity", HARMLESS)
def test_oddities_of_the_real_set_are_fine(oddity, root, coco):
    HARMLESS[oddity](root)
    assert door.check(coco.section, root).counts["train_images"] == 12


def test_flat_boxes_of_the_official_file_are_let_through(root, coco, monkeypatch):
    BROKEN["box without area"][0](root)
    monkeypatch.setitem(door.OFFICIAL_IMAGES, "train2014", 12)
    assert door.check(coco.section, root).counts["train_images"] == 12


def test_what_a_check_holds(coco):
    check = DatasetInfo.read(coco.check)
    assert check.set == "coco"
    assert check.split == "2014"
    assert check.classes == ["circle", "square", "triangle", "star"]
    assert check.counts == {"train_images": 12, "train_captions": 60, "test_images": 6, "test_captions": 30}


@pytest.mark.parametrize("path", [TRAIN_CAPTIONS, VAL_INSTANCES, f"train2014/{IMAGE}"])
def test_the_fingerprint_sees_every_file_and_not_the_root(path, coco, root):
    before = DatasetInfo.read(coco.check).fingerprint
    assert door.check(coco.section, root).fingerprint == before
    (root / path).write_bytes((root / path).read_bytes() + b"\n")
    assert door.check(coco.section, root).fingerprint != before


@pytest.mark.parametrize(("part", "name"), [("train", "train2014"), ("test", "val2014")])
def test_read_gives_what_pycocotools_finds(part, name, coco, capsys):
    api = COCO(coco.root / "annotations" / f"captions_{name}.json")
    read = door.read(DatasetInfo.read(coco.check), part)
    assert [image.image_id for image in read] == sorted(api.getImgIds())
    for path, image_id, captions in read:
        assert path == coco.root / name / api.imgs[image_id]["file_name"]
        assert captions == [annotation["caption"] for annotation in api.imgToAnns[image_id]]


def test_the_command_line(root, coco, tmp_path):
    command = [
        sys.executable,
        "-m",
        "workflow.data.coco",
        "--dataset-config",
        json.dumps(coco.section),
        "--root",
        str(root),
    ]
    good = subprocess.run([*command, "--out", str(tmp_path / "good.json")], capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert DatasetInfo.read(tmp_path / "good.json").fingerprint == DatasetInfo.read(coco.check).fingerprint
    BROKEN["empty caption"][0](root)
    bad = subprocess.run([*command, "--out", str(tmp_path / "bad.json")], capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stderr == f"error: {root / VAL_CAPTIONS}: caption 120 of image 12 is empty\n"
    assert not (tmp_path / "bad.json").exists()


def test_of_instances_those_are_named_that_mmdetection_leaves_out(root):
    """All combinations of side, area and flags, each at a place of its own."""
    sides, areas, ignores, crowds = (0.5, 0.999, 1, 1.001, 7), (-1, 0, 0.001, 30), (None, 0, 1), (0, 1)
    instances = []
    for number, (width, height, area, ignore, crowd) in enumerate(product(sides, sides, areas, ignores, crowds)):
        one = {"id": number, "image_id": 9, "category_id": 1, "bbox": [number % 40, number / 1000, width, height]}
        one |= {"area": area, "iscrowd": crowd} | ({} if ignore is None else {"ignore": ignore})
        instances.append(one)
    content = read_json(root / TRAIN_INSTANCES) | {"annotations": instances}
    (root / TRAIN_INSTANCES).write_text(json.dumps(content))
    dataset = QuietCocoDataset(
        ann_file=str(root / TRAIN_INSTANCES),
        test_mode=True,
        data_prefix={"img": "train2014/"},
        metainfo={"classes": [one["name"] for one in content["categories"]]},
    )
    kept = {one["bbox"][1] for item in dataset.load_data_list() for one in item["instances"]}
    named = {one["bbox"][1] for one in instances if door._left_out(one)}
    assert kept | named == {one["bbox"][1] for one in instances}
    assert not kept & named
    assert len(kept) == 3 * 3 * 2 * 2 * 2


@pytest.mark.parametrize("kind", ["captions", "instances"])
def test_a_set_of_one_kind_says_which(kind, root, coco):
    """A detector needs no captions, a captioner no objects."""
    both = door.check(coco.section, root)
    assert (both.kinds, both.counts.keys()) == (
        ["captions", "instances"],
        DatasetInfo.read(coco.check).counts.keys(),
    )
    other = {"captions": INSTANCES, "instances": [TRAIN_CAPTIONS, VAL_CAPTIONS]}[kind]
    for path in other:
        (root / path).unlink()
    found = door.check(coco.section, root)
    assert found.kinds == [kind]
    kept = [key for key in both.counts if kind == "captions" or key.endswith("images")]
    assert found.counts == {key: both.counts[key] for key in kept}
    assert (found.with_object, found.classes) == ((0, []) if kind == "captions" else
                                                        (both.with_object, both.classes))  # fmt: skip
