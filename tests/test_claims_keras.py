"""Evidence on Keras: records lead to each verdict, and the backend has to be PyTorch."""

import os
import subprocess
import sys

import pytest

from amp_helpers.benchmark import Record
from amp_helpers.claims import keras

ORDER = [
    {"part": "policy_order", "order": "model, policy", "compute": "float32"},
    {"part": "policy_order", "order": "policy, model", "compute": "float16"},
]
SOFTMAX = [
    {"part": "double_softmax", "policy": "float32", "loss": 2.5, "one_softmax": 2.5, "two_softmaxes": 2.3},
    {"part": "double_softmax", "policy": "mixed_float16", "loss": 2.3, "one_softmax": 2.5, "two_softmaxes": 2.3},
]
LOOP = [
    {"part": "custom_loop", "policy": policy, "wrapped": wrapped, "scaled": scaled} | measured
    for policy, wrapped, scaled, measured in (
        ("float32", False, False, {"zero_gradients": 0.05, "change": 0.03}),
        ("mixed_float16", False, False, {"zero_gradients": 1.0, "change": 0.0}),
        ("mixed_float16", True, False, {"zero_gradients": 1.0, "change": 0.0}),
        ("mixed_float16", True, True, {"zero_gradients": 0.05, "change": 0.03}),
    )
]
#: Claim -> rows as measured, and the change that would make the sample sound.
CASES = {
    "58": (ORDER, {"compute": "float16"}),
    "59": (SOFTMAX, {"loss": 2.5}),
    "60": (LOOP, {"zero_gradients": 0.05, "change": 0.03}),
}


def record(rows):
    return Record({"tensorflow": "2.0", "keras": "3.0", "device": "a CPU"}, rows)


@pytest.mark.parametrize("id", CASES)
def test_without_a_record_there_is_no_verdict(id):
    rows, _ = CASES[id]
    assert keras.EVIDENCE[id]([]) is None
    assert keras.EVIDENCE[id]([record([])]) is None
    assert keras.EVIDENCE[id]([record([row | {"failed": "no memory"} for row in rows])]) is None
    assert keras.EVIDENCE[id]([record(rows[:1])]) is None


@pytest.mark.parametrize("id", CASES)
def test_rows_decide(id):
    rows, sound = CASES[id]
    broken = keras.EVIDENCE[id]([record(rows)])
    assert broken.verdict == ("broken sample",)
    assert "a CPU" in broken.seen and "TensorFlow 2.0" in broken.seen and len(broken.seen) <= 400
    assert keras.EVIDENCE[id]([record([row | sound for row in rows])]).verdict == ("true",)


@pytest.mark.parametrize(
    "id, place, change",
    [("58", 1, {"compute": "float32"}), ("59", 1, {"one_softmax": 2.3}), ("60", 3, {"zero_gradients": 1.0})],
)
def test_a_mended_one_that_fails_shows_nothing(id, place, change):
    rows = list(CASES[id][0])
    rows[place] = rows[place] | change
    with pytest.raises(ValueError, match="mended sample does not work"):
        keras.EVIDENCE[id]([record(rows)])


def test_the_newest_record_counts():
    old = [row | CASES["58"][1] for row in ORDER]
    assert keras.EVIDENCE["58"]([record(ORDER), record(old)]).verdict == ("broken sample",)


def test_keras_is_left_as_it_was():
    before = os.environ.get("KERAS_BACKEND")
    with keras.keras_on_torch() as found:
        policy = found.config.dtype_policy().name
        found.config.set_dtype_policy("mixed_bfloat16")
    assert found.backend.backend() == "torch" and found.config.dtype_policy().name == policy
    assert os.environ.get("KERAS_BACKEND") == before


def test_a_loop_that_scales_by_itself_limits_the_claim(monkeypatch):
    monkeypatch.setattr(keras, "_manual_step", lambda module, scaled: 0.0)
    assert keras.EVIDENCE["61"]().verdict == ("true with limits",)


@pytest.mark.parametrize(
    "before, message",
    [
        ("types.SimpleNamespace(backend=types.SimpleNamespace(backend=lambda: 'jax'))", "with the backend jax"),
        ("None", "cannot be imported"),
    ],
)
def test_another_backend_or_none_is_one_clear_line(before, message):
    code = (
        "import sys, types\n"
        f"sys.modules['keras'] = {before}\n"
        "from amp_helpers.claims.keras import torch_backend\n"
        "try:\n    torch_backend()\nexcept RuntimeError as error:\n    print(error)\n"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert message in run.stdout and len(run.stdout.strip().splitlines()) == 1
