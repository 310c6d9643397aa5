"""An imported file that cannot become a backbone stops the workflow before any job, and is not looked at again once it
is published."""

import json
import shutil
import subprocess
import sys

import pytest
import torch
import yaml
from safetensors.torch import save_file

from pretrain.cli import main
from tests.conftest import PROJECT
from workflow.config.loading import load
from workflow.core.files import sha256
from workflow.planning.plan import plan
from workflow.planning.preflight import check_before_start


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The demo with a pretrained row and an imported one, whose file holds something else."""
    monkeypatch.chdir(tmp_path)
    torch.save({"w": torch.ones(1)}, "mine.pth")
    return load(PROJECT / "config/demo.yaml") | {"backbones": {"baseline": {}, "mine": {"checkpoint": "mine.pth"}}}


def test_the_door_names_the_file(config, monkeypatch, capsys):
    declared = {
        "network": "resnet50",
        "preprocessing": "imagenet",
        "stride": "3x3",
        "checkpoint_key": None,
        "sha256": sha256("mine.pth"),
    }
    monkeypatch.setattr(
        sys, "argv", ["pretrain", "preflight", "--recipes", json.dumps([declared | {"checkpoint": "mine.pth"}])]
    )
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 1
    assert capsys.readouterr().err.startswith("error: checkpoint mine.pth is not torchvision's ResNet-50")


def test_what_is_published_is_not_looked_at_again(config, tmp_path):
    runs = plan(config).runs
    (imported,) = [run for run in runs if run.origin == "imported" and run.task == "pretrain"]
    (tmp_path / imported.weights).parent.mkdir(parents=True)
    (tmp_path / imported.weights).write_bytes(b"")
    check_before_start(runs)


def test_no_core_is_an_error_and_nothing_that_waits_for_ever(capsys):
    with pytest.raises(SystemExit):
        check_before_start([], cores=0)
    assert capsys.readouterr().err == "error: --cores 0: no job could ever begin\n"


@pytest.mark.slow
def test_snakemake_starts_no_job(config, snakemake, tmp_path):
    (tmp_path / "x.yaml").write_text(yaml.safe_dump(config))
    status, said = snakemake("--cores", "1", "--keep-going", "--configfile", "x.yaml")
    assert status == 1
    assert "error: checkpoint mine.pth is not torchvision's ResNet-50" in said
    assert "Traceback" not in said
    assert not list((tmp_path / ".snakemake/locks").glob("*")), "the lock is given back"
    assert not (tmp_path / "results/data").exists(), "no job has begun"


def test_the_door(solved, imagenet, tmp_path, monkeypatch, capsys):
    path = tmp_path / "a.safetensors"
    save_file(solved.weights, path, metadata={"format": "pt"})
    recipe = {
        "sha256": sha256(path),
        "preprocessing": "imagenet",
        "stride": "3x3",
        "checkpoint_key": None,
        **solved.recipe,
    }
    run = {"task": "pretrain", "backbone": "mine", "seeds": {"pretrain": 0}, "recipe": recipe, "data": {}}
    words = ["--run-spec", json.dumps(run | {"threads": 1, "workers": 0, "gpus": 0}), "--checkpoint", str(path)]
    words += [
        "--dataset-info",
        str(imagenet.check),
        "--checkpoint-dir",
        str(tmp_path / "state"),
        "--out",
        str(tmp_path / "out"),
    ]
    monkeypatch.setattr("sys.argv", ["pretrain", "import_backbone", *words])
    main()
    assert not (tmp_path / "state").exists()
    assert {file.name for file in (tmp_path / "out").iterdir()} == {
        *("backbone.safetensors", "README.md", "metrics.json", "config.json", "per_image.npz")
    }
    shutil.rmtree(tmp_path / "state.done")  # or it would be put back
    path.write_bytes(b"nonsense\0")
    with pytest.raises(SystemExit):
        main()
    assert (
        capsys.readouterr().err.splitlines()[-1].startswith(f"error: checkpoint {path}: cannot be read as safetensor")
    )


def test_its_help_is_quick_and_says_what_it_reads():
    code = "import sys; from pretrain.cli import main; sys.argv = ['x', 'import_backbone', '--help']; main()"
    probe = f"try:\n    exec({code!r})\nexcept SystemExit: print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", f"import sys\n{probe}"], capture_output=True, text=True, check=True)
    assert "timm" in done.stdout
    assert "mmpretrain" in done.stdout
    assert done.stdout.endswith("False\n")
