"""What a loss scale does to gradients: which ones float16 loses, and which a scale brings back."""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn

from .evidence import Evidence, holds
from .small_training import gradients, loss_of, lost_share, problem, scaler, train, weights

#: Multiplies a loss so that float16 loses all gradients of `problem()`.
TINY = 1e-6


def shrinking() -> Evidence:
    """22: are the gradients of a narrow format smaller?"""
    model, inputs, labels = problem()
    exact = _backward(model, inputs, labels)
    kept = exact.abs() > 2.0**-14  # a normal number in float16
    ratios = {}
    for dtype in (torch.float16, torch.bfloat16):
        narrow = _backward(model, inputs, labels, dtype)
        ratios[dtype] = (narrow[kept].abs().sum() / exact[kept].abs().sum()).item()
    lost = lost_share(_backward(model, inputs, labels, torch.float16, TINY), exact)
    sizes = " and ".join(f"{ratio:.2f} times in {str(dtype)[6:]}" for dtype, ratio in ratios.items())
    seen = (
        f"Gradients of ordinary size were, added up, {sizes} what they are in float32; with the loss a million times "
        f"smaller {lost:.0%} of float16's were not small but exactly 0."
    )
    return holds(seen, *(ratio < 0.99 for ratio in ratios.values()))


def flushed_and_scaled() -> Evidence:
    """31: small gradients become 0, the update is lost, and a factor on the loss is a factor on every gradient."""
    model, inputs, labels = problem()
    exact = _backward(model, inputs, labels, None, TINY)
    plain = _backward(model, inputs, labels, torch.float16, TINY)
    scaled = _backward(model, inputs, labels, torch.float16, TINY * 2.0**16)
    same = torch.equal(_backward(model, inputs, labels, None, TINY * 2.0**16), exact * 2.0**16)
    before, after = lost_share(plain, exact), lost_share(scaled, exact)
    moved = train(model, [(inputs, labels)], dtype=torch.float16, shrink=TINY)
    stayed = torch.equal(weights(moved.model), weights(model))
    relation = "exactly" if same else "not exactly"
    seen = (
        f"With a loss a million times smaller {before:.0%} of the float16 gradients were 0 and a step "
        f"{'moved no weight' if stayed else 'moved weights'}; with the loss times 2^16 {after:.0%} were 0, and in "
        f"float32 each gradient was {relation} 2^16 times as large."
    )
    return holds(seen, before == 1 and stayed, after < 0.05, same)


def out_of_range() -> Evidence:
    """45: gradients beyond either end of float16's range, with and without a scale."""
    small, small_scaled = _through_float16(1e-8, None), _through_float16(1e-8, 2.0**16)
    large, large_scaled = _through_float16(1e5, None), _through_float16(1e5, 2.0**16)
    seen = (
        f"A gradient of 1e-8 came out as {small:.0e} and with a scale of 2^16 as {small_scaled:.0e}; one of 1e5 as "
        f"{large} and with the scale as {large_scaled}."
    )
    return holds(seen, abs(small_scaled / 1e-8 - 1) < 0.01, abs(large_scaled / 1e5 - 1) < 0.01)


def accumulated() -> Evidence:
    """79: the dtype in which gradients add up."""
    totals, dtypes = {}, {}
    for name, weight, compute in (
        ("under float16 autocast", torch.float32, torch.float16),
        ("in a float16 model", torch.float16, None),
        ("in a bfloat16 model", torch.bfloat16, None),
    ):
        layer = nn.Linear(1, 1, bias=False, dtype=weight)
        one = torch.ones(1, 1, dtype=weight)
        for _ in range(4096):
            with torch.autocast("cpu", compute or torch.float16, enabled=compute is not None):
                output = layer(one)
            output.sum().backward()
        totals[name], dtypes[name] = layer.weight.grad.item(), layer.weight.grad.dtype
    sums, dtype = ", ".join(f"{total:.0f} {name}" for name, total in totals.items()), dtypes["under float16 autocast"]
    seen = f"4096 gradients of exactly 1 added up to {sums}; autocast's `.grad` is {dtype}."
    return holds(seen, dtype == torch.float32, totals["under float16 autocast"] == 4096)


def where_underflow_happens() -> Evidence:
    """85: the share of lost gradients after backward, and again after step and update."""
    lost = {}
    for scale in (1.0, 2.0**16):
        model, inputs, labels = problem()
        exact = _backward(model, inputs, labels, None, TINY)
        grad_scaler, optimizer = scaler(scale), torch.optim.SGD(model.parameters(), lr=0.1)
        grad_scaler.scale(loss_of(model, inputs, labels, torch.float16) * TINY).backward()
        after_backward = lost_share(gradients(model), exact)
        grad_scaler.step(optimizer)
        grad_scaler.update()
        lost[scale] = after_backward, lost_share(gradients(model), exact)
    (one, one_end), (high, high_end) = lost.values()
    seen = (
        f"Small float16 gradients, share that is exactly 0: at scale 1 {one:.0%} after backward and {one_end:.0%} "
        f"after step and update; at scale 2^16 {high:.0%} and {high_end:.0%}."
    )
    return holds(seen, *(end > begin for begin, end in lost.values()))


def bfloat16_without_scaler() -> Evidence:
    """M3: what bfloat16 loses where float16 loses everything."""
    model, inputs, labels = problem()
    exact = _backward(model, inputs, labels, None, TINY)
    dtypes = torch.bfloat16, torch.float16
    lost, control = (lost_share(_backward(model, inputs, labels, dtype, TINY), exact) for dtype in dtypes)
    seen = (
        f"With a loss a million times smaller, and no scaler, {control:.1%} of the gradients were 0 in float16 and "
        f"{lost:.1%} in bfloat16."
    )
    return holds(seen, lost > 0.01)


def _backward(
    model: nn.Module, inputs: Tensor, labels: Tensor, dtype: torch.dtype | None = None, factor: float = 1.0
) -> Tensor:
    """The gradients of the loss times a factor, of a copy of the model."""
    model = copy.deepcopy(model)
    (loss_of(model, inputs, labels, dtype) * factor).backward()
    return gradients(model)


def _through_float16(gradient: float, scale: float | None) -> float:
    """A gradient of known size that float16 autocast hands to a weight, unscaled where there was a scale."""
    layer = nn.Linear(1, 1, bias=False)
    grad_scaler = scaler(scale)
    with torch.autocast("cpu", torch.float16):
        output = layer(torch.ones(1, 1))
    grad_scaler.scale((output.float() * gradient).sum()).backward()
    grad_scaler.unscale_(torch.optim.SGD(layer.parameters(), lr=1.0))
    return layer.weight.grad.item()
