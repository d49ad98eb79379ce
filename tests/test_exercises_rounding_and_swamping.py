"""The checks of chapter 03 accept the right answer, and explain the first mismatch of a wrong one."""

import math

import pytest
import torch

from amp_helpers.exercises import rounding_and_swamping as exercises
from amp_helpers.rounding import round_to

CHECKS = [exercises.check_half_ulp, exercises.check_float16_sum, exercises.check_small_updates]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match=r"a function of .* not 5"):
        check(5)


def half_ulp(value, fraction_bits):
    return 2.0 ** (math.frexp(value)[1] - 1 - fraction_bits) / 2


def test_half_ulp(capsys):
    exercises.check_half_ulp(half_ulp)
    assert "bfloat16: near 0.02, updates below 6.1e-05 are lost" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda v, m: 2 * half_ulp(v, m), r"bfloat16 .* above 1.0 comes 1.0078125, and half the gap is 0.00390625"),
        (lambda v, m: v * 2.0**-m / 2, r"above 1.5 comes 1.5078125"),
        (lambda v, m: 2.0 ** (round(math.log2(v)) - m - 1), r"above 1.5 "),
        (lambda v, m: half_ulp(v, 7), r"float16 \(10 fraction bits\): above 1.0"),
        (lambda v, m: None, "returned None"),
    ],
)
def test_wrong_half_ulp(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_half_ulp(answer)


def pairwise(values):
    while len(values) > 1:
        if len(values) % 2:
            values = torch.nn.functional.pad(values, (0, 1))
        values = values[0::2] + values[1::2]
    return values[0]


def kahan(values):
    total = lost = torch.zeros((), dtype=values.dtype)
    for value in values:
        y = value - lost
        new = total + y
        lost, total = (new - total) - y, new
    return total


def recursive(values):
    half = len(values) // 2
    return recursive(values[:half]) + recursive(values[half:]) if half else values[0]


@pytest.mark.parametrize("answer", [pairwise, kahan, recursive])
def test_float16_sum(answer, capsys):
    exercises.check_float16_sum(answer)
    assert "4,096 ones: 4096" in capsys.readouterr().out


def naive(values):
    total = torch.zeros((), dtype=values.dtype)
    for value in values:
        total = total + value
    return total


@pytest.mark.parametrize(
    "answer, message",
    [
        (naive, "4,096 ones: the sum is 4096, but the function returned 2048"),
        (lambda v: naive(v.sort().values), "4,096 ones"),
        (lambda v: v.sum(), "torch's own sum adds"),
        (lambda v: v.float(), "float gave torch.float32: only float16"),
        (lambda v: naive(v.to(torch.bfloat16)), "gave torch.bfloat16"),
        (lambda v: 3.0, "one number: expected one float16 number, got 3.0"),
        (lambda v: pairwise(v[:-1]) if len(v) == 3000 else pairwise(v) * math.nan, "one number: the sum is 3, .* nan"),
        (lambda v: v, "three ones: expected one float16 number"),
    ],
)
def test_wrong_float16_sum(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_float16_sum(answer)


def test_small_updates(capsys):
    exercises.check_small_updates(lambda w, u, g: round_to(w + u, "bfloat16", "stochastic", generator=g))
    assert "Right: 500 updates of 1e-05 moved the weights by 0.005 on average" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (
            lambda w, u, g: round_to(w + u, "bfloat16"),
            r"moved the weights by 0.000.* on average, which should have been 0.005",
        ),
        (
            lambda w, u, g: round_to(w + u, "bfloat16", "toward_positive"),
            r"by 0.12 on average, which should have been 0.005",
        ),
        (lambda w, u, g: round_to(w - u, "bfloat16", "stochastic", generator=g), "moved the weights by -0.005"),
        (lambda w, u, g: w + u, "step 1: some weights are no bfloat16 values"),
        (lambda w, u, g: (w + u).bfloat16(), "step 1: expected a float32 tensor"),
        (lambda w, u, g: None, "step 1: expected a float32 tensor of shape .*, got None"),
    ],
)
def test_wrong_small_updates(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_small_updates(answer)
