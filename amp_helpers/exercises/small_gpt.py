"""Chapter 13: how much work a GPT is, and how long it takes."""

from __future__ import annotations

import math
from collections.abc import Callable

from .answers import expect_function, unanswered


def check_token_flops(answer: Callable[[int, int, int, int], float]) -> None:
    """Exercise: operations of training on one token, as a function of (parameters, layers, width, context).

    Raises: AssertionError naming the first sizes for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/13_small_gpt.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of parameters, layers, width and context")
    for sizes in ((1000, 0, 8, 16), (0, 2, 8, 16), (124_475_904, 12, 768, 1024)):
        parameters, layers, width, context = sizes
        attention = 12 * layers * width * context
        _compare(
            answer(*sizes),
            6 * parameters + attention,
            f"{parameters:,} parameters, {layers} layers of width {width}, context {context}: {6 * parameters:,} for"
            f" the parameters and {attention:,} for the attention",
        )
    print("Right, also for GPT-2.")


def check_training_hours(answer: Callable[[float, float, float, float], float]) -> None:
    """Exercise: hours of a training run, as a function of (tokens, flops, peak_tflops, mfu).

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/13_small_gpt.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of tokens, flops, peak_tflops and mfu")
    for tokens, flops, peak, mfu in ((3600, 1e12, 1.0, 1.0), (3600, 1e12, 2.0, 0.25), (1e10, 8.6e8, 989.0, 0.4)):
        seconds = tokens * flops / (peak * 1e12 * mfu)
        _compare(
            answer(tokens, flops, peak, mfu),
            seconds / 3600,
            f"{tokens:g} tokens of {flops:g} operations, at {mfu:.0%} of {peak:g} TFLOP/s: {seconds:g} s",
        )
    print("Right for every run.")


def check_padded_vocabulary(answer: Callable[[int, int], int]) -> None:
    """Exercise: the next multiple, as a function of (vocabulary, multiple).

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/13_small_gpt.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of vocabulary and multiple")
    for vocabulary, multiple in ((50257, 128), (50304, 128), (96, 64), (1, 8), (2**53 + 1, 8)):
        rest = vocabulary % multiple
        why = f"{rest} beyond a multiple" if rest else "a multiple already"
        expected = vocabulary + (multiple - rest if rest else 0)
        got = answer(vocabulary, multiple)
        if got != expected:
            raise AssertionError(f"{vocabulary:,} is {why} of {multiple}, but the function returned {got!r}")
    print("Right, also where nothing has to be added.")


def _compare(got, expected: float, what: str) -> None:
    if not math.isclose(got, expected, rel_tol=1e-9):
        raise AssertionError(f"{what}, but the function returned {got:g}")
