"""The checks of chapter 11 accept what is right and explain what is not."""

import itertools

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from amp_helpers.exercises import training_loop as checks

RIGHT = ["forward", "backward", "unscale", "clip", "step", "update", "zero_grad"]


@pytest.mark.parametrize("check", [checks.check_line_order, checks.check_waiting_lines, checks.check_mixed_step])
def test_unanswered(check, capsys):
    check(...)
    assert "answer" in capsys.readouterr().out


def accepted(order):
    try:
        checks.check_line_order(list(order))
    except AssertionError:
        return False
    return True


def test_line_order(capsys):
    # zero_grad has four places in the one order of the others: first, after forward, after step, last.
    assert accepted(RIGHT) and accepted(["zero_grad", *RIGHT[:-1]]) and accepted(tuple(RIGHT))
    assert capsys.readouterr().out.count("Right") == 3
    assert sum(map(accepted, itertools.permutations(RIGHT))) == 4


@pytest.mark.parametrize(
    ("order", "message"),
    [
        (["forward", "backward", "clip", "unscale", "step", "update", "zero_grad"], "'unscale' comes before 'clip'"),
        (["forward", "backward", "unscale", "step", "clip", "update", "zero_grad"], "'clip' comes before 'step'"),
        (["forward", "backward", "zero_grad", "unscale", "clip", "step", "update"], "throws the gradients away"),
        (RIGHT[:-1], "'zero_grad' occurs 0 times"),
        ([*RIGHT, "step"], "'step' occurs 2 times"),
        ([*RIGHT, "item"], "'item' is none of forward"),
    ],
)
def test_line_order_explains(order, message):
    with pytest.raises(AssertionError, match=message):
        checks.check_line_order(order)


def test_line_order_wants_a_list():
    with pytest.raises(TypeError, match="a list of names is expected, not 'forward'"):
        checks.check_line_order("forward")


class Reads(TorchDispatchMode):
    """Counts how often a value is read from a device."""

    count = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += "_local_scalar_dense" in str(func) or "is_nonzero" in str(func)
        return func(*args, **(kwargs or {}))


def waiting():
    """The lines that read a value, found by running them."""
    found = set()
    for number, line in checks.waiting_lines().items():
        scope = {"loss": torch.tensor(3.0), "losses": [], "total": torch.zeros(()), "best": 9.0}
        scope |= {"lower_the_rate": lambda: None, "print": lambda *_: None}
        with Reads() as reads:
            exec(line, scope)
        if reads.count:
            found.add(number)
    return found


def test_waiting_lines(capsys):
    right = waiting()
    assert right == {1, 4, 5, 7}
    checks.check_waiting_lines(right)
    assert "Right" in capsys.readouterr().out
    for number in checks.waiting_lines():
        message = f"{number} waits: " if number in right else f"{number} does not wait: "
        with pytest.raises(AssertionError, match=message):
            checks.check_waiting_lines(right ^ {number})
    with pytest.raises(AssertionError, match="8 is none of the numbers 1 to 7"):
        checks.check_waiting_lines({1, 8})
    for wrong in ("1457", 1, {"1"}):
        with pytest.raises(TypeError, match="a set of numbers is expected"):
            checks.check_waiting_lines(wrong)


def step(model, optimizer, scaler, images, labels, *, without=(), clip_first=False, dtype=torch.float16, norm=1.0):
    with torch.autocast("cpu", dtype, enabled=dtype is not None):
        loss = F.cross_entropy(model(images), labels)
    (loss if "scale" in without else scaler.scale(loss)).backward()
    if clip_first:
        torch.nn.utils.clip_grad_norm_(model.parameters(), norm)
    elif "clip" not in without:
        scaler.unscale_(optimizer)
        torch.nn.utils.clip_grad_norm_(model.parameters(), norm)
    scaler.step(optimizer)
    if "update" not in without:
        scaler.update()
    if "zero_grad" not in without:
        optimizer.zero_grad()


def test_mixed_step(capsys):
    checks.check_mixed_step(step)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clip_first": True}, "clip-before-unscale"),
        ({"without": ("update",)}, "missing-update"),
        ({"without": ("zero_grad",)}, "missing-zero-grad"),
        ({"without": ("scale",)}, "unscaled-backward"),
        ({"without": ("clip",)}, "is the norm of the gradients clipped to 1"),
        ({"norm": 2.0}, "is the norm of the gradients clipped to 1"),
        ({"dtype": None}, "forward passes in float16"),
    ],
)
def test_mixed_step_explains(options, message):
    with pytest.raises(AssertionError, match=message):
        checks.check_mixed_step(lambda *arguments: step(*arguments, **options))


def test_mixed_step_wants_a_function():
    with pytest.raises(TypeError, match="a function of model, optimizer, scaler, images and labels"):
        checks.check_mixed_step(3)
