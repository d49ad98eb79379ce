"""What the doctor says about this machine, and about machines that are not here. No rate is asserted."""

import json
import subprocess
import sys

import pytest
import torch

from amp_helpers import doctor
from amp_helpers.__main__ import main
from amp_helpers.device import DTYPES
from amp_helpers.doctor import examine
from amp_helpers.precision import RECIPES, float32_precision


@pytest.fixture
def quick(monkeypatch):
    """Nothing is multiplied: FP32 takes one second, the others half; the sizes that were asked for are kept."""
    asked = []

    def seconds(device, dtype, size):
        asked.append((device, dtype, size))
        return 1.0 if dtype == "float32" else 0.5

    monkeypatch.setattr(doctor, "_seconds", seconds)
    return asked


def test_this_machine_reads_well():
    before = float32_precision(), torch.get_num_threads()
    found = examine("cpu")
    assert [rate.dtype for rate in found.rates] == list(DTYPES)
    rates = {rate.dtype: rate for rate in found.rates}
    assert rates["float32"].times_float32 == 1.0 and rates["float32"].tflops > 0
    assert all((rate.tflops is None) == (rate.level == "unsupported") for rate in found.rates)
    assert found.recipe in RECIPES and found.versions["torch"] == torch.__version__
    text = str(found)
    for part in ("device    cpu: ", "versions  Python ", f"recipe    {found.recipe}: ", "TFLOP/s"):
        assert part in text
    assert found.problems == [] and "problem" not in text
    assert (float32_precision(), torch.get_num_threads()) == before


def test_a_t4(machine, quick):
    machine.cuda("Tesla T4", (7, 5))
    found = examine()
    assert found.recipe == "16-mixed" and 'GradScaler("cuda")' in found.code and "torch.float16" in found.code
    assert [rate.level for rate in found.rates] == [
        "accelerated", "unsupported", "emulated", "accelerated", "unsupported"
    ]  # fmt: skip
    sizes = {dtype: size for device, dtype, size in quick if device == "cuda"}
    assert sizes["bfloat16"] < sizes["float16"] == 8192, "what is emulated is slow: a smaller product"
    rates = {rate.dtype: rate for rate in found.rates}
    assert rates["float16"].tflops == 2 * 8192**3 / 0.5 / 1e12 and rates["float16"].times_float32 == 2.0
    assert rates["tfloat32"].size is None
    assert "cuda: Tesla T4, 16 GiB" in str(found) and "also      cpu" in str(found)


def test_a_p100_is_a_problem_and_the_cpu_is_used(machine, quick, capsys):
    machine.cuda("Tesla P100", (6, 0), runs=False).cpu(bf16=0.3)
    found = examine()
    assert found.devices[0].device_type == "cpu" and found.recipe == "32-true"
    assert any("P100 is listed but cannot run a kernel: CUDA error: no kernel" in text for text in found.problems)
    assert main(["doctor"]) == 1
    assert "problem   Tesla P100 is listed" in capsys.readouterr().out
    found = examine("cuda")
    assert all(rate.level == "unsupported" and rate.tflops is None for rate in found.rates)
    assert "cannot run a kernel" in found.why


def test_apple(machine, quick):
    found = examine(machine.mps() and None)
    assert found.devices[0].device_type == "mps" and found.recipe == "16-mixed"


def test_a_cpu_without_bf16(machine, quick):
    machine.cpu(bf16=0.4)
    found = examine("cpu")
    assert (found.recipe, found.code) == ("32-true", "no autocast, no GradScaler")
    assert "0.4 times as fast" in str(found)


def test_a_failed_measurement_is_a_row(machine, monkeypatch):
    def fails(device, dtype, size):
        if dtype == "bfloat16":
            raise RuntimeError("out of memory\nmore")
        return 1.0

    monkeypatch.setattr(doctor, "_seconds", fails)
    rates = {rate.dtype: rate for rate in examine("cpu").rates}
    assert rates["bfloat16"].reason == "the measurement failed: out of memory" and rates["bfloat16"].tflops is None
    assert rates["float32"].tflops


def test_old_versions_are_named(monkeypatch, quick):
    monkeypatch.setattr(
        doctor, "_requirements", lambda: ["torch>=99.1", "no-such-package>=2", 'numpy<0; python_version<"3"']
    )
    assert examine("cpu").problems == [
        f"torch {torch.__version__.split('+')[0]} does not do: >=99.1 is needed",
        "no-such-package is not installed: >=2 is needed",
    ]
    monkeypatch.undo()
    assert any(line.startswith("torch>=") for line in doctor._requirements())


def test_a_gpu_that_torch_does_not_see(monkeypatch, quick):
    monkeypatch.setattr(doctor.shutil, "which", lambda name: "/usr/bin/nvidia-smi")
    monkeypatch.setattr(torch.version, "cuda", "13.2")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "torch sees no CUDA device" in examine("cpu").problems[0]


def test_the_command_prints_one_json_object():
    run = subprocess.run([sys.executable, "-m", "amp_helpers", "doctor", "--json"], capture_output=True, text=True)
    assert run.returncode == 0 and run.stderr == ""
    found = json.loads(run.stdout)
    assert set(found) == {"devices", "rates", "recipe", "why", "code", "versions", "problems"}
    assert found["rates"][0]["dtype"] == "float32"


@pytest.mark.parametrize(
    ("device", "message"), [("gpu", "'gpu' is no device; choose from"), ("mps", "this machine has no mps device")]
)
def test_a_wrong_device_is_one_line(device, message, capsys):
    assert main(["doctor", "--device", device]) == 2
    out, err = capsys.readouterr()
    assert out == "" and message in err and err.count("\n") == 1
