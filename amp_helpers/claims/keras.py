"""Evidence on Keras: its policies on the torch backend, run here, and TensorFlow's own loops, from a record."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator

import torch
import torch.nn.functional as F

from amp_helpers.benchmark import Record

from .evidence import Evidence, holds, sample

#: Two losses of the same batch, one computed in 16 bits, are the same up to this.
SAME_LOSS = 0.01


def policy_after_model(records: list[Record]) -> Evidence | None:
    """58: the dtype that layers compute in, for both orders."""
    rows = _rows(records, "policy_order", "order")
    if not {"model, policy", "policy, model"} <= set(rows):
        return None
    found, mended = rows["model, policy"]["compute"], rows["policy, model"]["compute"]
    return sample(
        f"With the policy set to mixed_float16 after the model was built, its layers compute in {found}; "
        f"before, in {mended} ({_where(records)}).",
        found=found == "float16",
        mended=mended == "float16",
    )


def double_softmax(records: list[Record]) -> Evidence | None:
    """59: the loss as found against the loss of one softmax and of two."""
    rows = _rows(records, "double_softmax", "policy")
    if not {"float32", "mixed_float16"} <= set(rows):
        return None
    true, mixed = rows["float32"]["loss"], rows["mixed_float16"]
    return sample(
        f"Softmax in the model and `from_logits=True`: Keras takes the second one back in float32 (loss {true:.2f}), "
        f"not under mixed_float16: {mixed['loss']:.2f}, as two softmaxes give ({mixed['two_softmaxes']:.2f}). "
        f"Without from_logits: {mixed['one_softmax']:.2f} ({_where(records)}).",
        found=abs(mixed["loss"] - true) < SAME_LOSS,
        mended=abs(mixed["one_softmax"] - true) < SAME_LOSS,
    )


def custom_loop(records: list[Record]) -> Evidence | None:
    """60: zeros among the gradients of a loop of one's own."""
    rows = {
        (row["policy"], row["scaled"]): row
        for row in (records[0].part("custom_loop") if records else [])
        if row["wrapped"] == row["scaled"]  # the optimizer wrapped, but not asked to scale, is neither
    }
    if len(rows) < 3:
        return None
    found, mended = rows["mixed_float16", False], rows["mixed_float16", True]
    plain = rows["float32", False]
    return sample(
        f"In a loop with `GradientTape` and a loss of 1e-6 times the usual size, {found['zero_gradients']:.0%} of the "
        f"gradients are 0 under mixed_float16 with a plain optimizer, {mended['zero_gradients']:.0%} with "
        f"LossScaleOptimizer and `scale_loss`, {plain['zero_gradients']:.0%} in float32 ({_where(records)}).",
        found=found["zero_gradients"] < 0.5 and found["change"] > 0,
        mended=mended["zero_gradients"] < 0.5 and mended["change"] > 0,
    )


def torch_backend() -> Evidence:
    """61: what the mixed policies do on PyTorch, in `fit` and in a loop of one's own."""
    with keras_on_torch() as keras:
        fitted = {policy: _fit(keras, policy) for policy in ("mixed_bfloat16", "mixed_float16")}
        zeros = {scaled: _manual_step(keras, scaled) for scaled in (False, True)}
    outputs = {policy: row["output"] for policy, row in fitted.items()}
    weights = {row["weights"] for row in fitted.values()}
    wrapped = [policy for policy, row in fitted.items() if row["optimizer"] == "LossScaleOptimizer"]
    return holds(
        f"Weights {', '.join(sorted(weights))}; outputs {' and '.join(outputs.values())}; PyTorch's autocast is "
        f"{'on' if any(row['autocast'] for row in fitted.values()) else 'off'}; `compile` wraps the optimizer for "
        f"{' and '.join(wrapped) or 'no policy'}. In a loop of one's own with a tiny loss {zeros[False]:.0%} of the "
        f"gradients are 0, with `scale_loss` {'under half' if zeros[True] < 0.5 else 'over half'}.",
        weights == {"float32"}
        and outputs == {"mixed_bfloat16": "bfloat16", "mixed_float16": "float16"}
        and not any(row["autocast"] for row in fitted.values()),
        wrapped == ["mixed_float16"],
        zeros[False] == 1 and zeros[True] < 0.5,
    )


@contextlib.contextmanager
def keras_on_torch() -> Iterator:
    """Keras with PyTorch as its backend, on the CPU; the global policy is as before afterwards.

    Raises: RuntimeError in one line, if Keras is missing or this process has it with another backend already.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    keras = _import_keras()
    if keras.backend.backend() != "torch":
        raise RuntimeError(
            f"Keras was imported with the backend {keras.backend.backend()}, and a process has one: start a new one "
            "with KERAS_BACKEND=torch"
        )
    before = keras.config.dtype_policy()
    try:
        with keras.device("cpu"):
            yield keras
    finally:
        keras.config.set_dtype_policy(before)


def _import_keras():
    """Keras reads its backend from the environment, once; what stood there returns."""
    if sys.modules.get("keras"):
        return sys.modules["keras"]
    before = os.environ.get("KERAS_BACKEND")
    os.environ["KERAS_BACKEND"] = "torch"
    try:
        import keras
    except ImportError as error:
        raise RuntimeError(f"Keras cannot be imported ({error}): install keras") from None
    finally:
        if before is None:
            del os.environ["KERAS_BACKEND"]
        else:
            os.environ["KERAS_BACKEND"] = before
    return keras


def _model(keras, policy: str):
    """64 inputs, 10 outputs. Seeds of its own: Keras's global one would change Python's and NumPy's numbers too."""
    layers = [keras.layers.Input((64,))]
    for place, (width, activation) in enumerate(((128, "relu"), (10, None))):
        start = keras.initializers.GlorotUniform(seed=place)
        layers.append(keras.layers.Dense(width, activation, kernel_initializer=start, dtype=policy))
    return keras.Sequential(layers)


def _data() -> tuple[torch.Tensor, torch.Tensor]:
    return torch.randn(128, 64), torch.arange(128) % 10


def _fit(keras, policy: str) -> dict:
    keras.config.set_dtype_policy(policy)
    model, (x, y), autocast = _model(keras, policy), _data(), []
    handle = model.layers[0].register_forward_pre_hook(lambda *_: autocast.append(torch.is_autocast_enabled("cpu")))
    model.compile("sgd", loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x.numpy(), y.numpy(), batch_size=64, epochs=1, shuffle=False, verbose=0)
    handle.remove()
    return {
        "weights": _name(model.layers[0].kernel.value.dtype),
        "output": _name(model(x[:2]).dtype),
        "autocast": any(autocast) or not autocast,
        "optimizer": type(model.optimizer).__name__,
    }


def _manual_step(keras, scaled: bool) -> float:
    """The share of zeros in the gradient of the last layer's bias, after a loop's step on a tiny loss."""
    keras.config.set_dtype_policy("mixed_float16")
    model, (x, y) = _model(keras, "mixed_float16"), _data()
    optimizer = keras.optimizers.LossScaleOptimizer(keras.optimizers.SGD(0.1), initial_scale=2.0**15)
    optimizer.build(model.trainable_variables)
    loss = F.cross_entropy(model(x).float(), y) * 1e-6
    (optimizer.scale_loss(loss) if scaled else loss).backward()
    return (model.layers[-1].bias.value.grad == 0).float().mean().item()


def _name(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")


def _rows(records: list[Record], part: str, column: str) -> dict[str, dict]:
    """The rows of a part of the newest record, by one column; empty without a record."""
    return {row[column]: row for row in (records[0].part(part) if records else [])}


def _where(records: list[Record]) -> str:
    header = records[0].header
    return f"TensorFlow {header['tensorflow']}, Keras {header['keras']}, {header['device']}"


EVIDENCE = {"58": policy_after_model, "59": double_softmax, "60": custom_loop, "61": torch_backend}
