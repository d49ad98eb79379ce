"""Pick a device and a dtype that this machine really accelerates, and say what was found.

"Supported" is not "fast": a T4 computes BF16 by emulation, a P100 is listed and cannot run a kernel of a current torch,
a CPU computes FP16 a hundred times slower than FP32. So capabilities are asked for strictly, and where no capability
tells the truth (CPUs), a short matrix product is timed.
"""

from __future__ import annotations

import functools
import platform
import statistics
import time
import warnings
from dataclasses import dataclass, field

import torch

DEVICE_TYPES = ("cuda", "xpu", "mps", "cpu")
#: What a matrix unit may compute in; "tfloat32" is float32 tensors multiplied in TF32.
DTYPES = ("float32", "tfloat32", "bfloat16", "float16", "float8_e4m3fn")
#: BF16 or FP16 counts as accelerated on a CPU if a matrix product is this many times faster than in FP32.
CPU_SPEEDUP = 1.5


@dataclass(frozen=True)
class Support:
    """What a device does with a dtype.

    Args:
        level: "accelerated" (hardware made for it), "emulated" (it runs, at the speed of FP32 or below) or
            "unsupported".
        reason: how that is known.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    level: str
    reason: str


@dataclass(frozen=True)
class DeviceDescription:
    """A device, as `describe` found it.

    Args:
        device_type: "cuda", "xpu", "mps" or "cpu".
        name: of the hardware.
        usable: whether a kernel ran on it; if not, `reason` says why.
        reason: empty for a usable device.
        capability: CUDA's compute capability, such as (9, 0); None elsewhere.
        memory_bytes: of the device; None where torch cannot say.
        dtypes: a `Support` for each of `DTYPES`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    device_type: str
    name: str
    usable: bool
    reason: str = ""
    capability: tuple[int, int] | None = None
    memory_bytes: int | None = None
    dtypes: dict[str, Support] = field(default_factory=dict)

    def accelerated(self) -> list[str]:
        """The dtypes that this device accelerates."""
        return [name for name, support in self.dtypes.items() if support.level == "accelerated"]


def available_devices() -> list[str]:
    """The device types that torch lists on this machine, the preferred first, "cpu" last.

    Listed is not usable: see `describe`.

    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    listed = {
        "cuda": torch.cuda.is_available(),
        "xpu": hasattr(torch, "xpu") and torch.xpu.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    return [name for name in DEVICE_TYPES if listed[name]]


def pick_device(device: str | torch.device | None = None) -> torch.device:
    """The device to compute on.

    Args:
        device: one that must be used; None takes the first of CUDA, XPU, MPS and CPU that runs a kernel. An
            accelerator that is listed but cannot run one is passed over with a `RuntimeWarning`.
    Raises: RuntimeError if the wanted device is missing or cannot run a kernel, naming the ones that can; ValueError
        for a type other than `DEVICE_TYPES`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if device is not None:
        device = _parse(device)
        found = available_devices()
        if device.type not in found:
            raise RuntimeError(f"this machine has no {device.type} device; it has {', '.join(found)}")
        if problem := _kernel_problem(device):
            others = [name for name in found if name != device.type and not _kernel_problem(torch.device(name))]
            raise RuntimeError(f"{device} cannot run a kernel: {problem}; usable: {', '.join(others)}")
        return device
    for name in available_devices():
        candidate = torch.device(name)
        if not (problem := _kernel_problem(candidate)):
            return candidate
        warnings.warn(
            f"{name} is available but cannot run a kernel, so it is not used: {problem}", RuntimeWarning, stacklevel=2
        )
    raise RuntimeError("not even the CPU runs a kernel")


def pick_dtype(device: str | torch.device | None = None) -> torch.dtype:
    """The dtype that autocast should use on a device: the 16-bit one that it accelerates, else float32.

    BF16 is preferred where both are accelerated, since it needs no loss scaling; MPS prefers FP16, which every Apple
    GPU has in hardware.

    Args:
        device: as in `pick_device`.
    Raises: as `pick_device`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    fast = describe(pick_device(device)).accelerated()
    for name in ("bfloat16", "float16"):
        if name in fast:
            return getattr(torch, name)
    return torch.float32


def describe(device: str | torch.device | None = None) -> DeviceDescription:
    """What a device is and what it does with each dtype.

    Args:
        device: as in `pick_device`, except that a device that cannot run a kernel is described too, as not usable.
    Raises: RuntimeError if the device is missing; ValueError for an unknown type.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    device = pick_device() if device is None else _parse(device)
    if device.type not in available_devices():
        raise RuntimeError(f"this machine has no {device.type} device; it has {', '.join(available_devices())}")
    problem = _kernel_problem(device) or ""
    found = {"cuda": _cuda, "xpu": _xpu, "mps": _mps, "cpu": _cpu}[device.type](device)
    if problem:
        found["dtypes"] = {name: Support("unsupported", problem) for name in DTYPES}
    return DeviceDescription(device.type, usable=not problem, reason=problem, **found)


@functools.cache
def matmul_speedup(dtype: torch.dtype, device: str = "cpu", size: int = 512) -> float:
    """How many times faster a square matrix product runs in a dtype than in float32, measured once per process.

    Takes about 0.2 s on the CPU. FP32 and the other dtype take turns, and the ratio is that of the medians.

    Args:
        dtype: a 16-bit dtype.
        device: where to run it; meant for the CPU, whose speed no capability tells.
        size: rows and columns.
    Returns: a ratio, below 1 where the dtype is slower.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    wide = torch.randn(size, size, device=device, generator=torch.Generator(device).manual_seed(0))
    narrow = wide.to(dtype)
    small = narrow[:64, :64].contiguous()
    # Without the hardware a product can take a hundred times as long: find that out on a small one.
    if _seconds(small) > 8 * max(_seconds(wide[:64, :64].contiguous()), 2e-5):
        return _seconds(wide[:128, :128].contiguous()) / _seconds(narrow[:128, :128].contiguous())
    rounds = [(_seconds(wide), _seconds(narrow)) for _ in range(7)]
    return statistics.median(a for a, _ in rounds) / statistics.median(b for _, b in rounds)


def _seconds(matrix: torch.Tensor) -> float:
    matrix @ matrix
    start = time.perf_counter()
    matrix @ matrix
    if matrix.device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - start


def _parse(device: str | torch.device) -> torch.device:
    try:
        parsed = torch.device(device)
    except (RuntimeError, TypeError):
        raise ValueError(f"{device!r} is no device; choose from {', '.join(DEVICE_TYPES)}") from None
    if parsed.type not in DEVICE_TYPES:
        raise ValueError(f"device type {parsed.type!r} is not known here; choose from {', '.join(DEVICE_TYPES)}")
    return parsed


def _kernel_problem(device: torch.device) -> str | None:
    """Why the device cannot compute, None if it can. Torch lists GPUs that its kernels were not built for."""
    try:
        value = (torch.ones(2, device=device) + 1).sum().item()
    except (RuntimeError, AssertionError) as error:
        problem = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        if device.type == "cuda":
            problem += f" (this torch has kernels for {', '.join(torch.cuda.get_arch_list()) or 'no CUDA device'})"
        return problem
    return None if value == 4 else f"1 + 1 summed twice gave {value}"


def _cuda(device: torch.device) -> dict:
    capability = tuple(torch.cuda.get_device_capability(device))
    major_minor = "{}.{}".format(*capability)
    known = f"compute capability {major_minor}"
    if torch.version.hip:
        bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        levels = {"float16": True, "bfloat16": bf16, "tfloat32": False, "float8_e4m3fn": capability >= (9, 4)}
        known = f"ROCm, {torch.cuda.get_device_properties(device).gcnArchName}"
    else:
        levels = {
            "float16": capability >= (7, 0),
            "bfloat16": capability >= (8, 0),
            "tfloat32": capability >= (8, 0),
            "float8_e4m3fn": capability >= (8, 9),
        }
    dtypes = {"float32": Support("accelerated", known)}
    for name in DTYPES[1:]:
        other = "unsupported" if name in ("tfloat32", "float8_e4m3fn") else "emulated"
        needed = {"float16": "7.0", "float8_e4m3fn": "8.9"}.get(name, "8.0")
        reason = known if levels[name] or torch.version.hip else f"{known}; matrix units for it begin at {needed}"
        dtypes[name] = Support("accelerated" if levels[name] else other, reason)
    return {
        "name": torch.cuda.get_device_name(device),
        "capability": capability,
        "memory_bytes": torch.cuda.get_device_properties(device).total_memory,
        "dtypes": dtypes,
    }


def _xpu(device: torch.device) -> dict:
    properties = torch.xpu.get_device_properties(device)
    bf16 = torch.xpu.is_bf16_supported(including_emulation=False)
    return {
        "name": torch.xpu.get_device_name(device),
        "memory_bytes": getattr(properties, "total_memory", None),
        "dtypes": {
            "float32": Support("accelerated", "native"),
            "tfloat32": Support("unsupported", "not asked of XPU here"),
            "bfloat16": Support("accelerated" if bf16 else "emulated", f"torch.xpu.is_bf16_supported: {bf16}"),
            "float16": Support("accelerated", "native on Intel GPUs"),
            "float8_e4m3fn": Support("unsupported", "no FP8 matrix product on XPU here"),
        },
    }


def _mps(device: torch.device) -> dict:
    new = torch.backends.mps.is_macos_or_newer(14, 0)
    return {
        "name": f"Apple GPU ({platform.machine()})",
        "memory_bytes": torch.mps.recommended_max_memory(),
        "dtypes": {
            "float32": Support("accelerated", "native"),
            "tfloat32": Support("unsupported", "an NVIDIA format"),
            # No call tells an M1 (no BF16 in hardware) from its successors, so it does not count as accelerated.
            "bfloat16": Support("emulated" if new else "unsupported", "macOS 14 or newer; in hardware from the M2 on"),
            "float16": Support("accelerated", "native"),
            "float8_e4m3fn": Support("unsupported", "no FP8 on MPS"),
        },
    }


def _cpu(device: torch.device) -> dict:
    dtypes = {"float32": Support("accelerated", "native"), "tfloat32": Support("unsupported", "an NVIDIA format")}
    for name in ("bfloat16", "float16"):
        ratio = matmul_speedup(getattr(torch, name))
        level = "accelerated" if ratio >= CPU_SPEEDUP else "emulated"
        dtypes[name] = Support(level, f"a matrix product measured {ratio:.2g} times as fast as in float32")
    dtypes["float8_e4m3fn"] = Support("unsupported", "reference code only on a CPU")
    return {"name": cpu_name(), "dtypes": dtypes}


def cpu_name() -> str:
    """The processor's name, as the system gives it.

    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    try:
        with open("/proc/cpuinfo", encoding="utf8") as lines:  # noqa: PTH123
            for line in lines:
                if line.startswith("model name"):
                    return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
