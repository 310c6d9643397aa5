"""Law 1 for machines: how many processes train a network changes no recipe. Two real ones, by torchrun, on the CPU."""

import dataclasses
import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workflow.training import pair
from workflow.core.files import read_json
from workflow.planning.run_spec import RunSpec

PROJECT = Path(__file__).parents[4]
RUN = RunSpec("ssd_voc", "cutmix", {"pretrain": 0, "transfer": 1}, pair.RECIPE, {}, threads=1, workers=0, gpus=2)


@pytest.fixture(scope="module")
def two_processes(tmp_path_factory):
    """What two processes found, and what they printed."""
    out = tmp_path_factory.mktemp("pair")
    call = [
        sys.executable,
        "-m",
        "workflow.training.distributed.launch",
        "tests.workflow.training.pair",
        "--out",
        str(out),
    ]
    run = json.dumps(RUN.as_dict())
    done = subprocess.run(
        [*call, "--run-spec", run], cwd=PROJECT, capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return read_json(out / "found.json") | {"said": done.stdout}


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """The training in this process."""
    return pair.train(dataclasses.replace(RUN, gpus=0), tmp_path_factory.mktemp("alone"))


def test_numbers_are_shared(two_processes):
    numbers = two_processes["numbers"]
    assert (numbers["mean"], numbers["max"], numbers["once"]) == (4, 5, "of process 0")
    assert numbers["draws"][0] != numbers["draws"][1], "what each sample draws differs between the processes"


def test_batch_norm_sees_the_whole_batch(two_processes):
    assert max(two_processes["norms"]) < 1e-4, "as one of float32 over the whole batch, of 4 + 4 images and of 2 + 6"


@pytest.mark.parametrize("of", ["images", "regions"])
def test_a_loss_over_anchors_or_regions_is_that_of_the_whole_batch(of, two_processes):
    assert two_processes["heads"][of] < 1e-6


def test_the_curve_is_that_of_one_process_though_killed_and_resumed(two_processes, alone):
    two = two_processes["training"]
    assert [point["iteration"] for point in two["points"]] == list(range(1, 16))
    for one, other in zip(alone["points"], two["points"], strict=True):
        assert other["loss"] == pytest.approx(one["loss"], rel=1e-4)
        assert other["lr"] == one["lr"]
    for name, weights in alone["weights"].items():
        assert two["weights"][name] == pytest.approx(weights, rel=1e-3, abs=1e-5), name


def test_each_test_image_is_scored_once_and_the_metric_is_that_of_one_process(two_processes, alone):
    assert len(two_processes["training"]["evaluations"]) == 2
    for one, other in zip(alone["evaluations"], two_processes["training"]["evaluations"], strict=True):
        assert other["images"] == one["images"] == list(range(7))
        assert other["error"] == pytest.approx(one["error"], rel=1e-3)


def test_the_first_process_alone_speaks(two_processes):
    assert two_processes["said"].count("resumed at iteration 7 of 15") == 1
    assert two_processes["said"].count("evaluated at 15/15") == 1
