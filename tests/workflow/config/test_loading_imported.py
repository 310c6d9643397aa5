"""What a config may declare of a backbone that is imported."""

import pytest

from workflow.config import loading
from workflow.core.errors import UserError

from .test_loading import changed

BAD = [
    ({"checkpoint": "no.pth"}, "backbones.a.checkpoint: no such file: no.pth"),
    ({"checkpoint": "x", "regularizers": {"mixup": {"alpha": 1, "probability": 1}}},
     "backbones.a: checkpoint and regularizers cannot be combined"),
    ({"checkpoint": "x", "init": "random"}, "backbones.a: checkpoint and init cannot be combined"),
    ({"checkpoint": "x", "pretrain": {"lr": 1}}, "backbones.a: checkpoint and pretrain cannot be combined"),
    ({"preprocessing": "imagenet"}, "backbones.a.preprocessing: only allowed together with 'checkpoint'"),
    ({"checkpoint": "x", "preprocessing": {"mean": [0, 0, 0], "std": [1, 1, 0], "channel_order": "RGB"}},
     "backbones.a.preprocessing.std[2]: must be above 0, not 0"),
    ({"checkpoint": "x", "preprocessing": {"mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
     "channel_order": "RGB"}}, "backbones.a.preprocessing: mean and std are in units of 0 to 1, but pixels go from 0 "
     "to 255: write mean: [123.675, 116.28, 103.53], std: [58.395, 57.12, 57.375]"),
    ({"stride": "1x1"}, "backbones.a.stride: only allowed together with 'checkpoint'"),
    ({"init": "random", "checkpoint_key": "raw"},
     "backbones.a.checkpoint_key: only allowed together with 'checkpoint'"),
    ({"checkpoint": "x", "stride": "2x2"}, "backbones.a.stride: must be 3x3 or 1x1, not '2x2'"),
    ({"checkpoint": "x", "checkpoint_key": True}, "backbones.a.checkpoint_key: must be text, not true"),
    ({"checkpoint": "x", "checkpoint_key": "a b"},
     "backbones.a.checkpoint_key: must be ema, raw or the place of a set in the file, not 'a b'"),
]  # fmt: skip


@pytest.mark.parametrize(("backbone", "message"), BAD)
def test_a_bad_declaration_is_named_with_its_key(backbone, message):
    with pytest.raises(UserError) as caught:
        loading.check(changed(("backbones/a", backbone)), "x.yaml")
    assert str(caught.value).startswith(f"x.yaml: {message}")


def test_an_imported_backbone_passes(tmp_path):
    (tmp_path / "w.pth").write_bytes(b"weights")
    backbone = {"checkpoint": str(tmp_path / "w.pth")}
    loading.check(changed(("backbones/a", backbone)), "x.yaml")
    declared = {"channel_order": "BGR", "mean": [103.5, 116.3, 123.7], "std": [1, 1, 1]}
    untouched = {"channel_order": "RGB", "mean": [0, 0, 0], "std": [1, 1, 1]}
    loading.check(changed(("backbones/a", backbone | {"preprocessing": untouched})), "x.yaml")
    declared = {"preprocessing": declared, "stride": "1x1", "checkpoint_key": "raw"}
    loading.check(changed(("backbones/a", backbone | declared)), "x.yaml")
