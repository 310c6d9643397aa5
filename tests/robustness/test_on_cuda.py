"""The evaluations on a pretended device: every tensor is where it belongs, and the numbers are those of the CPU."""

import pytest

from robustness.evaluate import evaluate
from tests.pretended_cuda.runtime import pretended_cuda
from tests.robustness.conftest import run_spec
from tests.robustness.recipes import RECIPES
from workflow.core.files import read_json

SHORT = {"occlusion_steps": 2, "mixup_steps": 2, "cutmix_steps": 2, "pgd_steps": 1, "pgd_step_size": 8}


@pytest.mark.parametrize(("task", "changes"), [("robustness_imagenet", SHORT), ("imagenet_r", {})])
def test_an_evaluation_runs_on_the_device(task, changes, published, checks, tmp_path):
    run = run_spec(task, RECIPES[task] | changes)
    evaluate(run, published.path, checks[task], tmp_path / "cpu-state", tmp_path / "cpu")
    with pretended_cuda():
        evaluate(run, published.path, checks[task], tmp_path / "device-state", tmp_path / "device")
    found = [read_json(tmp_path / name / "metrics.json") for name in ("cpu", "device")]
    assert found[1]["provenance"]["gpus"] == 1
    accuracy, expected = (each["metrics"]["accuracy"] for each in found)
    assert accuracy == expected
