"""Claims about names and messages: how autocast is called, and what one is told when dtypes do not fit."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F

from .autocast_calls import error_of, two_layers
from .evidence import Evidence, holds, outdated


def warned(call: Callable[[], object]) -> tuple[list[str], object]:
    """The kinds of the deprecation warnings that a call gives, and its result."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        result = call()
    kinds = [warning.category for warning in caught]
    return [kind.__name__ for kind in kinds if issubclass(kind, (FutureWarning, DeprecationWarning))], result


def bare_autocast() -> Evidence:
    """34: `autocast()` by its name of today, and by its old one."""
    today = error_of(torch.autocast)
    old, _ = warned(torch.cuda.amp.autocast)  # amp: ignore[AMP106]
    about_old = " and ".join(old) or "no warning"
    seen = f"`torch.autocast()`: {today or 'no error'}. `torch.cuda.amp.autocast()`: {about_old}."
    return outdated(seen, superseded=today == "TypeError" and bool(old))


def invalid_argument_error() -> Evidence:
    """93: the error of two dtypes that do not fit, and the same call under autocast."""
    layer, inputs = torch.nn.Linear(4, 4), torch.randn(2, 4).half()
    plain = error_of(lambda: layer(inputs))
    with torch.autocast("cpu", torch.float16):
        under = error_of(lambda: layer(inputs.float()))
    known = hasattr(torch, "InvalidArgumentError")
    seen = (
        f"Float16 input, float32 weights: {plain or 'no error'}. Float32 input under float16 autocast, not cast by "
        f"hand: {under or 'no error'}. PyTorch has {'an' if known else 'no'} `InvalidArgumentError`."
    )
    return holds(seen, plain == "InvalidArgumentError", known, bool(under))


def half_and_scaler_need_cuda() -> Evidence:
    """M10: float16 ops and the scaler, on the CPU."""
    wide, image, kernel = torch.randn(8, 8).half(), torch.randn(1, 3, 8, 8).half(), torch.randn(4, 3, 3, 3).half()
    ops = {
        "matmul": lambda: wide @ wide,
        "conv2d": lambda: F.conv2d(image, kernel),
        "softmax": lambda: F.softmax(wide, 1),
        "layer_norm": lambda: F.layer_norm(wide, (8,)),
    }
    refused = [name for name, call in ops.items() if error_of(call)]
    model, inputs, labels = two_layers()
    optimizer, scaler = torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu")
    with torch.autocast("cpu", torch.float16):
        loss = F.cross_entropy(model(inputs), labels)
    scaler.scale(loss).backward()
    before = model[0].weight.detach().clone()
    scaler.step(optimizer)
    stepped = scaler.is_enabled() and not torch.equal(before, model[0].weight)
    version = torch.__version__.partition("+")[0]
    seen = (
        f"PyTorch {version} on the CPU: {len(ops) - len(refused)} of {len(ops)} float16 ops ran ({', '.join(ops)}); "
        f'`torch.amp.GradScaler("cpu")` {"took a step" if stepped else "took no step"}.'
    )
    return outdated(seen, superseded=not refused and stepped)
