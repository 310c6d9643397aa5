"""Libraries load nothing that could run."""

import os
import pickle
from pathlib import Path

import mmengine
import pytest
import torch
import yaml
from mmengine.runner import CheckpointLoader, load_checkpoint

from tests.bad.imported import Call
from workflow.core.errors import UserError
from workflow.training import loaders


def trap(folder):
    return pickle.dumps(Call(os.system, f"touch '{folder / 'ran'}'"))


def test_no_loader_of_mmengine_unpickles_or_fetches(tmp_path):
    Path(tmp_path / "x.pth").write_bytes(trap(tmp_path))
    torch.save({"x": Call(os.system, f"touch '{tmp_path / 'ran'}'")}, tmp_path / "y.pth")
    for name in ("x.pth", "y.pth"):
        with pytest.raises(UserError, match="nothing of it was run"):
            load_checkpoint(torch.nn.Linear(1, 1), str(tmp_path / name))
    for prefix in ("https://example.org/x.pth", "torchvision://resnet50", "open-mmlab://resnet50", "s3://x", "x.pth"):
        assert CheckpointLoader._get_checkpoint_loader(prefix) is loaders.load
        with pytest.raises(UserError, match="No such file"):
            load_checkpoint(torch.nn.Linear(1, 1), prefix)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["pkl", "pickle"])
def test_mmengine_unpickles_no_file(kind, tmp_path):
    file = tmp_path / f"x.{kind}"
    file.write_bytes(trap(tmp_path))
    with pytest.raises(UserError, match="nothing of it was run"):
        mmengine.load(str(file))
    with pytest.raises(UserError, match="nothing of it was run"), file.open("rb") as opened:
        mmengine.load(opened, file_format=kind)
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("kind", ["yaml", "yml"])
def test_mmengine_s_yaml_is_plain(kind, tmp_path):
    file = tmp_path / f"x.{kind}"
    file.write_text(yaml.safe_dump({"a": [1, "b"]}))
    assert mmengine.load(str(file)) == {"a": [1, "b"]}
    file.write_text(f"!!python/object/apply:os.system [\"touch '{tmp_path / 'ran'}'\"]")
    with pytest.raises(yaml.YAMLError):
        mmengine.load(str(file))
    assert not (tmp_path / "ran").exists()
