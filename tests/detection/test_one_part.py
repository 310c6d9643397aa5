"""A set in VOC's layout with one training part is trained on that part only, and its record says so."""

from types import SimpleNamespace

from mmengine.config import Config

from detection.build_config import loaders
from detection.train import scoring
from tests.checks import info
from tests.conftest import PROJECT


def test_a_part_without_images_is_left_out():
    counts = {"trainval07": 8, "trainval12": 0, "test07": 6}
    check = info(set="voc", root="x", classes=["cat", "dog"], counts=counts)
    cfg = Config.fromfile(PROJECT / "detection/configs/ssd300_voc.py")
    loaders(cfg, SimpleNamespace(type="ssd_voc", recipe={"batch_size": 2}, workers=0, seed=0), check)
    (part,) = cfg.train_dataloader.dataset.dataset.datasets
    assert (part.split, part.data_root, part.metainfo) == ("trainval07", "x", {"classes": ("cat", "dog")})
    assert scoring(check, 8)["split"] == "trained on 8 images, tested on 6 images"
    counts["trainval12"] = 3
    cfg = Config.fromfile(PROJECT / "detection/configs/ssd300_voc.py")
    loaders(cfg, SimpleNamespace(type="ssd_voc", recipe={"batch_size": 2}, workers=0, seed=0), check)
    assert [one.data_root for one in cfg.train_dataloader.dataset.dataset.datasets] == ["x", "x"]
