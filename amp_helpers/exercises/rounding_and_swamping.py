"""Chapter 03: when adding a number changes nothing."""

from __future__ import annotations

from collections.abc import Callable

from amp_helpers.formats import FORMATS, decode, encode

from .answers import expect_function, unanswered


def check_half_ulp(answer: Callable[[float, int], float]) -> None:
    """Exercise: half the gap above a positive normal value, as a function of the value and the fraction bits.

    Raises: AssertionError naming the first value for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a value and a number of fraction bits")
    for name in ("bfloat16", "float16", "float32"):
        fmt = FORMATS[name]
        # Easy values first; then the ends of a binade, where rounding a logarithm goes wrong.
        for value in (1.0, 1.5, 4.0, 0.02, 0.75, 4096 - 2048 * fmt.eps, 2048.0, 1 - fmt.eps / 2, fmt.smallest_normal):
            code = encode(value, fmt)
            value = decode(code, fmt)
            expected = (decode(code + 1, fmt) - value) / 2
            got = answer(value, fmt.significand_bits)
            if got != expected:
                raise AssertionError(
                    f"{name} ({fmt.significand_bits} fraction bits): above {value!r} comes "
                    f"{decode(code + 1, fmt)!r}, and half the gap is {expected!r}, but the function returned {got!r}"
                )
        limit = answer(0.02, fmt.significand_bits)
        print(f"{name}: near 0.02, updates below {limit:.1e} are lost")
    print("Right for all three formats.")


def check_float16_sum(answer: Callable) -> None:
    """Exercise: a function that adds up a float16 vector in float16 alone, and loses little.

    Raises: AssertionError naming the first operation that is not allowed, or the first vector whose sum is off by more
        than two ulps; TypeError if the answer is not a function.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a float16 vector")
    import torch

    fractions = ((torch.arange(3000) * 617) % 1000).half() / 1000
    cases = {"one number": torch.full((1,), 3.0), "three ones": torch.ones(3), "4,096 ones": torch.ones(4096)}
    cases |= {"3,000 numbers from 0 to 1": fractions, "the same, largest first": fractions.sort(descending=True).values}
    for what, values in cases.items():
        values = values.half()
        with _only_float16():
            got = answer(values.clone())
        if not isinstance(got, torch.Tensor) or got.dtype != torch.float16 or got.numel() != 1:
            raise AssertionError(f"{what}: expected one float16 number, got {got!r}")
        exact = values.double().sum().item()
        code = encode(exact, "float16")
        ulp = decode(code + 1, "float16") - decode(code, "float16")
        if not abs(got.item() - exact) <= 2 * ulp:
            raise AssertionError(f"{what}: the sum is {exact:.6g}, but the function returned {got.item():g}")
        print(f"{what}: {got.item():g}, exactly {exact:.6g}")
    print("Right, and no wider dtype was seen.")


def check_small_updates(answer: Callable) -> None:
    """Exercise: an update of BF16 weights that is right on average, as a function of (weight, update, generator).

    Raises: AssertionError saying what the weights did wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of weights, an update and a generator")
    import torch

    generator = torch.Generator().manual_seed(0)
    start = (torch.randn(2000, generator=generator) * 0.02).bfloat16().float()
    weight = start.clone()
    num_steps, update = 500, 1e-5
    for step in range(1, num_steps + 1):
        weight = answer(weight.clone(), update, generator)
        if not isinstance(weight, torch.Tensor) or weight.dtype != torch.float32 or weight.shape != start.shape:
            raise AssertionError(
                f"step {step}: expected a float32 tensor of shape {tuple(start.shape)}, got {repr(weight)[:80]}"
            )
        if not torch.equal(weight, weight.bfloat16().float()):
            raise AssertionError(f"step {step}: some weights are no bfloat16 values: round the sum")
    moved = (weight.double() - start.double()).mean().item()
    expected = num_steps * update
    said = f"{num_steps} updates of {update:g} moved the weights by {moved:.2g} on average"
    # The random walks of 2,000 weights leave about 2e-5 in the mean: 10 % is out of their reach.
    if abs(moved - expected) > 0.1 * expected:
        raise AssertionError(f"{said}, which should have been {expected:g}")
    print(f"Right: {said}.")


def _only_float16():
    """A context that stops at an operation with a wider float, and at torch's own sums, which are wide inside."""
    import torch
    from torch.overrides import TorchFunctionMode

    sums = ("sum", "cumsum", "mean", "matmul", "mm", "dot", "einsum", "logsumexp", "nansum", "norm", "__matmul__")

    class OnlyFloat16(TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            name = getattr(func, "__name__", str(func))
            if name in sums:
                raise AssertionError(f"torch's own {name} adds in more than sixteen bits: add in another way")
            result = func(*args, **(kwargs or {}))
            if isinstance(result, torch.Tensor) and result.is_floating_point() and result.dtype != torch.float16:
                raise AssertionError(f"{name} gave {result.dtype}: only float16 is allowed here")
            return result

    return OnlyFloat16()
