"""transfer.html: one self-contained page that asks nothing of any server; each number links to its record (law 8)."""

import base64
import os
from pathlib import Path
from typing import Any
from urllib.parse import quote

import jinja2

from workflow.reporting.metrics import METRICS, TITLES, number
from workflow.reporting.records import Outcome
from workflow.reporting.statistics import Cell
from workflow.reporting.summary import Summary, best_epoch
from workflow.reporting.text import IMAGENET_GROUPS, IMAGENET_REASON_WIDTH, REASON_WIDTH, clipped, heading

CURVE_WIDTH, CURVE_HEIGHT = 180, 40


def html(summary: Summary, folder: Path, picture: bytes | None = None) -> str:
    """The page as it will lie in `folder`: its links are relative to it. All data are escaped. `picture` is the
    gallery, a PNG that becomes a part of the page."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    signed = {"number": lambda metric, value, sign=False: number(metric, value, sign).replace("-", "−")}
    environment.globals |= signed | {"heading": heading, "clipped": clipped, "curve": curve, "best_epoch": best_epoch}
    environment.globals["link"] = lambda path: link(path, folder)
    return environment.get_template("page.html.j2").render(
        summary=summary,
        groups=[(task, TITLES[task], sum(t == task for t, _ in summary.columns)) for task in summary.tasks],
        runs={task: [run(o) for o in summary.outcomes if o.task == task] for task in summary.tasks},
        picture=base64.b64encode(picture).decode() if picture else "",
        imagenet_groups=IMAGENET_GROUPS,
        widths=(REASON_WIDTH, IMAGENET_REASON_WIDTH),
        singles=singles,
    )


def link(path: Path, folder: Path) -> str:
    """`path` relative to `folder`, as a URL."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def singles(cell: Cell) -> list[tuple[Outcome, str]]:
    """The runs behind a mean, each with its value."""
    return [(o, number(cell.metric, v)) for o, v in zip(cell.runs, cell.values, strict=True)]


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
        "speed": f"{trail['images_per_second']:.1f}" if "images_per_second" in trail else "",
        "memory": f"{trail['peak_memory_mb']:.0f}" if "peak_memory_mb" in trail else "",
        "device": trail.get("device", ""),
        "hashes": hashes,
    }


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 to 1:02:05."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"


def curve(outcome: Outcome) -> dict[str, Any] | None:
    """The training loss as an SVG polyline and its words; None if the record holds fewer than two points."""
    points = outcome.record["history"].get("points", []) if outcome.record else []
    if len(points) < 2:
        return None
    steps, losses = [p["iteration"] for p in points], [p["loss"] for p in points]
    low, span = min(losses), (max(losses) - min(losses)) or 1.0
    reach = (steps[-1] - steps[0]) or 1
    at = [
        f"{2 + (CURVE_WIDTH - 4) * (s - steps[0]) / reach:.1f},{2 + (CURVE_HEIGHT - 4) * (1 - (v - low) / span):.1f}"
        for s, v in zip(steps, losses, strict=True)
    ]
    words = f"training loss {losses[0]:.3g} to {losses[-1]:.3g} over {steps[-1]} iterations"
    return {"points": " ".join(at), "words": words, "width": CURVE_WIDTH, "height": CURVE_HEIGHT}
