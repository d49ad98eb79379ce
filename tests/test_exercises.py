"""Every check says that dots are no answer; chapter 01's accept the right one and explain the first mismatch."""

import math

import pytest

from amp_helpers import exercises
from amp_helpers.formats import decode

#: Of every chapter.
CHECKS = [name for name in exercises.__all__ if name.startswith("check_")]


@pytest.mark.parametrize("name", CHECKS)
def test_dots_are_not_an_error(name, capsys):
    getattr(exercises, name)(...)
    assert "Not answered yet" in capsys.readouterr().out


def test_bits(capsys):
    exercises.check_bits("1 10001 1001000000")
    assert "Right: 1100011001000000 is -6.25" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        ("0 10001 1001000000", "the sign field holds 0"),
        ("1 00010 1001000000", r"the exponent field holds 2.*Add the bias 15"),
        ("1 10001 1100100000", r"the fraction field holds 800.*1024ths"),
        ("1 10001", "16 bits, but there are 6"),
        ("1 10002 1001000000", "there is '2'"),
    ],
)
def test_wrong_bits(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_bits(answer)


def test_bits_of_another_type():
    with pytest.raises(TypeError, match="not 50752"):
        exercises.check_bits(0b1100011001000000)


def spoiled(codes, value):
    return lambda code: value if code in codes else decode(code, "float16")


def test_decode(capsys):
    exercises.check_decode(lambda code: decode(code, "float16"))
    assert "all 65536 codes agree" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda code: None, r"normal code 0x0400 .*, a Python float, but the function returned None"),
        (lambda code: 1 // (code - code), r"code 0x0400 .* failed with ZeroDivisionError: "),
        (spoiled({0x8000}, 0.0), r"zero code 0x8000 .*sign 1.* is -0.0, but the function returned 0.0"),
        (spoiled({0x0001}, 0.0), r"subnormal code 0x0001 .* is 5.96.*e-08"),
        (spoiled({0x7C00}, math.nan), "infinity code 0x7c00"),
        (spoiled({0x7E00}, math.inf), "nan code 0x7e00"),
    ],
)
def test_wrong_decode(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_decode(answer)


def test_first_gap(capsys):
    exercises.check_first_gap(lambda m: 2 ** (m + 1) + 1)
    assert "float16: 2048 is held, 2049 becomes 2048" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda m: 2**m + 1, "holds 5 exactly: look further up"),
        (lambda m: 2 ** (m + 1) + 3, "float8_e5m2 .* cannot hold 9 either: look further down"),
        (lambda m: 2 ** (m + 2) + 1, "cannot hold 15 either: look further down"),
        (lambda m: 9.0, "positive Python int, got 9.0"),
        (lambda m: 9, "float8_e4m3fn .* holds 9 exactly"),
    ],
)
def test_wrong_first_gap(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_first_gap(answer)


@pytest.mark.parametrize("check", [exercises.check_decode, exercises.check_first_gap], ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match="not 5"):
        check(5)
