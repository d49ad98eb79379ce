"""The claims about speed: records made by hand lead to each verdict."""

import contextlib

import pytest
import torch

from amp_helpers.benchmark import Record
from amp_helpers.claims import recorded_ratios as ratios
from amp_helpers.claims import speed


def record(*rows, suite="cpu", device="Some CPU", device_type="cpu"):
    return Record({"suite": suite, "device": device, "device_type": device_type}, list(rows))


def step(recipe, seconds, workload="MLP 64", batch=64, part="train"):
    return {"part": part, "workload": workload, "recipe": recipe, "batch": batch, "median_s": seconds}


def steps(workload, batch, wide, low, recipe="bf16-mixed"):
    return step("32-true", wide, workload, batch), step(recipe, low, workload, batch)


def memory(model, batch, wide, low):
    row = {"part": "memory", "model": model, "batch": batch}
    return row | {"recipe": "32-true", "total_bytes": wide}, row | {"recipe": "bf16-mixed", "total_bytes": low}


def products(**seconds):
    """dtype=time of 64, then of 128."""
    return [
        {"part": "gemm", "dtype": dtype, "n": n, "median_s": time}
        for dtype, times in seconds.items()
        for n, time in zip((64, 128), times, strict=False)
    ]


GPU = {"suite": "gemm", "device": "Some GPU", "device_type": "cuda"}


def test_ratios():
    found = record(*steps("MLP 64", 64, 1.0, 2.0), *steps("GPT 256", 16, 3.0, 1.0), *memory("MLP", 64, 100, 110))
    speeds = ratios.speedups(found, "32-true", "bf16-mixed", ["train"])
    assert [(key[1], value) for key, value in speeds.items()] == [("MLP 64", 0.5), ("GPT 256", 3.0)]
    assert ratios.speedups(found, "tf32", "bf16-mixed", ["train"]) == {}
    assert ratios.speedups(found, "32-true", "bf16-mixed", ["small"]) == {}
    assert ratios.memory_ratios(found, "32-true", "bf16-mixed") == {("MLP", 64): 1.1}
    only = record(*products(float32=[1.0, 8.0], bfloat16=[0.5]))
    assert ratios.product_speedups(only, "float32", "bfloat16") == {64: 2.0}
    failed = record({"part": "gemm", "dtype": "float32", "n": 64, "failed": "too slow"})
    assert ratios.product_speedups(failed, "float32", "bfloat16") == {}


def test_words():
    assert [ratios.times(value) for value in (0.0251, 3.14, 155.2)] == ["0.025 times", "3.1 times", "155 times"]
    assert ratios.span([2, 0.61, 12.2]) == "0.61 to 12 times"
    assert ratios.span([3.14]) == "3.1 times"


def test_the_newest_record_of_each_device_counts():
    new, old, other = record(), record(), record(device="Another CPU")
    assert list(ratios.newest([new, other, old])) == [new, other]
    assert ratios.devices([new, other, old]) == "Some CPU, Another CPU"


RECORDED = ["5", "21", "54", "56", "72", "75", "M7"]


@pytest.mark.parametrize("id", RECORDED)
def test_no_record_is_no_verdict(id):
    assert speed.EVIDENCE[id]([]) is None
    assert speed.EVIDENCE[id]([record({"part": "train", "workload": "x", "failed": "out of memory"})]) is None


@pytest.mark.parametrize(
    "rows, accuracies, verdict",
    [
        ([*steps("MLP 64", 64, 2, 1), *memory("MLP", 64, 2, 1)], (0.9, 0.91), "true"),
        ([*steps("MLP 64", 64, 1, 2), *memory("MLP", 64, 2, 1)], (0.9, 0.91), "true with limits"),
        ([*steps("MLP 64", 64, 2, 1), *memory("MLP", 64, 1, 2)], (0.9, 0.91), "true with limits"),
        ([*steps("MLP 64", 64, 2, 1), *memory("MLP", 64, 2, 1)], (0.9, 0.5), "true with limits"),
        ([*steps("MLP 64", 64, 1, 2), *memory("MLP", 64, 1, 2)], (0.9, 0.5), "false"),
    ],
)
def test_speed_memory_and_accuracy(rows, accuracies, verdict, monkeypatch):
    known = iter(accuracies)
    monkeypatch.setattr(speed, "accuracy", lambda recipe: next(known))
    assert speed.faster_smaller_as_good([record(*rows)]).verdict == (verdict,)


@pytest.mark.parametrize(
    "rows, verdict",
    [
        (products(bfloat16=[1, 1], float16=[1, 1.2]), "true"),
        (products(bfloat16=[1, 1], float16=[1, 2]), "false"),
        (products(bfloat16=[1, 2], float16=[1, 1]), "false"),
        (products(bfloat16=[1, 1], float16=[1, 1], float32=[8, 8], tfloat32=[8, 1]), "false"),
    ],
)
def test_formats_of_one_size(rows, verdict):
    assert speed.smaller_therefore_faster([record(*rows)]).verdict == (verdict,)


@pytest.mark.parametrize(
    "kept, seconds, verdict", [(90, 0.5, "true"), (110, 2.0, "true"), (110, 0.5, "false"), (90, 2.0, "false")]
)
def test_memory_and_speed_together(kept, seconds, verdict):
    rows = *steps("MLP 64", 64, 1.0, seconds), *memory("MLP", 64, 100, kept), *steps("GPT 256", 16, 1.0, 1.0)
    assert speed.less_memory_therefore_faster([record(*rows)]).verdict == (verdict,)


@pytest.mark.parametrize("float16, verdict", [([0.1, 0.1], "true"), ([1, 0.1], "true with limits"), ([1, 1], "false")])
def test_tensor_cores(float16, verdict):
    assert speed.several_times([record(*products(float32=[1, 1], float16=float16), **GPU)]).verdict == (verdict,)


@pytest.mark.parametrize("tf32, verdict", [(None, "true"), (0.2, "true with limits"), (0.9, "true")])
def test_three_times(tf32, verdict):
    rows = [*steps("x", 1, 1.0, 0.2, "16-mixed"), *([step("tf32", tf32, "x", 1)] if tf32 else [])]
    assert speed.three_times([record(*rows, **GPU | {"suite": "cnn"})]).verdict == (verdict,)
    slow = record(*steps("x", 1, 1.0, 0.9, "16-mixed"), **GPU | {"suite": "gpt"})
    assert speed.three_times([slow]).verdict == ("false",)


def test_volta_or_newer():
    rows = *steps("x", 1, 1.0, 0.5), *products(float32=[1, 1], bfloat16=[0.2, 0.2])
    fast, slow = record(*rows), record(*rows, *products(float16=[5, 5]))
    assert speed.volta_or_newer([fast]).verdict == ("false",)
    assert speed.volta_or_newer([slow]).verdict == ("true with limits",)
    gpu = record(*rows, *products(float16=[5, 5]), device_type="cuda")
    assert speed.volta_or_newer([gpu]).verdict == ("true",)


def test_one_slower_step_refutes_always():
    cpu = record(*steps("MLP 1024", 256, 3.0, 1.0))
    launched = record(
        step("32-true", 1.0, None, 64, "small"), step("16-mixed", 2.0, None, 64, "small"), **GPU | {"suite": "web"}
    )
    assert speed.always_faster([cpu]).verdict == ("true",)
    found = speed.always_faster([cpu, launched])
    assert found.verdict == ("false",) and "0.5 times as fast (Linear(1024, 512), batch 64, Some GPU)" in found.seen


def test_a_layer_that_does_not_learn_is_noticed(monkeypatch):
    monkeypatch.setattr(torch.optim.SGD, "step", lambda self: None)
    assert speed.base_sample().verdict == ("false",)


def test_only_16_bit_products_count_as_low(monkeypatch):
    x = torch.randn(4, 64, 48)
    assert speed.low_share(speed._VisionTransformer(), x) > 0.9
    gated = torch.nn.Linear(48, 1)
    assert 0 < speed.low_share(torch.nn.Sequential(gated, torch.nn.ReLU()), x) < 0.9, "few operations per element"
    monkeypatch.setattr(torch, "autocast", lambda device_type, dtype: contextlib.nullcontext())
    assert speed.low_share(speed._VisionTransformer(), x) == 0
    assert speed.suits_transformers().verdict == ("false",), "neither products nor activations are smaller"


def test_if_products_of_cast_tensors_were_float32(monkeypatch):
    monkeypatch.setattr(torch.Tensor, "bfloat16", lambda self: self)
    monkeypatch.setitem(speed.RECIPES, "bf16-true", speed.RECIPES["32-true"])
    assert speed.needs_autocast().verdict == ("true",)
