"""Chapter 04: where the speed of sixteen bits comes from."""

from __future__ import annotations

import math
from collections.abc import Callable

from .answers import expect_function, unanswered

#: (m, n, k) of the products in the exercise about limits; "add" is the one that is no product.
_SHAPES = {
    "product 8192": (8192, 8192, 8192),
    "product 64": (64, 64, 64),
    "one row": (1, 4096, 4096),
    "many rows": (4096, 4096, 4096),
}


def check_intensity(answer: Callable[[int, int, int, int], float]) -> None:
    """Exercise: operations per byte of a matrix product, as a function of (m, n, k, size).

    Raises: AssertionError naming the first shape for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of m, n, k and size")
    for m, n, k, size in ((1, 1, 1, 1), (64, 64, 64, 2), (1, 4096, 4096, 2), (300, 7, 50, 4)):
        expected = 2 * m * n * k / (size * (m * k + k * n + m * n))
        got = answer(m, n, k, size)
        if not math.isclose(got, expected, rel_tol=1e-6):
            raise AssertionError(
                f"{m}x{k} by {k}x{n} with {size} bytes a number: {2 * m * n * k:,} operations and "
                f"{size * (m * k + k * n + m * n):,} bytes, but the function returned {got:g}"
            )
    print("Right for every shape.")


def check_memory_bound(answer: set[str]) -> None:
    """Exercise: which of five ops memory limits on an H200 with float16.

    Raises: AssertionError naming the first op that is missing or does not belong; TypeError if it is no set of names.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if unanswered(answer):
        return
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        raise TypeError(f"a set of names is expected, not {answer!r}")
    from amp_helpers.suites.peaks import find_peaks

    peaks = find_peaks("NVIDIA H200")
    ridge = peaks.tflops["float16"] / peaks.tb_per_s
    intensity = {name: 2 * m * n * k / (2 * (m * k + k * n + m * n)) for name, (m, n, k) in _SHAPES.items()}
    intensity["add"] = 1 / 6  # one operation, two numbers read and one written
    if unknown := set(answer) - set(intensity):
        raise AssertionError(f"{sorted(unknown)[0]!r} is none of {', '.join(intensity)}")
    for name, value in intensity.items():
        if (name in answer) != (value < ridge):
            side = "fewer" if value < ridge else "more"
            raise AssertionError(f"{name}: {value:.3g} operations per byte, {side} than the {ridge:.0f} of the bend")
    print(f"Right: these do fewer than {ridge:.0f} operations per byte.")


def check_whole_speedup(answer: Callable[[float, float], float]) -> None:
    """Exercise: how many times as fast a step becomes if a part of it does, as a function of (part, factor).

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of part and factor")
    for part, factor in ((0.0, 8.0), (1.0, 8.0), (0.5, 2.0), (0.8, 8.0), (0.3, 0.5)):
        expected = 1 / (1 - part + part / factor)
        got = answer(part, factor)
        if not math.isclose(got, expected, rel_tol=1e-6):
            raise AssertionError(
                f"{part:.0%} of the time {factor:g} times as fast: of 1 s, {1 - part:.2g} s stay and "
                f"{part:.2g} s become {part / factor:.2g} s, but the function returned {got:g}"
            )
    print("Right, also for a part that gets slower.")
