"""What a task declares of its columns, its evidence per image, its figures and the folders that its runs share."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Recipe = Mapping[str, Any]  # the section of a task in the config, without `data`
INDEX = "index.json"  # of a shared artifact: written last, with the hashes of the other files
Counts = Mapping[str, int]  # images and captions of a data set by part, as CHECK.json has them


@dataclass(frozen=True)
class Metric:
    """A column of the table.

    Args:
        name: as in the record and in the table.
        better: the direction in which a change is an improvement.
        unit: shown in headings if it is not "%"; "" is a number without a unit.
        digits: decimals in tables.
        maximum: the largest possible value; a record with a larger one is damaged.
        headline: the metric of its task that stands for it where only one fits: learning curves, best evaluation,
            README.
        table: the smallest table that has the column: "wide" (all tables), "terminal" (the terminal, the
            classification table and transfer.csv), "csv" (transfer.csv only).
    """

    name: str
    better: Literal["higher", "lower"] = "higher"
    unit: str = "%"
    digits: int = 1
    maximum: float = 100.0
    headline: bool = False
    table: Literal["wide", "terminal", "csv"] = "wide"


@dataclass(frozen=True)
class Array:
    """An array of `per_image.npz`.

    Args:
        axes: its shape: N is the number of test images, another letter a size that arrays share.
        kind: "number" is finite, "count" a whole number from 0.
        index: the axis whose entries a count points to; "" where it counts.
    """

    axes: tuple[str | int, ...]
    kind: Literal["number", "flag", "count"] = "number"
    index: str = ""


@dataclass(frozen=True)
class Resampling:
    """How a resample of the test images is scored from arrays of `per_image.npz` that are not means over the images.

    Args:
        arrays: by name; a file has all of them or none.
        scorer: "module:function"; function(arrays) gives a function of weights (N, B), how often each image is drawn
            in each resample, that returns metric to (B,).
        check: "module:function"; function(path, arrays) raises UserError if arrays of these shapes and kinds are still
            not what they should be.
        unique: what the arrays are, in a word, if no two networks ever share them: a repetition is one run under two
            seeds.
    """

    arrays: Mapping[str, Array]
    scorer: str
    check: str = ""
    unique: str = ""


@dataclass(frozen=True)
class Figure:
    """A picture of one task's results that a job draws and the page embeds, one for each instance of the task.

    Args:
        name: of its section, and of its template (`<name>.html.j2`) and caption (`<name>.rst`) in `report/` of the
            task's room. The template gets `section.pictures`: instance of the task to name of the picture.
        title: of its section.
        subcommand: of the task's room that draws it, with the arguments `FIGURE` of workflow/planning/command_line.py.
        suffix: of the file `<name>_<task><suffix>`.
        reads: files next to the records that it is drawn from.
        memory_mb: of its job.
        page: whether its section is also a file of its own, `<name>_<task>.html`.
    """

    name: str
    title: str
    subcommand: str
    suffix: str
    reads: tuple[str, ...] = ("predictions.json", "per_image.npz", "metrics.json")
    memory_mb: int = 2000
    page: bool = False

    @property
    def picture(self) -> bool:
        """Whether its file is a picture, and not material that a template writes out."""
        return self.suffix != ".json"


@dataclass(frozen=True)
class SharedArtifact:
    """A folder that several runs of a task read, made once by a rule of the task's room (`rules.smk`), whose output is
    its `index.json`.

    Args:
        name: of the rule, of the subcommand of the task's room that makes it, and of the flag by which a run gets the
            folder.
        folder: function(recipe, data key, path of the weights) that gives the folder, "" where the run needs none.
        keys: the keys of the recipe that it depends on.
        per_backbone: whether it depends on the backbone; otherwise on the data only.
        units: function(recipe, counts of the data) that gives the number of units it is computed in. A task that takes
            any labelled images gets the counts of `train` and `test`. The task's subcommand `cost` measures the seconds
            of one unit, under `name` in cost.json. None: it takes no time to speak of.
    """

    name: str
    folder: Callable[[Recipe, str, str], str]
    keys: tuple[str, ...]
    per_backbone: bool = False
    units: Callable[[Recipe, Counts], int] | None = None
