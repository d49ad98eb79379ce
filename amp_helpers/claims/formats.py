"""Evidence about number formats: what fits into which bits, and what is lost."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import Tensor
from torch._tensor_str import printoptions

from amp_helpers.datasets import digits
from amp_helpers.gradients import GradientHistogram
from amp_helpers.models import MLP

from .evidence import Evidence, holds

#: The integers whose bits are looked at, by size in bytes.
_INTEGERS = {2: torch.int16, 4: torch.int32}


def large_values() -> Evidence:
    """10: a value, a product and a sum beyond float16's largest."""
    half, others = torch.float16, (torch.bfloat16, torch.float32)
    value = {dtype: torch.tensor(70000.0).to(dtype) for dtype in (half, *others)}
    product = torch.tensor(300.0, dtype=half) * torch.tensor(300.0, dtype=half)
    total = torch.full((2,), 40000.0, dtype=half).sum()
    only_half = value[half].isinf().item() and all(value[dtype].isfinite().item() for dtype in others)
    return holds(
        f"70000 is {value[half].item()} in float16 and finite in bfloat16 and float32. In float16, "
        f"300 * 300 is {product.item()}, and 40000 + 40000 is {total.item()}.",
        only_half,
        product.isinf().item(),
        total.isinf().item(),
    )


def widths(dtype: torch.dtype) -> tuple[int, int]:
    """(exponent bits, fraction bits) of an IEEE dtype, read off its infinity: ones in the exponent, zeros behind it."""
    code = torch.tensor(math.inf, dtype=dtype).view(_INTEGERS[dtype.itemsize]).item()
    exponent = code.bit_count()
    return exponent, code.bit_length() - exponent


def bfloat16() -> Evidence:
    """23: bfloat16 beside float32: bits, range, precision."""
    brain, half, single = (torch.finfo(dtype) for dtype in (torch.bfloat16, torch.float16, torch.float32))
    steps = [int(math.log2(info.eps)) for info in (brain, half, single)]
    low = int(math.log2(brain.tiny))
    return holds(
        f"Bfloat16 has {brain.bits} bits. Its smallest normal number is 2^{low}, as in float32; its largest is "
        f"{100 * brain.max / single.max:.1f} % of float32's. Beside 1 it moves in steps of 2^{steps[0]}, float16 in "
        f"2^{steps[1]}, float32 in 2^{steps[2]}.",
        brain.bits == 16,
        brain.tiny == single.tiny and math.isclose(brain.max, single.max, rel_tol=0.01),
        brain.eps > half.eps > single.eps,
    )


def sixteen_bits() -> Evidence:
    """24: two formats of 16 bits, compared."""
    brain, half = torch.finfo(torch.bfloat16), torch.finfo(torch.float16)
    (_, coarse), (_, fine) = widths(torch.bfloat16), widths(torch.float16)
    return holds(
        f"Bfloat16 has {brain.bits} bits, {coarse} of them for the fraction; float16 has {half.bits}, {fine} of them "
        f"for the fraction, and is {brain.eps / half.eps:.0f} times as fine.",
        brain.eps == half.eps,
    )


def fields() -> Evidence:
    """41: the widths of float32 and float16."""
    single, half = widths(torch.float32), widths(torch.float16)
    return holds(
        f"The bits of infinity show {single[0]} exponent and {single[1]} fraction bits in float32, {half[0]} and "
        f"{half[1]} in float16.",
        single == (8, 23),
        half == (5, 10),
    )


def most_weights() -> Evidence:
    """42: weights, gradients and updates of a small trained network, in float16."""
    data, model = digits(), MLP(64, 64, 10)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    for images, labels in data.batches(64, steps=100):
        optimizer.zero_grad()
        F.cross_entropy(model(images.flatten(1)), labels).backward()
        optimizer.step()
    weights = torch.cat([p.detach().flatten() for p in model.parameters()])
    gradients = torch.cat([p.grad.flatten() for p in model.parameters()])
    lost = {name: lost_share(values) for name, values in (("weights", weights), ("gradients", gradients))}
    moved = {dtype: moved_share(weights, gradients, dtype) for dtype in (torch.float32, torch.float16)}
    words = {name: "under 1 %" if share < 0.01 else f"about {100 * share:.0f} %" for name, share in lost.items()}
    return holds(
        f"After 100 steps of a small MLP, {words['weights']} of its weights and {words['gradients']} of its gradients "
        f"turn to zero or infinity in float16. An SGD step with a learning rate of 0.001 moves "
        f"{_most(moved[torch.float32])} of the weights in float32 and {_most(moved[torch.float16])} in float16.",
        lost["weights"] < 0.01,
        lost["gradients"] < 0.05,
        moved[torch.float16] > 0.95,
    )


def lost_share(values: Tensor) -> float:
    """The share of nonzero numbers that are zero or infinite in float16."""
    shares = GradientHistogram.of(values).shares("float16")
    return shares.zero + shares.infinite


def moved_share(weights: Tensor, gradients: Tensor, dtype: torch.dtype, lr: float = 0.001) -> float:
    """The share of weights that one step of SGD changes, of those with a gradient, all numbers in a dtype."""
    before, step = weights.to(dtype), gradients.to(dtype)
    parameter = torch.nn.Parameter(before.clone())
    parameter.grad = step
    torch.optim.SGD([parameter], lr=lr).step()
    return (parameter.detach() != before)[step != 0].double().mean().item()


def _most(share: float) -> str:
    """A share in words that another CPU's last bits do not change."""
    return "over 90 %" if share > 0.9 else "under half" if share < 0.5 else "over half"


def printed_digits() -> Evidence:
    """89: the same computation under other print options."""

    def compute():
        return torch.linspace(0, 1, 7, dtype=torch.float16).exp()

    before, usual = compute(), repr(torch.tensor(1 / 3))
    with printoptions(precision=10):
        after, longer = compute(), repr(torch.tensor(1 / 3))
    same = torch.equal(before.view(torch.int16), after.view(torch.int16))
    return holds(
        f"`{usual}` is printed as `{longer}`; the bits of a float16 result are {'the same' if same else 'others'}.",
        not same,
    )


EVIDENCE = {
    "10": large_values,
    "23": bfloat16,
    "24": sixteen_bits,
    "41": fields,
    "42": most_weights,
    "89": printed_digits,
}
