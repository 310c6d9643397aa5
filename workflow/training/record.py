"""The record of a run: `metrics.json`, written last and atomically (design: Contracts), with the numbers' trail."""

import importlib.metadata
import math
import platform
import resource
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size

import workflow
from workflow.training.engine import Fit
from workflow.training.errors import UserError
from workflow.training.files import digest, read_json, sha256, write_json, write_record_file
from workflow.training.machine import machine
from workflow.training.run import Run

LIBRARIES = [
    "torch",
    "torchvision",
    "onedl-mmengine",
    "onedl-mmcv",
    "onedl-mmdetection",
    "pycocotools",
    "pycocoevalcap",
    "numpy",
]
PROJECT = Path(workflow.__file__).parent.parent
SHARED_CODE = ["workflow/training", "workflow/data", "pretrain/backbone.py"]


def code_hash(task: str) -> str:
    """SHA-256 over the sources that a run of `task` executes: its own room and what all rooms share."""
    room = {"pretrain": "pretrain", "nic_coco": "captioning"}.get(task, "detection")
    places = [PROJECT / place for place in [*SHARED_CODE, room]]
    files = sorted({file for place in places for file in ([place] if place.is_file() else place.rglob("*.py"))})
    return digest({file.relative_to(PROJECT).as_posix(): sha256(file) for file in files})


def peak_memory_mb() -> float:
    """The most memory that this process (the job's first) held, in MiB, and on a GPU what its tensors held there."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10


def made_of(run: Run, check: Path, backbone: Path | None) -> dict[str, Any]:
    """Hashes of all that a result depends on."""
    return {
        "recipe": run.recipe_hash,
        "backbone": sha256(backbone) if backbone else None,
        "data": read_json(check)["fingerprint"],
        "code": code_hash(run.task),
        "libraries": {name: importlib.metadata.version(name) for name in LIBRARIES},
    }


def provenance(run: Run, check: Path, backbone: Path | None) -> dict[str, Any]:
    """What the result was made of, and the machine that it was made on."""
    return {
        **made_of(run, check, backbone),
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine() + " CPU",
        "machine": asdict(machine(run.threads)),
        "threads": run.threads,
        "gpus": get_world_size() if torch.cuda.is_available() else 0,
        "processes": get_world_size(),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def write_record(
    out: Path,
    run: Run,
    fit: Fit | None,
    *,
    metrics: dict[str, float],
    protocol: dict[str, Any],
    check: Path,
    backbone: Path | None = None,
    **more: Any,
) -> None:
    """Write `config.json` and then `metrics.json` into `out`, where all else is published; UserError if a metric is
    not a finite number.

    `fit` is None where nothing was trained (brought and random backbones). `more` joins the record's top level
    (per-class AP, the best epoch).
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise UserError(f"{run.name}: {name} is {value}, not a finite number; nothing is recorded")
    trail = provenance(run, check, backbone)
    if fit:
        trail |= {"seconds": round(fit.seconds, 1), "images_per_second": round(fit.images_per_second, 2)}
        trail["data_wait"] = round(fit.data_wait, 4)
    history = {"points": fit.points, "evaluations": fit.evaluations} if fit else {"points": [], "evaluations": []}
    write_json(out / "config.json", run.as_dict())
    record = {
        "task": run.task,
        "backbone": run.backbone,
        "seeds": run.seeds,
        "metrics": metrics,
        "protocol": protocol,
        "provenance": trail,
        **more,
        "history": history,
    }
    write_record_file(out, record)
