"""Chapter 21: what a missing `zero_grad` leaves behind."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Real

from .answers import expect_function, unanswered


def check_used_gradient(answer: Callable[[list[float], float], float]) -> None:
    """Exercise: the gradient that the last step uses without `zero_grad`, from all gradients and the scale.

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/21_missing_zero_grad.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of gradients and scale")
    for gradients, scale in (
        ([3.0, 5.0], 16.0),
        ([3.0], 16.0),  # nothing is old in the first step
        ([1.0, 1.0, 1.0], 2.0),
        ([8.0, -4.0, 2.0], 4.0),
        ([3.0, 5.0, 7.0], 1.0),  # all of them, whole
    ):
        used = _used(gradients, scale)
        got = answer(list(gradients), scale)
        case = f"gradients {gradients} at a scale of {scale:g}"
        if not isinstance(got, Real) or not math.isclose(got, used, rel_tol=1e-6):
            hint = ""
            if not isinstance(got, Real):
                hint = ": expected a number"
            elif got == gradients[-1] and used != got:
                hint = ": that is the last gradient alone, but the old ones are still in .grad"
            elif got == sum(gradients) and used != got:
                hint = ": that is their sum, but each unscale_ divides what is left of the old ones by the scale again"
            raise AssertionError(f"{case}: the last step uses {used:g}, but the function returned {got!r}{hint}")
        print(f"{case}: {used:g}")
    print("Right in every case.")


def _used(gradients: list[float], scale: float) -> float:
    return sum(gradient / scale**age for age, gradient in enumerate(reversed(gradients)))


def check_dead_updates(answer: Callable[[int], int]) -> None:
    """Exercise: updates until the scale is 0 when no step is ever good, from a scale of 2^n on.

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/21_missing_zero_grad.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of n")
    from amp_helpers.scaling import next_scale

    for n in (24, 16, 0, -10):
        scales = [2.0**n]
        while scales[-1]:
            scales.append(next_scale(scales[-1], 0, True)[0])
        updates = len(scales) - 1
        got = answer(n)
        if isinstance(got, bool) or not isinstance(got, int):
            raise AssertionError(f"from 2^{n}: expected a whole number of updates, got {got!r}")
        if got < updates:
            held = f"after {got} updates the scale is 2^{round(math.log2(scales[max(0, got)]))}"
            raise AssertionError(f"from 2^{n}: {held}, which float32 still holds")
        if got > updates:
            raise AssertionError(f"from 2^{n}: the scale is 0 before, it takes fewer than {got} updates")
        print(f"from 2^{n}: {updates} updates")
    print("Right in every case.")


def check_mended_step(answer: Callable) -> None:
    """Exercise: a step with accumulation, from model, optimizer, scaler, micro-batches and `loss_of`.

    Raises: AssertionError saying what the step did wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/21_missing_zero_grad.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of model, optimizer, scaler, micro_batches and loss_of")
    import torch

    generator = torch.Generator().manual_seed(0)
    weight, calls = torch.randn(3, generator=generator), torch.randn(2, 4, 3, generator=generator)
    model = torch.nn.Linear(3, 1, bias=False)
    with torch.no_grad():
        model.weight.copy_(weight)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.25)
    scaler = torch.amp.GradScaler("cpu", init_scale=16.0)
    expected = weight.clone()
    for number, micro_batches in enumerate(calls, 1):
        try:
            answer(model, optimizer, scaler, list(micro_batches), lambda model, x: model(x).sum())
        except (RuntimeError, AssertionError) as error:
            raise AssertionError(f"call {number}: torch raised: {error}") from error
        before, expected = expected, expected - 0.25 * micro_batches.sum(0)  # the gradient of w.x is x
        moved = (before - model.weight.detach()[0]) / 0.25
        if not torch.allclose(model.weight.detach()[0], expected, atol=1e-5):
            raise AssertionError(f"call {number}: {_reason(torch, moved, micro_batches, calls[0])}")
        if any(p.grad is not None and p.grad.count_nonzero() for p in model.parameters()):
            raise AssertionError(f"call {number}: gradients are left in .grad for the next call")
    if scaler.state_dict()["_growth_tracker"] != len(calls):
        raise AssertionError("the scaler did not count two good steps: call scaler.update() once in each call")
    print("Right: both calls used the sum of their own micro-batches, and left nothing behind.")


def _reason(torch, moved, micro_batches, first_call) -> str:
    """Why the weights moved as they did: by the first explanation that fits."""
    total = micro_batches.sum(0)
    explanations = {
        "the weights did not move": torch.zeros(3),
        "only the last micro-batch counted: zero_grad() belongs before the first one": micro_batches[-1],
        "gradients were divided by the scale but never multiplied by it: use scaler.scale(loss)": total / 16,
        "gradients were multiplied by the scale but never divided by it: use scaler.step(optimizer)": total * 16,
        "what the call before left in .grad was added": total + first_call.sum(0) / 16,
    }
    for reason, guess in explanations.items():
        if torch.allclose(moved, guess, atol=1e-4):
            return reason
    return "the weights did not move by the learning rate times the sum of the micro-batches' gradients"
