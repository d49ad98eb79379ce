"""Chapter 12: when one measurement is faster than another, and when it is not."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable

from .answers import expect_function, unanswered

#: Name -> what was measured: (lower quartile, median, upper quartile) of the milliseconds of a step.
_RESULTS = {
    "A": {"32-true": (9.8, 10.0, 10.3), "bf16-mixed": (4.9, 5.0, 5.2)},
    "B": {"32-true": (8.0, 10.0, 15.0), "bf16-mixed": (7.5, 9.0, 14.0)},
    "C": {"32-true": (10.0, 10.1, 10.2), "bf16-mixed": (9.7, 9.8, 9.9)},
    "D": {"32-true": (9.0, 10.0, 11.0), "bf16-mixed": (12.0, 13.0, 14.0)},
    "E": {"32-true": (6.0, 12.0, 13.0), "bf16-mixed": (5.0, 5.5, 6.5)},
}


def doubtful_results() -> dict[str, dict[str, tuple[float, float, float]]]:
    """Five made-up measurements for `check_speedups`: name -> recipe -> quartiles and median of a step, in ms.

    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    return {name: dict(result) for name, result in _RESULTS.items()}


def check_speedups(answer: set[str]) -> None:
    """Exercise: which of `doubtful_results` show a speed-up.

    Raises: AssertionError naming the first that is missing or does not belong; TypeError if it is no set of names.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    if unanswered(answer):
        return
    if isinstance(answer, str) or not all(isinstance(name, str) for name in answer):
        raise TypeError(f"a set of names is expected, not {answer!r}")
    if unknown := set(answer) - set(_RESULTS):
        raise AssertionError(f"{sorted(unknown)[0]!r} is none of {', '.join(_RESULTS)}")
    for name, result in _RESULTS.items():
        (low, middle, high), (other_low, other_middle, other_high) = result.values()
        faster = other_high < low
        if (name in answer) == faster:
            continue
        ranges = f"{low:g} to {high:g} ms against {other_low:g} to {other_high:g} ms"
        if faster:
            raise AssertionError(f"{name} is a speed-up: {ranges} do not overlap")
        why = "it is slower" if other_middle > middle else "they overlap"
        raise AssertionError(f"{name} shows no speed-up: {ranges}, {why}")
    print("Right. A small speed-up can be certain, and a large one doubtful.")


def check_paired_ratio(answer: Callable[[list[float], list[float]], float]) -> None:
    """Exercise: how many times as fast, from the seconds of steps that took turns, as a function of (base, other).

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of base and other")
    for base, other, hint in (
        ([2.0, 2.0, 2.0], [1.0, 1.0, 1.0], "a step of 2 s against one of 1 s"),
        ([2.0, 2.0, 20.0, 20.0, 20.0], [1.0, 1.0, 10.0, 10.0, 10.0], "a slow spell that met both"),
        ([2.0, 2.0, 2.0, 2.0, 200.0], [1.0, 1.0, 1.0, 1.0, 1.0], "one slow step, which must not count for more"),
        ([1.0, 2.0, 3.0], [2.0, 1.0, 1.0], "three different pairs, of 0.5, 2 and 3"),
        ([1.0, 4.0, 6.0], [2.0, 1.0, 6.0], "three different pairs, of 0.5, 4 and 1"),
    ):
        expected = statistics.median(a / b for a, b in zip(base, other, strict=True))
        got = answer(list(base), list(other))
        if not math.isclose(got, expected, rel_tol=1e-6):
            raise AssertionError(f"{hint}: {base} and {other} give {expected:g}, but the function returned {got:g}")
    print("Right: the median of the ratios, pair by pair.")


def check_seed_interval(answer: Callable[[list[float], float], tuple[float, float]]) -> None:
    """Exercise: the confidence interval of a mean difference, as a function of (differences, t).

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function, or
        if it does not return two numbers.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of differences and t")
    for differences, t in (([1.0, 1.0, 1.0], 4.30), ([0.0, 2.0, 4.0, 2.0], 3.18), ([-0.3, 0.3, 0.0, 0.6, -0.6], 2.78)):
        mean = statistics.mean(differences)
        half = t * statistics.stdev(differences) / math.sqrt(len(differences))
        got = answer(list(differences), t)
        if not isinstance(got, (tuple, list)) or len(got) != 2:
            raise TypeError(f"two numbers are expected, the ends of the interval, not {got!r}")
        if not math.isclose(sum(got) / 2, mean, rel_tol=1e-6, abs_tol=1e-9):
            raise AssertionError(f"{differences}: the middle is the mean, {mean:g}, not {sum(got) / 2:g}")
        if not math.isclose((got[1] - got[0]) / 2, half, rel_tol=1e-6, abs_tol=1e-9):
            ratio = (got[1] - got[0]) / 2 / half if half else math.inf
            raise AssertionError(
                f"{differences} with t = {t:g}: it reaches {half:.3g} to either side, not {(got[1] - got[0]) / 2:.3g}"
                f"{_hint(ratio, len(differences))}"
            )
    print("Right, for three, four and five seeds.")


def _hint(ratio: float, n: int) -> str:
    hints = {
        math.sqrt(n): "the standard deviation of a mean is smaller than that of one value",
        math.sqrt((n - 1) / n): "a sample's standard deviation divides by n - 1",
        -1.0: "the lower end comes first",
    }
    for wrong, text in hints.items():
        if math.isclose(ratio, wrong, rel_tol=1e-6):
            return f" ({text})"
    return ""
