"""Calls whose dtypes the claims about autocast look at: on the CPU for real, for CUDA on tensors without data."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from amp_helpers.tracing import trace

#: What one looks at most: a name and a call of a matrix, its rows' labels, an image and a kernel, all float32.
CALLS = {
    "linear": lambda x, labels, image, kernel: F.linear(x, x),
    "mm": lambda x, labels, image, kernel: x @ x,
    "conv2d": lambda x, labels, image, kernel: F.conv2d(image, kernel),
    "relu": lambda x, labels, image, kernel: x.relu(),
    "softmax": lambda x, labels, image, kernel: F.softmax(x @ x, 1),
    "layer_norm": lambda x, labels, image, kernel: F.layer_norm(x @ x, (8,)),
    "sum": lambda x, labels, image, kernel: (x @ x).sum(),
    "mse_loss": lambda x, labels, image, kernel: F.mse_loss(x @ x, x),
    "cross_entropy": lambda x, labels, image, kernel: F.cross_entropy(x @ x, labels),
    "binary_cross_entropy": lambda x, labels, image, kernel: F.binary_cross_entropy((x @ x).sigmoid(), x),
}


@contextlib.contextmanager
def region(device_type: str, dtype: torch.dtype | None = None) -> Iterator[None]:
    """Autocast, also for a device type that this machine lacks: `torch.autocast` would switch itself off there.

    Args:
        device_type: "cpu" or "cuda".
        dtype: autocast's; None for the device type's default.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    before = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    torch.set_autocast_enabled(device_type, True)
    torch.set_autocast_dtype(device_type, dtype or before[1])
    try:
        yield
    finally:
        torch.set_autocast_enabled(device_type, before[0])
        torch.set_autocast_dtype(device_type, before[1])
        torch.clear_autocast_cache()


@functools.cache
def results(device_type: str, dtype: torch.dtype | None = None) -> dict[str, torch.dtype | str]:
    """What each of `CALLS` returns under autocast: its dtype, or the kind of error that it raises.

    Args:
        device_type: "cpu" really computes; "cuda" runs on fake tensors, which need no GPU.
        dtype: autocast's; None for the device type's default.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    with contextlib.nullcontext() if device_type == "cpu" else FakeTensorMode():
        make = functools.partial(torch.ones, device=device_type)
        inputs = make(8, 8), make(8, dtype=torch.int64), make(2, 8, 8, 8), make(8, 8, 3, 3)
        with region(device_type, dtype):
            return {name: _dtype_or_error(functools.partial(call, *inputs)) for name, call in CALLS.items()}


def _dtype_or_error(call: Callable[[], Tensor]) -> torch.dtype | str:
    return error_of(call) or call().dtype


def error_of(call: Callable[[], object]) -> str:
    """The class name of the error that a call raises; "" if it raises none.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    try:
        call()
    except Exception as error:  # any: a claim may name the wrong one
        return type(error).__name__
    return ""


def short(dtypes: Iterable[torch.dtype]) -> str:
    """Each dtype once, without the package, sorted: "float16, float32".

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return ", ".join(sorted({str(dtype).removeprefix("torch.") for dtype in dtypes}))


def computed_in(run: trace, direction: str = "forward", *, products: bool = False) -> set[torch.dtype]:
    """The floating-point dtypes that the ops of a trace computed in, casts and views left out.

    Args:
        run: a trace that has ended.
        direction: "forward" or "backward".
        products: only matrix products and convolutions: what has a FLOP count.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return {
        record.dtype
        for record in run.records
        if record.direction == direction
        and not record.cast
        and not record.view
        and record.dtype.is_floating_point
        and (record.flops or not products)
    }


def two_layers() -> tuple[nn.Module, Tensor, Tensor]:
    """A float32 model with a hidden layer, inputs and labels.

    Shape: inputs (16, 8) float32, labels (16,) int64, from 0 to 3.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    model = nn.Sequential(nn.Linear(8, 8), nn.ReLU(), nn.Linear(8, 4))
    return model, torch.randn(16, 8), torch.randint(4, (16,))
