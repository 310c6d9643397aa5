"""Two machines whose bits may differ are told apart."""

import json
from dataclasses import asdict

import pytest
import torch

from workflow.training.machine import bf16_instructions, cpu_model, machine

X86 = """processor\t: 0
vendor_id\t: GenuineIntel
cpu family\t: 6
model\t\t: {model}
model name\t: Intel(R) Xeon(R) Processor @ 2.10GHz
stepping\t: 8
flags\t\t: fpu avx2
"""
ARM = "processor\t: 0\nBogoMIPS\t: 243.75\nCPU implementer\t: 0x41\nCPU part\t: 0xd0c\n"


def test_two_cpus_of_one_name_are_two(tmp_path):
    (tmp_path / "a").write_text(X86.format(model=106))
    (tmp_path / "b").write_text(X86.format(model=143))
    a, b = cpu_model(tmp_path / "a"), cpu_model(tmp_path / "b")
    assert a == "Intel(R) Xeon(R) Processor @ 2.10GHz (family 6, model 106, stepping 8)"
    assert b == "Intel(R) Xeon(R) Processor @ 2.10GHz (family 6, model 143, stepping 8)"


@pytest.mark.parametrize("text", [ARM, "", None], ids=["Arm", "empty", "macOS"])
def test_a_cpu_without_linux_s_names_has_one(text, tmp_path):
    if text is not None:
        (tmp_path / "cpuinfo").write_text(text)
    assert cpu_model(tmp_path / "cpuinfo") == torch.cpu.get_capabilities()["cpu_name"]


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"amx_bf16": True, "avx512_bf16": True, "avx2": True}, "amx_bf16+avx512_bf16"),
        ({"amx_bf16": False, "avx512_bf16": True}, "avx512_bf16"),
        ({"bf16": True, "neon": True, "cpu_name": "Neoverse V1"}, "bf16"),
        ({"avx512_bf16": False, "avx2": True, "cpu_name": "of bf16"}, "emulated"),
    ],
)
def test_the_way_of_bf16_is_named(flags, words):
    assert bf16_instructions(flags) == words


def test_this_machine_is_plain_json():
    found = asdict(machine(3))
    assert json.loads(json.dumps(found)) == found
    assert found["threads"] == 3
    assert found["torch"] == torch.__version__
    assert all(found[key] for key in ("cpu", "simd", "bf16"))
    gpu = [found[key] is not None for key in ("gpu", "compute_capability", "cuda")]
    assert gpu == [torch.cuda.is_available()] * 3
