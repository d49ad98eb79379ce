"""Trace a model that the reader's own function makes: `python -m amp_helpers trace package.module:factory`."""

from __future__ import annotations

import functools
import importlib
import operator
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from .recorder import tensors_in, trace
from .records import dtype_name

EXPECTED = "(model, example): a torch.nn.Module and a tensor, a tuple of arguments or a dict of keyword arguments"


def make(name: str) -> tuple[nn.Module, object]:
    """Import a factory and call it.

    Args:
        name: "package.module:function"; the current folder can be imported from.
    Returns: the model and its example, as the factory returned them.
    Raises: ValueError, a sentence that names what is missing, fails or is not `EXPECTED`.
    """
    module_name, colon, function_name = name.partition(":")
    if not (colon and module_name and function_name):
        raise ValueError(f"{name!r} names no factory; expected package.module:function")
    here = str(Path.cwd())
    sys.path.insert(0, here)
    try:
        module = _attempt(f"cannot import {module_name!r}", lambda: importlib.import_module(module_name))
        factory = getattr(module, function_name, None)
        if not callable(factory):
            what = "has no" if factory is None else "cannot call its"
            raise ValueError(f"{module_name!r} {what} {function_name!r}; expected a function that returns {EXPECTED}")
        made = _attempt(f"the factory {name!r} failed", factory)
    finally:
        if here in sys.path:
            sys.path.remove(here)
    if not (isinstance(made, tuple) and len(made) == 2 and isinstance(made[0], nn.Module)):
        raise ValueError(f"the factory {name!r} returned {_describe(made)}; expected {EXPECTED}")
    if not isinstance(made[1], (Tensor, tuple, dict)):
        raise ValueError(f"the factory {name!r} returned as its example {_describe(made[1])}; expected {EXPECTED}")
    return made


def run(name: str, device: str = "cpu", dtype: torch.dtype | None = None, backward: bool = True):
    """Trace one forward under autocast, and the backward of the sum of its floating-point outputs outside of it.

    Args:
        name: see `make`.
        device: "cpu" or "cuda", where model and example go.
        dtype: autocast's; float32 switches it off, None is the device's default.
        backward: whether to run backward.
    Returns: the trace, the model, the example on its device, and autocast's dtype.
    Raises: ValueError, a sentence, for what `make` raises, a device that is missing, or a model that fails.
    """
    if device == "cuda" and not torch.cuda.is_available():
        raise ValueError("no CUDA device here; choose --device cpu")
    dtype = dtype or torch.get_autocast_dtype(device)
    model, example = make(name)
    model = model.to(device)
    example = tree_map(lambda value: value.to(device) if isinstance(value, Tensor) else value, example)
    args = (example,) if isinstance(example, Tensor) else example if isinstance(example, tuple) else ()
    kwargs = example if isinstance(example, dict) else {}

    def step():
        with torch.autocast(device, dtype=None if dtype == torch.float32 else dtype, enabled=dtype != torch.float32):
            outputs = model(*args, **kwargs)
        if backward:
            losses = [output.float().sum() for output in tensors_in((outputs,)) if output.requires_grad]
            if not losses:
                raise ValueError("no tensor in its output requires a gradient; --no-backward traces the forward alone")
            functools.reduce(operator.add, losses).backward()

    with trace(model) as traced:
        _attempt(f"the model of {name!r} failed on its example", step)
    return traced, model, example, dtype


def as_json(traced: trace) -> dict:
    """Records, calls and totals, dtypes as names, for `json.dumps`."""
    summary = traced.summary()
    return {
        "torch": torch.__version__,
        "flops": {dtype_name(dtype): count for dtype, count in summary.flops.items()},
        "bytes": {dtype_name(dtype): count for dtype, count in summary.bytes.items()},
        "cast_bytes": summary.cast_bytes,
        "cache_hits": summary.cache_hits,
        "notes": summary.notes(),
        "calls": [_plain(call) for call in traced.calls],
        "records": [_plain(record) for record in traced.records],
    }


def _plain(entry) -> dict:
    fields = {name: getattr(entry, name) for name in entry.__dataclass_fields__}
    for name, value in fields.items():
        if isinstance(value, torch.dtype):
            fields[name] = dtype_name(value)
        elif name in ("inputs", "outputs"):
            fields[name] = list(map(dtype_name, value))
    return fields


def _attempt(what: str, action: Callable[[], object]):
    """Run the reader's code; its error becomes one line."""
    try:
        return action()
    except (Exception, SystemExit) as error:
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        raise ValueError(f"{what}: {type(error).__name__}: {lines[0] if lines else 'no message'}") from error


def _describe(value) -> str:
    kind = type(value).__name__
    inside = f" of {', '.join(type(item).__name__ for item in value)}" if isinstance(value, tuple) and value else ""
    return f"a value of type {kind}{inside}"
