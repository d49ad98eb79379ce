"""What the methods of GradScaler do, one by one, and in which order they have to be called."""

from __future__ import annotations

import copy
import warnings

import torch
from torch import nn

from .evidence import Evidence, holds
from .small_training import gradients, loss_of, problem, scaler, weights

HALF = torch.float16


def division_of_labour() -> Evidence:
    """18: what the scaler does itself: scaling, backward, the update."""
    model, inputs, labels = problem()
    grad_scaler, optimizer = scaler(2.0**16), torch.optim.SGD(model.parameters(), lr=0.1)
    loss = loss_of(model, inputs, labels, HALF)
    scaled = grad_scaler.scale(loss)
    factor = scaled.item() / loss.item()
    went_back = any(parameter.grad is not None for parameter in model.parameters())
    scaled.backward()
    moved = [_moves(model, grad_scaler, optimizer)]
    _spoil(model)
    moved.append(_moves(model, grad_scaler, optimizer))
    seen = (
        f"`scale` multiplied the loss by {factor:.0f} and {'did' if went_back else 'did not'} go backward; `step` "
        f"moved the weights: {_yes(moved[0])}, and with an infinity among the gradients: {_yes(moved[1])}."
    )
    return holds(seen, factor == 2**16, went_back, all(moved))


def what_step_does() -> Evidence:
    """33: does `step` unscale: when nobody has yet, after `unscale_`; and is that all?"""
    model, inputs, labels = problem()
    divided, moved = {}, {}
    for case in ("alone", "after unscale_", "with an infinity"):
        twin, grad_scaler = copy.deepcopy(model), scaler(2.0**16)
        optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
        grad_scaler.scale(loss_of(twin, inputs, labels, HALF)).backward()
        if case == "after unscale_":
            grad_scaler.unscale_(optimizer)
        if case == "with an infinity":
            _spoil(twin)
        before, start = gradients(twin), weights(twin)
        grad_scaler.step(optimizer)
        divided[case] = torch.equal(gradients(twin), before / 2**16)
        moved[case] = not torch.equal(weights(twin), start)
    seen = "`step` " + "; ".join(
        f"{case}: gradients divided by the scale {_yes(divided[case])}, weights moved {_yes(moved[case])}"
        for case in divided
    )
    return holds(f"{seen}.", divided["alone"], divided["after unscale_"], moved["with an infinity"])


def does_update_reset() -> Evidence:
    """78: the scale after each `update`, with an infinity in the eighth step."""
    model, inputs, labels = problem()
    grad_scaler = scaler(4.0, growth_interval=3)
    optimizer, scales = torch.optim.SGD(model.parameters(), lr=0.1), []
    for step in range(1, 9):
        grad_scaler.scale(loss_of(model, inputs, labels, HALF)).backward()
        if step == 8:
            _spoil(model)
        grad_scaler.step(optimizer)
        grad_scaler.update()
        optimizer.zero_grad()
        scales.append(grad_scaler.get_scale())
    seen = (
        f"From 4, with a growth interval of 3 and an infinity in step 8, the scale went "
        f"{' '.join(f'{scale:.0f}' for scale in scales)}; the default interval is {scaler().get_growth_interval()}."
    )
    return holds(seen, scales[2] == 4, scales[-1] == 4)


def clipping_order() -> Evidence:
    """M4: clip to a norm of 0.1 and step, with and without `unscale_` before."""
    model, inputs, labels = problem()
    norms = []
    for unscaled in (False, True):
        twin, grad_scaler = copy.deepcopy(model), scaler(2.0**12)
        optimizer = torch.optim.SGD(twin.parameters(), lr=1.0)
        grad_scaler.scale(loss_of(twin, inputs, labels, HALF)).backward()
        if unscaled:
            grad_scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(twin.parameters(), 0.1)
        grad_scaler.step(optimizer)
        norms.append((weights(model) - weights(twin)).norm().item())
    seen = (
        f"With a learning rate of 1 and a limit of 0.1 the weights moved by {norms[0]:.1e} when clipped before `step` "
        f"alone, and by {norms[1]:.1e} with `unscale_` first."
    )
    return holds(seen, abs(norms[0] / 0.1 - 1) < 0.01)


def unscaling_micro_batches() -> Evidence:
    """M5: four equal micro-batches; how much of their gradient is applied."""
    model, inputs, labels = problem()
    shares = []
    for each in (True, False):
        twin, grad_scaler = copy.deepcopy(model), scaler(2.0**12)
        optimizer = torch.optim.SGD(twin.parameters(), lr=1.0)
        for micro in range(4):
            grad_scaler.scale(loss_of(twin, inputs, labels, HALF) / 4).backward()
            if each and micro < 3:
                grad_scaler.unscale_(optimizer)
                grad_scaler.update()
        grad_scaler.step(optimizer)
        grad_scaler.update()
        full = copy.deepcopy(model)
        loss_of(full, inputs, labels).backward()
        shares.append((weights(model) - weights(twin)).norm().item() / gradients(full).norm().item())
    seen = (
        f"Of the gradient of four micro-batches {shares[0]:.2f} was applied with `unscale_` and `update` after each, "
        f"and {shares[1]:.2f} with both once at the end."
    )
    return holds(seen, abs(shares[0] - 1) < 0.02)


def scheduler_warning() -> Evidence:
    """M6: the warning about the order of the two steps: in the wrong order, the right one, and after a skipped step."""
    model, inputs, labels = problem()
    warned = {}
    for case, scale in (("wrong order", 1.0), ("right order", 1.0), ("right order, first step skipped", 2.0**40)):
        twin, grad_scaler = copy.deepcopy(model), scaler(scale)
        optimizer = torch.optim.SGD(twin.parameters(), lr=0.1)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        grad_scaler.scale(loss_of(twin, inputs, labels, HALF)).backward()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            if case == "wrong order":
                scheduler.step()
            grad_scaler.step(optimizer)
            grad_scaler.update()
            if case != "wrong order":
                scheduler.step()
        warned[case] = any("before `optimizer.step()`" in str(warning.message) for warning in caught)
    seen = "; ".join(f"{case}: {'a warning' if warned[case] else 'none'}" for case in warned).capitalize()
    # The claim holds where the warning comes in the wrong order, and where none comes in the right one.
    return holds(f"{seen}.", *(warned[case] == (case == "wrong order") for case in warned))


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


def _spoil(model: nn.Module) -> None:
    """An infinity among the gradients, as an overflow in backward leaves it."""
    next(model.parameters()).grad.view(-1)[0] = float("inf")


def _moves(model: nn.Module, grad_scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> bool:
    """Step and update; whether the weights are others afterwards."""
    before = weights(model)
    grad_scaler.step(optimizer)
    grad_scaler.update()
    return not torch.equal(weights(model), before)
