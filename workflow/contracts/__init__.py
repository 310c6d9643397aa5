"""What a task, a metric, a figure, a data set and a network declare: the contracts that keep the house open.

A declaration is the only place where a name stands; planning, schema, rules, cost and report read it through
workflow/registry.py. No torch: planning must be quick.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from workflow.contracts.labelled_images import LabelledImages
from workflow.contracts.networks import Block, Network, NetworkFamily, Stage
from workflow.contracts.task_parts import (
    INDEX,
    Array,
    Counts,
    Figure,
    Metric,
    Recipe,
    Resampling,
    SharedArtifact,
)
from workflow.core.dataset_info import DatasetInfo

__all__ = [
    "INDEX",
    "Array",
    "Block",
    "Counts",
    "DataSet",
    "Faults",
    "Figure",
    "LabelledImages",
    "Metric",
    "Network",
    "NetworkFamily",
    "Recipe",
    "Resampling",
    "SharedArtifact",
    "Stage",
    "Task",
]
Faults = Iterator[str]  # a line for each fault of a config, its key first


@dataclass(frozen=True)
class Task:
    """A kind of column: what is measured of each backbone, on which data, and by which room.

    Args:
        name: the type that a config names. An instance of the same name needs no `task:` key.
        title: heading of its columns.
        folder: its room, a top-level package with `task.py`, `schema.yaml` and `cli.py`. `python -m FOLDER KIND` runs
            it, `python -m FOLDER cost` measures what its runs cost (workflow/training/timing.py).
        dataset: the layout of the data that it needs, and the name of the set where the instance names none.
        labelled: whether it takes any set of labelled images; `dataset` is then that of instances that name none, and
            the parts have the names that the set gives them. Where there are `train_parts`, the set must have training
            images.
        metrics: its columns; one is the headline.
        kind: "train" has a schedule, transfer seeds and a resume state; "evaluate" scores a published network.
        train_parts: names in the counts of the data check that make up a training set; what trains nothing passes
            each of these once through the network.
        test_part: name in these counts of the test images.
        sample: what a batch is made of, a sample kind of the data set.
        check: function(key, recipe, config) that gives a line for each fault that no schema can find.
        rejects: function(network, recipe) that says why backbones of a network cannot enter; "" if they can.
        classifier: whether it scores the backbone's own classifier: a imported file must have one then, and each class
            of the data must be one of the pretraining set.
        in_distribution: whether its own data are images of no class of the network, and it scores the test images of
            the pretraining set too: `evaluate` gets the check of that set as `--in-distribution CHECK.json`.
        instance: function(its declaration, recipe) that gives the declaration as it holds for an instance, where the
            columns depend on the recipe.
        preflight: whether `python -m FOLDER preflight --dataset-info CHECK.json --key KEY --recipe JSON` ends with an
            error if checked data do not suit a recipe, in a way that their counts do not tell.
        sizes: function(recipe, training samples, test images) that gives how many samples a run trains on, and how many
            images an evaluation passes; by default all of these.
        two_samples: function(recipe): whether batch norm fails on one sample a process.
        per_class: whether records have `per_class`, the average precision of each class.
        figures: pictures on the page.
        shared: folders that runs share.
        resampling: for metrics that are not means over the images.
        memory_factor: times `memory` of the config that a process needs.
        extra_memory_mb: what a job needs in addition.
        report_memory_mb: what the report needs to resample its runs.
        speed_unit: function(protocol of a record) that gives the unit of its `images_per_second`.
    """

    name: str
    title: str
    folder: str
    dataset: str
    metrics: tuple[Metric, ...]
    kind: Literal["train", "evaluate"] = "train"
    labelled: bool = False
    train_parts: tuple[str, ...] = ()
    test_part: str = ""
    sample: str = ""
    check: Callable[[str, Recipe, Mapping[str, Any]], Faults] = lambda path, recipe, config: iter(())
    rejects: "Callable[[Network, Recipe], str]" = lambda network, recipe: ""
    classifier: bool = False
    in_distribution: bool = False
    instance: "Callable[[Task, Recipe], Task]" = lambda task, recipe: task
    preflight: bool = False
    sizes: Callable[[Recipe, int, int], tuple[int, int]] = lambda recipe, trained, tested: (trained, tested)
    two_samples: Callable[[Recipe], bool] = lambda recipe: False
    per_class: bool = False
    figures: tuple[Figure, ...] = ()
    shared: tuple[SharedArtifact, ...] = ()
    resampling: tuple[Resampling, ...] = ()
    memory_factor: int = 1
    extra_memory_mb: int = 0
    report_memory_mb: int = 1000
    speed_unit: Callable[[Mapping[str, Any]], str] = lambda protocol: "images/s"

    def __post_init__(self) -> None:
        if [metric.headline for metric in self.metrics].count(True) != 1:
            raise ValueError(f"{self.name}: exactly one metric must be the headline")

    @property
    def headline(self) -> Metric:
        """The metric that stands for the task where only one fits."""
        return next(metric for metric in self.metrics if metric.headline)

    @property
    def room(self) -> Path:
        """The folder of its room."""
        return Path(__file__).parents[2] / self.folder

    def metric(self, name: str) -> Metric | None:
        """The metric of this name; None if it has none."""
        return next((metric for metric in self.metrics if metric.name == name), None)


@dataclass(frozen=True)
class DataSet:
    """A layout of data on disk: how it is checked, made in small, and how large the published set is. The keys of its
    section are in `<name>.yaml` next to its declaration.

    Args:
        name: the layout that a config names. A set of the same name needs no `layout:` key.
        title: for people.
        module: `python -m MODULE` checks it; its `check(section, root)` returns a DatasetInfo.
        samples: kind of training sample (Task.sample) to the keys under which CHECK.json counts it.
        missing: function(check, kind of training sample) that says, behind the folder's name, which files a checked set
            lacks for it; "" if none.
        classes: of the published set.
        pixels: side of a square of the area of a usual published photo.
        counts: of the published set, by `split` of the section ("" where it has none); empty if none is published.
        generator: "module:function"; function(root, spec) makes a synthetic set in an empty folder.
        parts: keys of `synthetic` that count the images of a part.
        from_photos: whether the scenes of a synthetic set can be made of photos of objects.
        small: function(section, batch) that gives the `synthetic` counts of a set to time a task on.
        made_counts: function(section) that gives the counts that a synthetic set will have.
        check_section: function(key, section) that gives a line for each fault that no schema can find.
        labelled: how its images are opened with their classes; None: they have none each.
        fixed_size: whether each image has `pixels` a side, so that a synthetic set has no `size` to choose.
        hub: name of the published set on the Hugging Face hub, if it is there.
    """

    name: str
    title: str
    module: str
    samples: Mapping[str, tuple[str, ...]]
    classes: int
    pixels: int
    counts: Mapping[str, Counts]
    generator: str
    parts: tuple[str, ...]
    small: Callable[[Mapping[str, Any], int], dict[str, int]]
    made_counts: Callable[[Mapping[str, Any]], dict[str, int]]
    from_photos: bool = False
    missing: Callable[[DatasetInfo, str], str] = lambda check, sample: ""
    check_section: Callable[[str, Mapping[str, Any]], Faults] = lambda path, section: iter(())
    labelled: LabelledImages | None = None
    fixed_size: bool = False
    hub: str = ""
