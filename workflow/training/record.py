"""The record of a run: `metrics.json`, written last and atomically (design: Contracts), with the numbers' trail."""

import math
import platform
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from mmengine.dist import get_world_size

from workflow.core import code_hash
from workflow.core.dataset_info import DatasetInfo
from workflow.core.errors import UserError
from workflow.core.files import digest, sha256, write_json, write_record_file
from workflow.planning.run_spec import RunSpec
from workflow.training.engine import TrainResult
from workflow.training.resume import attempts


def peak_memory_mb() -> float:
    """The most memory that this process (the job's first) held, in MiB, and on a GPU what its tensors held there."""
    if torch.cuda.is_available():
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)


def made_of(run: RunSpec, check: DatasetInfo, backbone: Path | None, **more: str) -> dict[str, Any]:
    """Hashes of all that a result depends on (`more`: of shared artifacts) and the libraries, at the run's begin: what
    it loads is what is hashed here. Its code is hashed file by file, when that is loaded: see code_hash.py.
    """
    code_hash.watch()
    of = {
        "recipe": run.recipe_hash,
        "backbone": sha256(backbone) if backbone else None,
        "data": check.fingerprint,
        **more,
        "libraries": code_hash.libraries(),
    }
    attempts.begin(of["libraries"])
    return of


def provenance(run: RunSpec, of: dict[str, Any], backbone: Path | None) -> dict[str, Any]:
    """What the result was made `of`, and the machine that it was made on. `backbone` is the file that was loaded or
    published."""
    ran = attempts.as_recorded(attempts.ran_with())
    return {
        **of,
        "backbone": of["backbone"] or (sha256(backbone) if backbone else None),
        "code": digest(ran["code_files"]),
        **ran,
        "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine() + " CPU",
        "threads": run.threads,
        "gpus": get_world_size() if torch.cuda.is_available() else 0,
        "processes": get_world_size(),
        "peak_memory_mb": round(peak_memory_mb(), 1),
    }


def changes(of: dict[str, Any], check: Path, backbone: Path | None) -> list[str]:
    """What the run has not had all the time, and what is another by now than what it has loaded, a line each."""
    found = attempts.resumed_with(attempts.ran_with()) + attempts.changed_since()
    try:
        same = DatasetInfo.read(check).fingerprint == of["data"]
    except UserError:
        same = False
    found += [f"{check} is of other data than those that were loaded"] * (not same)
    if of["backbone"] and not (backbone and backbone.is_file() and sha256(backbone) == of["backbone"]):
        found.append(f"{backbone} has changed since it was loaded")
    return found


def write_record(
    out: Path,
    run: RunSpec,
    fit: TrainResult | None,
    *,
    of: dict[str, Any],
    metrics: dict[str, float],
    protocol: dict[str, Any],
    check: Path,
    backbone: Path | None = None,
    changed: Sequence[str] = (),
    **more: Any,
) -> None:
    """Write `config.json` and then `metrics.json` into `out`, where all else is published; UserError if a metric is
    not a finite number.

    `fit` is None where nothing was trained (imported and random backbones). `more` joins the record's top level
    (per-class AP, the best epoch). `of` is what `made_of` found at the begin; what has changed since then is said and
    recorded, after what is known already to be `changed`.
    """
    for name, value in metrics.items():
        if not math.isfinite(value):
            raise UserError(f"{run.name}: {name} is {value}, not a finite number; nothing is recorded")
    trail = {**provenance(run, of, backbone), "changed": [*changed, *changes(of, check, backbone)]}
    for line in trail["changed"]:
        print(f"[{run.name}] {line}", flush=True)
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
