"""What runs cost: time, memory and speed, a line each and together."""

from typing import Any

from workflow.reporting.metrics import METRICS, number
from workflow.reporting.records import Outcome


def run(outcome: Outcome) -> dict[str, Any]:
    """A line of the list of runs: what it cost, on what, and the hashes of what it is made from."""
    trail = outcome.record["provenance"] if outcome.record else {}
    hashes = {key: trail[key][:10] for key in ("recipe", "backbone", "data", "code") if trail.get(key)}
    values = outcome.record["metrics"] if outcome.record else {}
    names = [name for name in METRICS[outcome.task] if name in values]
    return {
        "outcome": outcome,
        "values": [(name, number(name, values[name])) for name in names],
        "time": duration(trail["seconds"]) if "seconds" in trail else "",
        "speed": f"{trail['images_per_second']:.1f} {unit(outcome)}" if "images_per_second" in trail else "",
        "memory": f"{trail['peak_memory_mb']:.0f}" if "peak_memory_mb" in trail else "",
        "device": trail.get("device", ""),
        "hashes": hashes,
    }


def total(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What runs cost together: the sum of their times, all images over all seconds (of one task alone: an image costs
    another work in each), the largest memory."""
    outcomes = [line["outcome"] for line in lines if line["outcome"].record]
    trails = [outcome.record["provenance"] for outcome in outcomes]
    alike = {(outcome.task, unit(outcome)) for outcome in outcomes}
    timed = [trail for trail in trails if trail.get("seconds")]
    seconds = sum(trail["seconds"] for trail in timed)
    images = sum(trail["seconds"] * trail["images_per_second"] for trail in timed)
    memory = max((trail["peak_memory_mb"] for trail in trails if "peak_memory_mb" in trail), default=None)
    return {
        "done": len(trails),
        "time": duration(seconds) if timed else "",
        "speed": f"{images / seconds:.1f} {unit(outcomes[0])}" if timed and len(alike) == 1 else "",
        "memory": f"{memory:.0f}" if memory is not None else "",
    }


def unit(outcome: Outcome) -> str:
    """Of a finished run's speed: over a frozen encoder a caption is trained on features that were computed before."""
    frozen = outcome.task == "nic_coco" and outcome.record["protocol"].get("encoder") == "frozen"
    return "captions/s" if frozen else "images/s"


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 to 1:02:05."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
