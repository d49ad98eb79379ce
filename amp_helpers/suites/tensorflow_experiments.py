"""What chapter 16 tries with TensorFlow: runs in an environment that has TensorFlow and Keras, and nothing of ours.

`python -P tensorflow_experiments.py NAME` prints the rows of one experiment as JSON, in its last line. Keras picks its
backend once in a process, so a notebook that uses PyTorch cannot run these itself: `amp_helpers.suites.tensorflow`
starts them. The functions are printed in the book, so their lines are short.
"""

from __future__ import annotations

import json
import os
import sys
import warnings


def small_model(activation=None):
    """784 inputs, 128 hidden, 10 outputs; the same weights each time."""
    import keras

    keras.utils.set_random_seed(0)
    model = keras.Sequential([keras.layers.Input((784,))])
    model.add(keras.layers.Dense(128, activation="relu"))
    model.add(keras.layers.Dense(10, activation=activation))
    return model


def batch():
    """512 random images, each with a random label."""
    import numpy as np

    x = np.random.RandomState(0).rand(512, 784).astype("float32")
    return x, np.random.RandomState(1).randint(0, 10, 512)


def policy_order():
    """Set the policy after the model was built, and before."""
    import keras

    for order in ("model, policy", "policy, model"):
        keras.config.set_dtype_policy("float32")
        if order == "policy, model":
            keras.config.set_dtype_policy("mixed_float16")
        model = small_model()
        keras.config.set_dtype_policy("mixed_float16")
        model.compile("sgd", loss="mse")
        yield {
            "order": order,
            "compute": model.layers[0].compute_dtype,
            "variable": model.layers[0].variable_dtype,
            "optimizer": type(model.optimizer).__name__,
        }


def double_softmax():
    """A softmax in the model and another one in the loss."""
    import keras
    import numpy as np

    x, y = batch()
    from_logits = keras.losses.SparseCategoricalCrossentropy(True)
    plain = keras.losses.SparseCategoricalCrossentropy()
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        output = small_model("softmax")(x)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            loss = float(from_logits(y, output))
        exact = np.array(output, "float64")
        twice = np.exp(exact) / np.exp(exact).sum(1, keepdims=True)
        yield {
            "policy": policy,
            "loss": loss,
            "one_softmax": float(plain(y, exact)),
            "two_softmaxes": float(plain(y, twice)),
            "warned": any("logits" in str(w.message) for w in caught),
        }


def train_double_softmax():
    """The same in training, beside a model that returns logits."""
    import keras
    import numpy as np

    x = batch()[0] - 0.5
    rule = np.random.RandomState(2).randn(784, 10)
    y = (x @ rule).argmax(1)
    loss_fn = keras.losses.SparseCategoricalCrossentropy(True)
    for policy in ("float32", "mixed_float16"):
        keras.config.set_dtype_policy(policy)
        for activation in ("softmax", None):
            model = small_model(activation)
            sgd = keras.optimizers.SGD(0.05)
            model.compile(sgd, loss_fn, metrics=["accuracy"])
            fit = model.fit(x, y, epochs=20, verbose=0, shuffle=False)
            yield {
                "policy": policy,
                "output": activation or "logits",
                "last_loss": fit.history["loss"][-1],
                "accuracy": fit.history["accuracy"][-1],
            }


def custom_loop():
    """One step of a loop that takes the gradients itself."""
    import keras
    import numpy as np
    import tensorflow as tf

    x, y = batch()
    loss_fn = keras.losses.SparseCategoricalCrossentropy(True)
    for policy, wrap, scale in LOOPS:
        keras.config.set_dtype_policy(policy)
        model = small_model()
        weights = model.trainable_variables
        before = weights[0].numpy()
        optimizer = keras.optimizers.SGD(1e6)  # for so small a loss
        if wrap:
            optimizer = keras.optimizers.LossScaleOptimizer(optimizer)
            optimizer.build(weights)
        with tf.GradientTape() as tape:
            loss = loss_fn(y, model(x)) * 1e-6
            if scale:
                loss = optimizer.scale_loss(loss)
        gradients = tape.gradient(loss, weights)
        optimizer.apply_gradients(zip(gradients, weights, strict=True))
        yield {
            "policy": policy,
            "wrapped": wrap,
            "scaled": scale,
            "zero_gradients": float(np.mean(gradients[0].numpy() == 0)),
            "change": float(np.abs(weights[0].numpy() - before).max()),
        }


#: Of `custom_loop`: the policy, whether the optimizer is wrapped, whether the loss is scaled.
LOOPS = (
    ("float32", False, False),
    ("mixed_float16", False, False),
    ("mixed_float16", True, False),
    ("mixed_float16", True, True),
)


def fit():
    """What `compile` and `fit` do by themselves."""
    import keras

    x, y = batch()
    keras.config.set_dtype_policy("mixed_float16")
    model = small_model()
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile("adam", loss=loss)
    model.fit(x, y, epochs=1, verbose=0)
    yield {
        "optimizer": type(model.optimizer).__name__,
        "scale": float(model.optimizer.dynamic_scale),
        "weights": model.weights[0].dtype,
        "get_scaled_loss": hasattr(model.optimizer, "get_scaled_loss"),
    }


def versions():
    """Which versions run."""
    import keras
    import tensorflow

    yield {"tensorflow": tensorflow.__version__, "keras": keras.__version__, "backend": keras.backend.backend()}


EXPERIMENTS = (policy_order, double_softmax, train_double_softmax, custom_loop, fit)


def main() -> None:
    os.environ["KERAS_BACKEND"] = "tensorflow"
    named = {function.__name__: function for function in (*EXPERIMENTS, versions)}
    print(json.dumps(list(named[sys.argv[1]]())))


if __name__ == "__main__":
    main()
