"""Chapter 15: what Apex's levels kept in float32, what that costs, and what Adam needs in float16."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

from .answers import expect_function, unanswered


def old_network():
    """A small model with four kinds of normalisation, for `check_float32_parameters`.

    Introduced in: notebooks/15_from_apex.ipynb
    """
    from torch import nn

    return nn.ModuleDict(
        {
            "conv": nn.Conv2d(1, 8, 3),
            "batch": nn.BatchNorm2d(8),
            "layer": nn.LayerNorm(8),
            "group": nn.GroupNorm(2, 8),
            "synced": nn.SyncBatchNorm(8),
            "plain": nn.BatchNorm2d(8, affine=False),
            "head": nn.Linear(8, 10),
        }
    )


def check_float32_parameters(answer: Iterable[str]) -> None:
    """Exercise: which parameters and buffers of `old_network` level O2 leaves in float32, as a set of names.

    Raises: AssertionError naming the first that is missing or does not belong; TypeError if it is no set of names.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    if unanswered(answer):
        return
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        raise TypeError(f"a set of names is expected, not {answer!r}")
    import torch

    from amp_helpers.precision import cast_weights

    model = old_network()
    cast_weights(model, torch.float16, keep_batchnorm_fp32=True)
    found = {name: t for name, t in (*model.named_parameters(), *model.named_buffers()) if t.is_floating_point()}
    if unknown := set(answer) - set(found):
        raise AssertionError(f"{sorted(unknown)[0]!r} is no floating-point parameter or buffer of old_network()")
    for name, tensor in found.items():
        stays = tensor.dtype == torch.float32
        if (name in answer) == stays:
            continue
        kind = type(model[name.partition(".")[0]]).__name__
        if stays:
            raise AssertionError(f"{name} stays in float32: {kind} is a BatchNorm with weights of its own")
        why = "has no weights of its own" if name.startswith("plain") else "is no BatchNorm"
        raise AssertionError(f"{name} is cast: {kind} {why}")
    print(f"Right: {len(set(answer))} tensors stay in float32, {len(found) - len(set(answer))} are cast.")


def check_o2_bytes(answer: Callable[[int, int], int]) -> None:
    """Exercise: bytes that O2 keeps between two steps with Adam, as a function of (weights, batchnorm).

    The arguments are numbers of parameters: those that O2 casts, and those of affine BatchNorms. What counts is the
    model's parameters, the masters and Adam's two running means.

    Raises: AssertionError naming the first model for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of weights and batchnorm")
    for inputs, width in ((4, 8), (16, 16), (3, 100)):
        cast, norms, expected = _measured(inputs, width)
        got = answer(cast, norms)
        if got != expected:
            hints = {
                expected - 2 * cast: "; are the float16 weights counted beside their masters?",
                expected - 4 * cast: "; are the masters counted?",
                expected - 4 * cast - 4 * norms: "; Adam has two running means",
                expected - 8 * cast - 8 * norms: "; is Adam's state counted?",
                expected + 2 * norms: "; BatchNorm's parameters have no float16 copy",
                expected + 4 * norms: "; BatchNorm's parameters need no masters",
            }
            raise AssertionError(
                f"{cast} weights and {norms} of BatchNorm: O2 keeps {expected} bytes, not {got!r}{hints.get(got, '')}"
            )
        print(f"{cast} weights and {norms} of BatchNorm: {expected} bytes")
    print("Right for all three.")


def _measured(inputs: int, width: int) -> tuple[int, int, int]:
    """Numbers of parameters, cast and not, of a real model after a step at O2, and the bytes that it keeps."""
    import torch
    from torch import nn

    from amp_helpers.precision import ApexLevel

    model = nn.Sequential(nn.Linear(inputs, width), nn.BatchNorm1d(width))
    level = ApexLevel("O2")
    model, optimizer = level.initialize(model, torch.optim.Adam(model.parameters()))
    with level.scale_loss(model(torch.ones(2, inputs)).sum() * 1e-9, optimizer) as scaled_loss:
        scaled_loss.backward()
    level.step(optimizer)
    state = [value for kept in optimizer.state.values() for value in kept.values() if value.ndim]
    tensors = [*model.parameters(), *level.masters.values(), *state]
    return (inputs + 1) * width, 2 * width, sum(tensor.nbytes for tensor in tensors)


def check_adam_eps(answer: float) -> None:
    """Exercise: the smallest power of ten that is no 0 in float16, and so keeps a pure float16 Adam from 0/0.

    Raises: AssertionError saying what Adam does with it, or that a smaller one works; TypeError if it is no number.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    if unanswered(answer):
        return
    if not isinstance(answer, (int, float)) or isinstance(answer, bool):
        raise TypeError(f"a number is expected, not {answer!r}")
    if not answer > 0 or float(f"1e{round(math.log10(answer))}") != answer:
        raise AssertionError(f"{answer!r} is no power of ten, such as 1e-3")
    if _weight_after_a_zero_gradient(answer) != 1:
        raise AssertionError(
            f"with eps={answer:g} a gradient of 0 turns a float16 weight to NaN: {answer:g} is 0 there"
        )
    smaller = float(f"1e{round(math.log10(answer)) - 1}")
    if _weight_after_a_zero_gradient(smaller) == 1:
        raise AssertionError(f"with eps={answer:g} the weight stays what it is, but with {smaller:g} too")
    print(f"Right: {answer:g} is not 0 in float16, and {smaller:g} is.")


def _weight_after_a_zero_gradient(eps: float) -> float:
    import torch

    weight = torch.nn.Parameter(torch.ones(1, dtype=torch.float16))
    weight.grad = torch.zeros_like(weight)
    torch.optim.Adam([weight], eps=eps, foreach=False).step()
    return weight.item()
