"""The checks of chapter 08 accept the right answer, and explain the first mismatch of a wrong one."""

import math

import pytest
import torch

from amp_helpers.exercises import gradient_underflow as exercises
from amp_helpers.gradients import collect

CHECKS = [exercises.check_share_lost, exercises.check_uneven_model, exercises.check_scaled_backward]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_another_type_is_refused(check):
    with pytest.raises(TypeError, match=r"expected.* not 5"):
        check(5)


def share_lost(gradient, scale):
    nonzero = gradient[gradient != 0]
    return ((nonzero * scale).to(torch.float16) == 0).sum().item() / max(nonzero.numel(), 1)


@pytest.mark.parametrize("answer", [share_lost, lambda g, s: torch.tensor(share_lost(g, s))])
def test_share_lost(answer, capsys):
    exercises.check_share_lost(answer)
    assert "Right for 10 gradients" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda g, s: 0.0, "two elements, 1 and 1e-9: a share of 0.5 becomes zero, but the function returned 0.0"),
        (
            lambda g, s: ((g * s).half() == 0).double().mean(),
            "two zeros, 1 and 1e-9: a share of 0.5 becomes zero, .* 0.75",
        ),
        (
            lambda g, s: 1.0 * (g.abs() * s < 2**-24).sum().item() / max(1, (g != 0).sum().item()),
            "two zeros, 1 and 1e-9",
        ),
        (lambda g, s: share_lost(g, 1.0), "the same at scale 2\\^8"),
        (lambda g, s: share_lost(g, 1 / s), "the same at scale 2\\^8"),
        (lambda g, s: ((g != 0) & (g.abs() * s < 2**-24)).sum().item() / max(1, (g != 0).sum().item()), "just above"),
        (lambda g, s: ((g != 0) & (g * s < 2**-25)).sum().item() / max(1, (g != 0).sum().item()), "a tie"),
        (lambda g, s: share_lost(g, s) if g.any() else math.nan, "zeros alone: a share of 0 becomes zero, .* nan"),
        (lambda g, s: None, "returned None"),
    ],
)
def test_wrong_share_lost(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_share_lost(answer)


def test_uneven_model_leaves_the_random_state_alone():
    before = torch.get_rng_state()
    model, loss = exercises.uneven_model()
    first = collect(model, loss)
    assert torch.equal(torch.get_rng_state(), before)
    assert collect(*exercises.uneven_model()).groups == first.groups


def test_every_scale_of_the_range_is_right_and_no_other(capsys):
    report = collect(*exercises.uneven_model())
    low = report["penalty.weight"].smallest_scale("float16")
    high = report.largest_safe_scale("float16")
    assert 1 < low < high
    for scale in (low, high):
        exercises.check_uneven_model(("penalty.weight", scale))
    assert capsys.readouterr().out.count("Right") == 2
    with pytest.raises(AssertionError, match=r"of penalty\.weight still becomes zero"):
        exercises.check_uneven_model(("penalty.weight", low / 2))
    with pytest.raises(AssertionError, match=r"elements of body\.weight become infinite"):
        exercises.check_uneven_model(("penalty.weight", 2 * high))


@pytest.mark.parametrize(
    "answer, message",
    [
        (("penalty", 2**16), "no parameter 'penalty'; it has body.weight, classes.weight, penalty.weight"),
        (("body.weight", 2**16), "without a scale body.weight loses 0% of its gradient"),
        (("penalty.weight", 65535), "65535 is not a power of two"),
        (("penalty.weight", -65536.0), "is not a power of two"),
        (("penalty.weight", math.inf), "inf is not a power of two"),
        (("penalty.weight", 1), "100.0% of penalty.weight still becomes zero"),
    ],
)
def test_wrong_uneven_model(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_uneven_model(answer)


@pytest.mark.parametrize("answer", [("penalty.weight", "2^16"), ("penalty.weight", True), ("penalty.weight",), (1, 2)])
def test_uneven_model_expects_a_name_and_a_number(answer):
    with pytest.raises(TypeError, match=r"a name and a scale are expected|the scale must be a number"):
        exercises.check_uneven_model(answer)


def unscale(model, scale):
    for parameter in model.parameters():
        if parameter.grad is not None:
            parameter.grad /= scale


def scaled_backward(model, loss, scale):
    (loss * scale).backward()
    unscale(model, scale)


def with_a_scaler(model, loss, scale):
    scaler = torch.amp.GradScaler("cpu", init_scale=scale)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)


@pytest.mark.parametrize("answer", [scaled_backward, with_a_scaler])
def test_scaled_backward(answer, capsys):
    exercises.check_scaled_backward(answer)
    assert "Right" in capsys.readouterr().out


def twice(model, loss, scale):
    scaled_backward(model, loss, scale)
    unscale(model, scale)


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda m, loss, s: loss.backward(), r"first\.weight: its largest element is 0, .* 64 of 64 elements are zero"),
        (lambda m, loss, s: (loss * s).backward(), r"first\.weight: its gradient is still multiplied by 1\.0"),
        (lambda m, loss, s: (loss * s / s).backward(), "elements are zero"),
        (lambda m, loss, s: None, r"first\.weight has no gradient"),
        (twice, r"first\.weight: its largest element is"),
    ],
)
def test_wrong_scaled_backward(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_scaled_backward(answer)
