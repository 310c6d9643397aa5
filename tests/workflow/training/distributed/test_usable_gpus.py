"""A GPU that torch cannot use stops a run that holds it. No test here needs a GPU: a machine without one is a case."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from workflow.core.errors import UserError
from workflow.training.distributed import launch, usable_gpus
from workflow.training.precision import configure_torch

PROJECT = Path(__file__).parents[4]
without_gpu = pytest.mark.skipif(torch.cuda.is_available(), reason="of a machine without a GPU")


@pytest.fixture
def node(tmp_path, monkeypatch):
    """A node with an old device, as nvidia-smi says; `old` is its UUID."""
    uuid = f"GPU-old-{os.getpid()}"
    tool = tmp_path / "nvidia-smi"
    tool.write_text(
        "#!/bin/sh\ncase $1 in *name,compute_cap*) exit 2;; *name*)"
        f" echo '{uuid}, Tesla P100-PCIE-16GB, 470.82';; *) echo {uuid};; esac\n"
    )
    tool.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    return uuid


@without_gpu
def test_a_training_stops_in_one_line_before_its_first_step(node, imagenet, tmp_path):
    from tests.workflow.training.test_precision import PRETRAIN

    run = {"task": "pretrain", "backbone": "mine", "seeds": {"pretrain": 0}, "recipe": PRETRAIN}
    run |= {"data": imagenet.section, "threads": 1, "workers": 0, "gpus": 1}
    call = [
        sys.executable,
        "-m",
        "workflow.training.distributed.launch",
        "pretrain",
        "train",
        "--run-spec",
        json.dumps(run),
    ]
    call += [
        "--dataset-info",
        str(imagenet.check),
        "--checkpoint-dir",
        str(tmp_path / "s"),
        "--out",
        str(tmp_path / "out"),
    ]
    done = subprocess.run(call, capture_output=True, text=True, check=False, cwd=PROJECT)
    assert done.returncode == 1
    assert done.stdout == f"[pretrain mine p0] on {node}\n"
    lines = [line for line in done.stderr.splitlines() if "Warning" not in line]
    assert len(lines) == 1
    assert lines[0].startswith(f"error: torch cannot use {node} (Tesla P100-PCIE-16GB, 470.82): ")
    assert (
        f"is built for CUDA {torch.version.cuda} and compute capabilities {usable_gpus.capabilities()[0]}, " in lines[0]
    )
    assert f"needs an NVIDIA driver {usable_gpus.DRIVERS[torch.version.cuda.split('.')[0]]} or later" in lines[0]
    assert not (tmp_path / "out/metrics.json").exists()


@without_gpu
@pytest.mark.parametrize("held", ["GPU-1", "GPU-1,GPU-2", "MIG-1/2/3"])
def test_every_program_that_runs_a_network_refuses(held, monkeypatch):
    monkeypatch.setenv(usable_gpus.HELD, held)
    with pytest.raises(UserError, match=f"torch cannot use {held.replace(',', ', ')}"):
        configure_torch(1)
    monkeypatch.delenv(usable_gpus.HELD)
    configure_torch(1)


def test_launch_and_this_name_the_variable_alike():
    assert launch.HELD == usable_gpus.HELD


@pytest.mark.parametrize(
    ("capability", "runs"),
    [((6, 0), False), ((7, 0), False), ((7, 5), True), ((8, 0), True), ((8, 9), True), ((9, 0), True), ((12, 1), True),
     ((11, 0), False), ((13, 0), False)],
)  # fmt: skip
def test_a_build_runs_on_its_major_versions(capability, runs):
    assert usable_gpus.runs_on(capability, ["sm_75", "sm_80", "sm_86", "sm_90", "sm_100", "sm_120"]) == runs


def test_ptx_runs_on_what_is_newer():
    assert usable_gpus.runs_on((13, 0), ["sm_90", "compute_90"])
    assert not usable_gpus.runs_on((8, 0), ["sm_90a", "compute_90a"])


class Device:
    """What torch says of a node whose device it finds."""

    count, capability, works = 1, (9, 0), True

    def __init__(self, monkeypatch, **changes):
        vars(self).update(changes)
        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "device_count", lambda: self.count)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda number=0: self.capability)
        monkeypatch.setattr(torch.cuda, "get_arch_list", lambda: ["sm_75", "sm_90"])
        ones = torch.ones

        def one(*size, device="cpu", **options):
            if str(device).startswith("cuda"):
                if not self.works:
                    raise RuntimeError("CUDA error: all CUDA-capable devices are busy\nCompile with TORCH_USE_CUDA_DSA")
                device = "cpu"
            return ones(*size, device=device, **options)

        monkeypatch.setattr(torch, "ones", one)


@pytest.mark.parametrize(
    ("changes", "held", "reason"),
    [
        ({}, "GPU-1", ""),
        ({"capability": (7, 0)}, "GPU-1", "device 0 has compute capability 7.0"),
        ({}, "GPU-1,GPU-2", "it finds 1 of 2 devices (of several MIG slices it uses one)"),
        ({"works": False}, "GPU-1", "CUDA error: all CUDA-capable devices are busy"),
    ],
)
def test_what_torch_finds_is_looked_at(changes, held, reason, monkeypatch):
    Device(monkeypatch, **changes)
    assert usable_gpus.fault(held.split(",")) == reason


def test_a_driver_that_is_too_old_is_told_in_torch_s_words(monkeypatch):
    import warnings

    def old():
        warnings.warn("CUDA initialization: The NVIDIA driver on your system is too old (found version 11040).\n "
                      "Please update (Triggered internally at CUDAFunctions.cpp:119.)", stacklevel=1)  # fmt: skip
        return False

    monkeypatch.setattr(torch.cuda, "is_available", old)
    said = "CUDA initialization: The NVIDIA driver on your system is too old (found version 11040). Please update"
    assert usable_gpus.fault(["GPU-1"]) == said


@pytest.mark.parametrize("page", ["README.md", "docs/clusters.md"])
def test_the_pages_say_which_gpus_and_drivers_the_lock_s_torch_takes(page):
    text = " ".join((PROJECT / page).read_text(encoding="utf-8").split())
    cuda = torch.version.cuda
    wanted = f"compute capability {', '.join(usable_gpus.capabilities()[:-1])} or {usable_gpus.capabilities()[-1]}"
    assert wanted in text
    assert f"driver {usable_gpus.DRIVERS[cuda.split('.')[0]]} or later" in text
    assert f"CUDA {cuda}" in text
    locked = re.search(r"^torch==(\S+)", (PROJECT / "requirements.lock").read_text(), re.MULTILINE)[1]
    assert torch.__version__.split("+")[0] == locked
