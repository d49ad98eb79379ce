"""The checks of chapter 12 accept what is right and explain what is not."""

import math
import statistics

import pytest

from amp_helpers.exercises import precision_benchmark as checks

CHECKS = [checks.check_speedups, checks.check_paired_ratio, checks.check_seed_interval]


@pytest.mark.parametrize("check", CHECKS)
def test_unanswered(check, capsys):
    check(...)
    assert "answer" in capsys.readouterr().out


def test_speedups(capsys):
    right = {
        name for name, (base, other) in ((n, r.values()) for n, r in checks.doubtful_results().items())
        if other[2] < base[0]
    }  # fmt: skip
    assert right == {"A", "C"}
    checks.check_speedups(right)
    checks.check_speedups(sorted(right))
    assert capsys.readouterr().out.count("Right") == 2
    for name, message in {
        "A": "A is a speed-up: 9.8 to 10.3 ms against 4.9 to 5.2 ms do not overlap",
        "B": "B shows no speed-up: .* they overlap",
        "C": "C is a speed-up",
        "D": "D shows no speed-up: .* it is slower",
        "E": "E shows no speed-up: 6 to 13 ms against 5 to 6.5 ms, they overlap",
    }.items():
        with pytest.raises(AssertionError, match=message):
            checks.check_speedups(right ^ {name})
    with pytest.raises(AssertionError, match="'F' is none of A, B, C, D, E"):
        checks.check_speedups({"A", "F"})
    with pytest.raises(TypeError, match="a set of names is expected, not 'AC'"):
        checks.check_speedups("AC")


def test_results_cannot_be_spoiled():
    checks.doubtful_results()["A"].clear()
    assert len(checks.doubtful_results()["A"]) == 2


def test_paired_ratio(capsys):
    checks.check_paired_ratio(lambda base, other: statistics.median(a / b for a, b in zip(base, other, strict=True)))
    assert "Right" in capsys.readouterr().out
    for wrong, message in {
        lambda base, other: sum(base) / sum(other): "one slow step",
        lambda base, other: statistics.median(other) / statistics.median(base): "2 s against one of 1 s",
        lambda base, other: statistics.mean(a / b for a, b in zip(base, other, strict=True)): "one slow step",
        lambda base, other: statistics.median(base) / statistics.median(other): "of 0.5, 4 and 1",
        lambda base, other: min(base) / min(other): "three different pairs",
    }.items():
        with pytest.raises(AssertionError, match=message):
            checks.check_paired_ratio(wrong)
    with pytest.raises(TypeError, match="a function of base and other is expected, not 2"):
        checks.check_paired_ratio(2)


def interval(values, t, spread=statistics.stdev, n=None):
    half = t * spread(values) / math.sqrt(n or len(values))
    return statistics.mean(values) - half, statistics.mean(values) + half


def test_seed_interval(capsys):
    checks.check_seed_interval(interval)
    checks.check_seed_interval(lambda values, t: list(interval(values, t)))
    assert capsys.readouterr().out.count("Right") == 2
    for wrong, message in {
        lambda values, t: interval(values, t, n=1): "smaller than that of one value",
        lambda values, t: interval(values, t, spread=statistics.pstdev): "divides by n - 1",
        lambda values, t: interval(values, t)[::-1]: "the lower end comes first",
        lambda values, t: interval(values, 2.0): r"with t = 3.18: it reaches 2.6 to either side, not 1.63$",
        lambda values, t: (0.0, 0.0): "the middle is the mean, 1, not 0",
    }.items():
        with pytest.raises(AssertionError, match=message):
            checks.check_seed_interval(wrong)
    with pytest.raises(TypeError, match=r"two numbers are expected, the ends of the interval, not 1\.0"):
        checks.check_seed_interval(lambda values, t: statistics.mean(values))
    with pytest.raises(TypeError, match="a function of differences and t is expected, not None"):
        checks.check_seed_interval(None)
