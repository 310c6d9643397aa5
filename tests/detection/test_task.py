"""What the detection tasks declare of the memory that their jobs ask for, and of the data that they take."""

import pytest

from detection.task import TASKS, whole_val2014

BY_NAME = {task.name: task for task in TASKS}


def test_coco_s_annotations_take_more_memory():
    """MB of the figure's job and of the report, and times the config's `memory` for a training."""
    declared = {
        name: ([figure.memory_mb for figure in task.figures], task.report_memory_mb, task.memory_factor)
        for name, task in BY_NAME.items()
    }
    voc, coco = ([2000], 1000, 1), ([6000], 3000, 3)
    assert declared == {name: coco if name.endswith("coco") else voc for name in BY_NAME}
    assert len(declared) == 6
    assert not any(task.extra_memory_mb or task.two_samples({}) for task in TASKS)
    assert all(task.per_class for task in TASKS)


@pytest.mark.parametrize(
    ("recipe", "data", "refused"),
    [
        ({}, {"coco": {"split": "karpathy"}}, "coco"),
        ({}, {"coco": {"split": "2014"}}, None),
        ({}, {}, None),
        ({"data": "mine"}, {"coco": {"split": "karpathy"}, "mine": {"split": "2014"}}, None),
        ({"data": "mine"}, {"coco": {"split": "2014"}, "mine": {"split": "karpathy"}}, "mine"),
    ],
)
def test_karpathy_s_split_is_none_of_objects(recipe, data, refused):
    said = f'data.{refused}.split: karpathy divides captions; tasks.x needs "2014"'
    assert list(whole_val2014("tasks.x", recipe, {"data": data})) == ([said] if refused else [])
