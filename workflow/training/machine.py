"""The machine that a run trains on, well enough to tell two apart whose numbers may differ in their last bits."""

import platform
import re
from dataclasses import dataclass
from pathlib import Path

import torch

CPUINFO = Path("/proc/cpuinfo")
EMULATED = "emulated"  # bf16 operations that the CPU does not know are computed in fp32 and rounded


@dataclass(frozen=True)
class Machine:
    """What rounding depends on. The fields of a GPU are None where none is used."""

    cpu: str
    simd: str  # the vector instructions that torch uses: AVX2, AVX512, DEFAULT ...
    bf16: str  # the CPU's instructions for it, joined by +, or "emulated"
    threads: int
    torch: str
    gpu: str | None
    compute_capability: str | None
    cuda: str | None  # the version that torch was built for


def machine(threads: int) -> Machine:
    """This machine, for a run on so many `threads` of its CPU."""
    gpu = torch.cuda.is_available()
    return Machine(
        cpu=cpu_model(),
        simd=torch.backends.cpu.get_cpu_capability(),
        bf16=bf16_instructions(torch.cpu.get_capabilities()),
        threads=threads,
        torch=torch.__version__,
        gpu=torch.cuda.get_device_name() if gpu else None,
        compute_capability="{}.{}".format(*torch.cuda.get_device_capability()) if gpu else None,
        cuda=torch.version.cuda if gpu else None,
    )


def cpu_model(cpuinfo: Path = CPUINFO) -> str:
    """The CPU's name, with the numbers of its model where Linux on x86 knows them: a virtual machine may call several
    generations by one name."""
    try:
        text = cpuinfo.read_text(encoding="utf-8", errors="replace")
    except OSError:  # macOS
        text = ""
    keys = ("model name", "cpu family", "model", "stepping")
    found = [re.search(rf"^{key}[ \t]*:[ \t]*(.+?)\s*$", text, re.MULTILINE) for key in keys]
    if all(found):
        name, family, model, stepping = (match[1] for match in found)
        return f"{name} (family {family}, model {model}, stepping {stepping})"
    return str(torch.cpu.get_capabilities().get("cpu_name") or platform.processor() or platform.machine())


def bf16_instructions(capabilities: dict) -> str:
    """`amx_bf16+avx512_bf16`, `avx512_bf16`, on Arm `bf16` ...; `emulated` where there are none."""
    found = sorted(name for name, present in capabilities.items() if name.endswith("bf16") and present is True)
    return "+".join(found) or EMULATED
