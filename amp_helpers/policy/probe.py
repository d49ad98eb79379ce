"""Ask torch itself: which ops have an autocast kernel, and what does that kernel do to their inputs?"""

from __future__ import annotations

import logging
import warnings
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import torch
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode, _disable_current_modes

from .examples import example

CATEGORIES = ("lower precision", "float32", "widest", "banned", "not classified")
#: Device types with an autocast dispatch key that torch fills from its own sources, and the key.
KEYS = {
    "cpu": "AutocastCPU",
    "cuda": "AutocastCUDA",
    "xpu": "AutocastXPU",
    "mps": "AutocastMPS",
    "mtia": "AutocastMTIA",
}

#: Called by torch's Python function: before torch 2.15 the overload would write its warning straight to stderr.
DEPRECATED = ("_lu_with_info", "chain_matmul", "lu_solve", "qr")


def registrations(device_type: str) -> tuple[str, ...]:
    """The overloads with an autocast kernel of their own, sorted, with their namespace: "aten::mm", "aten::sum".

    Every other op takes the key's fallback, which does nothing and passes the call on.
    """
    key = KEYS[device_type]
    fallthrough = torch._C._dispatch_kernel_for_dispatch_key_is_fallthrough
    names = torch._C._dispatch_get_registrations_for_dispatch_key(key)
    return tuple(sorted(name for name in names if not fallthrough(name, key)))


def low_dtype(device_type: str) -> torch.dtype:
    """The 16-bit dtype of the probe: torch's default for that device type."""
    return torch.bfloat16 if device_type == "cpu" else torch.float16


@contextmanager
def _autocast_state() -> Iterator[None]:
    """Start with autocast off and restore what this thread had, whatever happens inside.

    Cached casts of an outer region stay: the cache is only switched off, never cleared.
    """
    types = [name for name in KEYS if torch.amp.is_autocast_available(name)]
    before = [(name, torch.is_autocast_enabled(name), torch.get_autocast_dtype(name)) for name in types]
    cache = torch.is_autocast_cache_enabled()
    try:
        torch.set_autocast_cache_enabled(False)
        for name in types:
            torch.set_autocast_enabled(name, False)
        yield
    finally:
        for name, enabled, dtype in before:
            torch.set_autocast_enabled(name, enabled)
            torch.set_autocast_dtype(name, dtype)
        torch.set_autocast_cache_enabled(cache)


@contextmanager
def _silent(logger: str) -> Iterator[None]:
    log = logging.getLogger(logger)
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


@contextmanager
def probing() -> Iterator[None]:
    """Inside: fake tensors, no gradients, none of the caller's modes, autocast off. All of it is undone at the end."""
    # The first one imports much of torch, which torch 2.8 cannot do once torch functions are disabled.
    fake = FakeTensorMode()
    with ExitStack() as stack:
        stack.enter_context(_autocast_state())
        stack.enter_context(_disable_current_modes())  # a caller's trace must not see the probes
        stack.enter_context(torch._C.DisableTorchFunction())
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.no_grad())
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")
        stack.enter_context(_silent("torch._subclasses.fake_tensor"))  # it logs every call that a probe sees fail
        stack.enter_context(fake)
        yield


class _Maker:
    """The `t` of an example: floating tensors take the given dtypes in turn; the last one serves the rest."""

    def __init__(self, device_type: str, *dtypes: torch.dtype):
        self.device_type = device_type
        self.dtypes = dtypes
        self.made = 0

    def __call__(self, *shape: int) -> torch.Tensor:
        dtype = self.dtypes[min(self.made, len(self.dtypes) - 1)]
        self.made += 1
        return torch.empty(shape, device=self.device_type, dtype=dtype)

    def float16(self, *shape: int) -> torch.Tensor:
        return torch.empty(shape, device=self.device_type, dtype=torch.float16)

    def index(self, *shape: int) -> torch.Tensor:
        return torch.empty(shape, device=self.device_type, dtype=torch.int64)


class _Casts(TorchDispatchMode):
    """Counts the casts (from, to) that reach the dispatcher below autocast."""

    def __init__(self):
        super().__init__()
        self.seen = Counter()

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if func is torch.ops.aten._to_copy.default and kwargs.get("dtype") is not None:
            self.seen[args[0].dtype, kwargs["dtype"]] += 1
        return func(*args, **kwargs)


@dataclass
class _Run:
    casts: Counter
    results: Counter  # dtypes of the tensors returned; empty if the call raised
    error: str = ""


def _run(op: Callable, arguments: Callable, device_type: str, *dtypes: torch.dtype, autocast: bool) -> _Run:
    values = arguments(_Maker(device_type, *dtypes))
    torch.set_autocast_enabled(device_type, autocast)
    try:
        with _Casts() as casts:
            results = op(*values)
    except Exception as error:  # any op, any kind of failure: the casts that came before it still count
        return _Run(casts.seen, Counter(), f"{type(error).__name__}: {error}".split("\n")[0])
    finally:
        torch.set_autocast_enabled(device_type, False)
    results = results if isinstance(results, (tuple, list)) else [results]
    return _Run(casts.seen, Counter(r.dtype for r in results if isinstance(r, torch.Tensor)))


def classify(overload: str, device_type: str) -> tuple[str, str]:
    """The category of one registered overload and what was seen; to be called inside `probing()`.

    Three probes, each with autocast on and off: all inputs float32, all in 16 bits, and mixed. What autocast adds
    decides, so a cast or a wide result that the op makes on its own does not count.
    """
    arguments = example(overload)
    if arguments is None:
        return "not classified", "no example"
    name, _, variant = overload.partition(".")
    op = getattr(getattr(torch.ops.aten, name), variant or "default")
    if overload in DEPRECATED:
        op = getattr(torch._VF, name)
    low = low_dtype(device_type)
    torch.set_autocast_dtype(device_type, low)
    short = str(low).removeprefix("torch.")

    def added(*dtypes):
        on = _run(op, arguments, device_type, *dtypes, autocast=True)
        off = _run(op, arguments, device_type, *dtypes, autocast=False)
        return on, on.casts - off.casts, bool(off.results) and on.results[torch.float32] > off.results[torch.float32]

    on, casts, _ = added(torch.float32)
    if "unsafe to autocast" in on.error:
        return "banned", f"raises {on.error}"
    if casts[torch.float32, low]:
        return "lower precision", f"float32 inputs are cast to {short}"
    on, casts, wide = added(low)
    if casts[low, torch.float32]:
        return "float32", f"{short} inputs are cast to float32"
    if wide:
        return "float32", f"{short} inputs give a float32 result"
    on, casts, _ = added(torch.float32, low)
    if casts[low, torch.float32]:
        return "widest", f"beside a float32 input, {short} inputs are cast to float32"
    return "not classified", f"no effect seen ({on.error})" if on.error else "no effect seen"
