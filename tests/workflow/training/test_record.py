"""Law 8: no cell without a trail."""

import json
from dataclasses import asdict

import pytest
import torch

from tests.checks import info
from workflow.core import code_hash
from workflow.core.code_hash import PROJECT, hashes, now
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import digest, read_json, record_digest, sha256
from workflow.planning.run_spec import RunSpec
from workflow.planning.schedule import Schedule
from workflow.training.engine import TrainResult
from workflow.training.machine import machine
from workflow.training.record import made_of, write_record

RUN = RunSpec(
    "nic_coco", "cutmix", {"pretrain": 0, "transfer": 3}, {"lr": 0.1, "batch_size": 2}, {}, threads=1, workers=0, gpus=0
)


@pytest.fixture
def check(tmp_path):
    info("f00").write(tmp_path / "check.json")
    return tmp_path / "check.json"


def of(check, backbone=None):
    return made_of(RUN, DatasetInfo.read(check), backbone)


def test_the_record_holds_the_trail(tmp_path, check):
    backbone = tmp_path / "backbone.safetensors"
    backbone.write_bytes(b"weights")
    evaluations = [{"iteration": 5, "CIDEr": 40.0}, {"iteration": 9, "CIDEr": 50.0}]
    points = [{"iteration": 9, "loss": 1.0, "lr": 0.1}]
    done = TrainResult(torch.nn.Identity(), Schedule(9, 5, []), points, evaluations, 3.14159, 6.28318, 0.271828, 12)
    assert done.metrics == {"CIDEr": 50.0}
    write_record(tmp_path / "out", RUN, done, of=of(check, backbone), metrics=done.metrics, protocol={"beam_size": 20},
                 check=check, backbone=backbone, per_image={"CIDEr": [1.0]})  # fmt: skip
    written = read_json(tmp_path / "out/metrics.json")
    assert written["seeds"] == {"pretrain": 0, "transfer": 3}
    assert written["history"]["evaluations"] == evaluations
    trail = written["provenance"]
    assert (trail["recipe"], trail["data"], trail["backbone"]) == (RUN.recipe_hash, "f00", sha256(backbone))
    assert {"code", "libraries", "device", "threads", "seconds", "peak_memory_mb", "images_per_second"} <= trail.keys()
    assert (trail["seconds"], trail["images_per_second"], trail["data_wait"]) == (3.1, 6.28, 0.2718)
    assert (trail["threads"], trail["processes"], trail["gpus"]) == (1, 1, torch.cuda.device_count() and 1)
    assert 50 < trail["peak_memory_mb"] < 100_000, "of a process with torch"
    assert trail["peak_memory_mb"] == round(trail["peak_memory_mb"], 1)
    assert written["per_image"] == {"CIDEr": [1.0]}
    assert read_json(tmp_path / "out/config.json")["recipe"] == RUN.recipe
    assert trail["machine"] == asdict(machine(torch.get_num_threads()))
    assert trail["changed"] == []
    assert trail["code"] == digest(trail["code_files"])
    assert trail["code_files"]["workflow/training/record.py"] == now(PROJECT / "workflow/training/record.py")


def test_what_changes_while_it_runs_is_said_and_does_not_vouch(tmp_path, check, monkeypatch, capsys):
    """The record names what was loaded."""
    backbone = tmp_path / "backbone.safetensors"
    backbone.write_bytes(b"weights")
    begun, before = of(check, backbone), hashes()
    info("other").write(check)
    backbone.write_bytes(b"others")
    monkeypatch.setattr(code_hash, "libraries", lambda: begun["libraries"] | {"torch": "9.9"})
    real = code_hash.now
    edited = "workflow/core/rng.py"
    monkeypatch.setattr(code_hash, "now", lambda file: "another" if str(file).endswith(edited) else real(file))
    write_record(tmp_path / "out", RUN, None, of=begun, metrics={}, protocol={}, check=check, backbone=backbone)
    trail = read_json(tmp_path / "out/metrics.json")["provenance"]
    assert trail["changed"] == [
        f"{edited} has been edited since it was loaded",
        f"torch: {begun['libraries']['torch']} was loaded, 9.9 is there now",
        f"{check} is of other data than those that were loaded",
        f"{backbone} has changed since it was loaded",
    ]
    assert capsys.readouterr().out.splitlines() == [f"[{RUN.name}] {line}" for line in trail["changed"]]
    assert {key: trail[key] for key in begun} == begun
    assert trail["code_files"].items() >= before.items()


def test_the_record_has_the_hash_of_each_file_and_its_own(tmp_path, check):
    out = tmp_path / "out"
    (out / "folder").mkdir(parents=True)
    for name in ("per_image.npz", "predictions.json", "log.txt", "bootstrap.npz", ".per_image.npz.1.part"):
        (out / name).write_text(name)
    metrics, more = {"CIDEr": 1 / 3, "METEOR": 2.0, "whole": 7}, {"by": {1: (0.1, 2)}, "ä": 1e300}
    write_record(out, RUN, None, of=of(check), metrics=metrics, protocol={"é": "\ud800"}, check=check, **more)
    written = json.loads((out / "metrics.json").read_text())
    names = ("config.json", "per_image.npz", "predictions.json")
    assert written["files"] == {name: sha256(out / name) for name in names}
    assert written["sha256"] == record_digest(written)
    turned = json.loads(json.dumps(written, sort_keys=True, indent=7))
    assert turned["sha256"] == record_digest(turned), "the order of keys and the writing do not matter"
    for part, key in (("metrics", "CIDEr"), ("provenance", "data"), ("files", "per_image.npz")):
        assert record_digest({**written, part: written[part] | {key: "edited"}}) != written["sha256"]


def test_a_number_that_is_none_is_not_recorded(tmp_path, check):
    with pytest.raises(UserError, match="nic_coco cutmix p0s3: CIDEr is nan"):
        write_record(
            tmp_path / "out", RUN, None, of=of(check), metrics={"CIDEr": float("nan")}, protocol={}, check=check
        )
    assert not (tmp_path / "out").exists()


def test_the_recipe_hash_is_of_the_recipe_alone():
    other = RunSpec(
        "nic_coco", "baseline", {"pretrain": 1, "transfer": 0}, RUN.recipe, {"root": "x"}, threads=2, workers=4, gpus=0
    )
    assert other.recipe_hash == RUN.recipe_hash
    assert RunSpec(**{**RUN.as_dict(), "recipe": {"lr": 0.2, "batch_size": 2}}).recipe_hash != RUN.recipe_hash


def test_a_run_that_is_no_json_is_said():
    with pytest.raises(UserError, match="--run-spec is not the JSON of a run"):
        RunSpec.parse("{")
    with pytest.raises(UserError, match="--run-spec is not the JSON of a run"):
        RunSpec.parse('{"task": "x"}')


def test_a_run_has_a_name_for_the_terminal():
    assert RUN.name == "nic_coco cutmix p0s3"
    assert RunSpec(**{**RUN.as_dict(), "seeds": {"pretrain": 7}}).seed == 7
    assert RUN.seed == 3
