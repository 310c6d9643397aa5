"""Nothing that comes from outside is run: no pickle, no word of a config or a file name in a shell."""

import ast
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml
from PIL import Image

from captioning import qualitative
from captioning.dataset import CaptionTrain
from tests.bad.imported import Call
from tests.bench.workflow import ROOMS
from tests.conftest import PROJECT
from tests.test_dag import DEMO, TINY
from workflow.config.loading import overlay
from workflow.core.errors import UserError
from workflow.planning.plan import plan
from workflow.reporting.statistics import per_image, resamples
from workflow.training.shared_artifact import read_array

SOURCES = [path for room in ROOMS for path in sorted((PROJECT / room).rglob("*.py"))]
NEVER = {"eval", "exec", "os.system", "os.popen", "pickle.load", "pickle.loads", "yaml.unsafe_load", "marshal.loads"}
NEVER |= {"subprocess.getoutput", "subprocess.getstatusoutput", "torch.jit.load", "joblib.load"}


def calls(path: Path) -> list[tuple[str, ast.Call]]:
    """Every call in a file by its dotted name."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    return [(ast.unparse(node.func), node) for node in ast.walk(tree) if isinstance(node, ast.Call)]


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_no_source_runs_what_it_reads(path):
    for name, call in calls(path):
        options = {option.arg: ast.unparse(option.value) for option in call.keywords}
        assert name not in NEVER
        assert options.get("shell") in (None, "False")
        if name in ("np.load", "numpy.load"):
            assert options.get("allow_pickle", "False") == "False"
        if name == "yaml.load":
            assert ast.unparse(call.args[1]) == "Loader", "our SafeLoader"
        if name == "torch.load":
            assert options.get("weights_only") == "True"


RULES = sorted([*PROJECT.glob("workflow/rules/*.smk"), *PROJECT.glob("*/rules.smk")])
PLAIN = {"threads", "params.times"}  # numbers


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_every_value_in_a_shell_is_quoted(path):
    text = path.read_text(encoding="utf-8")
    commands = re.findall(r"^ +shell:\n((?: +\".*\"\n)+)", text, re.MULTILINE)
    ways = re.findall(r"^ +(?:shell|script|run|notebook|wrapper) *[:(]", text, re.MULTILINE)
    assert {way.strip() for way in ways} <= {"shell:"}
    assert len(ways) == len(commands)
    values = re.findall(r"\{([^{}]*)\}", "".join(commands))
    assert len(values) >= 2 * len(commands)
    assert not {value for value in values if not value.endswith(":q")} - PLAIN


def pickled(path: Path, *names: str) -> Path:
    """Arrays whose reading would make the file `ran` beside them, if they were unpickled."""
    trap = np.array([Call(os.system, f"touch '{path.parent / 'ran'}'")], dtype=object)
    if path.suffix == ".npy":
        np.save(path, trap, allow_pickle=True)
    else:
        np.savez(path, **dict.fromkeys(names, trap))
    return path


def test_the_trap_works(tmp_path):
    pickled(tmp_path / "a.npy")
    np.load(tmp_path / "a.npy", allow_pickle=True)
    assert (tmp_path / "ran").exists()


READERS = {
    "evidence": lambda folder: per_image.read(pickled(folder / "per_image.npz", "images", "hit")),
    "examples": lambda folder: qualitative.captions(pickled(folder / "per_image.npz", "images", "CIDEr").parent),
    "captions": lambda folder: CaptionTrain(str(pickled(folder / "c.npz", "words", "ends", "rows")), {}, 0),
    "features": lambda folder: read_array(pickled(folder / "test.npy").parent, "test"),
}


@pytest.mark.parametrize("reader", READERS)
def test_arrays_that_would_run_code_do_not(reader, tmp_path):
    with pytest.raises((UserError, ValueError)) as caught:
        READERS[reader](tmp_path)
    assert re.search("pickle|Python objects", str(caught.value))
    assert not (tmp_path / "ran").exists()


def test_kept_resamples_that_would_run_code_are_made_anew(tmp_path):
    assert resamples._read(pickled(tmp_path / "bootstrap.npz", "key", "mAP"), "x") is None
    assert not (tmp_path / "ran").exists()


HARD = "-a; touch x1 $(touch x2) `touch x3` 'q' \"d\" & {b} %s * ü"  # no slash, for it is a name


WEIGHTS = f"{HARD.replace('{b}', 'b')}.pth"  # braces are refused: tests/bad/configs.py


def renamed(folder: Path) -> None:
    """Hard names for a class, an image of each set, and the checkpoint."""
    for split in ("train", "val"):
        (folder / HARD / split / "n00000001").rename(folder / HARD / split / HARD)
    image = next((folder / HARD / "train" / HARD).iterdir())
    image.rename(image.with_name(f"{HARD}.JPEG"))
    torch.save(weights(), folder / WEIGHTS)


def weights() -> dict[str, torch.Tensor]:
    """A ResNet-50 without its classifier."""
    from torchvision.models import resnet50

    network = resnet50(zero_init_residual=True)  # a branch that begins with nothing keeps the features small
    return {key: value for key, value in network.state_dict().items() if not key.startswith("fc.")}


@pytest.mark.slow
def test_hard_names_pass_through_real_rules_and_none_is_run(imagenet, voc, coco, snakemake, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(imagenet.root, tmp_path / HARD)
    shutil.copytree(voc.root, tmp_path / f"{HARD} voc")
    shutil.copytree(coco.root, tmp_path / f"{HARD} coco")
    renamed(tmp_path)
    config = overlay(DEMO, TINY) | {"experiment": "hard"}
    config["data"] = {
        "imagenet": {"root": HARD},
        "voc": {"root": f"{HARD} voc", "classes": ["circle", "square", "triangle", "star"]},
        "coco": {"root": f"{HARD} coco", "split": "2014"},
    }
    config["backbones"] = {"baseline": {"checkpoint": WEIGHTS}}
    Path("hard; touch x4.yaml").write_text(yaml.safe_dump(config))
    todo = plan(config)
    (imported,) = [run for run in todo.runs if run.task == "pretrain"]
    made = [f"{run.shared['features']}/index.json" if run.task == "nic_coco" else run.record for run in todo.runs]
    made += [file for file in todo.report if file.endswith((".jpg", "activations.png"))]
    assert len(made) == 5 + 4
    status, said = snakemake("--cores", "2", "--configfile", "hard; touch x4.yaml", "--", *made, timeout=1500)
    assert status == 0, said
    assert all(map(os.path.exists, made))
    assert {json.loads(Path(check).read_text())["root"] for check in todo.checks.values()} == {
        section["root"] for section in config["data"].values()
    }
    assert HARD in json.loads(Path(todo.checks["imagenet"]).read_text())["classes"]
    assert json.loads(Path(imported.record).read_text())["checkpoint"]["file"] == WEIGHTS
    assert not {path.name for path in tmp_path.iterdir()} & {"x1", "x2", "x3", "x4", "x4.yaml"}, "nothing of it was run"


def test_a_photo_s_hard_name_is_decoded(tmp_path):
    from workflow.data.validation.image_scan import inspect_image

    Image.new("RGB", (9, 8)).save(tmp_path / f"{HARD}.png")
    assert inspect_image(str(tmp_path / f"{HARD}.png")).width == 9
