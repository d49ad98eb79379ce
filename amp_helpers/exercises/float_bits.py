"""Chapter 01: what sixteen bits hold."""

from __future__ import annotations

import math
from collections.abc import Callable

from amp_helpers.formats import FORMATS, classify, decode, encode, fields

from .answers import unanswered


def check_bits(answer: str) -> None:
    """Exercise: the sixteen bits of -6.25 in float16, as a string such as "0 00000 0000000000".

    Raises: AssertionError naming the first field that differs; TypeError if the answer is not a string.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    if unanswered(answer):
        return
    fmt, value = FORMATS["float16"], -6.25
    if not isinstance(answer, str):
        raise TypeError(f"the bits are expected as a string of 0 and 1, not {answer!r}")
    bits = "".join(answer.split())
    if strange := sorted(set(bits) - {"0", "1"}):
        raise AssertionError(f"only 0 and 1 are bits, but there is {strange[0]!r} in {answer!r}")
    if len(bits) != fmt.bits:
        raise AssertionError(f"{fmt.name} has {fmt.bits} bits, but there are {len(bits)} in {answer!r}")
    mine = fields(int(bits, 2), fmt)
    power = f"the largest power of two that is not above {abs(value)}"
    hints = {
        "sign": f"is {value} negative?",
        "exponent": f"what is {power}? Add the bias {fmt.bias} to its exponent.",
        "fraction": f"divide by {power} and take away 1: how many {1 << fmt.significand_bits}ths are left?",
    }
    for name, got, expected in zip(mine._fields, mine, fields(encode(value, fmt), fmt), strict=True):
        if got != expected:
            raise AssertionError(f"the {name} field holds {got}, which is not right. Ask: {hints[name]}")
    print(f"Right: {bits} is {decode(int(bits, 2), fmt)} in {fmt.name}.")


def check_decode(answer: Callable[[int], float]) -> None:
    """Exercise: a function that decodes every float16 code.

    Raises: AssertionError naming the first code that is decoded wrongly; TypeError if the answer is not a function.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    if unanswered(answer):
        return
    if not callable(answer):
        raise TypeError(f"a function of one code is expected, not {answer!r}")
    fmt = FORMATS["float16"]
    # From the easy classes to the special ones, so that the first mismatch is the most helpful one.
    order = {"normal": 0, "zero": 1, "subnormal": 2, "infinity": 3, "nan": 4}
    for code in sorted(range(1 << fmt.bits), key=lambda code: (order[classify(code, fmt)], code)):
        expected = decode(code, fmt)
        parts = ", ".join(f"{name} {value}" for name, value in fields(code, fmt)._asdict().items())
        this = f"{classify(code, fmt)} code 0x{code:04x} ({parts}) is {expected!r}"
        try:
            got = answer(code)
        except Exception as error:
            raise AssertionError(f"{this}, but the function failed with {type(error).__name__}: {error}") from error
        if type(got) not in (int, float):
            raise AssertionError(f"{this}, a Python float, but the function returned {got!r}")
        if not _same(got, expected):
            raise AssertionError(f"{this}, but the function returned {got!r}")
    print(f"Right: all {1 << fmt.bits} codes agree.")


def check_first_gap(answer: Callable[[int], int]) -> None:
    """Exercise: the smallest positive integer that a format cannot hold, as a function of its fraction bits.

    Raises: AssertionError naming the first format for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    if unanswered(answer):
        return
    if not callable(answer):
        raise TypeError(f"a function of the number of fraction bits is expected, not {answer!r}")
    for name in ("float8_e5m2", "float8_e4m3fn", "bfloat16", "float16", "tfloat32", "float32"):
        fmt = FORMATS[name]
        got = answer(fmt.significand_bits)
        if type(got) is not int or got < 1:
            raise AssertionError(f"{name}: expected a positive Python int, got {got!r}")
        if decode(encode(got, fmt), fmt) == got:
            raise AssertionError(f"{name} ({fmt.significand_bits} fraction bits) holds {got} exactly: look further up")
        # Beyond the first gap no two neighbouring integers are held, so this finds the first one only.
        for smaller in (got - 1, got - 2):
            if decode(encode(smaller, fmt), fmt) != smaller:
                raise AssertionError(
                    f"{name} ({fmt.significand_bits} fraction bits) cannot hold {smaller} either: look further down"
                )
        print(f"{name}: {got - 1} is held, {got} becomes {decode(encode(got, fmt), fmt):.0f}")
    print("Right for all six formats.")


def _same(got: float, expected: float) -> bool:
    """Equal as floats: NaN equals NaN, and the two zeros differ."""
    if math.isnan(expected):
        return math.isnan(got)
    return got == expected and math.copysign(1, got) == math.copysign(1, expected)
