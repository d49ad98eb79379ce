"""Chapter 02: range and resolution, and what each format trades."""

from __future__ import annotations

from collections.abc import Callable

from amp_helpers.formats import FORMATS, decode

from .answers import expect_function, unanswered

TRAINING_FORMATS = ("float32", "tfloat32", "bfloat16", "float16", "float8_e4m3fn", "float8_e5m2")


def check_value_count(answer: Callable[[float, float, str], int]) -> None:
    """Exercise: how many values of a format lie from `low` to below `high`, as a function of (low, high, name).

    Raises: AssertionError naming the first interval that is counted wrongly; TypeError if the answer is not a function.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of low, high and a format's name")
    intervals = [
        ("float8_e4m3fn", 1.0, 2.0),
        ("float8_e4m3fn", 1.0, 448.0),
        ("float8_e5m2", 0.0, 1.0),
        ("float16", 0.0, 6.103515625e-05),
        ("bfloat16", 0.5, 3.0),
        ("float16", 0.0, 1.0),
    ]
    for name, low, high in intervals:
        codes = range(1 << (FORMATS[name].bits - 1))  # the positive half
        expected = sum(low <= decode(code, name) < high for code in codes)
        got = answer(low, high, name)
        if got != expected:
            raise AssertionError(f"{name}: from {low:g} to below {high:g} there are {expected} values, not {got!r}")
        print(f"{name}: {expected} values from {low:g} to below {high:g}")
    print("Right for all of them.")


def check_largest_scale(answer: Callable[[float, str], float]) -> None:
    """Exercise: the largest power of two by which a magnitude can be multiplied and still be at most `max`.

    Raises: AssertionError naming the first case that is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a magnitude and a format's name")
    cases = [(1.0, "float16"), (0.007, "float16"), (0.007, "float8_e4m3fn"), (0.007, "float8_e5m2"), (3.0, "bfloat16")]
    # The ends of a binade, where rounding a logarithm goes wrong, and a magnitude that has to shrink.
    cases += [(65504.0, "float16"), (65504.0 * 2.0**-40, "float16"), (1e6, "float16"), (2.0**-20, "float8_e4m3fn")]
    for magnitude, name in cases:
        most = FORMATS[name].max
        got = answer(magnitude, name)
        this = f"{name}, magnitude {magnitude:g}"
        if not isinstance(got, (int, float)) or isinstance(got, bool) or not 0 < got < float("inf"):
            raise AssertionError(f"{this}: expected a positive number, got {got!r}")
        if float(got).hex().split("p")[0] != "0x1.0000000000000":
            raise AssertionError(f"{this}: {got!r} is not a power of two, so it would round the numbers it scales")
        if magnitude * got > most:
            raise AssertionError(f"{this}: times {got:g} it is {magnitude * got:g}, beyond the maximum {most:g}")
        if magnitude * got * 2 <= most:
            raise AssertionError(f"{this}: {got:g} is not the largest, {got * 2:g} still fits")
        print(f"{this}: times {got:g} it is {magnitude * got:g}, at most {most:g}")
    print("Right in every case.")


def check_choose_format(answer: Callable[[float, float, float], str | None]) -> None:
    """Exercise: the format with the fewest bits that keeps numbers of some range to some relative error.

    Raises: AssertionError naming the first demand that is met wrongly; TypeError if the answer is not a function.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of smallest, largest and error")
    demands = [
        (1e-3, 100.0, 1e-3),  # digits: float16
        (1e-6, 100.0, 5e-3),  # reach: bfloat16
        (1e-6, 100.0, 1e-3),  # both: tfloat32
        (0.02, 400.0, 0.07),  # float8_e4m3fn
        (1.0, 100.0, 4e-4),  # float32: ten fraction bits are too few
        (0.01, 400.0, 0.2),  # float8_e5m2: the other begins at 0.016
        (1.0, 65504.0, 2.0**-11),  # both bounds are allowed
        (1.0, 65505.0, 2.0**-11),
        (1e-30, 1e30, 1e-7),  # float32
        (1.0, 2.0, 1e-9),  # none of the six
    ]
    for low, high, error in demands:
        fit = [name for name in TRAINING_FORMATS if _keeps(FORMATS[name], low, high, error)]
        expected = min(fit, key=lambda name: FORMATS[name].bits, default=None)
        got = answer(low, high, error)
        this = f"from {low:g} to {high:g} with an error of {error:.2g} at most"
        if got is not None and got not in TRAINING_FORMATS:
            raise AssertionError(f"{this}: {got!r} is none of {', '.join(TRAINING_FORMATS)}, and not None")
        if got != expected:
            raise AssertionError(f"{this}: {_why(got, expected, low, high, error)}")
        print(f"{this}: {expected}")
    print("Right for all of them.")


def _keeps(fmt, low: float, high: float, error: float) -> bool:
    return fmt.smallest_normal <= low and high <= fmt.max and fmt.eps / 2 <= error


def _why(got, expected, low, high, error) -> str:
    if got is None:
        return f"{expected} would do, but the function returned None"
    fmt = FORMATS[got]
    if fmt.smallest_normal > low:
        return f"the normal numbers of {got} begin at {fmt.smallest_normal:.3g}"
    if high > fmt.max:
        return f"{got} ends at {fmt.max:g}"
    if fmt.eps / 2 > error:
        return f"{got} is off by up to {fmt.eps / 2:.2g}"
    return f"{got} would do, but {expected} has fewer bits ({FORMATS[expected].bits} instead of {fmt.bits})"
