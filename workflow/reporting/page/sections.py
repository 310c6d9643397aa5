"""The sections of the page below its table: which there are, in which order, and where template and words lie."""

from collections.abc import Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from workflow.contracts import Figure
from workflow.reporting.summary import Summary
from workflow.reporting.tables.sensitivity import sensitivities
from workflow.reporting.tables.text_tables import classification

PROJECT = Path(__file__).parents[3]
TABLES = {
    "curves": "Learning curves",
    "per_class": "Average precision of each class",
    "sensitivity": "Learning-rate sensitivity",
}  # above the tasks' figures
PRETRAINING = {"activations": "Class activation maps", "gallery": "Regularizers at work"}  # below them
TEXTS = {
    "protocol": "Protocol",
    "differences": "What differs from the paper",
    "scorecard": "Every number of the paper",
    "runs": "Runs: time, memory, speed",
}


@dataclass(frozen=True)
class Section:
    """A section; `id` is its anchor. `folder` is the room that its template and words are from, "" of this one.

    `pictures`: instance of a task to name of its picture (Plan.figures). `alone`: whether it is a file of its own too.
    """

    id: str
    title: str
    folder: str = ""
    pictures: dict[str, str] = field(default_factory=dict)
    alone: bool = False

    @property
    def template(self) -> str:
        """Its name for the page's loader."""
        return f"{self.folder}/report/{self.id}.html.j2" if self.folder else f"{self.id}.html.j2"

    @property
    def words(self) -> str:
        """How to read it, if there is a caption of `snakemake --report` for it."""
        return words(self.id, self.folder or "workflow")

    @property
    def pages(self) -> dict[str, "Section"]:
        """What is a file of its own: its name to the section in it, of one picture each."""
        if not self.alone:
            return {}
        if not self.pictures:
            return {self.id: self}
        titles = {task: f"{self.title}, {task}" if len(self.pictures) > 1 else self.title for task in self.pictures}
        return {name: replace(self, title=titles[task], pictures={task: name}) for task, name in self.pictures.items()}


def sections(summary: Summary, planned: Set[str]) -> list[Section]:
    """All that there are.

    Args:
        summary: the page's content.
        planned: names of the pictures that rules draw (Plan.figures).
    """
    found = [Section("classification", classification(summary)), Section("curves", TABLES["curves"])]
    if any(task.per_class for task in summary.tasks.values()):
        found.append(Section("per_class", TABLES["per_class"], alone=True))
    if sensitivities(summary):
        found.append(Section("sensitivity", TABLES["sensitivity"]))
    found += figures(summary, planned)
    found += [Section(name, title) for name, title in PRETRAINING.items() if name in planned]
    return found + [Section(name, title) for name, title in TEXTS.items()]


def figures(summary: Summary, planned: Set[str]) -> list[Section]:
    """The tasks' own: one for each figure, with the picture of each instance of a task that has it."""
    found: dict[str, tuple[Figure, str, dict[str, str]]] = {}
    for instance, task in summary.tasks.items():
        for figure in task.figures:
            if (name := f"{figure.name}_{instance}") in planned:
                found.setdefault(figure.name, (figure, task.folder, {}))[2][instance] = name
    return [Section(name, one.title, folder, of, one.page) for name, (one, folder, of) in found.items()]


def words(name: str, folder: str = "workflow") -> str:
    """The caption of a section in a room; empty if it has none."""
    file = PROJECT / folder / "report" / f"{name}.rst"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""
