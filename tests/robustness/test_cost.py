"""What an evaluation costs is measured on a few of its images."""

import pytest

from robustness.cost import cost
from tests.robustness.conftest import run_spec
from tests.robustness.recipes import OOD_RECIPES, RECIPES

EVERY = RECIPES | OOD_RECIPES


@pytest.mark.parametrize("task", EVERY)
def test_the_seconds_of_an_image_are_measured(task, checks, tmp_path):
    found = cost(run_spec(task, EVERY[task]), checks[task], tmp_path, "resnet18")
    assert found.keys() == {"image", "timed"}
    assert found["timed"] > found["image"]
    assert 0 < found["image"] < 60
