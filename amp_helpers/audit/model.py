"""`audit`: run a model once under autocast and say what an expert would find."""

from __future__ import annotations

from contextlib import nullcontext

import torch
from torch import nn

from ..policy import autocast_policy
from ..tracing import trace
from . import checks
from .findings import Report
from .rehearsal import Example, foreign_regions, overflows, rehearse, undisturbed

CPU_NOTE = "Seen on a CPU, whose autocast lists differ from CUDA's; tensor cores and banned ops are judged for CUDA."


def audit(model: nn.Module, example, *, device_type: str | None = None, dtype: torch.dtype | None = None) -> Report:
    """Run a model once under autocast, forward and backward, and report what is wrong.

    The model runs in its own mode (`train` or `eval`), two or three times, eagerly. Afterwards gradients, buffers
    (BatchNorm's running statistics), parameters, training flags and random states are what they were; a copy of
    them is held meanwhile.

    Args:
        model: the module.
        example: what its forward takes: a tensor, a tuple of arguments or a dict of keyword arguments, of the sizes
            of real training: whether casts dominate depends on the batch.
        device_type: of the autocast region that is planned; the tensors' own by default.
        dtype: float16 or bfloat16; autocast's default for the device otherwise.
    Returns: a `Report`, falsy when nothing was found; the codes are those of `MODEL_CODES`. Modules with the
        same fault share a finding.
    Special values: the backward pass starts from the mean of every float output; without such outputs only the forward
        pass is judged. Plain Python attributes that the forward pass changes stay changed.
        What takes less than 1 % of the FLOPs is not reported. Casts dominate a module if they move 1.5 times the
        bytes of its 16-bit products or more (those save as many as they move, so the module then moves a quarter more
        than in float32), make up 5 % of all bytes moved, and the products do fewer than 20 FLOPs per float32 byte.
        Attention that torch itself computes in float32, for want of a fused kernel, is left out.
    Raises: TypeError if model is no module or example of another type; ValueError for another dtype, an unknown
        device_type, tensors on several devices, or an example that the model does not take without autocast either.
    Source: NVIDIA, "Train With Mixed Precision", on shapes; PyTorch's autocast op reference, on dtypes.
    Introduced in: notebooks/06_autocast.ipynb
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    example = Example(example)
    device = _device(model, example)
    dtype = torch.get_autocast_dtype(device) if dtype is None else dtype
    if dtype not in checks.LOW:
        raise ValueError(f"dtype must be torch.float16 or torch.bfloat16, not {dtype}")
    report = Report(f"{type(model).__name__} under autocast to {checks.name(dtype)} on {device}")
    if device == "cpu":
        report.notes.append(CPU_NOTE)
    seen = list(checks.parameters(model))
    if device_type is not None and _known(device_type) != device:
        seen.append(("other-device", "(model)", f"autocast for {device_type}, tensors on {device}"))
        report.notes.append(f"What else is reported is for autocast on {device}.")

    def region():
        return torch.autocast(device, dtype)

    with undisturbed(model, example), foreign_regions(model, {device}) as foreign, trace(model) as t:
        error = _try(model, example, region())
    report.notes += t.warnings
    seen += [("other-device", module, f"autocast for {other}, tensors on {device}") for module, other in foreign]
    if error is not None:
        seen.append(_failure(model, example, error))
    elif dtype == torch.float16:
        with undisturbed(model, example), overflows(model) as modules:
            rehearse(model, example, region())
        seen += [("float16-overflow", path or "(model)", "returns inf or NaN from finite inputs") for path in modules]
    records, calls = t.records, t.calls
    inside = [record for record in records if record.within == "module"]
    seen += checks.banned(calls, _banned())
    seen += checks.low_precision(calls)
    seen += checks.float32_compute(inside, calls)
    if error is None:
        seen += checks.cast_dominated(inside)
    seen += checks.tensor_core_shape(inside)
    _write(report, seen)
    return report


def _device(model, example: Example) -> str:
    devices = {t.device.type for t in [*example.tensors, *model.parameters(), *model.buffers()]}
    if len(devices) > 1:
        raise ValueError(f"model and example must be on one device type, not on {' and '.join(sorted(devices))}")
    if not devices:
        raise ValueError("neither the model nor the example holds a tensor, so there is no device to audit on")
    return _known(devices.pop())


def _known(device_type: str) -> str:
    try:
        torch.get_autocast_dtype(device_type)
    except (RuntimeError, TypeError):
        raise ValueError(f"autocast knows no device type {device_type!r}; choose cpu or cuda") from None
    return device_type


def _try(model, example, region) -> Exception | None:
    try:
        rehearse(model, example, region)
    except Exception as error:
        return error
    return None


def _failure(model, example: Example, error: Exception) -> tuple[str, str, str]:
    """Tell a fault of autocast from an example that does not fit."""
    with undisturbed(model, example):
        plain = _try(model, example, nullcontext())
    if plain is not None:
        raise ValueError(f"model(example) fails without autocast too: {type(plain).__name__}: {plain}") from plain
    code = "banned-op" if "unsafe to autocast" in str(error) else "fails-under-autocast"
    return code, "(model)", f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}"


def _banned() -> set[str]:
    return {op for op, entry in autocast_policy("cuda").ops.items() if entry.category == "banned"}


def _write(report: Report, seen) -> None:
    """One finding per fault, with every module that has it."""
    places: dict[tuple[str, str], dict[str, None]] = {}
    for code, module, what in seen:
        places.setdefault((code, what), {})[module] = None
    for (code, what), modules in places.items():
        first, rest = list(modules)[:3], len(modules) - 3
        report.add(code, ", ".join(first) + (f" and {rest} more" if rest > 0 else ""), what)
