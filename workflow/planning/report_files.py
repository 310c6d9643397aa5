"""What the report of a plan consists of: its files, and whose results its figures show. Part of
workflow.planning.plan.Plan."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow import registry
from workflow.contracts import Figure, Task
from workflow.core.files import digest
from workflow.planning.planned_run import PlannedRun

SEEN = (
    "network",
    "crop_size",
    "mean",
    "std",
    "crop_padding",
    "crop_scale",
    "color_jitter",
    "pca_lighting",
    "regularizers",
)  # of pretraining, in the gallery


class ReportFiles:
    """What Plan knows of its report."""

    experiment: str
    config: dict[str, Any]
    tasks: list[str]
    runs: list[PlannedRun]

    @property
    def report(self) -> list[str]:
        """What `rule all` asks for."""
        tables = [f"{self.folder}/transfer.{kind}" for kind in ("csv", "md", "tex", "json", "html")]
        pages = [page for page, *_ in self.pages]
        return [
            *tables,
            *self.answer,
            *self.for_papers,
            self.records_zip,
            *self.curves,
            *self.per_class,
            *pages,
            *self.figures.values(),
        ]

    @property
    def folder(self) -> str:
        """Where the report lies."""
        return f"results/{self.experiment}/report"

    @property
    def declared(self) -> dict[str, Task]:
        """Each instance of a transfer task with its declaration."""
        return {name: registry.task_of(self.config, name) for name in self.tasks}

    @property
    def answer(self) -> list[str]:
        """The figures of the answer."""
        return [f"{self.folder}/{name}.svg" for name in ("forest", "scatter")]

    @property
    def for_papers(self) -> list[str]:
        """The same figures as PDF."""
        return [str(Path(file).with_suffix(".pdf")) for file in self.answer]

    @property
    def records_zip(self) -> str:
        """All records in one file."""
        return f"{self.folder}/records.zip"

    @property
    def curves(self) -> list[str]:
        """The learning curves, of each task a file."""
        trained = [name for name, task in self.declared.items() if task.kind == "train"]
        return [f"{self.folder}/curves_{task}.svg" for task in (registry.PRETRAIN, *trained)]

    @property
    def per_class(self) -> list[str]:
        """The AP of each class, if anything detects."""
        return [f"{self.folder}/per_class.html"] if any(task.per_class for task in self.declared.values()) else []

    @property
    def task_figures(self) -> dict[str, tuple[Figure, str]]:
        """The figures that tasks declare: `<figure>_<instance>` to the figure and the instance."""
        pairs = [(figure, name) for name, task in self.declared.items() for figure in task.figures if self.shown(name)]
        return {f"{figure.name}_{name}": (figure, name) for figure, name in pairs}

    @property
    def figure_kinds(self) -> list[tuple[Figure, Path]]:
        """One figure of each name that tasks declare, for its rule, and the room of its task."""
        pairs = [(figure, task.room) for task in registry.transfer_tasks().values() for figure in task.figures]
        return list({figure.name: (figure, room) for figure, room in pairs}.values())

    @property
    def pages(self) -> list[tuple[str, str, Path]]:
        """The figures that are a page of their own: file, title and caption."""
        found = {name: (figure, task) for name, (figure, task) in self.task_figures.items() if figure.page}
        return [
            (f"{self.folder}/{name}.html", figure.title, self.declared[task].room / f"report/{figure.name}.rst")
            for name, (figure, task) in found.items()
        ]

    @property
    def figures(self) -> dict[str, str]:
        """What rules of their own draw for the page to embed: name to file."""
        figures = {"gallery": "gallery.png"} if self.gallery else {}
        figures |= {"activations": "activations.png"} if self.classifiers else {}
        figures |= {name: f"{name}{figure.suffix}" for name, (figure, _) in self.task_figures.items()}
        return {name: f"{self.folder}/{file}" for name, file in figures.items()}

    def material(self, figure: str) -> list[PlannedRun]:
        """The runs whose records a figure is made of; the gallery follows from the config alone."""
        if figure == "gallery":
            return []
        return self.classifiers if figure == "activations" else self.shown(self.task_figures[figure][1])

    @property
    def report_memory(self) -> int:
        """MB that the report's job needs: to resample the task that takes the most."""
        return max(task.report_memory_mb for task in self.declared.values())

    def shown(self, task: str) -> list[PlannedRun]:
        """The runs of a task that figures show: each backbone's, by the first seeds. Stored records have no weights and
        no predictions to draw."""
        first = {kind: seeds[0] for kind, seeds in self.config["seeds"].items()}
        runs = [run for run in self.runs if run.task == task and not run.stored]
        return [run for run in runs if run.seeds.items() <= first.items()]

    def files(self, task: str, *names: str) -> list[str]:
        """What lies beside the records of the runs that are shown."""
        return [str(Path(run.record).with_name(name)) for run in self.shown(task) for name in names]

    def folders(self, runs: Sequence[PlannedRun]) -> list[str]:
        """Runs as a command that draws gets them: BACKBONE=FOLDER."""
        return [f"{run.backbone}={Path(run.record).parent}" for run in runs]

    @property
    def classifiers(self) -> list[PlannedRun]:
        """The backbones of which the report shows class activation maps, if they have a fitting classifier."""
        return [run for run in self.shown(registry.PRETRAIN) if run.origin != "random"]

    @property
    def gallery(self) -> list[PlannedRun]:
        """Its rows: each backbone that is pretrained here, and of its recipe only what is seen."""
        rows = [run for run in self.shown(registry.PRETRAIN) if run.origin == "pretrained"]
        return [replace(run, run=run.run | {"recipe": {key: run.run["recipe"][key] for key in SEEN}}) for run in rows]

    @property
    def gallery_of(self) -> dict[str, str]:
        """What the gallery is made of: backbone to the hash of what is seen of it."""
        return {run.backbone: digest(run.tracked) for run in self.gallery}

    @property
    def evidence(self) -> list[str]:
        """What intervals are computed from: it lies beside every record."""
        return [str(Path(run.record).with_name("per_image.npz")) for run in self.runs]
