"""The checks of chapter 15 accept what is right and explain what is not."""

import pytest

from amp_helpers.exercises import from_apex as checks

CHECKS = [checks.check_float32_parameters, checks.check_o2_bytes, checks.check_adam_eps]


@pytest.mark.parametrize("check", CHECKS)
def test_unanswered(check, capsys):
    check(...)
    assert "answer" in capsys.readouterr().out


KEPT = {
    f"{place}.{name}" for place in ("batch", "synced") for name in ("weight", "bias", "running_mean", "running_var")
}


def test_float32_parameters(capsys):
    checks.check_float32_parameters(KEPT)
    checks.check_float32_parameters(sorted(KEPT))
    assert capsys.readouterr().out.count("Right: 8 tensors stay in float32, 10 are cast") == 2
    for name, message in {
        "batch.weight": "batch.weight stays in float32: BatchNorm2d is a BatchNorm with",
        "synced.running_var": "synced.running_var stays in float32: SyncBatchNorm",
        "layer.weight": "layer.weight is cast: LayerNorm is no BatchNorm",
        "plain.running_mean": "plain.running_mean is cast: BatchNorm2d has no weights of its own",
        "head.bias": "head.bias is cast: Linear is no BatchNorm",
        "head": "'head' is no floating-point parameter",
        "batch.num_batches_tracked": "'batch.num_batches_tracked' is no floating-point",
    }.items():
        with pytest.raises(AssertionError, match=message):
            checks.check_float32_parameters(KEPT ^ {name})
    with pytest.raises(TypeError, match="a set of names is expected, not 'batch'"):
        checks.check_float32_parameters("batch")


def test_o2_bytes(capsys):
    checks.check_o2_bytes(lambda weights, batchnorm: 14 * weights + 12 * batchnorm)
    assert "Right" in capsys.readouterr().out
    for wrong, message in {
        lambda w, b: 12 * w + 12 * b: "40 weights and 16 of BatchNorm: .* beside their masters",
        lambda w, b: 14 * w + 14 * b: "no float16 copy",
        lambda w, b: 14 * w + 16 * b: "need no masters",
        lambda w, b: 10 * w + 8 * b: "two running means",
        lambda w, b: 6 * w + 4 * b: "is Adam's state counted",
        lambda w, b: 16 * w + 12 * b: r"O2 keeps 752 bytes, not 832$",
    }.items():
        with pytest.raises(AssertionError, match=message):
            checks.check_o2_bytes(wrong)
    with pytest.raises(TypeError, match="a function of weights and batchnorm is expected, not 14"):
        checks.check_o2_bytes(14)


def test_adam_eps(capsys):
    checks.check_adam_eps(1e-7)
    assert "Right: 1e-07 is not 0 in float16, and 1e-08 is" in capsys.readouterr().out
    for wrong, message in {
        1e-8: "with eps=1e-08 a gradient of 0 turns a float16 weight to NaN",
        1e-6: "with eps=1e-06 the weight stays what it is, but with 1e-07 too",
        1: "with eps=1 the weight",
        5e-8: "5e-08 is no power of ten",
        0.0: "0.0 is no power of ten",
        -1e-7: "-1e-07 is no power",
    }.items():
        with pytest.raises(AssertionError, match=message):
            checks.check_adam_eps(wrong)
    with pytest.raises(TypeError, match="a number is expected, not '1e-7'"):
        checks.check_adam_eps("1e-7")
