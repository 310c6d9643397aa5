"""What the report of a plan consists of: its files, and whose results its figures show. Part of workflow.plan.Plan."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from workflow.training.files import digest

SEEN = ("size", "crop_scale", "color_jitter", "lighting", "regularizers")  # what of pretraining the gallery shows


class Reported:
    """What Plan knows of its report. Runs are workflow.plan.PlannedRun."""

    experiment: str
    config: dict[str, Any]
    tasks: list[str]
    runs: list[Any]

    @property
    def report(self) -> list[str]:
        """What `rule all` asks for."""
        tables = [f"{self.folder}/transfer.{kind}" for kind in ("csv", "md", "tex", "html")]
        return [*tables, *self.curves, *self.per_class, *self.captions, *self.figures.values()]

    @property
    def folder(self) -> str:
        """Where the report lies."""
        return f"results/{self.experiment}/report"

    @property
    def detectors(self) -> list[str]:
        """The tasks that detect."""
        return [task for task in self.tasks if task != "nic_coco"]

    @property
    def curves(self) -> list[str]:
        """The learning curves, of each task a file."""
        return [f"{self.folder}/curves_{task}.svg" for task in ("pretrain", *self.tasks)]

    @property
    def per_class(self) -> list[str]:
        """The AP of each class, if anything detects."""
        return [f"{self.folder}/per_class.html"] if self.detectors else []

    @property
    def captions(self) -> list[str]:
        """The captions of the same photos, if anything captions."""
        return [f"{self.folder}/captions.html"] if "nic_coco" in self.tasks else []

    @property
    def figures(self) -> dict[str, str]:
        """What rules of their own draw for the page to embed: name to file."""
        figures = {"gallery": "gallery.png"} if self.gallery else {}
        figures |= {"activations": "activations.png"} if self.classifiers else {}
        figures |= {f"detections_{task}": f"detections_{task}.jpg" for task in self.detectors}
        figures |= {"captions": "captions.json"} if self.captions else {}
        return {name: f"{self.folder}/{file}" for name, file in figures.items()}

    def material(self, figure: str) -> list[Any]:
        """The runs whose records a figure is made of; the gallery follows from the config alone."""
        if figure == "gallery":
            return []
        if figure == "activations":
            return self.classifiers
        return self.shown("nic_coco" if figure == "captions" else figure.removeprefix("detections_"))

    def shown(self, task: str) -> list[Any]:
        """The runs of a task that figures show: each backbone's, by the first seeds."""
        first = {kind: seeds[0] for kind, seeds in self.config["seeds"].items()}
        return [run for run in self.runs if run.task == task and run.seeds.items() <= first.items()]

    def files(self, task: str, *names: str) -> list[str]:
        """What lies beside the records of the runs that are shown."""
        return [str(Path(run.record).with_name(name)) for run in self.shown(task) for name in names]

    def folders(self, runs: Sequence[Any]) -> list[str]:
        """Runs as a door that draws gets them: BACKBONE=FOLDER."""
        return [f"{run.backbone}={Path(run.record).parent}" for run in runs]

    @property
    def classifiers(self) -> list[Any]:
        """The backbones of which the report shows class activation maps, if they have a fitting classifier."""
        return [run for run in self.shown("pretrain") if run.origin != "random"]

    @property
    def gallery(self) -> list[Any]:
        """Its rows: each backbone that is pretrained here, and of its recipe only what is seen."""
        rows = [run for run in self.shown("pretrain") if run.origin == "pretrained"]
        return [replace(run, run=run.run | {"recipe": {key: run.run["recipe"][key] for key in SEEN}}) for run in rows]

    @property
    def gallery_of(self) -> dict[str, str]:
        """What the gallery is made of: backbone to the hash of what is seen of it."""
        return {run.backbone: digest(run.tracked) for run in self.gallery}

    @property
    def evidence(self) -> list[str]:
        """What intervals are computed from: it lies beside every record."""
        return [str(Path(run.record).with_name("evidence.npz")) for run in self.runs]
