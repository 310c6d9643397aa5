"""What a declaration gives to those who read it."""

from workflow.contracts import Metric, Task
from workflow.registry import PROJECT, datasets, tasks

METRICS = (Metric("a"), Metric("b", headline=True), Metric("c", better="lower"))
TASK = Task("t", "T", "pretrain", "imagenet", METRICS)


def test_a_task_gives_its_metrics_by_name_and_its_room():
    assert [TASK.metric(name) for name in ("a", "b", "c", "d")] == [*METRICS, None]
    assert TASK.headline is METRICS[1]
    assert TASK.room == PROJECT / "pretrain"


def test_what_is_not_declared_is_the_usual():
    """A task trains, a sample a process is enough, a job needs what any needs; a metric is a percentage."""
    assert (TASK.kind, TASK.per_class, TASK.figures, TASK.shared, TASK.resampling) == ("train", False, (), (), ())
    assert TASK.two_samples({}) is False
    assert list(TASK.check("tasks.t", {}, {})) == []
    assert (TASK.memory_factor, TASK.extra_memory_mb, TASK.report_memory_mb) == (1, 0, 1000)
    assert METRICS[0] == Metric("a", "higher", "%", 1, 100.0, False, "wide")


def test_published_sets_have_the_official_counts():
    """ILSVRC 2012; the VOC devkits' lists; COCO's annotation files of 2014, and Karpathy's dataset_coco.json."""
    sizes = {name: (each.classes, each.pixels) for name, each in datasets().items()}
    assert {"imagenet": (1000, 430), "voc": (20, 430), "coco": (80, 554)}.items() <= sizes.items()
    assert datasets()["imagenet"].counts == {"": {"train": 1_281_167, "val": 50_000}}
    assert datasets()["voc"].counts == {"": {"trainval07": 5011, "trainval12": 11_540, "test07": 4952}}
    coco = datasets()["coco"].counts
    assert coco["2014"] == {"train_images": 82_783, "train_captions": 414_113, "test_images": 40_504}
    assert coco["karpathy"] == {"train_images": 113_287, "train_captions": 566_747, "test_images": 5000}


def test_the_paper_s_metrics_have_its_digits_and_its_direction():
    """Errors with two digits, scores with one; CIDEr is ten at most, where all other metrics are one."""
    rooms = [task for task in tasks().values() if task.folder in ("pretrain", "detection", "captioning")]
    declared = {metric.name: metric for task in rooms for metric in task.metrics}
    lower = {"top1_error", "top5_error"}
    assert {name for name, metric in declared.items() if metric.better == "lower"} == lower
    assert {name: metric.digits for name, metric in declared.items()} == {
        name: 1 + (name in lower) for name in declared
    }
    assert {name: metric.maximum for name, metric in declared.items()} == {
        name: 1000.0 if name == "CIDEr" else 100.0 for name in declared
    }
    assert {task.headline.name for task in rooms} == {"top1_error", "mAP", "AP", "CIDEr"}
    terminal = {name for name, metric in declared.items() if metric.table != "wide"}
    assert terminal == {"top5_error", "BLEU-2", "BLEU-3"}
