"""`audit_steps`: run the reader's own training step and name the faults of the loop."""

from __future__ import annotations

from collections.abc import Callable

import torch

from .findings import Report
from .loop import LoopObserver
from .watch import watch


def audit_steps(step: Callable[[], object], n: int = 2) -> Report:
    """Run a training step n times and report what is wrong with the loop.

    The step really trains: weights, optimizer, scaler, random state and data iterators move on as in n ordinary calls,
    and nothing of that is undone. The hooks and patches that watch it are removed, also after an exception. Called
    inside an autocast region, it empties that region's cache once, so that it sees every cast.

    A fault that makes torch raise (a second `scaler.step` without `update`) ends the audit and becomes a finding; every
    other exception of the step passes through unchanged.

    Args:
        step: called without arguments; forward pass, backward pass and optimizer step in one. A micro-batch of an
            accumulated step is fine if n calls hold at least one optimizer step.
        n: number of calls; faults between two steps (missing `zero_grad`, stale casts of an inner region) need 2.
    Returns: a `Report`, falsy when nothing was found; the codes are those of `STEP_CODES`. Each code is reported
        once, where it was seen first.
    Special values: casts inside a kernel of `torch.compile` are not seen. `torch.autograd.grad`, clipping by a norm
        that is written by hand, and optimizers that are no `torch.optim.Optimizer` are not watched.
    Raises: TypeError if step is not callable or n not an integer; ValueError if n < 1, or if no optimizer and no
        `scaler.step` ran in n calls.
    Introduced in: notebooks/06_autocast.ipynb
    """
    if not callable(step):
        raise TypeError(f"step must be a function without arguments, not {type(step).__name__}: pass train_step itself")
    if isinstance(n, bool) or not isinstance(n, int):
        raise TypeError(f"n must be an integer, not {n!r}")
    if n < 1:
        raise ValueError(f"n must be at least 1, not {n}")
    report = Report(f"{n} calls of step()" if n > 1 else "1 call of step()")
    observer = LoopObserver(report)
    with watch(observer):
        # Casts made before the audit are unknown to it; autocast makes them again.
        torch.clear_autocast_cache()
        try:
            for observer.call in range(1, n + 1):
                step()
                observer.call_ends()
        except Exception as error:
            if error is not observer.refused:
                raise
        observer.loop_ends()
    if not observer.steps and not report:
        raise ValueError(
            f"step() ran no optimizer in {n} calls: pass the function that calls optimizer.step(), or a larger n if it "
            "accumulates gradients over more calls"
        )
    return report
