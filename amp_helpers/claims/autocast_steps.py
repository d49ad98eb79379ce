"""Claims about what autocast leaves alone in a training step: weights, gradients, inputs, scale."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers.tracing import trace

from .autocast_calls import computed_in, error_of, short, two_layers
from .evidence import Evidence, holds

LOW = (torch.float16, torch.bfloat16)


def float16_region() -> torch.autocast:
    """Autocast to float16 on the CPU."""
    return torch.autocast("cpu", torch.float16)


def update_high_products_low() -> Evidence:
    """12: a step of the plain loop, in parts."""
    model, inputs, labels = two_layers()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    with trace(model) as run:
        with float16_region():
            loss = F.cross_entropy(model(inputs), labels)
        loss.backward()
    with trace() as update:
        optimizer.step()
    forward, backward = (computed_in(run, direction, products=True) for direction in ("forward", "backward"))
    stored = {tensor.dtype for parameter in model.parameters() for tensor in (parameter, parameter.grad)}
    updating = computed_in(update)
    seen = (
        f"Float16 autocast: the products ran in {short(forward)} forward and {short(backward)} backward, "
        f"`optimizer.step()` in {short(updating)}; weights and `.grad` were {short(stored)}."
    )
    low, high = {torch.float16}, {torch.float32}
    return holds(seen, forward == low, backward == low, updating == high, stored == high)


def model_becomes_half() -> Evidence:
    """14: the weights' dtypes inside and after a region, for both 16-bit dtypes."""
    model, inputs, _ = two_layers()
    returned, stored = [], []
    for dtype in LOW:
        with torch.autocast("cpu", dtype):
            returned.append(model(inputs).dtype)
            inside = {parameter.dtype for parameter in model.parameters()}
        stored.append(inside | {parameter.dtype for parameter in model.parameters()})
    seen = f"A float32 model returned {' and '.join(short([dtype]) for dtype in returned)}; its weights were "
    return holds(
        f"{seen}{short(set().union(*stored))} in the regions and after them.",
        *(bool(kept & set(LOW)) for kept in stored),
    )


def casts_and_scales() -> Evidence:
    """15: a loss so small that its gradients vanish in float16, with nothing but autocast."""
    model, inputs, labels = two_layers()
    vanished = {}
    for enabled in (False, True):
        model.zero_grad()
        with torch.autocast("cpu", torch.float16, enabled=enabled):
            output = model(inputs)
            loss = F.cross_entropy(output, labels)
        (loss * 1e-8).backward()
        vanished[enabled] = all(not parameter.grad.any() for parameter in model.parameters())
    seen = (
        f"Under float16 autocast the output was {short([output.dtype])}, the loss {short([loss.dtype])} and the input "
        f"still {short([inputs.dtype])}. With the loss times 1e-8 "
        f"{'every' if vanished[True] else 'not every'} gradient was 0, and "
        f"{'so it was' if vanished[False] else 'not so'} without autocast."
    )
    scaled = vanished[True] == vanished[False]
    return holds(seen, all(tensor.dtype in LOW for tensor in (inputs, output, loss)), scaled)


def gradients_follow_forward() -> Evidence:
    """30: gradients of the products of a float16 forward, and of the activation between them."""
    model, inputs, labels = two_layers()
    with trace(model) as run:
        with float16_region():
            hidden = model[0](inputs)
            hidden.retain_grad()
            loss = F.cross_entropy(model[2](hidden.relu()), labels)
        loss.backward()
    products = {record.outputs[0] for record in run.records if record.direction == "backward" and record.flops}
    weight = model[0].weight.grad.dtype
    seen = (
        f"After a float16 forward the backward products gave {short(products)}, the gradient of the activation is "
        f"{short([hidden.grad.dtype])}; a weight's is cast to {short([weight])} at the end."
    )
    return holds(seen, products == {torch.float16}, hidden.grad.dtype == torch.float16)


def scaler_is_the_policy() -> Evidence:
    """63: the dtypes of a step with a scaler alone, and with autocast alone."""
    found = {}
    for name, enabled in (("GradScaler", False), ("autocast", True)):
        model, inputs, labels = two_layers()
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, enabled=not enabled)
        with trace(model) as run:
            with torch.autocast("cpu", torch.float16, enabled=enabled):
                loss = F.cross_entropy(model(inputs), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
        found[name] = computed_in(run, products=True) | computed_in(run, "backward", products=True)
    seen = f"The products of a step ran in {short(found['GradScaler'])} with GradScaler alone, "
    return holds(f"{seen}and in {short(found['autocast'])} with autocast alone.", bool(found["GradScaler"] & {*LOW}))


def data_in_half() -> Evidence:
    """76: where `data.half()` before a float16 region changes nothing, and where it does."""
    inputs = torch.randn(64, 32)
    layer, norm = nn.Linear(32, 8), nn.BatchNorm1d(32)
    large, offset = inputs * 1e5, 2000 + inputs / 2
    with float16_region():
        same = torch.equal(layer(inputs), layer(inputs.half()))
        finite = [layer(data / 1e5).isfinite().all().item() for data in (large, large.half())]
        normed, from_half = norm(offset), norm(offset.half())
    error = ((normed - from_half).norm() / normed.norm()).item()
    refused = error_of(lambda: layer(inputs.half()))
    seen = (
        f"A Linear layer: {'the same' if same else 'another'} output. Values beyond 65504, normalized next: finite "
        f"{'yes' if finite[0] else 'no'}, after `.half()` {'yes' if finite[1] else 'no'}. BatchNorm of 2000 plus or "
        f"minus 0.5: off by {'more' if error > 0.1 else 'less'} than 10 %. No region around: {refused or 'no error'}."
    )
    return holds(seen, same, finite[0] == finite[1], error < 0.1, not refused)
