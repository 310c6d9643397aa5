"""The words above and under the table: what must be said so that its numbers are not misread."""

import json
from collections.abc import Callable
from typing import Any

from workflow.reporting.records import Outcome
from workflow.words import plain

DEMO = (
    "This is a demo on generated images: {seeds} and short schedules, too little to tell a difference between its rows "
    "from noise. It shows that the way from data to table works. "
    "The paper's numbers beside were measured on ImageNet, VOC and COCO and are no target for it."
)


def notices(config: dict[str, Any], outcomes: list[Outcome]) -> list[str]:
    """What has to stand above the table: that it is a demo, if any of its data are generated."""
    text = DEMO.format(seeds="few seeds" if repeated(outcomes) else "one seed")
    return [text] if any("synthetic" in section for section in config["data"].values()) else []


def repeated(outcomes: list[Outcome]) -> bool:
    """Is there a cell of several runs?"""
    cells = [(o.task, o.backbone) for o in outcomes]
    return len(cells) > len(set(cells))


def remarks(outcomes: list[Outcome]) -> list[str]:
    """What has to stand under every table."""
    texts = [
        "All numbers are in percent; in brackets the change against the row baseline.",
        "The last epoch counts: it is evaluated, published and transferred. Where there was more than one evaluation, "
        "the best one (by top1_error, mAP, CIDEr) is shown beside it, never instead. The paper reports its best epoch.",
    ]
    if repeated(outcomes):
        texts.append("Where n > 1: mean ± sample standard deviation over n runs with different seeds.")
    else:
        texts.append("One run a cell: nothing here tells a difference from the noise of a repeated run.")
    texts.append("Paper: CutMix, ICCV 2019, Tables 3 and 10, A1 of its supplement, and its poster (AutoAugment).")
    return texts + code_remarks(outcomes)


def code_remarks(outcomes: list[Outcome]) -> list[str]:
    """Law 5: where two rows of a column were made by different code."""
    texts = []
    for task in dict.fromkeys(o.task for o in outcomes):
        groups = grouped(outcomes, task, lambda o: o.record["provenance"].get("code"))
        if len(groups) > 1:
            parts = "; ".join(f"{', '.join(rows)} by {plain(json.loads(code))[:10]}" for code, rows in groups.items())
            texts.append(f"Rows of {task} were made by different code: {parts}.")
    return texts


def grouped(outcomes: list[Outcome], task: str, value: Callable[[Outcome], Any]) -> dict[str, list[str]]:
    """A property of a task's records, as JSON, to the names of the rows that have it."""
    groups: dict[str, list[str]] = {}
    for outcome in outcomes:
        if outcome.task == task and outcome.record:
            rows = groups.setdefault(json.dumps(value(outcome), sort_keys=True), [])
            if outcome.backbone not in rows:
                rows.append(outcome.backbone)
    return groups


def protocol(outcomes: list[Outcome], task: str) -> list[tuple[str, str]]:
    """(key, text) of how a task's numbers were made: the records' protocol, then the recipe of their config.

    One value where all rows agree; else each value with its rows.
    """
    done = [o for o in outcomes if o.task == task and o.record]
    lines = _lines(done, task, lambda o: o.record["protocol"])
    trained = [o for o in done if o.record["history"]["points"]]  # brought and random backbones have no recipe
    recipe = _lines(trained, task, lambda o: (o.config or {}).get("recipe", {}))
    return lines + ([("recipe", "; ".join(f"{key} {text}" for key, text in recipe))] if recipe else [])


def _lines(done: list[Outcome], task: str, mapping: Callable[[Outcome], dict[str, Any]]) -> list[tuple[str, str]]:
    lines = []
    for key in dict.fromkeys(key for outcome in done for key in mapping(outcome)):
        having = [o for o in done if key in mapping(o)]
        groups = grouped(having, task, lambda o, key=key: mapping(o)[key])
        everywhere = len(groups) == 1 and len(having) == len(done)
        texts = {plain(json.loads(v)): rows for v, rows in groups.items()}
        parts = [text if everywhere else f"{text} ({', '.join(rows)})" for text, rows in texts.items()]
        lines.append((key, " / ".join(parts)))
    return lines


def origin(spec: dict[str, Any]) -> str:
    """What a row is, beyond its name: its override of pretraining, its file, or that it is random."""
    if "checkpoint" in spec:
        return f"brought: {spec['checkpoint']}"
    if "init" in spec:
        return f"{spec['init']} initialisation"
    return f"own pretraining: {plain(spec['pretrain'])}" if spec.get("pretrain") else ""
