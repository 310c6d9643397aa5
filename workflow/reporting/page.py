"""transfer.html: one self-contained page that asks nothing of any server; each number opens its trail (law 8)."""

import base64
import json
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

SECTIONS = {  # below the transfer table: name of the template and of the anchor, and title
    "classification": "ImageNet classification",
    "detections": "Detections on the same images",
    "captions": "Captions of the same photos",
    "activations": "Class activation maps",
    "gallery": "Regularizers at work",
    "protocol": "Protocol",
    "runs": "Runs: time, memory, speed",
}
FIGURES = ("captions",)  # sections that are a file of their own too
WORDS = Path(__file__).parents[1] / "report"  # how to read a figure: the captions of `snakemake --report`


def html(summary: Summary, folder: Path, drawn: dict[str, bytes]) -> dict[str, str]:
    """The pages as they will lie in `folder`, by file name: transfer.html, and the figures that are HTML.

    Links are relative to `folder`; all data are escaped. `drawn` holds the figures that other rules have made
    (Plan.figures), by name; each becomes a part of the page.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    signed = {"number": lambda metric, value, sign=False: number(metric, value, sign).replace("-", "−")}
    environment.globals |= signed | {"heading": heading, "clipped": clipped, "best_epoch": best_epoch}
    environment.globals |= {"singles": singles, "backbone_hash": backbone_hash, "anchor": anchor, "total": total}
    environment.globals |= {"summary": summary, "words": words, "link": lambda path: link(path, folder)}
    environment.globals |= {
        "picture": lambda name: data_url(drawn[name]),
        "material": lambda name: json.loads(drawn[name]),
    }
    detected = [task for task in summary.tasks if f"detections_{task}" in drawn]
    environment.globals["detected"] = detected
    absent = ({"captions", "activations", "gallery"} - drawn.keys()) | (set() if detected else {"detections"})
    sections = {name: title for name, title in SECTIONS.items() if name not in absent}
    figures = {
        f"{name}.html": environment.get_template("figure.html.j2").render(id=name, title=sections[name])
        for name in FIGURES
        if name in sections
    }
    return {"transfer.html": page(summary, environment, sections)} | figures


def page(summary: Summary, environment: jinja2.Environment, sections: dict[str, str]) -> str:
    """transfer.html."""
    return environment.get_template("page.html.j2").render(
        sections=sections,
        groups=[(task, TITLES[task], sum(t == task for t, _ in summary.columns)) for task in summary.tasks],
        runs={task: [run(o) for o in summary.outcomes if o.task == task] for task in summary.tasks},
        imagenet_groups=IMAGENET_GROUPS,
        widths=(REASON_WIDTH, IMAGENET_REASON_WIDTH),
    )


def words(name: str) -> str:
    """How to read a section, if it has a caption."""
    file = WORDS / f"{name}.rst"
    return file.read_text(encoding="utf-8").strip() if file.is_file() else ""


def data_url(picture: bytes) -> str:
    """A PNG or JPEG as a part of the page."""
    kind = "png" if picture.startswith(b"\x89PNG") else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(picture).decode()}"


def link(path: Path, folder: Path) -> str:
    """`path` relative to `folder`, as a URL."""
    return quote(Path(os.path.relpath(path, folder)).as_posix())


def anchor(outcome: Outcome) -> str:
    """Where on the page a run stands, as an id without blanks."""
    return quote(f"run-{outcome.task}-{outcome.backbone}-{outcome.seed_name}", safe="")


def singles(cell: Cell) -> list[tuple[Outcome, str]]:
    """The runs behind a mean, each with its value."""
    return [(o, number(cell.metric, v)) for o, v in zip(cell.runs, cell.values, strict=True)]


def backbone_hash(outcome: Outcome) -> str:
    """The first digits of the hash of the backbone that a transfer began with; pretraining begins with none."""
    return (outcome.record["provenance"].get("backbone") or "")[:10]


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


def total(lines: list[dict[str, Any]]) -> dict[str, Any]:
    """What runs cost together: the sum of their times, all images over all seconds, the largest memory."""
    trails = [line["outcome"].record["provenance"] for line in lines if line["outcome"].record]
    timed = [trail for trail in trails if trail.get("seconds")]
    seconds = sum(trail["seconds"] for trail in timed)
    images = sum(trail["seconds"] * trail["images_per_second"] for trail in timed)
    memory = max((trail["peak_memory_mb"] for trail in trails if "peak_memory_mb" in trail), default=None)
    return {
        "done": len(trails),
        "time": duration(seconds) if timed else "",
        "speed": f"{images / seconds:.1f}" if timed else "",
        "memory": f"{memory:.0f}" if memory is not None else "",
    }


def duration(seconds: float) -> str:
    """Hours, minutes and seconds: 3725 to 1:02:05."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole // 60 % 60:02d}:{whole % 60:02d}"
