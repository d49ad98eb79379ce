"""Chapter 16: Keras policies on the torch backend, and what a loop of one's own must do."""

from __future__ import annotations

from collections.abc import Callable

from .answers import expect_function, unanswered

SCALE_STEPS = 250  # after the skipped ones
SKIPPED = 3
GROWTH = 100


def _keras():
    """Keras on the torch backend. Raises: RuntimeError if this process uses another one."""
    import keras

    if keras.backend.backend() != "torch":
        raise RuntimeError(
            f"Keras runs on {keras.backend.backend()} here: set KERAS_BACKEND=torch before Keras is imported, "
            "in a fresh kernel"
        )
    return keras


def check_float32_head(answer: Callable) -> None:
    """Exercise: a Keras model that computes in sixteen bits and returns float32.

    Args:
        answer: a function of a policy's name, such as "mixed_float16". It returns a built `keras.Sequential` of at
            least two `Dense` layers for 64 inputs, 10 outputs, and leaves the global policy as it was.
    Raises: AssertionError naming the first thing that is wrong; TypeError if it is not a function.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a policy's name")
    keras = _keras()
    import torch

    for policy, compute in (("mixed_float16", "float16"), ("mixed_bfloat16", "bfloat16")):
        before = keras.config.dtype_policy()
        try:
            model = answer(policy)
            left = keras.config.dtype_policy()
        finally:
            keras.config.set_dtype_policy(before)
        if not isinstance(model, keras.Model):
            raise TypeError(f"the function must return a Keras model, not {model!r}")
        dense = [layer for layer in model.layers if isinstance(layer, keras.layers.Dense)]
        if len(dense) < 2:
            raise AssertionError(f"{policy}: the model has {len(dense)} Dense layers, at least two are wanted")
        for layer in dense[:-1]:
            if layer.compute_dtype != compute:
                raise AssertionError(f"{policy}: {layer.name} computes in {layer.compute_dtype}, not in {compute}")
        output = model(torch.zeros(2, 64))
        if tuple(output.shape) != (2, 10):
            raise AssertionError(f"{policy}: for two inputs of 64 features the output has shape {tuple(output.shape)}")
        if output.dtype != torch.float32:
            raise AssertionError(f"{policy}: the output is {output.dtype}, not torch.float32")
        narrow = [weight.path for weight in model.weights if weight.dtype != "float32"]
        if narrow:
            raise AssertionError(f"{policy}: {narrow[0]} is not stored in float32")
        if left != before:
            raise AssertionError(f"the global policy was {before.name} and is {left.name} now: give dtype to layers")
    print("Right: sixteen bits inside, float32 at the end, and nothing else has changed.")


def check_own_step(answer: Callable) -> None:
    """Exercise: one training step of a loop of one's own, under mixed_float16.

    Args:
        answer: a function of (model, optimizer, loss_fn, x, labels); the optimizer is a built `LossScaleOptimizer`.
    Raises: AssertionError saying how the weights differ from those of a step in float32; TypeError if it is not a
        function.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a model, an optimizer, a loss function, inputs and labels")
    keras = _keras()
    import torch

    x, labels, kernel = _problem()

    def loss_fn(labels, output):  # so small that no gradient survives in float16 by itself
        return 1e-7 * torch.nn.functional.cross_entropy(output.float(), labels)

    def trained(policy: str, steps: int, scale: float) -> tuple[torch.Tensor, float]:
        layer = keras.layers.Dense(4, use_bias=False, dtype=policy)
        model = keras.Sequential([keras.Input((16,)), layer])
        layer.kernel.assign(kernel)
        optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(1e6), initial_scale=scale)
        optimizer.build(model.trainable_variables)
        for _ in range(steps):
            (_step if policy == "float32" else answer)(model, optimizer, loss_fn, x, labels)
        return layer.kernel.value.detach().cpu(), float(optimizer.dynamic_scale)

    start = torch.from_numpy(kernel)
    for steps in (1, 2):
        wanted = trained("float32", steps, 2.0**15)[0] - start
        change = trained("mixed_float16", steps, 2.0**15)[0] - start
        if not torch.allclose(change, wanted, rtol=0.02, atol=0.01 * wanted.abs().max().item()):
            ratio = (change.abs().max() / wanted.abs().max()).item()
            raise AssertionError(
                f"after {steps} step{'s' * (steps > 1)} the largest change of a weight is {ratio:.3g} times that of "
                f"float32{_hint(ratio, steps)}"
            )
    change, scale = trained("mixed_float16", 1, 2.0**60)
    if scale != 2.0**59 or not torch.equal(change, start):
        raise AssertionError(
            f"with a scale of 2^60 the gradients overflow, so the step must be skipped and the scale halved: "
            f"it is {scale / 2.0**60:g} of what it was"
        )
    print("Right: the weights change as in float32, and a step that overflows is skipped.")


def _hint(ratio: float, steps: int) -> str:
    if ratio == 0:
        return ": is the loss scaled, and is the optimizer applied?"
    if ratio < 1e-3:
        return ": the optimizer divides by the scale, so the loss must be multiplied by it"
    if ratio > 1e3:
        return ": something multiplies by the scale, and nothing divides"
    return ": are old gradients cleared?" if steps == 2 else ""


def _problem():
    """(x, labels, kernel): random inputs, labels and weights, the same on every call."""
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, 16, generator=generator)
    labels = torch.randint(4, (32,), generator=generator)
    return x, labels, 0.3 * torch.randn(16, 4, generator=generator).numpy()


def _step(model, optimizer, loss_fn, x, labels) -> None:
    """The reference: a step that needs no scale, with one that changes nothing."""
    import torch

    model.zero_grad()
    optimizer.scale_loss(loss_fn(labels, model(x))).backward()
    weights = model.trainable_variables
    with torch.no_grad():
        optimizer.apply([weight.value.grad for weight in weights], weights)


def check_scale_after(answer: float) -> None:
    """Exercise: the loss scale after 3 steps that overflow and 250 that do not, growing every 100 steps.

    Args:
        answer: the scale.
    Raises: AssertionError saying what was forgotten; TypeError if it is not a number.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    if unanswered(answer):
        return
    if not isinstance(answer, int | float) or isinstance(answer, bool):
        raise TypeError(f"a number is expected, not {answer!r}")
    keras = _keras()
    import torch

    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.0), dynamic_growth_steps=GROWTH)
    weight = keras.Variable([1.0])
    optimizer.build([weight])
    with torch.no_grad():
        for step in range(SKIPPED + SCALE_STEPS):
            gradient = float("inf") if step < SKIPPED else 1.0
            optimizer.apply([torch.full_like(weight.value, gradient)], [weight])
    wanted = float(optimizer.dynamic_scale)
    start = optimizer.initial_scale
    if answer == wanted:
        print(f"Right: three times halved and twice doubled, {start:,.0f} becomes {wanted:,.0f}.")
        return
    reasons = {
        start * 4: "that leaves out the three steps that overflow: each halves the scale",
        start / 8: "that leaves out the growth: each 100 good steps in a row double the scale",
        2 * wanted: "that is what a GradScaler would have: it starts at 65,536",
    }
    raise AssertionError(f"{answer:g} is not the scale: " + reasons.get(answer, f"count from {start:,.0f} on"))
