"""Law 8: no cell without a trail."""

import json
from dataclasses import asdict

import pytest
import torch

from workflow.training import record
from workflow.training.engine import Budget, Fit
from workflow.training.errors import UserError
from workflow.training.files import read_json, record_digest, sha256, write_json
from workflow.training.machine import machine
from workflow.training.record import code_hash, write_record
from workflow.training.run import Run

RUN = Run(
    "nic_coco", "cutmix", {"pretrain": 0, "transfer": 3}, {"lr": 0.1, "batch": 2}, {}, threads=1, workers=0, gpus=0
)


@pytest.fixture
def check(tmp_path):
    write_json(tmp_path / "check.json", {"fingerprint": "f00"})
    return tmp_path / "check.json"


def test_the_record_holds_the_trail(tmp_path, check):
    backbone = tmp_path / "backbone.safetensors"
    backbone.write_bytes(b"weights")
    evaluations = [{"iteration": 5, "CIDEr": 40.0}, {"iteration": 9, "CIDEr": 50.0}]
    points = [{"iteration": 9, "loss": 1.0, "lr": 0.1}]
    done = Fit(torch.nn.Identity(), Budget(9, 5, []), points, evaluations, 3.0, 6.0, 0.25, 12)
    assert done.metrics == {"CIDEr": 50.0}
    write_record(tmp_path / "out", RUN, done, metrics=done.metrics, protocol={"beam": 20}, check=check,
                 backbone=backbone, per_image={"CIDEr": [1.0]})  # fmt: skip
    written = read_json(tmp_path / "out/metrics.json")
    assert written["seeds"] == {"pretrain": 0, "transfer": 3}
    assert written["history"]["evaluations"] == evaluations
    trail = written["provenance"]
    assert (trail["recipe"], trail["data"], trail["backbone"]) == (RUN.recipe_hash, "f00", sha256(backbone))
    assert {"code", "libraries", "device", "threads", "seconds", "peak_memory_mb", "images_per_second"} <= trail.keys()
    assert trail["data_wait"] == 0.25
    assert written["per_image"] == {"CIDEr": [1.0]}
    assert read_json(tmp_path / "out/config.json")["recipe"] == RUN.recipe
    assert trail["machine"] == asdict(machine(RUN.threads))


def test_the_record_has_the_hash_of_each_file_and_its_own(tmp_path, check):
    out = tmp_path / "out"
    (out / "folder").mkdir(parents=True)
    for name in ("evidence.npz", "predictions.json", "log.txt", "resamples.npz", ".evidence.npz.1.part"):
        (out / name).write_text(name)
    metrics, more = {"CIDEr": 1 / 3, "METEOR": 2.0, "whole": 7}, {"by": {1: (0.1, 2)}, "ä": 1e300}
    write_record(out, RUN, None, metrics=metrics, protocol={"é": "\ud800"}, check=check, **more)
    written = json.loads((out / "metrics.json").read_text())
    names = ("config.json", "evidence.npz", "predictions.json")
    assert written["files"] == {name: sha256(out / name) for name in names}
    assert written["sha256"] == record_digest(written)
    turned = json.loads(json.dumps(written, sort_keys=True, indent=7))
    assert turned["sha256"] == record_digest(turned), "the order of keys and the writing do not matter"
    for part, key in (("metrics", "CIDEr"), ("provenance", "data"), ("files", "evidence.npz")):
        assert record_digest({**written, part: written[part] | {key: "edited"}}) != written["sha256"]


def test_a_number_that_is_none_is_not_recorded(tmp_path, check):
    with pytest.raises(UserError, match="nic_coco cutmix p0s3: CIDEr is nan"):
        write_record(tmp_path / "out", RUN, None, metrics={"CIDEr": float("nan")}, protocol={}, check=check)
    assert not (tmp_path / "out").exists()


def test_the_recipe_hash_is_of_the_recipe_alone():
    other = Run(
        "nic_coco", "baseline", {"pretrain": 1, "transfer": 0}, RUN.recipe, {"root": "x"}, threads=2, workers=4, gpus=0
    )
    assert other.recipe_hash == RUN.recipe_hash
    assert Run(**{**RUN.as_dict(), "recipe": {"lr": 0.2, "batch": 2}}).recipe_hash != RUN.recipe_hash


def test_changed_code_changes_its_hash(tmp_path, monkeypatch):
    for room in ("captioning", "detection", "workflow/training", "workflow/data", "pretrain"):
        (tmp_path / room).mkdir(parents=True)
    (tmp_path / "pretrain/backbone.py").write_text("x = 1")
    monkeypatch.setattr(record, "PROJECT", tmp_path)
    before = code_hash("nic_coco"), code_hash("ssd_voc")
    (tmp_path / "captioning/model.py").write_text("x = 1")
    after = code_hash("nic_coco"), code_hash("ssd_voc")
    assert after[0] != before[0]
    assert after[1] == before[1]


def test_a_run_that_is_no_json_is_said():
    with pytest.raises(UserError, match="--run is not the JSON of a run"):
        Run.parse("{")
    with pytest.raises(UserError, match="--run is not the JSON of a run"):
        Run.parse('{"task": "x"}')


def test_a_run_has_a_name_for_the_terminal():
    assert RUN.name == "nic_coco cutmix p0s3"
