"""Made data follows from its spec alone, has the official names, and is never half there."""

import hashlib
import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from workflow.core.errors import UserError
from workflow.core.rng import rng
from workflow.data.synthetic import generate
from workflow.data.synthetic.generate import main as synthetic_door
from workflow.data.synthetic.scenes import scene
from workflow.data.synthetic.sprites import Shapes

SPECS = {
    "imagenet": {"classes": 3, "train": 7, "val": 4, "size": 32, "seed": 1},
    "voc": {"classes": 3, "trainval07": 4, "trainval12": 3, "test07": 3, "size": 48, "seed": 1},
    "coco": {"classes": 3, "train": 4, "val": 3, "size": 48, "seed": 1},
}
GROWING = {"imagenet": "train", "voc": "trainval07", "coco": "train"}


def contents(root: Path) -> dict[str, str]:
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


@pytest.mark.parametrize("name", SPECS)
def test_the_same_spec_gives_the_same_bytes_and_another_seed_others(name, tmp_path):
    for folder, seed in (("one", 1), ("new/folder/same", 1), ("other", 2)):
        generate.make(name, SPECS[name] | {"seed": seed}, tmp_path / folder)
    one, same, other = (contents(tmp_path / folder) for folder in ("one", "new/folder/same", "other"))
    assert one == same
    assert one.keys() == other.keys()
    images = [path for path in one if path.lower().endswith(("jpg", "jpeg"))]
    assert all(one[path] != other[path] for path in images)
    assert len({one[path] for path in images}) == len(images), "no image comes twice"


@pytest.mark.parametrize("name", SPECS)
def test_a_larger_split_begins_with_the_smaller_one(name, tmp_path):
    more = SPECS[name] | {GROWING[name]: SPECS[name][GROWING[name]] + 3}
    generate.make(name, SPECS[name], tmp_path / "few")
    generate.make(name, more, tmp_path / "many")
    few, many = contents(tmp_path / "few"), contents(tmp_path / "many")
    whole = [path for path in few if not path.endswith((".txt", ".json"))]
    assert len(whole) > 6
    assert all(many[path] == few[path] for path in whole)
    for path in few.keys() - set(whole):
        if path.endswith(".txt"):
            assert (tmp_path / "many" / path).read_text().startswith((tmp_path / "few" / path).read_text())
            continue
        small, large = (json.loads((tmp_path / side / path).read_text()) for side in ("few", "many"))
        assert all(large[key][: len(small[key])] == small[key] for key in small if isinstance(small[key], list))


def test_the_layout_of_imagenet(imagenet):
    names = [str(path.relative_to(imagenet.root)) for path in imagenet.root.rglob("*.JPEG")]
    train = [name for name in names if re.fullmatch(r"train/(n\d{8})/\1_\d+\.JPEG", name)]
    val = [name for name in names if re.fullmatch(r"val/n\d{8}/ILSVRC2012_val_\d{8}\.JPEG", name)]
    assert (len(train), len(val), len(names)) == (40, 12, 52)
    mapping = (imagenet.root / "LOC_synset_mapping.txt").read_text().splitlines()
    assert mapping == ["n00000001 circle", "n00000002 square", "n00000003 triangle", "n00000004 star"]


def test_the_layout_of_voc(voc):
    main07, main12 = (voc.root / year / "ImageSets" / "Main" for year in ("VOC2007", "VOC2012"))
    assert {path.name for path in main07.iterdir()} == {"train.txt", "val.txt", "trainval.txt", "test.txt"}
    assert {path.name for path in main12.iterdir()} == {"train.txt", "val.txt", "trainval.txt"}
    assert (main07 / "trainval.txt").read_text().startswith("000001\n")
    assert (main12 / "trainval.txt").read_text().startswith("2008_000001\n")
    for folder in (main07, main12):
        halves = [set((folder / f"{half}.txt").read_text().split()) for half in ("train", "val")]
        assert halves[0] | halves[1] == set((folder / "trainval.txt").read_text().split())
        assert not halves[0] & halves[1]
    tree = ET.parse(voc.root / "VOC2007" / "Annotations" / "000001.xml")
    for tag in (
        "size/width",
        "size/depth",
        "object/name",
        "object/truncated",
        "object/difficult",
        "object/bndbox/xmin",
    ):
        assert tree.findtext(tag) is not None, tag


def test_the_layout_of_coco(coco):
    for split, count in (("train2014", 12), ("val2014", 6)):
        captions, instances = (
            json.loads((coco.root / "annotations" / f"{kind}_{split}.json").read_text())
            for kind in ("captions", "instances")
        )
        assert len(captions["images"]) == count
        assert len(captions["annotations"]) == 5 * count
        for image in captions["images"]:
            assert image["file_name"] == f"COCO_{split}_{image['id']:012d}.jpg"
            assert (coco.root / split / image["file_name"]).is_file()
        assert [category["id"] for category in instances["categories"]] == [1, 2, 3, 5], "not contiguous, as in COCO"
        for instance in instances["annotations"]:
            assert instance.keys() >= {"bbox", "area", "segmentation", "iscrowd", "category_id", "image_id", "id"}


def test_voc_boxes_are_1_based_and_inclusive(voc):
    for index in range(8):
        tree = ET.parse(voc.root / "VOC2007" / "Annotations" / f"{2 * index + 1:06d}.xml")
        things = scene(Shapes(4), 96, rng("synthetic", "voc", 0, "trainval07", index)).things
        for element, thing in zip(tree.findall("object"), things, strict=True):
            written = [int(element.findtext(f"bndbox/{edge}")) for edge in ("xmin", "ymin", "xmax", "ymax")]
            x0, y0, x1, y1 = thing.box
            assert written == [x0 + 1, y0 + 1, x1, y1]
            assert element.findtext("difficult") == str(int(thing.difficult))
            assert element.findtext("truncated") == str(int(thing.truncated))


def test_coco_polygons_lie_in_their_boxes_and_areas_fit(coco):
    api = json.loads((coco.root / "annotations" / "instances_train2014.json").read_text())
    for instance in api["annotations"]:
        x, y, width, height = instance["bbox"]
        points = np.reshape(instance["segmentation"][0], (-1, 2))
        assert [*points.min(axis=0), *points.max(axis=0)] == pytest.approx([x, y, x + width, y + height], abs=1)
        assert 0 < instance["area"] <= width * height


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"classes": 1}, "classes must be a whole number of at least 2, not 1"),
        ({"classes": 13}, "classes must be at most 12, not 13"),
        ({"train": 0}, "train must be a whole number of at least 1, not 0"),
        ({"size": 48.5}, "size must be a whole number of at least 32, not 48.5"),
        ({"seed": True}, "seed must be a whole number of at least 0, not True"),
        ({"sise": 48}, "key 'sise' is unknown"),
        ({"val": None}, "key 'val' is missing"),
    ],
)
def test_a_bad_spec_is_refused_with_the_key(change, message, tmp_path):
    spec = {key: value for key, value in (SPECS["imagenet"] | change).items() if value is not None}
    with pytest.raises(UserError, match=message):
        generate.make("imagenet", spec, tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_nothing_half_done_looks_done(tmp_path, monkeypatch):
    def full(path, pixels):
        raise OSError("No space left on device")

    monkeypatch.setattr("workflow.data.synthetic.voc.save", full)
    with pytest.raises(OSError, match="No space"):
        generate.make("voc", SPECS["voc"], tmp_path / "out")
    assert not list(tmp_path.iterdir())


def test_existing_data_is_not_overwritten(tmp_path):
    (tmp_path / "mine").write_text("precious")
    with pytest.raises(UserError, match="exists already"):
        generate.make("coco", SPECS["coco"], tmp_path)
    assert (tmp_path / "mine").read_text() == "precious"


def test_the_command_line(tmp_path):
    command = [
        sys.executable,
        "-m",
        "workflow.data.synthetic.generate",
        "voc",
        "--out",
        str(tmp_path / "voc"),
        "--spec",
    ]
    good = subprocess.run([*command, json.dumps(SPECS["voc"])], capture_output=True, text=True)
    assert good.returncode == 0, good.stderr
    assert (tmp_path / "voc" / "VOC2012").is_dir()
    bad = subprocess.run([*command, json.dumps(SPECS["coco"])], capture_output=True, text=True)
    assert bad.returncode == 1
    assert bad.stderr.startswith("error: synthetic voc: key 'test07' is missing")


def test_synthetic_must_be_given_each_of_its_arguments(required):
    assert required(synthetic_door) == ["layout", "--spec", "--out"]
