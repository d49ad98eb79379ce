"""What a device accelerates, on machines that are mostly not here."""

import warnings

import pytest
import torch

from amp_helpers import device as module
from amp_helpers.device import DTYPES, available_devices, describe, matmul_speedup, pick_device, pick_dtype


def levels(found) -> dict[str, str]:
    return {name: support.level for name, support in found.dtypes.items()}


def test_a_t4_emulates_bf16(machine):
    machine.cuda("Tesla T4", (7, 5))
    assert torch.cuda.is_bf16_supported(), "the trap: torch says yes"
    found = describe("cuda")
    assert levels(found) == {
        "float32": "accelerated",
        "tfloat32": "unsupported",
        "bfloat16": "emulated",
        "float16": "accelerated",
        "float8_e4m3fn": "unsupported",
    }
    assert "8.0" in found.dtypes["bfloat16"].reason
    assert pick_device() == torch.device("cuda")
    assert pick_dtype() == torch.float16


@pytest.mark.parametrize(
    ("name", "capability", "fast", "dtype"),
    [
        ("Tesla V100", (7, 0), "float32 float16", torch.float16),
        ("A100", (8, 0), "float32 tfloat32 bfloat16 float16", torch.bfloat16),
        ("L4", (8, 9), "float32 tfloat32 bfloat16 float16 float8_e4m3fn", torch.bfloat16),
        ("H200", (9, 0), "float32 tfloat32 bfloat16 float16 float8_e4m3fn", torch.bfloat16),
        ("GTX 1080", (6, 1), "float32", torch.float32),
    ],
)
def test_cuda_by_compute_capability(machine, name, capability, fast, dtype):
    machine.cuda(name, capability)
    found = describe("cuda")
    assert (found.name, found.capability, found.usable) == (name, capability, True)
    assert found.accelerated() == fast.split()
    assert pick_dtype("cuda") == dtype


def test_a_p100_is_listed_and_cannot_run(machine):
    machine.cuda("Tesla P100", (6, 0), runs=False).cpu(bf16=0.3)
    assert torch.cuda.is_available()
    with pytest.warns(RuntimeWarning, match=r"cuda is available but cannot run a kernel.*no kernel image.*sm_75"):
        assert pick_device() == torch.device("cpu")
    with pytest.raises(RuntimeError, match=r"cuda cannot run a kernel: CUDA error.*usable: cpu"):
        pick_device("cuda")
    found = describe("cuda")
    assert not found.usable and "no kernel image" in found.reason and "\n" not in found.reason
    assert set(levels(found).values()) == {"unsupported"}
    with pytest.raises(RuntimeError, match="cannot run a kernel"):
        pick_dtype("cuda")


def test_apple(machine):
    machine.mps()
    assert pick_device().type == "mps"
    assert levels(describe("mps"))["bfloat16"] == "emulated"
    assert pick_dtype("mps") == torch.float16
    machine.mps(macos=13)
    assert levels(describe("mps"))["bfloat16"] == "unsupported"


def test_intel(machine):
    machine.xpu()
    assert pick_device().type == "xpu" and pick_dtype() == torch.bfloat16
    machine.xpu(bf16=False)
    assert levels(describe("xpu"))["bfloat16"] == "emulated"
    assert pick_dtype("xpu") == torch.float16


@pytest.mark.parametrize(
    ("bf16", "level", "dtype"), [(4.0, "accelerated", torch.bfloat16), (0.6, "emulated", torch.float32)]
)
def test_a_cpu_is_judged_by_what_it_does(machine, bf16, level, dtype):
    machine.cpu(bf16=bf16)
    assert levels(describe("cpu"))["bfloat16"] == level
    assert f"{bf16:.2g} times" in describe("cpu").dtypes["bfloat16"].reason
    assert pick_dtype("cpu") == dtype


def test_the_capability_flag_is_not_asked(machine, monkeypatch):
    machine.cpu(bf16=0.5)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True}, raising=False)
    assert pick_dtype("cpu") == torch.float32


def test_cuda_comes_before_the_others(machine):
    machine.mps().xpu().cuda("H100", (9, 0))
    assert available_devices() == ["cuda", "xpu", "mps", "cpu"]
    assert pick_device().type == "cuda"


def test_this_machine():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        chosen = pick_device()
    found = describe()
    assert found.device_type == chosen.type and found.usable and found.name
    assert tuple(found.dtypes) == DTYPES
    ratio = matmul_speedup(torch.bfloat16)
    assert ratio > 0 and matmul_speedup(torch.bfloat16) == ratio, "measured once"
    assert (levels(describe("cpu"))["bfloat16"] == "accelerated") == (ratio >= module.CPU_SPEEDUP)


def test_mistakes_are_named(machine):
    with pytest.raises(ValueError, match=r"'gpu' is no device; choose from cuda, xpu, mps, cpu"):
        pick_device("gpu")
    with pytest.raises(ValueError, match=r"device type 'meta' is not known here"):
        describe("meta")
    with pytest.raises(RuntimeError, match=r"this machine has no cuda device; it has cpu"):
        pick_device("cuda")
    with pytest.raises(RuntimeError, match=r"this machine has no mps device; it has cpu"):
        describe("mps")
