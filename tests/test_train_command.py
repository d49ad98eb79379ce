"""`python -m amp_helpers train`: trains, saves, goes on, and says in one line what is wrong."""

import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from amp_helpers import datasets
from amp_helpers.__main__ import main
from amp_helpers.commands.train import MODELS, build
from amp_helpers.training.checkpoint import load

pytestmark = pytest.mark.usefixtures("one_thread")


def test_it_trains(capsys):
    assert main(["train", "--steps", "60", "--seed", "1"]) == 0
    out, err = capsys.readouterr()
    first, second = out.splitlines()
    assert first.startswith("steps 60, loss 0.") and second.endswith("ms per step (median)") and not err
    assert 0.85 < float(first.split()[-1]) <= 1


@pytest.mark.parametrize("model", MODELS)
def test_every_model(model, capsys, tmp_path):
    path = tmp_path / "run.pt"
    arguments = ["train", "--model", model, "--steps", "2", "--batch-size", "8", "--lr", "0.001"]
    assert main([*arguments, "--checkpoint", str(path)]) == 0
    assert f"checkpoint {path}" in capsys.readouterr().out
    state = load(path)
    assert state["step"] == 2 and state["run"]["batch_size"] == 8 and "lr=0.001" in state["run"]["optimizer"]
    assert state["run"]["data"]["data"] == {"gpt": "Python's own source", "resnet9": "digits 32x32"}.get(
        model, "digits 8x8"
    )


def test_resume_ends_with_the_same_weights(tmp_path, capsys):
    def run(name, *more):
        return main(["train", "--precision", "bf16-mixed", "--checkpoint", str(tmp_path / name), *more])

    assert run("whole.pt", "--steps", "6") == 0
    whole = capsys.readouterr().out.splitlines()[0]
    assert run("cut.pt", "--steps", "3", "--checkpoint-every", "2") == 0
    capsys.readouterr()
    assert run("cut.pt", "--steps", "6", "--resume") == 0
    assert capsys.readouterr().out.splitlines()[0] == whole
    one, other = (load(tmp_path / name) for name in ("whole.pt", "cut.pt"))
    assert all(torch.equal(one["model"][key], other["model"][key]) for key in one["model"])
    before = (tmp_path / "cut.pt").read_bytes()
    assert run("cut.pt", "--steps", "6", "--resume") == 0, "a finished run"
    assert capsys.readouterr().out.splitlines()[0] == whole and (tmp_path / "cut.pt").read_bytes() == before


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_from_outside_and_resumed(tmp_path):
    """Killed whenever it happens to be; the resumed run ends with the bytes of the uninterrupted one."""
    path, whole = tmp_path / "cut.pt", tmp_path / "whole.pt"
    command = [sys.executable, "-m", "amp_helpers", "train", "--steps", "400", "--checkpoint-every", "1", "--seed", "2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen([*command, "--checkpoint", str(path)], stdout=subprocess.DEVNULL, env=environment)
    deadline = time.monotonic() + 120
    while not path.exists() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL and 0 < load(path)["step"] < 400
    for arguments in (["--checkpoint", str(path), "--resume"], ["--checkpoint", str(whole)]):
        subprocess.run([*command, *arguments], stdout=subprocess.DEVNULL, env=environment, check=True)
    assert path.read_bytes() == whole.read_bytes()


def test_fashion_falls_back_visibly(monkeypatch, capsys, tmp_path):
    def none(folder, download):
        raise RuntimeError("Tried a mirror, got:\nno network")

    monkeypatch.setattr(datasets, "_torchvision_parts", none)
    assert main(["train", "--data", "fashion", "--steps", "1"]) == 0
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("python -m amp_helpers: note: Fashion-MNIST cannot be had (RuntimeError: no network)")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--model", "vgg"], "invalid choice: 'vgg'"),
        (["--data", "mnist"], "invalid choice: 'mnist'"),
        (["--model", "gpt", "--data", "digits"], "--model gpt takes --data text, not digits"),
        (["--data", "text"], "--model mlp takes --data digits or fashion, not text"),
        (["--precision", "fp8"], "unknown recipe 'fp8'; choose from 32-true"),
        (["--precision", "tf32", "--device", "cpu"], "cannot run tf32"),
        (["--steps", "0"], "--steps must be 1 or more, not 0"),
        (["--steps", "few"], "invalid int value: 'few'"),
        (["--batch-size", "0"], "batch_size must be 1 to 1437, not 0"),
        (["--lr", "-1"], "--lr must be above 0, not -1.0"),
        (["--seed", "-1"], "seed must be"),
        (["--checkpoint-every", "0", "--checkpoint", "a.pt"], "checkpoint_every must be"),
        (["--resume"], "--resume needs --checkpoint PATH"),
        (["--resume", "--checkpoint", "none.pt"], "there is no checkpoint none.pt to resume from"),
        (["--checkpoint", "none/a.pt"], "cannot write the checkpoint none/a.pt: No such file or directory"),
        (["--device", "tpu"], "'tpu' is no device"),
        pytest.param(
            ["--device", "cuda"],
            "this machine has no cuda device",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here"),
        ),
    ],
)
def test_mistakes(arguments, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["train", *arguments]) == 2
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert words in line and not out and list(tmp_path.iterdir()) == []


def test_another_recipe_or_data_on_resume(capsys, tmp_path):
    path = str(tmp_path / "a.pt")
    assert main(["train", "--steps", "1", "--checkpoint", path]) == 0
    for more, words in (
        (["--precision", "bf16-true"], "was started with recipe '32-true' and cannot go on with recipe 'bf16-true'"),
        (["--model", "resnet9", "--lr", "0.05"], "with data 'digits 8x8' and cannot go on with data 'digits 32x32'"),
        (["--lr", "0.2"], "with optimizer 'SGD(lr=0.05)' and cannot go on with optimizer 'SGD(lr=0.2)'"),
    ):
        capsys.readouterr()
        assert main(["train", "--steps", "2", "--checkpoint", path, "--resume", *more]) == 2
        assert words in capsys.readouterr().err.splitlines()[-1]


def test_a_training_that_fails(capsys, tmp_path):
    path = tmp_path / "a.pt"
    assert main(["train", "--steps", "20", "--lr", "1e30", "--checkpoint", str(path)]) == 1
    out, err = capsys.readouterr()
    (line,) = err.splitlines()
    assert line.startswith("python -m amp_helpers: the training stopped: ") and not out and not path.exists()


def test_models_fit_their_data():
    for name in MODELS:
        model, data = build(name, None)
        x, y = next(data.batches(2, 8, steps=1) if name == "gpt" else data.batches(2))
        output = model(x)
        assert output.shape[:-1] == y.shape and output.shape[-1] >= y.max()
