"""The checks of chapter 09 accept the right answer, and explain the first mismatch of a wrong one."""

import math

import pytest

from amp_helpers.exercises import gradscaler_from_scratch as exercises

CHECKS = [exercises.check_skipped_at_start, exercises.check_steps_to_cliff, exercises.check_skipped_share]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match=r"a function of .* not 5"):
        check(5)


def skipped_at_start(init_scale, largest_scale, backoff_factor):
    return max(0, math.ceil(math.log(largest_scale / init_scale, backoff_factor) - 1e-9))


def test_skipped_at_start(capsys):
    exercises.check_skipped_at_start(skipped_at_start)
    out = capsys.readouterr().out
    assert "from 2^24, good up to 2^18, backoff 0.5: 6\n" in out and "Right" in out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda i, m, b: 0, "first good scale is 2.18, after 6 skipped steps, but the function returned 0"),
        (lambda i, m, b: 6, r"from 2\^32, .* after 14 skipped"),
        (lambda i, m, b: round(math.log(m / i, b)), r"from 2\^16, good up to 2\^18.* after 0 .* returned -2"),
        (lambda i, m, b: skipped_at_start(i, m * 0.99, b), "after 6 skipped steps, but the function returned 7"),
        (lambda i, m, b: max(0, math.floor(math.log(m / i, b))), "good up to 50000, .* after 1 skipped .* returned 0"),
        (lambda i, m, b: skipped_at_start(i, m, 0.5), "backoff 0.25: .* after 7 .* returned 14"),
        (lambda i, m, b: float(skipped_at_start(i, m, b)), "returned 6.0"),
        (lambda i, m, b: None, "returned None"),
    ],
)
def test_wrong_skipped_at_start(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_skipped_at_start(answer)


def steps_to_cliff(init_scale, backoff_factor):
    return math.ceil((128 + math.log2(init_scale)) / -math.log2(backoff_factor))


def test_steps_to_cliff(capsys):
    exercises.check_steps_to_cliff(steps_to_cliff)
    assert "from 2^16 with backoff 0.5: 144 bad steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda i, b: 143, "after 143 bad steps the scale is 5.88e-39, and 1/scale is still finite"),
        (lambda i, b: 166, "166 bad steps are too many"),
        (lambda i, b: 144, r"from 2\^24 .* after 144"),
        (lambda i, b: steps_to_cliff(i, 0.5), "backoff 0.25: 144 bad steps are too many"),
        (lambda i, b: -1, "after -1 bad steps"),
        (lambda i, b: 144.0, "whole number of steps, got 144.0"),
        (lambda i, b: True, "whole number of steps, got True"),
    ],
)
def test_wrong_steps_to_cliff(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_steps_to_cliff(answer)


def skipped_share(growth_interval, backoff_factor):
    return 1 / (1 - math.log2(backoff_factor) * growth_interval)


def test_skipped_share(capsys):
    exercises.check_skipped_share(skipped_share)
    assert "interval 5, backoff 0.5: 16.67%\n" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda n, b: 1 / n, "interval 2000, backoff 0.5: in a round of 2001 steps 1 is skipped, .* returned 0.0005"),
        (lambda n, b: 1 / (n + 1), "interval 20, backoff 0.25: in a round of 41 steps"),
        (lambda n, b: 1 / (n + 1) if b == 0.5 else 1 / (2 * n + 1), "backoff 0.125: in a round of 22 steps"),
        (lambda n, b: None, "returned None"),
    ],
)
def test_wrong_skipped_share(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_skipped_share(answer)
