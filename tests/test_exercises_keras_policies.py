"""The checks of chapter 16 accept the right answer, and explain the first mismatch of a wrong one."""

import os

os.environ |= {"KERAS_BACKEND": "torch", "KERAS_TORCH_DEVICE": "cpu"}  # before Keras is imported, once in a process

import keras
import pytest
import torch
from keras import layers

from amp_helpers import exercises

CHECKS = [exercises.check_float32_head, exercises.check_own_step, exercises.check_scale_after]


@pytest.fixture(autouse=True)
def float32_policy():
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_another_type_is_refused(check):
    with pytest.raises(TypeError, match="expected, not 'x'"):
        check("x")


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_another_backend_is_named(check, monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "tensorflow")
    with pytest.raises(RuntimeError, match="Keras runs on tensorflow here: set KERAS_BACKEND=torch before"):
        check(2 if check is exercises.check_scale_after else print)


def head(policy, last="float32", hidden=None, width=10):
    return keras.Sequential(
        [keras.Input((64,)), layers.Dense(32, "relu", dtype=hidden or policy), layers.Dense(width, dtype=last)]
    )


def with_a_cast(policy):
    model = head(policy, last=policy)
    model.add(layers.Activation("linear", dtype="float32"))
    return model


@pytest.mark.parametrize("answer", [head, with_a_cast])
def test_float32_head(answer, capsys):
    exercises.check_float32_head(answer)
    assert "Right" in capsys.readouterr().out


def global_policy(policy):
    keras.config.set_dtype_policy(policy)
    return keras.Sequential([keras.Input((64,)), layers.Dense(32), layers.Dense(10, dtype="float32")])


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (lambda policy: head(policy, last=policy), r"mixed_float16: the output is torch\.float16"),
        (lambda policy: head("mixed_float16"), "mixed_bfloat16: dense.* computes in float16, not in bfloat16"),
        (lambda policy: head(policy, hidden="float32"), "computes in float32, not in float16"),
        (lambda policy: head(policy, hidden="float16"), "kernel is not stored in float32"),
        (lambda policy: head(policy, width=9), r"the output has shape \(2, 9\)"),
        (lambda policy: keras.Sequential([keras.Input((64,)), layers.Dense(10)]), "has 1 Dense layers"),
        (global_policy, "the global policy was float32 and is mixed_float16 now"),
    ],
)
def test_wrong_float32_head(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_float32_head(answer)
    assert keras.config.dtype_policy().name == "float32", "the check puts the policy back"


def test_a_head_is_a_model():
    with pytest.raises(TypeError, match="must return a Keras model, not None"):
        exercises.check_float32_head(lambda policy: None)


def apply(model, optimizer):
    weights = model.trainable_variables
    with torch.no_grad():
        optimizer.apply([weight.value.grad for weight in weights], weights)


def own_step(model, optimizer, loss_fn, x, labels):
    model.zero_grad()
    optimizer.scale_loss(loss_fn(labels, model(x))).backward()
    apply(model, optimizer)


def step_by_autograd(model, optimizer, loss_fn, x, labels):
    weights = model.trainable_variables
    loss = optimizer.scale_loss(loss_fn(labels, model(x)))
    gradients = torch.autograd.grad(loss, [weight.value for weight in weights])
    with torch.no_grad():
        optimizer.apply(list(gradients), weights)


@pytest.mark.parametrize("answer", [own_step, step_by_autograd])
def test_own_step(answer, capsys):
    exercises.check_own_step(answer)
    assert "Right" in capsys.readouterr().out


def not_scaled(model, optimizer, loss_fn, x, labels):
    model.zero_grad()
    loss_fn(labels, model(x)).backward()
    apply(model, optimizer)


def never_cleared(model, optimizer, loss_fn, x, labels):
    optimizer.scale_loss(loss_fn(labels, model(x))).backward()
    apply(model, optimizer)


def past_the_scaler(model, optimizer, loss_fn, x, labels):
    model.zero_grad()
    optimizer.scale_loss(loss_fn(labels, model(x))).backward()
    apply(model, optimizer.inner_optimizer)


def unscaled_by_hand_too(model, optimizer, loss_fn, x, labels):
    model.zero_grad()
    optimizer.scale_loss(loss_fn(labels, model(x))).backward()
    for weight in model.trainable_variables:
        weight.value.grad /= optimizer.dynamic_scale.value
    apply(model, optimizer)


def no_scale_update(model, optimizer, loss_fn, x, labels):
    model.zero_grad()
    optimizer.scale_loss(loss_fn(labels, model(x))).backward()
    for weight in model.trainable_variables:
        weight.value.grad /= optimizer.dynamic_scale.value
    apply(model, optimizer.inner_optimizer)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (not_scaled, "after 1 step the largest change of a weight is 0 times .* is the loss scaled"),
        (lambda *_: None, "is 0 times that of float32"),
        (never_cleared, "after 2 steps .* are old gradients cleared"),
        (past_the_scaler, "something multiplies by the scale, and nothing divides"),
        (unscaled_by_hand_too, "the optimizer divides by the scale"),
        (no_scale_update, "so the step must be skipped and the scale halved: it is 1 of what it was"),
    ],
)
def test_wrong_own_step(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_own_step(answer)


def test_scale_after(capsys):
    exercises.check_scale_after(2.0**14)
    assert "32,768 becomes 16,384" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (2**17, "leaves out the three steps"),
        (2**12, "leaves out the growth"),
        (2**15, "what a GradScaler would have"),
        (1, "count from 32,768 on"),
    ],
)
def test_wrong_scale_after(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_scale_after(answer)


def test_a_scale_is_a_number():
    with pytest.raises(TypeError, match="a number is expected, not True"):
        exercises.check_scale_after(True)
