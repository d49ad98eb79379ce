"""The checks of chapter 13 accept what is right and explain what is not."""

import pytest

from amp_helpers import exercises
from amp_helpers.models import GPTConfig
from amp_helpers.suites.gpt import flops_per_token

CHECKS = [exercises.check_token_flops, exercises.check_training_hours, exercises.check_padded_vocabulary]


@pytest.mark.parametrize("check", CHECKS)
def test_unanswered(check, capsys):
    check(...)
    assert "answer" in capsys.readouterr().out


@pytest.mark.parametrize("check", CHECKS)
def test_no_function(check):
    with pytest.raises(TypeError, match=r"a function of .* is expected, not 6"):
        check(6)


def test_token_flops(capsys):
    def suite(parameters, layers, width, context):
        return flops_per_token(parameters, GPTConfig(width=width, layers=layers, context=context))

    exercises.check_token_flops(suite)
    assert "Right" in capsys.readouterr().out
    with pytest.raises(AssertionError, match=r"6,000 for the parameters and 0 for .* returned 2000"):
        exercises.check_token_flops(lambda n, layers, width, context: 2 * n + 12 * layers * width * context)
    with pytest.raises(AssertionError, match="3,072 for the attention, but the function returned 0"):
        exercises.check_token_flops(lambda n, layers, width, context: 6 * n)


def test_training_hours(capsys):
    exercises.check_training_hours(lambda t, flops, peak, mfu: t * flops / peak / 1e12 / mfu / 3600)
    assert "Right" in capsys.readouterr().out
    for wrong, message in {
        (lambda t, flops, peak, mfu: t * flops / peak / 1e12 / mfu): "100% of 1 TFLOP/s: 3600 s, .* returned 3600",
        (lambda t, flops, peak, mfu: t * flops / peak / 1e12 / 3600): "at 25% of 2 TFLOP/s: 7200 s",
    }.items():
        with pytest.raises(AssertionError, match=message):
            exercises.check_training_hours(wrong)


def test_padded_vocabulary(capsys):
    exercises.check_padded_vocabulary(lambda vocabulary, multiple: vocabulary + -vocabulary % multiple)
    assert "Right" in capsys.readouterr().out
    for wrong, message in {
        (lambda v, m: v // m * m): r"50,257 is 81 beyond a multiple of 128, but the function returned 50176",
        (lambda v, m: (v // m + 1) * m): "50,304 is a multiple already of 128, but the function returned 50432",
        (lambda v, m: int(-(-v / m // 1)) * m): "9,007,199,254,740,993 is 1 beyond a multiple of 8",
    }.items():
        with pytest.raises(AssertionError, match=message):
            exercises.check_padded_vocabulary(wrong)
