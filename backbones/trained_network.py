"""The trained network of a run, `network.safetensors` next to its record: the weights, and in the metadata all that
prediction needs. It is written where `resources.keep_networks` says so. No hash covers it: it can be removed."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load

from backbones.backbone import CHECKSUM, Preprocessing, checksum, write_tensors
from workflow.core.errors import UserError
from workflow.core.files import NETWORK, RECORD, read_json
from workflow.planning.run_spec import RunSpec

KEY = "network"  # of the metadata
SAME = ("recipe", "backbone", "data")  # in the provenance of a record


def save_network(
    out: Path,
    run: RunSpec,
    of: dict[str, Any],
    weights: dict[str, torch.Tensor],
    prepare: Preprocessing,
    backbone: dict[str, Any],
    **about: Any,
) -> None:
    """Write a run's network, atomically and before its record, or remove that of a run before if none is wanted.

    Args:
        out: folder of the record.
        run: the run; its `keep_network` says whether it is wanted.
        of: what the run is made of (workflow/training/record.py).
        weights: of the network, and of what else predicts with it.
        prepare: the preprocessing of its backbone.
        backbone: the metadata of its backbone.
        about: classes or words, and whatever else the task needs.
    """
    if not run.keep_network:
        (out / NETWORK).unlink(missing_ok=True)
        return
    whose = {"seeds": run.seeds, **{key: of[key] for key in SAME}}
    about |= {"run": run.as_dict(), "made_of": whose, "preprocessing": asdict(prepare)}
    write_tensors(out / NETWORK, KEY, about | {key: backbone[key] for key in ("network", "stride")}, weights)


def load_network(folder: Path) -> tuple[RunSpec, dict[str, Any], dict[str, torch.Tensor]]:
    """The run whose record is in `folder`, and its network's metadata and weights.

    Raises:
        UserError: there is no finished run, its network was not kept, is damaged or another run's.
    """
    record, path = read_json(folder / RECORD, "provenance", "seeds"), folder / NETWORK
    again = f"set resources.keep_networks: true in the config, remove {folder / RECORD} and run snakemake again"
    if not path.is_file():
        raise UserError(f"{path}: this run did not keep its network; {again}")
    try:
        with safe_open(path, framework="pt") as file:
            about = json.loads((file.metadata() or {})[KEY])
        weights = load(path.read_bytes())
        damaged = about[CHECKSUM] != checksum(about, weights)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError):
        damaged = True
    if damaged:
        raise UserError(f"{path}: damaged: its content is not what was written; {again}")
    if about["made_of"] != {"seeds": record["seeds"], **{key: record["provenance"].get(key) for key in SAME}}:
        raise UserError(f"{path}: of another run than {folder / RECORD}; {again}")
    return RunSpec(**about["run"]), about, weights


def preprocessing(about: dict[str, Any]) -> Preprocessing:
    """That of the backbone of a network with these metadata."""
    declared = about["preprocessing"]
    return Preprocessing(declared["channel_order"], tuple(declared["mean"]), tuple(declared["std"]))
