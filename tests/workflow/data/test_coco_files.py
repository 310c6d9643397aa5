"""COCO's categories of one name: those without objects are left out in training and scoring, others are refused."""

import json
import shutil

import pytest

from detection.coco_metric import QuietCocoDataset
from workflow.core.errors import UserError
from workflow.data import coco as door
from workflow.data.coco_files import FLAG, ID, SIDE, is_box

TRAIN, VAL = PARTS = [f"annotations/instances_{split}2014.json" for split in ("train", "val")]


@pytest.fixture
def root(coco, tmp_path):
    return shutil.copytree(coco.root, tmp_path / "coco")


def edit(path, change):
    content = json.loads(path.read_text())
    change(content)
    path.write_text(json.dumps(content))


def labels(root, name, check):
    """Box -> class of a part, as training reads it."""
    data = QuietCocoDataset(
        ann_file=str(root / f"annotations/instances_{name}.json"),
        data_prefix={"img": str(root / name)},
        metainfo={"classes": tuple(check.classes)},
        test_mode=True,
    )
    return {
        (item["img_id"], *one["bbox"][:2]): check.classes[one["bbox_label"]]
        for item in data
        for one in item["instances"]
    }


def doubled(number, content):
    content["categories"].append({"id": number, "name": "square"})


def untested(content):
    """No square in the test split, where nothing tells which of two categories of that name is used."""
    content["annotations"] = [one for one in content["annotations"] if one["category_id"] != 2]


@pytest.mark.parametrize("number", [0, 77])
@pytest.mark.parametrize("rare", [False, True], ids=["in both parts", "in training only"])
def test_a_category_without_objects_may_have_a_class_s_name(number, rare, root, coco, capsys):
    if rare:
        edit(root / VAL, untested)
    plain = door.check(coco.section, root)
    before = [labels(root, name, plain) for name in door.NAMES.values()]
    for path in PARTS:
        edit(root / path, lambda content: doubled(number, content))
    check = door.check(coco.section, root)
    assert (
        f"1 not used, categories without objects whose name another has: {number} (square)" in capsys.readouterr().out
    )
    assert check.classes == plain.classes == ["circle", "square", "triangle", "star"]
    assert [labels(root, name, check) for name in door.NAMES.values()] == before
    assert {"circle", "square"} <= set(before[0].values())


def test_categories_of_one_name_that_have_objects_in_another_part_each_are_refused(root, coco):
    for path in PARTS:
        edit(root / path, lambda content: doubled(5, content))
    edit(root / VAL, lambda content: [one.update(category_id=5) for one in content["annotations"]])
    with pytest.raises(UserError, match=r"instances_train2014.json: categories 2, 5 have the same name, square"):
        door.check(coco.section, root)


@pytest.mark.parametrize(
    ("kind", "fits", "others"),
    [
        (ID, [0, -1, 7.0, 2**53 - 1], [1.5, True, 2**53, "7", None]),
        (FLAG, [0, 1, True, 0.0], [0.5, "0", None]),
        (SIDE, [1, 3.0, 2**31 - 1], [0, -1, 2**31, 1.5, True, None]),
    ],
)
def test_numbers_are_whole_and_within_their_bounds(kind, fits, others):
    assert all(kind[1](value) for value in fits)
    assert not any(kind[1](value) for value in others)


@pytest.mark.parametrize(
    ("box", "is_one"),
    [([1, 2, 3, 4], True), ([1.5, 0, -3, 4], True), ([1, 2, 3], False), ([1, 2, 3, 4, 5], False),
     ([1, 2, 3, True], False), ((1, 2, 3, 4), False)],
)  # fmt: skip
def test_a_box_is_four_numbers(box, is_one):
    assert is_box(box) == is_one
