"""The checks of chapter 05 accept the right answer, and explain the first mismatch of a wrong one."""

import itertools

import pytest

from amp_helpers.exercises import memory as exercises
from amp_helpers.memory import predict_memory

CHECKS = [exercises.check_bytes_per_weight, exercises.check_break_even, exercises.check_largest_batch]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match=r"a function of .* not 5"):
        check(5)


def bytes_per_weight(recipe, optimizer):
    width = 2 if recipe == "bf16-true" else 4
    return (2 + ["sgd", "sgd-momentum", "adamw"].index(optimizer)) * width + 2 * (recipe == "bf16-mixed")


def test_bytes_per_weight(capsys):
    exercises.check_bytes_per_weight(bytes_per_weight)
    out = capsys.readouterr().out
    assert "bf16-mixed, adamw: 18 bytes (parameters 4, gradients 4, optimizer 8, casts 2)" in out
    assert "Right for all nine" in out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda r, o: bytes_per_weight("32-true", o), r"bf16-mixed, sgd: .* 8 bytes; .* What adds 2 is: casts$"),
        (
            lambda r, o: bytes_per_weight(r, "sgd"),
            r"32-true, sgd-momentum: .* What adds 4 is: parameters, gradients, optimizer$",
        ),
        (lambda r, o: 16, r"32-true, sgd: .* 16 bytes; in which dtype"),
        (lambda r, o: None, "does not cost None bytes"),
    ],
)
def test_wrong_bytes_per_weight(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_bytes_per_weight(answer)


def break_even(widths):
    parameters = sum((before + 1) * after for before, after in itertools.pairwise(widths))
    gain = sum(widths[1:-1]) - widths[0]
    return -(-parameters // gain) if gain > 0 else None


def test_break_even(capsys):
    exercises.check_break_even(break_even)
    out = capsys.readouterr().out
    assert "MLP of [1024, 4096, 1024]: from batch 2733 on" in out and "MLP of [784, 256, 10]: never" in out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda w: break_even(w) and break_even(w) - 1, r"at batch 2732 bf16-mixed still needs 2,048 bytes more"),
        (lambda w: break_even(w) and break_even(w) + 1, "batch 2733 breaks even already, 2734 is not the smallest"),
        (lambda w: break_even(w) or 10**6, r"\[784, 256, 10\]: no batch breaks even, .* 1000000: there it needs"),
        (lambda w: break_even(w) or 0, "no batch breaks even, but the function returned 0$"),
        (lambda w: float(break_even(w)), r"a positive Python int, got 2733\.0"),
        (lambda w: None, "got None"),
    ],
)
def test_wrong_break_even(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_break_even(answer)


def largest_batch(model, example, recipe, budget):
    def fits(n):
        return predict_memory(model, example(n), recipe=recipe).total <= budget

    high = 1
    while fits(high):
        high *= 2
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if fits(middle) else (low, middle)
    return low


def test_largest_batch(capsys):
    exercises.check_largest_batch(largest_batch)
    out = capsys.readouterr().out
    assert "the MLP in 100 kB: 0" in out and "Right in every case" in out


def asks_too_often(model, example, recipe, budget):
    for n in range(1, 43):
        example(n)
    return 676


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda *a: largest_batch(*a) + 1, r"an MLP in 1 MB: a batch of \d+ needs 1,0\d\d,\d+ bytes, and only 1,000,0"),
        (lambda *a: largest_batch(*a) - 1, r"a batch of \d+ fits too, with [\d,]+ of 1,000,000 bytes"),
        (lambda *a: -1, "not negative, got -1"),
        (lambda m, e, r, b: b / 4, "a Python int"),
        (asks_too_often, "an MLP in 1 MB: 42 inputs were made; do with 40"),
        (lambda m, e, r, b: largest_batch(m, e, "32-true", b), r"the MLP in bf16-mixed: a batch of"),
    ],
)
def test_wrong_largest_batch(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_largest_batch(answer)
