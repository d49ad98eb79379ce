"""Claims about where an autocast region begins and ends, and what stands in it."""

from __future__ import annotations

import contextlib

import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers.policy import autocast_policy
from amp_helpers.tracing import trace

from .autocast_calls import computed_in, error_of, region, short, two_layers
from .evidence import Evidence, holds, outdated


def bfloat16_region(**options) -> torch.autocast:
    """Autocast to bfloat16 on the CPU."""
    return torch.autocast("cpu", torch.bfloat16, **options)


def train(around_loop=None, around_forward=None) -> list[float]:
    """The losses of four steps of a layer that starts at zero and should give one.

    Args:
        around_loop, around_forward: context managers; None for none.
    """
    around_loop, around_forward = (around or contextlib.nullcontext() for around in (around_loop, around_forward))
    layer = nn.Linear(2, 1, bias=False)
    nn.init.zeros_(layer.weight)
    optimizer, losses = torch.optim.SGD(layer.parameters(), lr=0.125), []
    with around_loop:
        for _ in range(4):
            with around_forward:
                loss = F.mse_loss(layer(torch.ones(8, 2)), torch.ones(8, 1))
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            losses.append(loss.item())
    return losses


def _listed(losses: list[float]) -> str:
    return ", ".join(f"{loss:g}" for loss in losses)


def region_around_the_loop() -> Evidence:
    """M1: the losses of a loop inside a region, and of a decorated training function."""
    right = train(around_forward=bfloat16_region())
    wrong = [train(around_loop=bfloat16_region()), bfloat16_region()(train)()]
    seen = (
        f"Losses of four steps: a region around each forward {_listed(right)}; around the loop {_listed(wrong[0])}; "
        f"a decorator on the training function {_listed(wrong[1])}."
    )
    return holds(seen, *(losses == right for losses in wrong))


def outer_disabled_region() -> Evidence:
    """M2: the same loop in a disabled region."""
    right = train(around_forward=bfloat16_region())
    inside = train(bfloat16_region(enabled=False), bfloat16_region())
    seen = f"Losses of four steps: {_listed(right)}; with `autocast(enabled=False)` around the loop: {_listed(inside)}."
    return holds(seen, inside == right)


def gradient_of_a_float32_block(inside: bool) -> tuple[torch.Tensor, set[torch.dtype]]:
    """The gradient of a weight whose product was kept in float32, and what its backward computed in.

    Args:
        inside: call backward() in the region, or after it.
    """
    weight, inputs = nn.Parameter(torch.randn(64, 64)), torch.randn(64, 64)
    with trace() as run, contextlib.ExitStack() as stack:
        stack.enter_context(bfloat16_region())
        with torch.autocast("cpu", enabled=False):
            loss = (weight @ inputs).square().mean()
        if not inside:
            stack.close()
        loss.backward()
    return weight.grad, computed_in(run, "backward", products=True)


def region_around_backward() -> Evidence:
    """6: what a region around backward() does to a block that was kept in float32."""
    rounded, dtypes = {}, {}
    for inside in (False, True):
        gradient, dtypes[inside] = gradient_of_a_float32_block(inside)
        rounded[inside] = (gradient == gradient.bfloat16()).double().mean().item()
    seen = (
        f"A block kept in float32: its backward product ran in {short(dtypes[False])} outside of the region and in "
        f"{short(dtypes[True])} inside. Gradient entries with bfloat16's few digits: inside "
        f"{100 * rounded[True]:.0f} %, outside {100 * rounded[False]:.0f} %."
    )
    return holds(seen, dtypes[True] == dtypes[False] and rounded[True] < 0.1)


def manager_or_decorator() -> Evidence:
    """25: both spellings around the same forward."""
    layer, inputs = nn.Linear(8, 4), torch.randn(2, 8)
    with bfloat16_region():
        managed = layer(inputs)
    decorated = bfloat16_region()(layer.forward)(inputs)
    plain = layer(inputs)
    seen = (
        f"A linear layer returned {short([managed.dtype])} in a `with` block, {short([decorated.dtype])} decorated and "
        f"{short([plain.dtype])} without; the first two are {'' if torch.equal(managed, decorated) else 'not '}equal."
    )
    return holds(
        seen, *(output.dtype == torch.bfloat16 and torch.equal(output, managed) for output in (managed, decorated))
    )


def forward_and_loss_only() -> Evidence:
    """26: what backward computes in outside of the region, layer by layer."""
    model, inputs, labels = two_layers()
    with trace(model) as run:
        with bfloat16_region():
            loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
    pairs = {}
    for record in run.records:
        if record.flops or "log_softmax" in record.op:
            pairs.setdefault(record.module, {}).setdefault(record.direction, set()).add(record.dtype)
    layers = {name: pairs[name]["forward"] for name in ("0", "2")}
    rows = ", ".join(f"{short(pair['forward'])} and {short(pair['backward'])}" for pair in pairs.values())
    seen = f"`backward()` stood outside of the region. Forward and backward, layer by layer, the loss last: {rows}."
    return holds(
        seen,
        *(pair["forward"] == pair["backward"] for pair in pairs.values()),
        *(dtypes == {torch.bfloat16} for dtypes in layers.values()),
    )


def mm_mixes_then_float() -> Evidence:
    """28: `mm` with two dtypes inside, and its result with a float32 tensor outside."""
    wide = torch.randn(4, 4)
    low = wide.bfloat16()
    listed = [autocast_policy(device).ops["mm"].category for device in ("cpu", "cuda")]
    with region("cpu", torch.bfloat16):
        product = torch.mm(wide, low)
    refused = error_of(lambda: torch.mm(product, wide)) or "no error"
    mended = error_of(lambda: torch.mm(product.float(), wide)) or "no error"
    seen = (
        f"`mm` is on the list of {listed[0]} on cpu and of {listed[1]} on cuda; float32 by bfloat16 gave "
        f"{short([product.dtype])} inside. Outside: {refused}, and with `.float()` {mended}."
    )
    return holds(
        seen,
        *(category == "lower precision" for category in listed),
        product.dtype == torch.bfloat16,
        refused == "RuntimeError" and mended == "no error",
    )


def disabled_needs_float() -> Evidence:
    """29: a 16-bit tensor in a disabled region inside."""
    weight = torch.randn(4, 4)
    with bfloat16_region():
        hidden = weight @ weight
        with torch.autocast("cpu", enabled=False):
            refused = error_of(lambda: hidden @ weight)
            widened = hidden.float() @ weight
    seen = (
        f"In the disabled region a {short([hidden.dtype])} tensor by a float32 weight: {refused or 'no error'}; "
        f"with `.float()` the product is {short([widened.dtype])}."
    )
    return holds(seen, bool(refused), widened.dtype == torch.float32)


def no_grad_first() -> Evidence:
    """M11: a forward without gradients, then one with, in the same region."""
    layer, inputs = nn.Linear(4, 4), torch.randn(2, 4)
    with bfloat16_region():
        with torch.no_grad():
            layer(inputs)
        output = layer(inputs)
    lost = bool(error_of(lambda: output.sum().backward())) or layer.weight.grad is None
    version = torch.__version__.partition("+")[0]
    seen = f"PyTorch {version}: after a forward under `no_grad` in the same region, the weight got "
    return outdated(f"{seen}{'no gradient' if lost else 'its gradient'}.", superseded=not lost)
