"""The claims on loss scaling, float16 models and accuracy: their shared loop, and that each verdict hangs on a fact."""

import dataclasses
import functools
import math

import pytest
import torch

from amp_helpers.claims import accuracy, half, scaled_gradients, scaled_runs, scaler_methods, scaling, small_training
from amp_helpers.claims.digit_training import digit_batches, digit_model, digit_scores
from amp_helpers.claims.small_training import loss_of, lost_share, problem, train, weights

EVIDENCE = scaling.EVIDENCE | half.EVIDENCE | accuracy.EVIDENCE
HALF = torch.float16


@pytest.fixture(autouse=True)
def same_numbers():
    """As the runner of the claims does."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        yield


def test_training_leaves_the_given_model_alone_and_learns():
    model, inputs, labels = problem()
    before = weights(model)
    run = train(model, [(inputs, labels)] * 30)
    assert torch.equal(weights(model), before) and not torch.equal(weights(run.model), before)
    assert run.finite and len(run.losses) == 30 and run.skipped == 0 and run.losses[-1] < run.losses[0]
    assert run.losses[0] == loss_of(model, inputs, labels).item()


def test_a_shrunken_loss_is_the_same_training_in_float32():
    model, inputs, labels = problem()
    plain, shrunken = (train(model, [(inputs, labels)] * 30, shrink=shrink) for shrink in (1.0, 2.0**-20))
    assert torch.equal(weights(plain.model), weights(shrunken.model))


def test_skipped_steps_and_losses_that_are_not_numbers_are_counted():
    model, inputs, labels = problem()
    run = train(model, [(inputs * scaled_runs.HUGE, labels)] * 4, dtype=HALF, scale=2.0**16)
    assert run.skipped == 4 and not run.finite and torch.equal(weights(run.model), weights(model))
    assert train(model, [(inputs, labels)] * 4, dtype=HALF, scale=2.0**24).skipped > 0


def test_lost_share_counts_only_what_was_there():
    assert lost_share(torch.tensor([0.0, 0.0, 1.0, 2.0, 0.0]), torch.tensor([0.0, 1.0, 1.0, 1.0, 1.0])) == 0.5


def test_digits_are_tested_in_the_dtype_asked_for():
    model, batches = digit_model(), digit_batches(60)
    assert [tuple(part.shape) for part in batches[0]] == [(64, 64), (64,)] and len(batches) == 60
    assert digit_batches(1, dtype=HALF)[0][0].dtype == HALF
    before, after = digit_scores(model), digit_scores(train(model, batches, lr=0.2).model)
    assert after[0] < before[0] and after[1] > before[1]
    assert digit_scores(model, torch.bfloat16)[0] != before[0]


def test_the_bound_is_above_every_cost():
    assert accuracy.bound([0.0, -0.004]) == 1
    assert accuracy.bound([0.004, -0.021]) == 3


@pytest.mark.parametrize(
    "cost_of_loss, cost_of_accuracy, verdict",
    [(0.0, 0.0, "false"), (0.04, 0.0, "true with limits"), (0.04, 0.02, "true"), (-0.04, -0.02, "false")],
)
def test_accuracy_is_judged_by_what_was_measured(monkeypatch, cost_of_loss, cost_of_accuracy, verdict):
    def low(dtype):
        return dtype is not None

    monkeypatch.setattr(accuracy, "gpt_loss", lambda seed, dtype, scale: 3.0 * (1 + cost_of_loss * low(dtype)))
    monkeypatch.setattr(accuracy, "digit_accuracy", lambda seed, dtype, scale: 0.9 - cost_of_accuracy * low(dtype))
    assert EVIDENCE["90"]().verdict == (verdict,)


class Resetting(torch.amp.GradScaler):
    """What claim 78 takes `update` for."""

    def update(self, new_scale=None):
        super().update(new_scale)
        super().update(4.0)


class Flushing(torch.amp.GradScaler):
    """What claim 85 takes `update` for."""

    def step(self, optimizer, *args, **kwargs):
        super().step(optimizer, *args, **kwargs)
        for parameter in optimizer.param_groups[0]["params"]:
            parameter.grad.zero_()


def always(scale, of=small_training.scaler):
    """A scaler that starts at this scale, whatever is asked for; None is one that does nothing."""
    return lambda asked=1.0, **options: of(scale, **options) if asked is not None else of(None)


def smaller(model, inputs, labels, dtype=None):
    """A loss whose gradients are smaller under autocast."""
    return loss_of(model, inputs, labels, dtype) * (0.5 if dtype else 1.0)


def amplified(model, inputs, labels, dtype=None):
    """A loss whose gradients are larger in float16."""
    return loss_of(model, inputs, labels, dtype) * (2.0 if dtype == HALF else 1.0)


def without_success(*args, **options):
    """A training whose loss does not fall."""
    return dataclasses.replace(train(*args, **options), losses=(1.0, 1.0))


def narrow_linear(*sizes, dtype, linear=torch.nn.Linear, **options):
    """A layer that stores float16 where float32 was asked for."""
    return linear(*sizes, dtype=HALF if dtype == torch.float32 else dtype, **options)


#: Claim -> what would have to be otherwise (owner, name, value), and the verdict that would follow.
OTHERWISE = [
    ("9", scaled_runs, "HUGE", 1.0, "true"),
    ("18", scaler_methods, "scaler", always(1.0), "false"),
    ("19", scaled_runs, "HUGE", 1.0, "true with limits"),
    ("22", scaled_gradients, "loss_of", smaller, "true"),
    ("31", scaled_gradients, "TINY", 1e-2, "true with limits"),
    ("32", small_training, "scaler", always(3.0), "true with limits"),
    ("33", scaler_methods, "scaler", always(1.0), "false"),
    ("45", scaled_gradients, "_through_float16", lambda gradient, scale: gradient, "true"),
    ("78", scaler_methods, "scaler", lambda *a, **k: Resetting("cpu", *a, **k), "true"),
    ("79", torch.nn, "Linear", narrow_linear, "false"),
    ("83", scaled_runs, "loss_of", amplified, "true with limits"),
    ("85", scaled_gradients, "scaler", lambda *a, **k: Flushing("cpu", *a, **k), "true with limits"),
    ("88", scaled_runs, "HUGE", 1.0, "true with limits"),
    ("92", scaled_runs, "HUGE", 1.0, "true"),
    ("94", torch.optim, "Adam", functools.partial(torch.optim.Adam, eps=1e-4), "true with limits"),
    ("M3", scaled_gradients, "TINY", 1e-38, "true"),
    ("M4", scaler_methods, "scaler", always(None), "true"),
    ("M5", scaler_methods, "scaler", always(None), "true"),
    ("M6", scaler_methods, "scaler", always(1.0), "true"),
    ("80", torch.optim, "Adam", functools.partial(torch.optim.Adam, eps=1e-4), "true"),
    ("81", half, "train", without_success, "true"),
    ("86", half, "HALF", torch.bfloat16, "true"),
    ("87", half, "loss_of", lambda *a: loss_of(*a) * math.nan, "true"),
    ("M12", half, "second_moments", lambda optimizer: torch.ones(64 * 256 + 256 + 2560 + 10), "true with limits"),
]


@pytest.mark.parametrize("claim, owner, name, value, verdict", OTHERWISE, ids=[case[0] for case in OTHERWISE])
def test_another_fact_leads_to_another_verdict(monkeypatch, claim, owner, name, value, verdict):
    before = EVIDENCE[claim]()
    torch.manual_seed(0)
    monkeypatch.setattr(owner, name, value)
    after = EVIDENCE[claim]()
    assert after.verdict != before.verdict
    assert after.seen != before.seen and after.verdict == (verdict,), after.seen


def test_second_moments_are_adams():
    model, inputs, labels = problem()
    run = train(model, [(inputs, labels)], kind=torch.optim.Adam, lr=1e-3)
    loss_of(model, inputs, labels).backward()
    expected = 0.001 * small_training.gradients(model) ** 2
    assert torch.allclose(half.second_moments(run.optimizer), expected, rtol=1e-4, atol=0)
