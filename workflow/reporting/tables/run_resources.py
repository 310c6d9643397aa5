"""What runs cost: time, memory and speed, a line each and together; and which of them waited for their data."""

from collections.abc import Iterator, Mapping
from typing import Any

from workflow.reporting.metrics import named, number
from workflow.reporting.outcome import FinishedRun, Outcome, Provenance

PATIENCE = 0.1  # the share of its training that a run may wait for data before the report warns
ENOUGH = 60.0  # seconds of training, from which on this share is not that of the first batch


def run(outcome: Outcome) -> dict[str, Any]:
    """A line of the list of runs: what it cost, on what, and the hashes of what it is made from."""
    if not isinstance(outcome, FinishedRun):
        return {"outcome": outcome}
    trail, values = outcome.record["provenance"], outcome.record["metrics"]
    hashes = {
        "recipe": trail["recipe"],
        "backbone": trail.get("backbone"),
        "data": trail["data"],
        "code": trail.get("code"),
    }
    metrics = [metric for metric in outcome.declaration.metrics if metric.name in values]
    return {
        "outcome": outcome,
        "values": [(named(metric), number(metric, values[metric.name])) for metric in metrics],
        "time": duration(trail["seconds"]) if "seconds" in trail else "",
        "speed": f"{trail['images_per_second']:.1f} {unit(outcome)}" if "images_per_second" in trail else "",
        "waiting": share(trail),
        "memory": f"{trail['peak_memory_mb']:.0f}" if "peak_memory_mb" in trail else "",
        "device": device(trail),
        "hashes": {key: value[:10] for key, value in hashes.items() if value},
    }


def device(trail: Provenance) -> str:
    """The GPU, else the CPU's model; records from before know less."""
    machine = trail.get("machine", {})
    return machine.get("gpu") or machine.get("cpu") or trail.get("device", "")


def total(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What runs cost together: the sum of their times, all images over all seconds (of one task alone: an image costs
    another work in each), their share of waiting if all measured it, the largest memory."""
    outcomes = [line["outcome"] for line in lines if isinstance(line["outcome"], FinishedRun)]
    trails = [outcome.record["provenance"] for outcome in outcomes]
    alike = {(outcome.task, unit(outcome)) for outcome in outcomes}
    timed = [trail for trail in trails if trail.get("seconds")]
    seconds = sum(trail["seconds"] for trail in timed)
    images = sum(trail["seconds"] * trail["images_per_second"] for trail in timed)
    known = timed and all("data_wait" in trail for trail in timed)
    waited = sum(trail["seconds"] * trail["data_wait"] for trail in timed) if known else 0.0
    together = {"seconds": seconds} | ({"data_wait": waited / seconds} if known else {})
    memory = max((trail["peak_memory_mb"] for trail in trails if "peak_memory_mb" in trail), default=None)
    return {
        "done": len(trails),
        "time": duration(seconds) if timed else "",
        "speed": f"{images / seconds:.1f} {unit(outcomes[0])}" if timed and len(alike) == 1 else "",
        "waiting": share(together if timed else {}),
        "memory": f"{memory:.0f}" if memory is not None else "",
    }


def share(trail: Mapping[str, Any]) -> str:
    """The share of its training that a run waited for data; a dash where that was not measured."""
    if "seconds" not in trail:
        return ""
    return f"{100 * trail['data_wait']:.0f} %" if "data_wait" in trail else "–"


def waiting(outcomes: list[Outcome]) -> Iterator[str]:
    """A warning for each task with runs that waited too long for their data: how long, and what to turn."""
    done = [outcome for outcome in outcomes if isinstance(outcome, FinishedRun)]
    long = [o for o in done if o.record["provenance"].get("seconds", 0) >= ENOUGH]
    slow = [o for o in long if o.record["provenance"].get("data_wait", 0) > PATIENCE]
    for task in dict.fromkeys(o.task for o in slow):
        worst = max((o for o in slow if o.task == task), key=lambda o: o.record["provenance"]["data_wait"])
        count = sum(o.task == task for o in slow), sum(o.task == task for o in long)
        said = f"{count[0]} of {count[1]} runs waited for data for more than {100 * PATIENCE:.0f} % of their training"
        most = f"{worst.backbone} {worst.seed_name}: {share(worst.record['provenance'])}"
        yield f"{task}: {said} ({most}). {knob(worst)}"


def knob(outcome: FinishedRun) -> str:
    """What makes the data of a run come faster."""
    workers = outcome.config.get("workers", 0)
    if not workers:
        lost = " Where other runs take them all, nothing is lost." if on_cpu(outcome) else ""
        return f"It loads its own: set `workers`, if there are cores that no other run takes.{lost}"
    more = f"Raise `workers` ({workers} now); where no core is left for them, run fewer jobs at once"
    return f"{more}, lower `threads` if a GPU trains, or keep images on disk that are no larger than they are used."


def on_cpu(outcome: FinishedRun) -> bool:
    """Whether a finished run trained on the cores that load its data."""
    return outcome.record["provenance"].get("device", "").endswith("CPU")


def unit(outcome: FinishedRun) -> str:
    """Of a finished run's speed."""
    return outcome.declaration.speed_unit(outcome.record["protocol"])


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 to 1:02:05."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
