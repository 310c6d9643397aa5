"""The command that draws the gallery."""

import json
import sys
from dataclasses import replace

import pytest
import torch
from PIL import Image

from backbones.regularizers.cutout import Cutout
from pretrain.cli import main
from pretrain.gallery import gallery
from tests.pretrain.test_gallery import ALWAYS, DEMO, config_of
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.planning.plan import plan


@pytest.fixture
def draw_gallery(monkeypatch, imagenet, tmp_path, capsys):
    """Runs the command line; returns what it prints."""

    def call(config, check=imagenet.check):
        out = ["--dataset-info", str(check), "--out", str(tmp_path / "g/gallery.png")]
        monkeypatch.setattr(sys, "argv", ["pretrain", "gallery", "--config", json.dumps(config), *out])
        main()
        return capsys.readouterr().out

    return call


def test_the_command_line_draws_a_png(draw_gallery, imagenet, tmp_path):
    config = config_of(imagenet, cutout={"size": 24, **ALWAYS}) | {
        "resources": DEMO["resources"] | {"cpu_threads": torch.get_num_threads()}
    }
    assert draw_gallery(config).startswith("gallery: 2 rows, ")
    picture = Image.open(tmp_path / "g/gallery.png").convert("RGB")
    colours = {colour: count for count, colour in picture.getcolors(1 << 24)}
    assert colours[tuple(Cutout.fill)] > 4 * 500
    assert [path.name for path in (tmp_path / "g").iterdir()] == ["gallery.png"]


def test_what_cannot_be_drawn_is_said_in_one_line(draw_gallery, imagenet, tmp_path, capsys):
    config, gone = config_of(imagenet), replace(DatasetInfo.read(imagenet.check), root=str(tmp_path / "gone"))
    gone.write(tmp_path / "gone.json")
    replace(gone, set="voc").write(tmp_path / "voc.json")
    # a plan always has a baseline, which may be imported
    torch.save({}, tmp_path / "w.pth")
    imported = config | {"backbones": {"baseline": {"checkpoint": str(tmp_path / "w.pth")}}}
    for arguments, said in [
        ((imported,), "error: backbones: none is pretrained here, so there is no regularizer to show"),
        ((config, tmp_path / "no.json"), f"error: {tmp_path}/no.json: no such data check; `snakemake gallery` makes"),
        ((config, tmp_path / "voc.json"), f"error: {tmp_path}/voc.json: is the check of voc, not of imagenet"),
        (
            (config, tmp_path / "gone.json"),
            f"error: {tmp_path}/gone/train: No such file or directory",
        ),
    ]:
        with pytest.raises(SystemExit):
            draw_gallery(*arguments)
        error = capsys.readouterr().err
        assert error.startswith(said)
        assert error.count("\n") == 1
    assert not (tmp_path / "g").exists()


def test_a_missing_folder_is_an_error_of_the_user(imagenet, tmp_path):
    with pytest.raises(UserError, match="/train: No such file or directory"):
        gallery(plan(config_of(imagenet)).gallery, replace(DatasetInfo.read(imagenet.check), root=str(tmp_path)))
