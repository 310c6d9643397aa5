"""The words above and under the table: what must be said so that its numbers are not misread."""

import json
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import Any

from workflow.config import rows
from workflow.contracts import Task
from workflow.core.formatting import plain
from workflow.registry import PRETRAIN
from workflow.reporting.metrics import percent
from workflow.reporting.networks import NetworkRows, against
from workflow.reporting.outcome import FinishedRun, Outcome, Provenance
from workflow.reporting.statistics.bootstrap import RESAMPLES
from workflow.reporting.statistics.cells import ONE_PRETRAINING, TOO_FEW, Cells
from workflow.reporting.statistics.intervals import ENOUGH

DEMO = (
    "This is a demo on generated images. With {seeds} and short schedules, its rows cannot be compared; it shows that "
    "every step from data to table runs. The paper's numbers were measured on ImageNet, VOC and COCO and are not a "
    "target here."
)
STALE = (
    "{stale} of {runs} runs are stale: made with another recipe, data or backbone, and in no number; run the workflow "
    "again"
)
COMPOSED = (
    "The transfer tasks are tested on scenes composed of photos, not on VOC and COCO. The paper's numbers were "
    "measured on ImageNet, VOC and COCO and are not a target here."
)


def notices(config: dict[str, Any], outcomes: list[Outcome]) -> list[str]:
    """What has to stand above the table: that it is a demo on drawn data, or that its scenes are composed, and how many
    records are not the plan's."""
    stale = sum(outcome.status == "stale" for outcome in outcomes)
    texts = [STALE.format(stale=stale, runs=len(outcomes))] if stale else []
    made = [section["synthetic"] for section in config["data"].values() if "synthetic" in section]
    if made and all("photos" in spec for spec in made):
        return [COMPOSED, *texts]
    demo = [DEMO.format(seeds="few seeds" if repeated(outcomes) else "one seed")] if made else []
    return demo + texts


def repeated(outcomes: list[Outcome]) -> bool:
    """Is there a cell of several runs?"""
    cells = [(o.task, o.backbone) for o in outcomes]
    return len(cells) > len(set(cells))


NO_BASELINE = "no row is pretrained here without a regularizer, so there is no baseline and no change"
INTERVAL = (
    f"In square brackets: 95 % interval of the change, from {RESAMPLES:,} paired resamples of the test images and the "
    "spread of seeds: seeds are the readers and images the cases of a reader study (Obuchowski and Rockette 1995; "
    "Hillis 2014). A row and its baseline share their seeds, so these are crossed; without a common seed they are "
    "nested in the rows. Runs that share a pretraining count as one seed; where a row has one pretraining, its "
    "transfers are the seeds. "
    "Verdicts are corrected for the number of rows compared in a column (Holm, 5 % in all): the "
    "finished rows that have one, a random initialisation among them, so further rows may change them. The intervals "
    "are not corrected, so one may leave out 0 where its row is undecided."
)
ALONE = (
    f"With fewer than {ENOUGH} seeds a change has no interval and no verdict: the test images can be resampled, but "
    "the spread between trainings is unknown. Runs that share a pretraining count as one seed, unless it is the only "
    "one."
)
ONCE = (
    "The row or its baseline has one pretraining. Pretrainings may differ by more than their transfers do, so there is "
    "no verdict on the regularizer. Only an imported checkpoint is compared as it is, with "
    f"{ENOUGH} pretrainings of its baseline or with another checkpoint."
)


def remarks(
    outcomes: list[Outcome],
    table: Cells,
    tasks: Mapping[str, Task],
    networks: Sequence[NetworkRows],
    classes: int,
    imported: Collection[str] = (),
) -> list[str]:
    """What has to stand under every table. `classes`: of the published pretraining set; `imported`: backbones not
    pretrained here."""
    changes = f"in brackets the change against {words}" if (words := against(networks)) else NO_BASELINE
    units = percent(metric for task in tasks.values() for metric in task.metrics)
    headlines = ", ".join(dict.fromkeys(task.headline.name for task in tasks.values()))
    texts = [
        f"All numbers are {units}; {changes}.",
        "The last epoch counts: it is evaluated, published and transferred. Where there was more than one "
        f"evaluation, the best one (by {headlines}) is shown next to it. The paper reports its best epoch.",
    ]
    if repeated(outcomes):
        texts.append(
            "Where n > 1: mean ± sample standard deviation over n runs with different seeds. Each pretraining has the "
            "same weight in the mean, however many of its transfers are finished."
        )
    else:
        texts.append("One run per cell: a difference cannot be told from the noise between runs.")
    texts += interval_remarks(table, imported)
    if any(network.size for network in networks):
        which = "" if len(networks) > 1 else f"Network of all rows: {networks[0].words}. "
        last = f"with its classifier of {classes:,} classes"
        texts.append(f"{which}Parameters are those of the published network, {last}.")
    if sources := paper_sources(table):
        texts.append(f"Paper: {sources}.")
    return texts + stored_remarks(outcomes) + code_remarks(outcomes) + machine_remarks(outcomes)


def stored_remarks(outcomes: list[Outcome]) -> list[str]:
    """Which runs were not made here, and which backbones were: a row then has transfers of two trainings."""
    done = [outcome for outcome in outcomes if isinstance(outcome, FinishedRun)]
    texts = []
    for folder in dict.fromkeys(one.stored for one in done if one.stored):
        found = [one for one in done if one.stored == folder]
        which = _rows((one.backbone, f"p{one.seeds['pretrain']}") for one in found)
        texts.append(
            f"{len(found)} of {len(done)} records are stored in {folder}, of runs that were not made here: {which}."
        )
    starts: dict[tuple[str, str], set[str]] = {}
    for one in done:
        if made := one.record["provenance"].get("backbone"):
            starts.setdefault((one.backbone, f"p{one.seeds['pretrain']}"), set()).add(made)
    if several := _rows(row for row, hashes in starts.items() if len(hashes) > 1):
        texts.append(f"Pretrained again for further tasks, so the tasks of a row are of two backbones: {several}.")
    return texts


def paper_sources(table: Cells) -> str:
    """Where the paper's numbers in a table are printed: `CutMix, ICCV 2019, Table 3, Table 10; …`."""
    places: dict[str, list[str]] = {}
    for source in dict.fromkeys(cell.paper.source for cell in table.values() if cell.paper):
        work, _, place = source.rpartition(", ")
        places.setdefault(work, []).append(place)
    return "; ".join(", ".join(filter(None, [work, *found])) for work, found in places.items())


def interval_remarks(table: Cells, imported: Collection[str]) -> list[str]:
    """Whose chance the intervals hold, in which rows it is less than it seems, and where there is none."""
    held = [cell for cell in table.values() if cell.covers]
    texts = [INTERVAL] if held else []
    for covers in dict.fromkeys(cell.covers for cell in held):
        which = ", ".join(dict.fromkeys(cell.task for cell in held if cell.covers == covers))
        texts.append(f"The intervals of {which} hold the chance of {covers}.")
    if any(cell.verdict in TOO_FEW for cell in table.values()):
        texts.append(ALONE)
    compared = [(cell.task, name) for cell in held for name in (cell.backbone, cell.baseline) if name not in imported]
    once = _rows((task, name) for task, name in compared if _pretrained_once(table, task, name))
    if once:
        texts.append(
            f"One pretraining, so the intervals hold the noise of its transfers but not of pretraining: {once}."
        )
    if any(cell.verdict == ONE_PRETRAINING for cell in table.values()):
        texts.append(ONCE)
    return texts + _without(table)


def _without(table: Cells) -> list[str]:
    """Where a change has no interval because a run has none of the file."""
    found = []
    for cell in table.values():
        if cell.change is None or cell.low is not None or cell.verdict in TOO_FEW:
            continue
        runs = (*table[cell.baseline, cell.task, cell.metric.name].runs, *cell.runs)
        without = [run for run in runs if not run.path.with_name("per_image.npz").is_file()]
        found += [(run.task, f"{run.backbone} {run.seed_name}") for run in without]
    return [f"No interval where a run has no per_image.npz next to its record: {_rows(found)}."] if found else []


def _pretrained_once(table: Cells, task: str, backbone: str) -> bool:
    runs = [run for cell in table.values() if (cell.task, cell.backbone) == (task, backbone) for run in cell.runs]
    return len({run.seeds["pretrain"] for run in runs}) == 1


def _rows(found: Iterable[tuple[str, str]]) -> str:
    """`ssd_voc: baseline, cutmix; nic_coco: cutmix`."""
    groups: dict[str, list[str]] = {}
    for task, name in dict.fromkeys(found):
        groups.setdefault(task, []).append(name)
    return "; ".join(f"{task}: {', '.join(names)}" for task, names in groups.items())


def code_remarks(outcomes: list[Outcome]) -> list[str]:
    """Law 5: where two rows of a column were made by different code. What publishes a backbone that is not trained here
    is not the code of its column."""
    trained = [
        o for o in outcomes if o.task != PRETRAIN or (isinstance(o, FinishedRun) and o.record["history"]["points"])
    ]
    return _different(trained, "by different code", lambda trail: str(trail.get("code"))[:10])


def machine_remarks(outcomes: list[Outcome]) -> list[str]:
    """The machine of all rows; otherwise where those of a column differ, which moves numbers although recipe, data and
    seeds agree."""
    if same := one_machine(outcomes):
        return [same]
    texts = _different(outcomes, "on different CPUs or GPUs", hardware)
    texts += _different(
        outcomes, "with different versions of torch", lambda trail: trail.get("libraries", {}).get("torch")
    )
    return [*texts, OTHER_BITS] if texts else []


def one_machine(outcomes: list[Outcome]) -> str:
    """The machine and torch of all runs; empty where they are not the same."""
    trails = [outcome.record["provenance"] for outcome in outcomes if isinstance(outcome, FinishedRun)]
    made = {(hardware(trail), trail.get("libraries", {}).get("torch")) for trail in trails}
    if len(made) != 1:
        return ""
    ((device, version),) = made
    return f"Made on {device}" + (f" with torch {version}." if version else ".")


OTHER_BITS = (
    "Another CPU or GPU model, or another version of torch, rounds differently. The same run then gives another "
    "number, as with another seed."
)


def hardware(trail: Provenance) -> str:
    """What a run was computed on: GPU, or CPU with its instructions for bf16; records from before know less."""
    machine = trail.get("machine", {})
    if machine.get("gpu"):
        return machine["gpu"]
    parts = [machine.get("cpu"), machine.get("simd"), machine.get("bf16") and f"bf16 {machine['bf16']}"]
    return ", ".join(filter(None, parts)) or str(trail.get("device"))


def _different(outcomes: list[Outcome], how: str, value: Callable[[Provenance], Any]) -> list[str]:
    """A line for each task whose rows do not agree in a property of their provenance."""
    texts = []
    for task in dict.fromkeys(o.task for o in outcomes):
        groups = grouped(outcomes, task, lambda o: value(o.record["provenance"]))
        if len(groups) > 1:
            parts = "; ".join(f"{', '.join(rows)}: {plain(json.loads(text))}" for text, rows in groups.items())
            texts.append(f"Rows of {task} were made {how}: {parts}.")
    return texts


def grouped(outcomes: Sequence[Outcome], task: str, value: Callable[[FinishedRun], Any]) -> dict[str, list[str]]:
    """A property of a task's records, as JSON, to the names of the rows that have it."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.task == task and isinstance(outcome, FinishedRun):
            rows = groups.setdefault(json.dumps(value(outcome), sort_keys=True), [])
            if outcome.backbone not in rows:
                rows.append(outcome.backbone)
    return groups


def protocol(outcomes: list[Outcome], task: str) -> list[tuple[str, str]]:
    """(key, text) of how a task's numbers were made: the records' protocol, then the recipe of their config.

    One value where all rows agree; else each value with its rows.
    """
    done = [o for o in outcomes if o.task == task and isinstance(o, FinishedRun)]
    lines = _lines(done, task, lambda o: o.record["protocol"])
    trained = [o for o in done if o.record["history"]["points"]]  # imported and random backbones have no recipe
    recipe = _lines(trained, task, lambda o: o.config.get("recipe", {}))
    return lines + ([("recipe", "; ".join(f"{key} {text}" for key, text in recipe))] if recipe else [])


Section = Callable[[FinishedRun], dict[str, Any]]  # of a record or its config


def _lines(done: list[FinishedRun], task: str, section: Section) -> list[tuple[str, str]]:
    keys = dict.fromkeys(key for outcome in done for key in section(outcome))
    return [(key, _line(done, task, section, key)) for key in keys]


def _line(done: list[FinishedRun], task: str, section: Section, key: str) -> str:
    having = [o for o in done if key in section(o)]
    groups = grouped(having, task, lambda o: section(o)[key])
    everywhere = len(groups) == 1 and len(having) == len(done)
    texts = {plain(json.loads(v)): rows for v, rows in groups.items()}
    return " / ".join(text if everywhere else f"{text} ({', '.join(rows)})" for text, rows in texts.items())


def origin(spec: dict[str, Any]) -> str:
    """What a row is, beyond its name: its override of pretraining, its file, or that it is random."""
    kind = rows.origin(spec)
    if kind == "imported":
        return f"imported: {spec['checkpoint']}"
    if kind == "random":
        return f"{spec['init']} initialisation"
    return f"own pretraining: {plain(spec['pretrain'])}" if spec.get("pretrain") else ""
