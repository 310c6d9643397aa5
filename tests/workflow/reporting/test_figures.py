"""What the doors that draw share: whose results, which of the images, how many bytes; and whose figures are planned."""

import hashlib
import io
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from tests.workflow.planning.test_plan import planned
from workflow.core.errors import UserError
from workflow.core.files import hashed
from workflow.reporting.figures import comment, jpeg, made_of, photo, records, spread


def test_images_are_evenly_spread_and_no_more_than_there_are():
    assert spread(10, 4) == [0, 2, 5, 7]
    assert spread(3, 9) == [0, 1, 2]
    assert spread(0, 9) == []


def test_photos_are_shrunk_and_never_enlarged(tmp_path):
    Image.new("CMYK", (300, 150)).save(tmp_path / "x.jpg")
    assert (photo(tmp_path / "x.jpg", 100).size, photo(tmp_path / "x.jpg", 100).mode) == ((100, 50), "RGB")
    assert photo(tmp_path / "x.jpg", 900).size == (300, 150)


def test_the_same_pixels_are_the_same_bytes():
    one, other = (jpeg(Image.new("RGB", (64, 48), "teal")) for _ in range(2))
    assert one == other
    assert Image.open(io.BytesIO(one)).size == (64, 48)


def test_figures_say_of_which_records_they_are_made(tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "metrics.json").write_text(name)
    runs = {name: tmp_path / name for name in ("a", "b")}
    found = records(runs)
    assert found == {f"{tmp_path}/{name}/metrics.json": hashlib.sha256(name.encode()).hexdigest() for name in runs}
    image = Image.new("RGB", (64, 48), "teal")
    assert made_of(jpeg(image, comment(found))) == found
    content = hashed({"records": found, "photos": [{"CIDEr": 12.5}]})
    assert made_of(json.dumps(content).encode()) == found
    assert made_of(json.dumps(content | {"photos": [{"CIDEr": 99.5}]}).encode()) == {}, "edited"
    for silent in (jpeg(image), b"", b"{", b"{}", b"\x89PNG"):
        assert made_of(silent) == {}
    (tmp_path / "b/metrics.json").unlink()
    with pytest.raises(UserError, match=r"b/metrics\.json: no such record"):
        records(runs)


def test_figures_show_each_backbone_by_the_first_seeds():
    demo = planned(("seeds", {"pretrain": [3, 4], "transfer": [7, 8]}), ("backbones/scratch", {"init": "random"}))
    for task in demo.tasks:
        shown = demo.shown(task)
        assert [run.backbone for run in shown] == demo.backbones
        assert all(run.seeds == {"pretrain": 3, "transfer": 7} for run in shown)
    assert demo.folders(demo.shown("ssd_voc"))[0] == "baseline=results/demo/ssd_voc/baseline/p3s7"
    assert demo.files("nic_coco", "per_image.npz")[0] == "results/demo/nic_coco/baseline/p3s7/per_image.npz"
    assert "scratch" not in [run.backbone for run in demo.classifiers + demo.gallery]
    assert len(demo.classifiers) == len(demo.gallery) == len(demo.backbones) - 1


def test_figures_follow_the_tasks():
    demo = planned()
    names = {name.rpartition("/")[2] for name in demo.report}
    assert {"detections_ssd_voc.jpg", "curves_nic_coco.svg", "curves_pretrain.svg", "per_class.html"} <= names
    assert {"captions_nic_coco.html", "captions_nic_coco.json", "activations.png", "gallery.png"} <= names
    alone = planned(("tasks", {"nic_coco": demo.config["tasks"]["nic_coco"]}))
    less = {name.rpartition("/")[2] for name in alone.report}
    assert not [name for name in less if name.startswith(("detections", "per_class")) or "ssd" in name]
    without = planned(("tasks", {"ssd_voc": demo.config["tasks"]["ssd_voc"]}))
    assert not [name for name in without.report if "captions" in name]


@given(st.binary(max_size=60), st.integers(0, 900), st.integers(0, 900))
def test_any_bytes_say_what_they_were_made_of_or_nothing(noise, start, stop):
    found = {"results/a/metrics.json": "a" * 64}
    for whole in (jpeg(Image.new("RGB", (8, 8)), comment(found)), json.dumps(hashed({"records": found})).encode()):
        for content in (noise, b"{" + noise, whole[:start] + noise + whole[stop:]):
            assert isinstance(made_of(content), dict)
