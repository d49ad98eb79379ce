"""The checks of chapter 21 accept the right answer, and explain the first mismatch of a wrong one."""

import pytest

from amp_helpers.exercises import missing_zero_grad as exercises

CHECKS = [exercises.check_used_gradient, exercises.check_dead_updates, exercises.check_mended_step]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match=r"a function of .* not 5"):
        check(5)


def used_gradient(gradients, scale):
    held = 0.0
    for gradient in gradients:
        held = (held + scale * gradient) / scale
    return held


def test_used_gradient(capsys):
    exercises.check_used_gradient(used_gradient)
    out = capsys.readouterr().out
    assert "gradients [3.0, 5.0] at a scale of 16: 5.1875\n" in out and "Right" in out


def test_the_oracle_is_torch():
    import torch

    for gradients, scale in (([3.0, 5.0, -2.0], 16.0), ([1.0, 0.5], 2.0)):
        weight = torch.nn.Parameter(torch.zeros(()))
        optimizer = torch.optim.SGD([weight], lr=1.0)
        scaler = torch.amp.GradScaler("cpu", init_scale=scale)
        for gradient in gradients:
            scaler.scale(gradient * weight).backward()
            scaler.step(optimizer)
            scaler.update()
        assert weight.grad.item() == exercises._used(gradients, scale)


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda g, s: g[-1], r"uses 5.1875, but the function returned 5.0: that is the last gradient alone"),
        (lambda g, s: sum(g), r"returned 8.0: that is their sum, but each unscale_ divides"),
        (lambda g, s: sum(v / s for v in g[:-1]) + g[-1], r"\[1.0, 1.0, 1.0\] at a scale of 2: .* uses 1.75, .* 2.0$"),
        (lambda g, s: used_gradient(g, s) / s, r"uses 5.1875, but the function returned 0.32"),
        (lambda g, s: None, "returned None: expected a number"),
    ],
)
def test_wrong_used_gradient(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_used_gradient(answer)


def test_dead_updates(capsys):
    exercises.check_dead_updates(lambda n: n + 150)
    out = capsys.readouterr().out
    assert "from 2^24: 174 updates\n" in out and "Right" in out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda n: n + 149, r"from 2\^24: after 173 updates the scale is 2\^-149, which float32 still holds"),
        (lambda n: n + 127, r"after 151 updates the scale is 2\^-127"),
        (lambda n: n + 151, r"from 2\^24: the scale is 0 before, it takes fewer than 175 updates"),
        (lambda n: 174, r"from 2\^16: the scale is 0 before"),
        (lambda n: -5, r"after -5 updates the scale is 2\^24"),
        (lambda n: n + 150.0, "expected a whole number of updates, got 174.0"),
    ],
)
def test_wrong_dead_updates(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_dead_updates(answer)


def step(before=True, between=False, scale=True, unscaled=False, update=True, after=True, move=True, update_each=False):
    """A function for the exercise, with its lines switched on and off."""

    def train_step(model, optimizer, scaler, micro_batches, loss_of):
        if before:
            optimizer.zero_grad()
        for micro_batch in micro_batches:
            if between:
                optimizer.zero_grad()
            loss = loss_of(model, micro_batch)
            (scaler.scale(loss) if scale else loss).backward()
            if update_each:
                scaler.step(optimizer)
                scaler.update()
        if unscaled:
            optimizer.step()
        elif move and not update_each:
            scaler.step(optimizer)
        if update and not update_each:
            scaler.update()
        if after:
            optimizer.zero_grad()

    return train_step


@pytest.mark.parametrize("options", [{}, {"before": False}])
def test_mended_step(options, capsys):
    exercises.check_mended_step(step(**options))
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    "options, message",
    [
        ({"before": False, "after": False}, "call 1: gradients are left in .grad"),
        ({"after": False}, "call 1: gradients are left in .grad for the next call"),
        ({"between": True}, "call 1: only the last micro-batch counted"),
        ({"scale": False}, "call 1: torch raised: Attempted step but _scale is None"),
        ({"unscaled": True, "update": False}, "call 1: gradients were multiplied by the scale but never divided"),
        ({"update": False}, r"call 2: torch raised: step\(\) has already been called"),
        ({"move": False, "update": False}, "call 1: the weights did not move$"),
        ({"update_each": True}, "call 1: the weights did not move by the learning rate times the sum"),
    ],
)
def test_wrong_mended_step(options, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_mended_step(step(**options))


def test_a_plain_step_without_the_scaler():
    def plain(model, optimizer, scaler, micro_batches, loss_of):
        for micro_batch in micro_batches:
            loss_of(model, micro_batch).backward()
        optimizer.step()
        optimizer.zero_grad()

    with pytest.raises(AssertionError, match=r"call scaler.update\(\) once in each call"):
        exercises.check_mended_step(plain)


def test_what_was_left_behind_is_named():
    """Gradients cleared from the model's view but kept for the second call."""
    kept = {}

    def hoarder(model, optimizer, scaler, micro_batches, loss_of):
        if kept:
            model.weight.grad = kept["grad"]
        step(before=False, after=False)(model, optimizer, scaler, micro_batches, loss_of)
        kept["grad"] = model.weight.grad.clone()
        optimizer.zero_grad()

    with pytest.raises(AssertionError, match=r"call 2: what the call before left in .grad was added"):
        exercises.check_mended_step(hoarder)
