"""Checkpoints: a resumed run is the uninterrupted one, and no other file gets in."""

import collections
import pickle
import random
import zipfile

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers.datasets import digits, source_text
from amp_helpers.models import GPT, MLP, GPTConfig
from amp_helpers.training import CheckpointError, train
from amp_helpers.training.checkpoint import load, partial_path, plain, random_state, set_random_state

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    return digits()


class Noisy(nn.Module):
    """Draws from every generator there is."""

    def forward(self, x):
        return x * (1 + 0.1 * random.random() + 0.1 * float(np.random.rand())) + 0.1 * torch.randn_like(x)


def start(data, path=None, *, steps=6, seed=0, recipe="16-mixed", width=16, lr=0.1, order=0, **options):
    """A run that uses everything: dropout, BatchNorm, momentum, scaler with skipped steps, scheduler, accumulation."""
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Flatten(), Noisy(), nn.Linear(64, width), nn.BatchNorm1d(width), nn.Dropout(0.3), nn.Linear(width, 10)
    )
    optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.2, total_steps=20)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=2) if recipe == "16-mixed" else None
    settings = {
        "accumulate": 2,
        "clip_norm": 1.0,
        "scheduler": scheduler,
        "grad_scaler": scaler,
        "seed": order,
    } | options
    run = train(model, data, optimizer, recipe, steps=steps, checkpoint=path, progress=False, **settings)
    return run, model, optimizer, scheduler, scaler


def same(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.state_dict().values(), b.state_dict().values(), strict=True))


# --- resume -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [1, 3, 5])
def test_a_resumed_run_is_the_uninterrupted_one(data, tmp_path, cut):
    straight, model, optimizer, scheduler, scaler = start(data, tmp_path / "a.pt")
    start(data, tmp_path / "b.pt", steps=cut)
    resumed, again, other, *rest = start(data, tmp_path / "b.pt", seed=5, resume=True)
    assert resumed.losses == straight.losses and resumed.skipped == straight.skipped > 0
    assert same(model, again) and rest[0].state_dict() == scheduler.state_dict()
    assert rest[1].state_dict() == scaler.state_dict() and scaler.get_scale() != 2.0**24
    mine, theirs = optimizer.state_dict(), other.state_dict()
    assert mine["param_groups"] == theirs["param_groups"]
    assert all(
        torch.equal(mine["state"][k]["momentum_buffer"], v["momentum_buffer"]) for k, v in theirs["state"].items()
    )
    assert (tmp_path / "a.pt").read_bytes() == (tmp_path / "b.pt").read_bytes(), "to the byte"


def test_another_pass_over_the_data_and_text(tmp_path, data):
    def gpt(path, steps, resume=False):
        torch.manual_seed(0)
        model = GPT(GPTConfig(vocabulary=128, context=8, width=8, heads=2, layers=1))
        optimizer = torch.optim.AdamW(model.parameters())
        train(model, text, optimizer, "bf16-mixed", steps=steps, checkpoint=path, resume=resume, progress=False)
        return model

    text = source_text()
    gpt(tmp_path / "b.pt", 2)
    assert same(gpt(tmp_path / "a.pt", 5), gpt(tmp_path / "b.pt", 5, True))
    model = start(data, None, steps=8, batch_size=300, recipe="32-true")[1]
    start(data, tmp_path / "c.pt", steps=5, batch_size=300, recipe="32-true")
    assert same(model, start(data, tmp_path / "c.pt", steps=8, batch_size=300, recipe="32-true", resume=True)[1])
    batches = list(data.batches(100, steps=3))
    model = start(batches, None, recipe="32-true")[1]
    start(batches, tmp_path / "d.pt", steps=2, recipe="32-true")
    assert same(model, start(batches, tmp_path / "d.pt", recipe="32-true", resume=True)[1])


def test_a_finished_run_is_given_back(data, tmp_path):
    first, model, *_ = start(data, tmp_path / "a.pt", evaluate_every=6)
    before = (tmp_path / "a.pt").read_bytes()
    again, other, *_ = start(data, tmp_path / "a.pt", seed=3, resume=True, evaluate_every=6)
    assert again.losses == first.losses and again.accuracy == first.accuracy and again.steps == 6 and same(model, other)
    assert again.step_s is None and (tmp_path / "a.pt").read_bytes() == before
    with pytest.raises(ValueError, match=r"a\.pt is at step 6 already, beyond the 4 asked for"):
        start(data, tmp_path / "a.pt", steps=4, resume=True)


def test_when_it_is_written(data, tmp_path, monkeypatch):
    steps = []
    real = torch.save
    monkeypatch.setattr(torch, "save", lambda state, file: (steps.append(state["step"]), real(state, file)))
    start(data, tmp_path / "a.pt", steps=7, checkpoint_every=3, recipe="32-true")
    start(data, tmp_path / "a.pt", steps=12, recipe="32-true")
    assert steps == [3, 6, 7, 10, 12]
    assert [file.name for file in tmp_path.iterdir()] == ["a.pt"]


def test_what_it_holds(data, tmp_path):
    start(data, tmp_path / "a.pt", steps=2)
    state = torch.load(tmp_path / "a.pt", weights_only=True)
    assert state["step"] == 2 and state["run"]["recipe"] == "16-mixed" and state["run"]["data"]["data"] == "digits 8x8"
    assert {"model", "optimizer", "scheduler", "scaler", "rng"} <= state.keys()
    assert state["rng"].keys() == {"python", "numpy", "torch"}

    def kinds(value):
        yield type(value)
        if isinstance(value, dict):
            for pair in value.items():
                yield from kinds(pair)
        elif isinstance(value, list | tuple):
            for item in value:
                yield from kinds(item)

    assert set(kinds(state)) <= {dict, list, tuple, str, int, float, bool, type(None), torch.Tensor}
    with zipfile.ZipFile(tmp_path / "a.pt") as archive:
        assert {entry.date_time for entry in archive.infolist()} <= {(1980, 0, 0, 0, 0, 0), (1980, 1, 1, 0, 0, 0)}


def test_tied_weights_are_stored_once():
    model = GPT(GPTConfig(vocabulary=64, context=8, width=8, heads=2, layers=1))
    state = plain(model.state_dict(), "model", {})
    assert state["head.weight"].data_ptr() == state["tokens.weight"].data_ptr() != model.head.weight.data_ptr()


def test_plain_values():
    value = {"a": [1, (2.5, None)], "b": np.float64(2), "c": collections.Counter({3: 1}), True: torch.float}
    with pytest.raises(CheckpointError, match=r"x\[True\] is a dtype, which a checkpoint does not hold"):
        plain(value, "x", {})
    del value[True]
    assert plain(value, "x", {}) == value and type(plain(value, "x", {})["b"]) is float
    assert type(plain(value, "x", {})["c"]) is collections.Counter


def test_random_states_come_back():
    def draw():
        return random.random(), float(np.random.randn()), float(torch.rand(1)), random.gauss(0, 1)

    draw()
    state = plain(random_state(torch.device("cpu")), "rng", {})
    first = [draw(), draw()]
    set_random_state(state, torch.device("cpu"))
    assert [draw(), draw()] == first


# --- what does not fit --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"recipe": "bf16-mixed"}, "was started with recipe '16-mixed' and cannot go on with recipe 'bf16-mixed'"),
        ({"order": 1}, "was started with seed 0 and cannot go on with seed 1"),
        ({"batch_size": 32}, "was started with batch_size 64 and cannot go on with batch_size 32"),
        ({"accumulate": 1}, "was started with accumulate 2 and cannot go on with accumulate 1"),
        ({"clip_norm": None}, "was started with clip_norm 1.0 and cannot go on with clip_norm None"),
        ({"scheduler": None}, "was started with scheduler 'OneCycleLR' and cannot go on with scheduler None"),
        ({"lr": 0.2}, r"was started with optimizer 'SGD(lr=0.1)' and cannot go on with optimizer 'SGD(lr=0.2)'"),
        ({"size": 16}, "was started with data 'digits 8x8' and cannot go on with data 'digits 16x16'"),
        ({"width": 8}, "holds another model: 2.bias is float32 of shape (16,) there and float32 of shape (8,) here"),
    ],
)
def test_another_run(data, tmp_path, options, words):
    path = tmp_path / "a.pt"
    start(data, path, steps=2)
    before = path.read_bytes()
    if "size" in options:
        data, options = digits(options["size"]), {}
    with pytest.raises(CheckpointError) as caught:
        start(data, path, resume=True, **options)
    assert words in str(caught.value) and str(path) in str(caught.value)
    assert path.read_bytes() == before


def test_the_same_name_with_other_numbers(data, tmp_path):
    import dataclasses

    start(data, tmp_path / "a.pt", steps=2)
    images = data.train_images.clone()
    images[7, 0, 3, 3] += 1
    with pytest.raises(CheckpointError, match=r"was started with sha256 '.*' and cannot go on with sha256"):
        start(dataclasses.replace(data, train_images=images), tmp_path / "a.pt", resume=True)


def test_a_model_that_does_not_fit_stays_as_it_is(data, tmp_path):
    path = tmp_path / "a.pt"
    small, large = (nn.Sequential(nn.Flatten(), MLP(64, width, 10)) for width in (4, 8))
    train(small, data, torch.optim.SGD(small.parameters(), 0.1), steps=1, checkpoint=path, progress=False)
    before = [weight.clone() for weight in large.parameters()]
    optimizer = torch.optim.SGD(large.parameters(), 0.1)
    with pytest.raises(CheckpointError, match="holds another model"):
        train(large, data, optimizer, steps=2, checkpoint=path, resume=True, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(before, large.parameters(), strict=True)) and not optimizer.state


def test_no_checkpoint(data, tmp_path):
    with pytest.raises(CheckpointError, match=r"there is no checkpoint .*none\.pt to resume from"):
        start(data, tmp_path / "none.pt", resume=True)


class Evil:
    """Unpickling it would make a file."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return (open, (self.path, "w"))


@pytest.mark.parametrize(
    "kind", ["code", "pickle", "text", "empty", "truncated", "tensor", "state dict", "wrong type", "missing key"]
)
def test_foreign_files(data, tmp_path, kind):
    path, proof = tmp_path / "a.pt", tmp_path / "proof"
    start(data, path, steps=1, recipe="32-true")
    good = path.read_bytes()
    state = torch.load(path, weights_only=True)
    if kind == "code":
        torch.save({**state, "rng": Evil(proof)}, path)
    elif kind == "pickle":
        path.write_bytes(pickle.dumps(Evil(proof)))
    elif kind in ("text", "empty", "truncated"):
        path.write_bytes({"text": b"hello", "empty": b"", "truncated": good[: len(good) // 2]}[kind])
    else:
        other = {"tensor": torch.ones(2), "state dict": state["model"], "wrong type": {**state, "step": "one"}}
        torch.save(other.get(kind, {key: state[key] for key in state if key != "optimizer"}), path)
    before = path.read_bytes()
    with pytest.raises(CheckpointError) as caught:
        start(data, path, resume=True, recipe="32-true")
    message = str(caught.value)
    assert str(path) in message and "checkpoint of amp_helpers.training" in message and "\n" not in message
    assert "trust" not in message, "torch's own text says how to run the code"
    assert not proof.exists() and path.read_bytes() == before
    assert ("optimizer" in message) == (kind == "missing key") and ("step" in message) == (kind == "wrong type")


def test_an_optimizer_state_that_does_not_fit(data, tmp_path):
    path = tmp_path / "a.pt"
    start(data, path, steps=1, recipe="32-true")
    state = load(path)
    state["optimizer"]["param_groups"] = []
    torch.save(state, path)
    with pytest.raises(CheckpointError, match="does not fit this run: ValueError"):
        start(data, path, resume=True, recipe="32-true")


# --- writing ------------------------------------------------------------------------------------------


def test_a_write_that_fails_leaves_the_old_one(data, tmp_path, monkeypatch):
    path = tmp_path / "a.pt"
    start(data, path, steps=2, recipe="32-true")
    before = path.read_bytes()

    def full(state, file):
        file.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(torch, "save", full)
    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint .*No space left on device"):
        start(data, path, steps=4, recipe="32-true", resume=True)
    assert path.read_bytes() == before and not partial_path(path).exists()


def test_the_loss_in_the_checkpoint_is_that_of_each_step(data, tmp_path):
    run, *_ = start(data, tmp_path / "a.pt", recipe="32-true", loss=lambda x, y: F.cross_entropy(x, y) + 1)
    assert load(tmp_path / "a.pt")["losses"].tolist() == run.losses and min(run.losses) > 1
