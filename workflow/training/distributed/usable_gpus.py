"""Whether torch can use the GPUs that a run holds. One that it cannot use is an error: the run would else train on the
CPU, which is another machine to the bit and to the week, and nobody else could have the GPU meanwhile."""

import os
import subprocess
import warnings
from pathlib import Path

import torch
from torch import distributed as dist

from workflow.core.errors import UserError

HELD = "TRAINING_DEVICES"  # in the environment: the UUIDs of the devices that launch holds for the run, with commas
# CUDA's minor versions are compatible: the first driver of a major version runs all of it (NVIDIA's CUDA
# Compatibility guide, table of minimum driver versions).
DRIVERS = {"11": "450", "12": "525", "13": "580"}
QUERIES = ("uuid,name,compute_cap,driver_version", "uuid,name,driver_version")  # old drivers know no compute_cap


def held() -> list[str]:
    """The devices of this run. Where torchrun was called by hand, nobody has counted them: those of the node."""
    if os.environ.get(HELD):
        return os.environ[HELD].split(",")
    by_hand = dist.is_torchelastic_launched() and os.environ.get("CUDA_VISIBLE_DEVICES") != ""
    return [path.name for path in sorted(Path("/dev").glob("nvidia[0-9]*"))] if by_hand else []


def refuse_unusable() -> None:
    """UserError in one line for a device of this run that torch cannot use."""
    if (devices := held()) and (reason := fault(devices)):
        raise UserError(f"torch cannot use {described(devices)}: {reason}; {needed()}. gpus: 0 trains on the CPU")


def fault(devices: list[str]) -> str:
    """Why torch cannot use all of them, in words; empty if it can."""
    with warnings.catch_warnings(record=True, action="always") as noted:
        usable = torch.cuda.is_available()
    if not usable:
        said = " ".join(" ".join(str(each.message).split()) for each in noted)
        return said.partition(" (Triggered")[0][:300] or "it finds no device"
    if torch.cuda.device_count() < len(devices):
        return f"it finds {torch.cuda.device_count()} of {len(devices)} devices (of several MIG slices it uses one)"
    for number in range(torch.cuda.device_count()):
        capability = torch.cuda.get_device_capability(number)
        if not runs_on(capability, torch.cuda.get_arch_list()):
            return "device {} has compute capability {}.{}".format(number, *capability)
        try:
            torch.ones(1, device=f"cuda:{number}").add(1).item()
        except RuntimeError as error:  # taken by another program, broken
            return str(error).partition("\n")[0]
    return ""


def runs_on(capability: tuple[int, int], built: list[str]) -> bool:
    """Whether a device can run a build: code of its own major version and no later minor one, or PTX no later than it.

    Args:
        capability: (major, minor) of the device.
        built: `sm_90` (code), `compute_90` (PTX), as torch lists what it was built for.
    """
    for name in built:
        kind, _, digits = name.rstrip("af").partition("_")
        version = int(digits[:-1]), int(digits[-1])
        if version <= capability and (kind == "compute" or version[0] == capability[0]):
            return True
    return False


def capabilities() -> list[str]:
    """The compute capabilities that torch was built for: 7.5, 8.0 ... (also without a device, as on a login node)."""
    names = (torch._C._cuda_getArchFlags() or "").split() if torch.version.cuda else []
    return [f"{name.partition('_')[2][:-1]}.{name[-1]}" for name in names if name.startswith("sm_")]


def needed() -> str:
    """What this torch asks of a GPU and its driver."""
    cuda = torch.version.cuda
    if cuda is None:
        return f"torch {torch.__version__} is built without CUDA"
    driver = DRIVERS.get(cuda.partition(".")[0], "of that version")
    built = f"torch {torch.__version__} is built for CUDA {cuda} and compute capabilities {', '.join(capabilities())}"
    return f"{built}, and needs an NVIDIA driver {driver} or later"


def described(devices: list[str]) -> str:
    """The devices with what nvidia-smi knows of them: name, compute capability, driver."""
    lines = []
    for query in QUERIES:
        call = ["nvidia-smi", f"--query-gpu={query}", "--format=csv,noheader"]
        try:
            asked = subprocess.run(call, capture_output=True, text=True, check=False, timeout=120)
        except (OSError, subprocess.TimeoutExpired):
            break
        if asked.returncode == 0:
            lines = asked.stdout.splitlines()
            break
    known = {line.partition(",")[0]: line.partition(",")[2].strip() for line in lines}
    return ", ".join(f"{device} ({known[device]})" if known.get(device) else device for device in devices)
