"""The recipes of the robustness tasks: what no schema can say."""

import pytest

from robustness.task import TASKS, reachable
from tests.robustness.recipes import RECIPE

BY_NAME = {task.name: task for task in TASKS}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"occlusion_steps": 49}, "tasks.r.occlusion_steps: 49 steps to crop_size (48 px) are not whole pixels"),
        ({"cutmix_steps": 49}, "tasks.r.cutmix_steps: 49 steps to crop_size (48 px) are not whole pixels"),
        ({"pgd_steps": 2}, "tasks.r.pgd_steps: 2 steps of pgd_step_size (3) do not reach pgd_eps (8)"),
    ],
)
def test_a_recipe_that_measures_something_else_is_refused(change, message):
    assert list(reachable("tasks.r", RECIPE, {})) == []
    assert list(reachable("tasks.r", RECIPE | change, {})) == [message]


def test_they_score_a_classifier_and_train_nothing():
    assert all(task.classifier and task.kind == "evaluate" and not task.train_parts for task in TASKS)
    headlines = {name: task.headline.name for name, task in BY_NAME.items()}
    assert headlines == {"robustness_imagenet": "fgsm_accuracy", "imagenet_c": "mCE", "imagenet_r": "accuracy",
                         "imagenet_a": "accuracy", "ood_cifar": "AUROC", "ood_imagenet": "AUROC"}  # fmt: skip
