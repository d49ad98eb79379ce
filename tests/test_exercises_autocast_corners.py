"""The checks of chapter 07 accept the right answer, and explain the first mismatch of a wrong one."""

from contextlib import nullcontext
from functools import partial

import pytest
import torch
import torch.nn.functional as F
from torch.amp import custom_bwd, custom_fwd

from amp_helpers.exercises import autocast_corners as exercises

region = partial(torch.autocast, "cpu", torch.bfloat16)
CHECKS = [exercises.check_training_loop, exercises.check_weighted_loss, exercises.check_product_function]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
def test_functions_are_expected(check):
    with pytest.raises(TypeError, match=r"is expected, not 5"):
        check(5)


def loop(around=nullcontext, forward=True, backward=False, zero=True, dtype=torch.bfloat16):
    """The right loop, or one with the faults that are asked for."""

    def run(model, optimizer, x, y, num_steps):
        losses = []
        with around():
            for _ in range(num_steps):
                with torch.autocast("cpu", dtype, enabled=forward):
                    loss = F.mse_loss(model(x), y)
                    if backward:
                        loss.backward()
                if not backward:
                    loss.backward()
                optimizer.step()
                if zero:
                    optimizer.zero_grad()
                losses.append(loss.item())
        return losses

    return run


def test_training_loop(capsys):
    exercises.check_training_loop(loop())
    assert "Right: 6 steps" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (loop(region), "the loss is .* in every step: the layer still reads"),
        (loop(lambda: region(enabled=False)), "the loss is .* in every step: the layer still reads"),
        (loop(forward=False), "the model returned float32"),
        (loop(dtype=torch.float16), "the model returned float16"),
        (loop(backward=True), "backward ran inside the region"),
        (loop(zero=False), "step 3: the loss is"),
        (lambda *a: loop()(*a)[:-1], "expected 6 losses of 6 steps, got 5 losses after 6"),
        (lambda *a: None, "expected a list of 6 losses, got None"),
    ],
)
def test_wrong_training_loop(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_training_loop(answer)


def weighted(output, target, weight):
    output, target, weight = output.float(), target.float(), weight.float()
    return (weight * (output - target).square()).sum() / weight.sum()


def test_weighted_loss(capsys):
    exercises.check_weighted_loss(weighted)
    assert "Right for all 6 cases" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (lambda o, t, w: (w * (o - t).square()).sum() / w.sum(), "errors of 1: the loss is torch.float16"),
        (lambda o, t, w: ((w * (o - t).square()).sum() / w.sum()).float(), "errors of 400: .* returned inf"),
        (lambda o, t, w: weighted(o - t, o * 0, w), "60,000: .* returned inf"),
        (lambda o, t, w: F.mse_loss(o, t), "different weights"),
        (lambda o, t, w: weighted(o, t, w).double(), "float64, where float32 is wanted"),
        (lambda o, t, w: 1.0, "expected one number in a tensor, got 1.0"),
        (lambda o, t, w: weighted(o, t, w) * w, "expected one number"),
    ],
)
def test_wrong_weighted_loss(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_weighted_loss(answer)


def product(fwd=lambda f: f, bwd=lambda f: f, swap=False):
    class Product(torch.autograd.Function):
        @staticmethod
        @fwd
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a.mm(b)

        @staticmethod
        @bwd
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            grads = grad.mm(b.t()), a.t().mm(grad)
            return grads[::-1] if swap else grads

    return Product


CPU = custom_fwd(device_type="cpu"), custom_bwd(device_type="cpu")


def test_product_function(capsys):
    exercises.check_product_function(product(*CPU))
    assert "in a float16 region: forward and backward in float16" in capsys.readouterr().out


@pytest.mark.parametrize(
    "answer, message",
    [
        (product(), "in a bfloat16 region: backward failed with"),
        (
            product(custom_fwd(device_type="cuda"), custom_bwd(device_type="cuda")),
            "in a bfloat16 region: backward fail",
        ),
        (
            product(custom_fwd(device_type="cpu", cast_inputs=torch.float32), CPU[1]),
            "the product is torch.float32, whe",
        ),
        (product(custom_fwd(device_type="cpu", cast_inputs=torch.bfloat16), CPU[1]), "in a float16 region: the prod"),
        (product(*CPU, swap=True), "without a region: the gradient of a is wrong"),
    ],
)
def test_wrong_product_function(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_product_function(answer)


def test_backward_in_float32_is_noticed():
    class Wide(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):
            ctx.save_for_backward(a, b)
            return a.mm(b)

        @staticmethod
        def backward(ctx, grad):
            a, b = ctx.saved_tensors
            grad = grad.float()
            return grad.mm(b.t()), a.t().mm(grad)

    with pytest.raises(AssertionError, match="in a bfloat16 region: backward multiplied float32, not bfloat16"):
        exercises.check_product_function(Wide)
