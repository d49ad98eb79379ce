"""What chapter 16 and the claims say about TensorFlow, asked of TensorFlow. Only `make test-tensorflow` runs this."""

import math

import pytest
import tensorflow_env

from amp_helpers.benchmark import check_record, write_record
from amp_helpers.suites import tensorflow
from amp_helpers.suites.run import run_suite

pytestmark = pytest.mark.tensorflow


@pytest.fixture(scope="module")
def measured():
    """One run of the whole suite."""
    return run_suite("tensorflow", device="cpu")


def wanted_version(package: str) -> str:
    lines = tensorflow_env.VERSIONS.read_text(encoding="utf8").splitlines()
    (found,) = [line.split(";")[0].split("==")[1].strip() for line in lines if line.startswith(f"{package}==")]
    return found


def test_the_versions_are_the_pinned_ones(measured):
    assert tensorflow.header() == {"tensorflow": wanted_version("tensorflow"), "keras": wanted_version("keras")}
    assert {name: measured.header[name] for name in tensorflow.header()} == tensorflow.header()


def test_nothing_failed_and_the_record_is_sound(measured, tmp_path):
    assert measured.failures() == []
    measured.header.update(commit="a" * 40, dirty=False)
    assert check_record({"header": measured.header, "rows": measured.rows}) == []
    assert write_record(measured, tmp_path).name.endswith("-tensorflow.json")


def test_a_policy_after_the_model_does_nothing(measured):
    late, early = measured.part("policy_order")
    assert (late["compute"], late["variable"], late["optimizer"]) == ("float32", "float32", "SGD")
    assert (early["compute"], early["variable"], early["optimizer"]) == ("float16", "float32", "LossScaleOptimizer")


def test_two_softmaxes_are_repaired_in_float32_only(measured):
    for row in measured.part("double_softmax"):
        repaired = row["policy"] == "float32"
        assert row["loss"] == pytest.approx(row["one_softmax" if repaired else "two_softmaxes"], abs=1e-4)
        assert row["warned"] is repaired
        assert row["one_softmax"] == pytest.approx(2.5132, abs=2e-3)
        assert row["two_softmaxes"] == pytest.approx(2.3046, abs=2e-3)


def test_two_softmaxes_in_training(measured):
    rows = {(row["policy"], row["output"]): row for row in measured.part("train_double_softmax")}
    assert rows["float32", "softmax"]["last_loss"] == pytest.approx(rows["float32", "logits"]["last_loss"], rel=1e-3)
    wrong, right = rows["mixed_float16", "softmax"], rows["mixed_float16", "logits"]
    assert wrong["last_loss"] > -math.log(math.e / (math.e + 9)) and wrong["accuracy"] < right["accuracy"] - 0.3


def test_only_the_loop_that_wraps_and_scales_has_gradients(measured):
    plain, *mixed = measured.part("custom_loop")
    assert plain["policy"] == "float32" and 0.03 < plain["zero_gradients"] < 0.07
    for row in mixed:
        assert row["policy"] == "mixed_float16"
        if row["wrapped"] and row["scaled"]:
            assert row["zero_gradients"] == pytest.approx(plain["zero_gradients"], abs=0.005)
            assert row["change"] == pytest.approx(plain["change"], rel=0.02)
        else:
            assert (row["zero_gradients"], row["change"]) == (1.0, 0.0)
    assert len(mixed) == 3


def test_compile_wraps_and_the_old_method_is_gone(measured):
    (row,) = measured.part("fit")
    assert (row["optimizer"], row["scale"], row["weights"]) == ("LossScaleOptimizer", 2.0**15, "float32")
    assert row["get_scaled_loss"] is False
