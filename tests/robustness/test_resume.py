"""An evaluation that is killed by SIGKILL, in processes of its own, goes on at its last finished part, with the same
bits in the end."""

import json
import re
import signal
from dataclasses import asdict

import pytest

from tests.kills import killed, results
from tests.robustness.conftest import run_spec
from tests.robustness.recipes import RECIPE, RECIPES
from workflow.data import imagenet
from workflow.data.synthetic import generate

pytestmark = pytest.mark.slow
LARGE = {"classes": 4, "train": 4, "val": 258, "size": 48, "seed": 0}  # two blocks of 129
SHORT = {"batch_size": 64, "fgsm_eps": [8], "pgd_steps": 1, "pgd_step_size": 8, "occlusion_steps": 1, "cutmix_steps": 1}


def attempt_logs(tmp_path, run, backbone, check, kills):
    """What each attempt printed of a run that was killed at each of `kills` and ended as if it had not been."""
    words = ["--run-spec", json.dumps(asdict(run)), "--backbone", backbone, "--dataset-info", check]
    for name, plan in (("whole", []), ("killed", kills)):
        places = ["--checkpoint-dir", tmp_path / f"{name}-state", "--out", tmp_path / name]
        ended = killed("robustness evaluate", tmp_path / f"{name}-log", plan, *words, *places)
        assert [end[0] for end in ended] == [signal.SIGKILL] * len(plan) + [0]
    assert results(tmp_path / "killed") == results(tmp_path / "whole")
    assert not (tmp_path / "killed-state").exists()
    return [(tmp_path / f"killed-log/{n}.said").read_text() for n in range(len(kills) + 1)]


def test_corruptions(published, imagenet_c, tmp_path):
    kills = [["before", "*/parts/shot_noise-3.json", 1], ["half", "*/parts/fog-1.npz", 1], ["after", "*/fog-2.json", 1]]
    run = run_spec("imagenet_c", RECIPES["imagenet_c"])
    attempts = attempt_logs(tmp_path, run, published.path, imagenet_c.check, kills)
    computed = [set(re.findall(r"\] (\w+-\d):", text)) for text in attempts]
    assert [len(parts) for parts in computed] == [8, 39, 2, 28], "the part that it was in is computed again"
    assert computed[0] & computed[1] == {"shot_noise-3"}
    assert computed[1] & computed[2] == {"fog-1"}
    assert not computed[2] & computed[3]


def test_blocks(published, tmp_path):
    generate.make("imagenet", LARGE, tmp_path / "data")
    imagenet.check({}, tmp_path / "data").write(tmp_path / "data.json")
    kills = [["before", "*/parts/block00001.json", 1], ["before", "*/metrics.json", 1]]
    run = run_spec(recipe=RECIPE | SHORT)
    attempts = attempt_logs(tmp_path, run, published.path, tmp_path / "data.json", kills)
    began = [re.search(r"(\d+)/258", text)[1] for text in attempts]
    assert began == ["0", "129", "258"], "images whose block was finished"
