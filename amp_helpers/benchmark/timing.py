"""How to time: variants interleaved in random order in one process, after a warm-up, as medians with quartiles."""

from __future__ import annotations

import ctypes
import math
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch

from amp_helpers.device import cpu_name
from amp_helpers.formats import check_choice


@dataclass(frozen=True)
class Timing:
    """Seconds of one call: the median and the quartiles of `samples` samples, each the mean of `calls` calls."""

    median_s: float
    lower_quartile_s: float
    upper_quartile_s: float
    samples: int
    calls: int


def time_interleaved(
    variants: dict[str, Callable[[], object]], rounds: int = 25, budget_s: float = 0.8, seed: int = 0
) -> dict[str, Timing]:
    """Time several ways of doing the same thing against each other.

    Each round calls the variants in a new random order, so that a slow spell of the machine meets all of them.
    A sample repeats a short call until it takes 0.2 ms. A variant that would spend more than `budget_s` sits out
    some rounds, evenly spread, but has five samples at least.

    Args:
        variants: name -> function without arguments; what it returns is dropped within the sample.
        rounds: samples of a variant that is fast enough, 5 or more.
        budget_s: seconds for one variant.
        seed: of the random order.
    Returns: name -> `Timing`, in the order of `variants`.
    Raises: ValueError if `rounds` is below 5. What a variant raises passes through.
    """
    if rounds < 5:
        raise ValueError(f"rounds must be 5 or more, not {rounds}")
    calls, samples = {}, {}
    for name, call in variants.items():
        call()  # warm-up: imports, caches, memory
        once = max(_seconds(call, 1), 1e-9)  # some clocks stand still that long
        calls[name] = max(1, math.ceil(2e-4 / once))
        samples[name] = min(rounds, max(5, int(budget_s / (once * calls[name]))))
    order, seconds = random.Random(seed), {name: [] for name in variants}
    for turn in range(rounds):
        due = [name for name, n in samples.items() if turn * n // rounds < (turn + 1) * n // rounds]
        order.shuffle(due)
        for name in due:
            seconds[name].append(_seconds(variants[name], calls[name]))
    return {name: _timing(values, calls[name]) for name, values in seconds.items()}


def _seconds(call, calls: int) -> float:
    start = time.perf_counter()
    for _ in range(calls):
        call()
    return (time.perf_counter() - start) / calls


def time_device(
    variants: dict[str, Callable[[], object]],
    device: torch.device | str,
    rounds: int = 20,
    warmup: int = 3,
    budget_s: float = 10.0,
    seed: int = 0,
) -> dict[str, Timing]:
    """Time variants against each other on the clock of the device: events on CUDA, a monotonic clock elsewhere.

    The variants take turns in random order. What a call leaves running on the device is waited for, so a sample holds
    the device's time and not the time it takes to ask for it.

    Args:
        variants: name -> function without arguments.
        device: where they compute.
        rounds: samples of each variant, 5 or more.
        warmup: calls of each before the first sample; compilation and the choice of kernels happen in them.
        budget_s: seconds for all of them together after the warm-up; the last rounds are dropped beyond it, but five
            samples are taken of each.
        seed: of the order.
    Returns: name -> `Timing`, in the order of `variants`.
    Raises: ValueError if `rounds` is below 5. What a variant raises passes through.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if rounds < 5:
        raise ValueError(f"rounds must be 5 or more, not {rounds}")
    device = torch.device(device)
    for call in variants.values():
        for _ in range(warmup):
            call()
    order, seconds = random.Random(seed), {name: [] for name in variants}
    started = time.perf_counter()
    for turn in range(rounds):
        if turn >= 5 and time.perf_counter() - started > budget_s:
            break
        due = list(variants)
        order.shuffle(due)
        for name in due:
            seconds[name].append(_device_seconds(variants[name], device))
    return {name: _timing(values, 1) for name, values in seconds.items()}


def _device_seconds(call, device: torch.device) -> float:
    if device.type == "cuda":
        start, end = torch.cuda.Event(enable_timing=True), torch.cuda.Event(enable_timing=True)
        torch.cuda.synchronize(device)
        start.record()
        call()
        end.record()
        torch.cuda.synchronize(device)
        return start.elapsed_time(end) / 1e3
    if device.type != "cpu":
        torch.accelerator.synchronize()
    begun = time.perf_counter()
    call()
    if device.type != "cpu":
        torch.accelerator.synchronize()
    return time.perf_counter() - begun


def _timing(values: list[float], calls: int) -> Timing:
    lower, median, upper = statistics.quantiles(values, n=4, method="inclusive")
    return Timing(median, lower, upper, len(values), calls)


@contextmanager
def one_thread() -> Iterator[None]:
    """Let torch use one thread for the length of the block: with more, medians on a busy machine mean little."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def set_memory(policy: str) -> bool:
    """Choose where the large tensors of this process come from, so that ratios of times mean something.

    The C library hands out memory freed before, or fresh pages of the system, as its history suggests, and the
    first touch of a fresh page costs several times as much as copying into it. Left alone, the same benchmark
    gives ratios that differ severalfold from run to run.

    Args:
        policy: "fresh" (from 1 MiB on, as glibc does from 32 MiB on) or "reused".
    Returns: whether it took effect: that needs glibc. It lasts until the next call or the end of the process.
    Raises: ValueError for another policy.
    Source: mallopt(3), parameters M_MMAP_THRESHOLD (-3), M_MMAP_MAX (-4) and M_TRIM_THRESHOLD (-1).
    """
    check_choice("memory policy", policy, ("fresh", "reused"))
    settings = {"fresh": ((-4, 1 << 16), (-3, 1 << 20)), "reused": ((-4, 0), (-1, 2**31 - 1))}[policy]
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None) if platform.libc_ver()[0] == "glibc" else None
    return mallopt is not None and all(mallopt(*setting) for setting in settings)


def machine_line() -> str:
    """One line: CPU, torch version, threads in use."""
    return f"{cpu_name()} | torch {torch.__version__} | threads {torch.get_num_threads()}"
