"""What differs from the paper: our choices, most of them where it is silent, and where a config departs from the
shipped one that has the paper's settings on its pretraining set."""

import functools
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from workflow import registry
from workflow.config.yaml_loader import load_yaml
from workflow.core.compare import NOTHING, differing, equal
from workflow.core.formatting import plain

CHOICES = Path(__file__).with_name("choices.yaml")
PROJECT = Path(__file__).parents[3]
PAPER = PROJECT / "config/paper.yaml"
PAPERS = (PAPER, PROJECT / "config/cifar.yaml", PROJECT / "config/cifar10.yaml")  # each on another pretraining set


class Departure(NamedTuple):
    """A value that is another than in the paper's config, both in words."""

    key: str
    here: str
    paper: str


def choices() -> list[tuple[str, str]]:
    """(what, our choice) where the paper says otherwise or nothing: the table of docs/deviations.md, row by row; those
    of a room of tasks may lie in its `report`."""
    rooms = dict.fromkeys(task.room / "report" / CHOICES.name for task in registry.tasks().values())
    files = [CHOICES, *(file for file in rooms if file.is_file())]
    rows = [row for file in files for row in yaml.safe_load(file.read_text(encoding="utf-8"))]
    return [(row["what"], row["choice"].strip()) for row in rows]


def paper_config(config: dict[str, Any]) -> Path:
    """The shipped config with the paper's settings on the pretraining set of `config`; on others that on ImageNet."""

    own = registry.layout_of(config, registry.data_name(config, registry.PRETRAIN)).name
    return next((file for file in PAPERS if pretraining_layout(file) == own), PAPER)


@functools.cache
def pretraining_layout(file: Path) -> str:
    """The layout of the set that a shipped config pretrains on."""
    config = load_yaml(file)
    return registry.layout_of(config, registry.data_name(config, registry.PRETRAIN)).name


def departures(config: dict[str, Any]) -> list[Departure]:
    """Where a config is not the paper's (`paper_config`): seeds, data, the rows and columns that both have, and those
    that one has alone. The experiment's name and the machine are no part of it."""
    paper = load_yaml(paper_config(config))
    found = []
    for section in ("seeds", "data", "pretrain"):
        ours, theirs = (without_origin(each.get(section, {})) for each in (config, paper))
        found += compared(section, ours, theirs, whole=section == "data")
    for section in ("backbones", "tasks"):
        ours, theirs = config.get(section, {}), paper[section]
        for name in dict.fromkeys([*theirs, *ours]):
            if name in ours and name in theirs:
                found += compared(f"{section}.{name}", ours[name], theirs[name])
            else:
                found.append(
                    Departure(f"{section}.{name}", *("there" if name in s else NOTHING for s in (ours, theirs)))
                )
    return found


def without_origin(section: dict[str, Any]) -> dict[str, Any]:
    """Data sets without where they are fetched from, on which nothing depends; other sections as they are."""
    return {
        name: {key: part for key, part in value.items() if key != "source"} if isinstance(value, dict) else value
        for name, value in section.items()
    }


def compared(section: str, ours: dict[str, Any], theirs: dict[str, Any], whole: bool = False) -> list[Departure]:
    """The differing keys of a section; `whole`: each of its keys as one value."""
    if whole:
        pairs = {key: (ours.get(key, NOTHING), theirs.get(key, NOTHING)) for key in dict.fromkeys([*theirs, *ours])}
        pairs = {key: pair for key, pair in pairs.items() if not equal(*pair)}
    else:
        pairs = differing(ours, theirs)
    return [Departure(f"{section}.{key}", plain(here), plain(paper)) for key, (here, paper) in pairs.items()]
