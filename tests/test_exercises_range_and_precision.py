"""The checks of chapter 02 accept the right answer, and explain the first mismatch of a wrong one."""

import math

import pytest

from amp_helpers import exercises
from amp_helpers.formats import FORMATS, encode

CHECKS = [exercises.check_value_count, exercises.check_largest_scale, exercises.check_choose_format]
NAMES = ["float8_e4m3fn", "float8_e5m2", "float16", "bfloat16", "tfloat32", "float32"]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match="not 5"):
        check(5)


def count(low, high, name):
    return encode(high, name) - encode(low, name)


def test_value_count(capsys):
    exercises.check_value_count(count)
    out = capsys.readouterr().out
    assert "float16: 15360 values from 0 to below 1" in out and "Right" in out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda low, high, name: 0, "float8_e4m3fn: from 1 to below 2 there are 8 values, not 0"),
        (lambda low, high, name: 2 ** FORMATS[name].significand_bits, "from 1 to below 448 there are 70 values, not 8"),
        (lambda low, high, name: count(low, high, name) + (low == 0), "float8_e5m2: from 0 to below 1"),
        (lambda low, high, name: count(low, high, name) if low or high == 1 else None, "values, not None"),
    ],
)
def test_wrong_value_count(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_value_count(answer)


def scale(magnitude, name):
    return 2.0 ** (math.frexp(FORMATS[name].max / magnitude)[1] - 1)


def test_largest_scale(capsys):
    exercises.check_largest_scale(scale)
    assert "Right in every case" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda m, name: scale(m, name) * 2, "beyond the maximum 65504"),
        (lambda m, name: scale(m, name) / 2, r"16384 is not the largest, 32768 still fits"),
        (lambda m, name: FORMATS[name].max / m, "65504.0 is not a power of two"),
        (lambda m, name: None, "expected a positive number, got None"),
        (lambda m, name: 2.0**15, "magnitude 0.007: 32768 is not the largest, 65536 still fits"),
        (lambda m, name: max(1.0, scale(m, name)), r"magnitude 1e\+06: times 1 it is 1e\+06, beyond"),
    ],
)
def test_wrong_largest_scale(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_largest_scale(answer)


def choose(low, high, error):
    for name in NAMES:
        fmt = FORMATS[name]
        if fmt.smallest_normal <= low and high <= fmt.max and fmt.eps / 2 <= error:
            return name
    return None


def test_choose_format(capsys):
    exercises.check_choose_format(choose)
    out = capsys.readouterr().out
    assert all(f": {name}\n" in out for name in [*NAMES, None])


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda *demand: "float32", "float32 would do, but float16 has fewer bits"),
        (lambda *demand: "bfloat16", "0.001 at most: bfloat16 is off by up to 0.0039"),
        (lambda *demand: "float16", "the normal numbers of float16 begin at 6.1e-05"),
        (lambda *demand: None, "float16 would do, but the function returned None"),
        (lambda *demand: "fp16", "'fp16' is none of float32"),
        (lambda low, high, error: choose(low, high, error * 2), "is off by up to"),
        (lambda low, high, error: choose(low, high - 1, error), "float16 ends at 65504"),
    ],
)
def test_wrong_choose_format(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_choose_format(answer)
