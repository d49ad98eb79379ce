"""Training steps to be timed: a real loss, a real optimizer, random data that takes turns, and a recipe's precision."""

from __future__ import annotations

import contextlib
import itertools
import time
from collections.abc import Callable, Iterator, Sequence

import torch
from torch import Tensor, nn

from amp_helpers.benchmark import time_device, time_interleaved
from amp_helpers.precision import Recipe

from .run import Bench, attempt, times


def training_step(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
    *,
    compile_options: dict | None = None,
) -> Callable[[], Tensor]:
    """One step of training as a function without arguments, for a timer.

    Args:
        model: already converted by the recipe, on its device.
        batches: (input, target) pairs that take turns; floating-point inputs in the recipe's weight dtype.
        loss: of output and target.
        optimizer: of the model's parameters.
        recipe: its TF32 switches are set within every step and put back after it, so that steps of several recipes
            can take turns.
        compile_options: of `torch.compile`; None leaves the model as it is.
    Returns: a function that takes one step and returns the loss, without waiting for the device.
    """
    device_type = next(model.parameters()).device.type
    scaler, turns = recipe.grad_scaler(device_type), itertools.cycle(batches)
    call = model if compile_options is None else torch.compile(model, **compile_options)

    def step() -> Tensor:
        inputs, targets = next(turns)
        with recipe.float32_settings(), _older_switch(compile_options is not None and recipe.tf32):
            with recipe.autocast_context(device_type):
                value = loss(call(inputs), targets)
            scaler.scale(value).backward()
            scaler.step(optimizer)
            scaler.update()
            optimizer.zero_grad()
        return value.detach()

    return step


@contextlib.contextmanager
def _older_switch(needed: bool) -> Iterator[None]:
    """Allow TF32 by the older switch too: torch.compile up to PyTorch 2.11 reads it and refuses a contradiction."""
    if needed:
        torch.backends.cuda.matmul.allow_tf32 = True
    try:
        yield
    finally:
        if needed:
            torch.backends.cuda.matmul.allow_tf32 = False


@contextlib.contextmanager
def autotuned_convolutions() -> Iterator[None]:
    """Let cuDNN try its algorithms on each new shape, in the first step."""
    before = torch.backends.cudnn.benchmark
    torch.backends.cudnn.benchmark = True
    try:
        yield
    finally:
        torch.backends.cudnn.benchmark = before


def time_variants(
    bench: Bench,
    variants: Sequence[tuple[dict, Callable[[], Callable[[], object]]]],
    finish: Callable[[dict, float], dict],
    budget_s: float = 6.0,
    needs_s: float = 0.0,
) -> Iterator[dict]:
    """Time several configurations in turns, so that a slow spell of the machine meets all of them.

    A configuration that fails is a row with its reason, and the others are measured without it. If they do not fit
    into memory together, they are measured one by one.

    Args:
        bench: where and how long.
        variants: for each the columns that tell it from the others, and a function that builds the call to be timed.
        finish: from these columns and the median in seconds to more columns, such as a rate.
        budget_s: seconds for the samples of all of them.
        needs_s: seconds that it takes at least to build one.
    Yields: rows with the times, "first_s" (seconds of the first call, with compilation and the choice of kernels) and
        "peak_bytes" (the most that the allocator held during a call, with everything that the call keeps, but without
        what was there before it was built; None on a CPU). Failed ones come first.
    """
    calls, rows = {}, {}
    for number, (row, build) in enumerate(variants):

        def prepare(number=number, build=build):
            calls[number], columns = _prepared(build, bench)
            return columns

        result = bench.attempt(row, prepare, needs_s)
        if "failed" in result:
            yield result
        else:
            rows[number] = result
    if not rows:
        return
    budget_s = bench.size(min(budget_s, bench.seconds_left()), 0.02)
    timings, reason = attempt(lambda: _timed(calls, bench, budget_s))
    for number in rows:
        if not reason:
            timing = timings[number]
        else:
            alone = variants[number][1]
            calls.clear()
            found, why = attempt(lambda alone=alone: _timed({0: _prepared(alone, bench)[0]}, bench, budget_s))
            if why:
                yield variants[number][0] | {"failed": why}
                continue
            timing = found[0]
        yield rows[number] | finish(variants[number][0], timing.median_s) | times(timing)


def _timed(calls, bench: Bench, budget_s: float) -> dict:
    if bench.device.type == "cpu":
        return time_interleaved(calls, rounds=bench.size(15, 5), budget_s=budget_s / len(calls))
    return time_device(calls, bench.device, warmup=1, budget_s=budget_s)


def _prepared(build, bench: Bench) -> tuple[Callable[[], object], dict]:
    """The call after its first runs, and the columns "first_s" and "peak_bytes"."""
    cuda = bench.device.type == "cuda"
    if cuda:
        # cuBLAS takes its workspace once and keeps it; without this the first configuration would pay for it.
        torch.ones(16, 16, device=bench.device) @ torch.ones(16, 16, device=bench.device)
        torch.cuda.synchronize()
        before = torch.cuda.memory_allocated()
    call = build()
    started = time.perf_counter()
    call()
    if cuda:
        torch.cuda.synchronize()
    columns = {"first_s": time.perf_counter() - started, "peak_bytes": None}
    if cuda:
        call()
        call()
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
        call()
        torch.cuda.synchronize()
        columns["peak_bytes"] = torch.cuda.max_memory_allocated() - before
    return call, columns
