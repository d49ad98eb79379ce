"""The training loop: the ops and numbers of the loop written by hand, and what stands around it."""

import contextlib
import inspect
import itertools

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from amp_helpers.datasets import digits, source_text
from amp_helpers.models import GPT, MLP, GPTConfig
from amp_helpers.precision import RECIPES
from amp_helpers.scaling import LossScaler
from amp_helpers.training import loop, run_steps, train

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    return digits()


def network(seed=0, dropout=0.0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Dropout(dropout), MLP(64, 16, 10))


def sgd(model, **options):
    return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9, **options)


def quick(model, data, optimizer=None, *arguments, **options):
    return train(model, data, optimizer or sgd(model), *arguments, **({"progress": False, "steps": 3} | options))


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a.parameters(), b.parameters(), strict=True))


# --- the same as by hand ------------------------------------------------------------------------------


class Ops(TorchDispatchMode):
    """The ops that reach the dispatcher, with the dtypes of their tensors."""

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.seen.append((str(func), tuple(str(a.dtype) for a in args if isinstance(a, torch.Tensor))))
        return func(*args, **(kwargs or {}))


def plain_loop(model, data, optimizer, steps):
    losses = []
    for x, y in data.batches(64, steps=steps):
        loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.detach())
        optimizer.step()
        optimizer.zero_grad()
    return torch.stack(losses).tolist()


def autocast_loop(model, data, optimizer, steps):
    losses = []
    for x, y in data.batches(64, steps=steps):
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        losses.append(loss.detach())
        optimizer.step()
        optimizer.zero_grad()
    return torch.stack(losses).tolist()


def scaled_loop(model, data, optimizer, steps):
    scaler, losses = torch.amp.GradScaler("cpu"), []
    for x, y in data.batches(64, steps=steps):
        with torch.autocast("cpu", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        losses.append(loss.detach())
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
    return torch.stack(losses).tolist()


def full_loop(model, data, optimizer, steps):
    """FP16 with clipping, two batches in a step, and a scheduler."""
    scaler, losses = torch.amp.GradScaler("cpu"), []
    batches = data.batches(64, steps=2 * steps)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    for _ in range(steps):
        for x, y in itertools.islice(batches, 2):
            with torch.autocast("cpu", dtype=torch.float16):
                loss = F.cross_entropy(model(x), y)
            loss = loss / 2
            scaler.scale(loss).backward()
            losses.append(loss.detach())
        scaler.unscale_(optimizer)
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()
        scheduler.step()
    return pairs(torch.stack(losses).tolist())


def pairs(parts):
    return [a + b for a, b in zip(parts[::2], parts[1::2], strict=True)]


def clipped_loop(model, data, optimizer, steps):
    losses = []
    batches = data.batches(64, steps=2 * steps)
    for _ in range(steps):
        for x, y in itertools.islice(batches, 2):
            loss = F.cross_entropy(model(x), y) / 2
            loss.backward()
            losses.append(loss.detach())
        nn.utils.clip_grad_norm_(model.parameters(), 0.5)
        optimizer.step()
        optimizer.zero_grad()
    return pairs(torch.stack(losses).tolist())


def half_loop(model, data, optimizer, steps):
    losses = []
    for x, y in data.batches(64, steps=steps):
        loss = F.cross_entropy(model(x.bfloat16()), y)
        loss.backward()
        losses.append(loss.detach())
        optimizer.step()
        optimizer.zero_grad()
    return torch.stack(losses).tolist()


@pytest.mark.parametrize(
    ("recipe", "by_hand", "options"),
    [
        ("32-true", plain_loop, {}),
        ("32-true", clipped_loop, {"clip_norm": 0.5, "accumulate": 2}),
        ("bf16-mixed", autocast_loop, {}),
        ("16-mixed", scaled_loop, {}),
        ("16-mixed", full_loop, {"clip_norm": 0.5, "accumulate": 2, "scheduler": True}),
        ("bf16-true", half_loop, {}),
    ],
)
@pytest.mark.parametrize("fused", [False, True])
def test_the_ops_and_the_numbers_are_those_of_the_loop_by_hand(data, monkeypatch, recipe, by_hand, options, fused):
    mine, theirs, ops, options = network(), network().to(RECIPES[recipe].weights), Ops(), dict(options)

    def traced(session, steps):
        with ops:
            run_steps(session, steps)

    monkeypatch.setattr(loop, "run_steps", traced)
    optimizer = sgd(mine, fused=fused)
    if options.pop("scheduler", None):
        options["scheduler"] = torch.optim.lr_scheduler.StepLR(optimizer, 1, 0.5)
    run = quick(mine, data, optimizer, recipe, **options)
    with Ops() as expected:
        losses = by_hand(theirs, data, sgd(theirs, fused=fused), 3)
    if fused and recipe == "16-mixed":  # whether it stepped is known to the device alone: read with the losses
        reads = [op for op in ops.seen if "_local_scalar_dense" in op[0]]
        assert len(reads) == (6 if "scheduler" in options else 3) and "_local_scalar_dense" not in str(expected.seen)
        ops.seen = [op for op in ops.seen if op not in reads]
    assert ops.seen == expected.seen and len(ops.seen) > 30
    assert run.losses == losses and equal(mine, theirs)


def test_the_loop_fits_a_page():
    source = inspect.getsource(run_steps)
    assert max(map(len, source.splitlines())) <= 78 and source.count("\n") < 40


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_learns(data, name):
    model = network()
    run = quick(model, data, None, name, steps=25, evaluate_every=10)
    assert run.losses[-1] < run.losses[0] and len(run.losses) == run.steps == 25
    assert [step for step, _ in run.evaluations] == [10, 20, 25]
    assert 0.6 < run.accuracy == run.evaluations[-1][1] <= 1
    assert {p.dtype for p in model.parameters()} == {RECIPES[name].weights}
    assert run.step_s > 0 and run.skipped <= 2


def test_the_float32_settings_hold_for_the_run_and_no_longer(data):
    from amp_helpers.precision import float32_precision

    before, during = float32_precision(), []

    def loss(output, target):
        during.append(float32_precision())
        return F.cross_entropy(output, target)

    quick(network(), data, None, "tf32", loss=loss, steps=1)
    quick(network(), data, None, "32-true", loss=loss, steps=1)
    assert set(during[0].values()) <= {"tf32", True} and set(during[1].values()) <= {"ieee", False}
    assert float32_precision() == before


# --- the scaler ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("fused", [False, True])
@pytest.mark.parametrize("kind", [torch.amp.GradScaler, LossScaler])
def test_skipped_steps_are_counted_and_the_scheduler_waits(data, fused, kind):
    model = network()
    # Not SGD: fused, it leaves its momentum uninitialised if the first step is skipped (torch 2.15).
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2, fused=fused)
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 100)
    scaler = kind("cpu", init_scale=2.0**24)
    before = [parameter.clone() for parameter in model.parameters()]
    moved = []

    def loss(output, target):
        moved.append(any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)))
        return F.cross_entropy(output, target)

    run = quick(model, data, optimizer, "16-mixed", steps=12, grad_scaler=scaler, scheduler=scheduler, loss=loss)
    assert 0 < run.skipped < 12 and scheduler.last_epoch == 12 - run.skipped
    assert scaler.get_scale() == 2.0 ** (24 - run.skipped), "no growth in so few steps"
    assert not moved[1] and model(data.test_images).isfinite().all(), "the first step was skipped"


def test_a_scaler_needs_a_recipe_that_scales(data):
    with pytest.raises(ValueError, match="the recipe bf16-mixed scales no loss, so it takes no grad_scaler"):
        quick(network(), data, None, "bf16-mixed", grad_scaler=torch.amp.GradScaler("cpu"))


# --- data ---------------------------------------------------------------------------------------------


def test_a_list_of_batches_is_repeated(data):
    batches = list(data.batches(64, steps=2))
    a, b = network(), network()
    mine = quick(a, batches, steps=5)
    theirs = quick(b, [*batches, *batches, batches[0]], steps=5)
    assert mine.losses == theirs.losses and equal(a, b)
    assert quick(network(), iter(batches), steps=2).losses == mine.losses[:2]


@pytest.mark.parametrize(
    ("batches", "error", "message"),
    [
        (lambda data: iter(list(data.batches(64, steps=2))), ValueError, "the data ended after 2 batches"),
        (lambda data: [], ValueError, "the data ended after 0 batches"),
        (lambda data: [data.train_images], TypeError, r"a batch must be \(input, target\), not a Tensor"),
        (lambda data: 7, TypeError, "data must be an ImageData, a TextData or an iterable"),
    ],
)
def test_data_that_does_not_do(data, batches, error, message):
    with pytest.raises(error, match=message):
        quick(network(), batches(data))


def test_text():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary=128, context=16, width=16, heads=2, layers=1))
    text = source_text()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    run = quick(model, text, optimizer, "bf16-mixed", steps=20, batch_size=8, evaluate_every=20)
    assert run.losses[-1] < run.losses[0] and 0.05 < run.accuracy < 0.9
    x, y = next(text.batches(8, 16, steps=1))
    torch.manual_seed(0)
    with torch.autocast("cpu"):
        logits = GPT(model.config)(x)
    assert run.losses[0] == pytest.approx(F.cross_entropy(logits.float().transpose(1, 2), y).item(), rel=1e-2)
    with pytest.raises(ValueError, match="a text needs length="):
        quick(network(), text)
    with pytest.raises(ValueError, match=r"length must be 1 to \d+, not 1000000"):
        quick(model, text, length=10**6)


def test_evaluation_is_on_the_whole_test_part_in_eval_mode_and_changes_nothing(data):
    a, b = network(dropout=0.5), network(dropout=0.5)
    with_it, without = quick(a, data, steps=4, evaluate_every=1, batch_size=50), quick(b, data, steps=4, batch_size=50)
    assert with_it.losses == without.losses and equal(a, b) and a.training
    assert without.accuracy is None and without.evaluations == []
    right = (a.eval()(data.test_images).argmax(1) == data.test_labels).sum().item()
    assert with_it.accuracy == right / 360
    with pytest.raises(ValueError, match="evaluate_every needs data with a test part"):
        quick(a, list(data.batches(64)), evaluate_every=1)


def test_the_seed_sets_the_order_and_the_dropout(data):
    runs = [quick(network(dropout=0.5), data, seed=seed).losses for seed in (1, 1, 2)]
    assert runs[0] == runs[1] != runs[2]


# --- progress, mistakes -------------------------------------------------------------------------------


def test_the_bar_is_on_stderr_and_can_be_off(data, capsys):
    quick(network(), data, progress=True)
    out, err = capsys.readouterr()
    assert not out and "3/3" in err and "loss=" in err
    quick(network(), data)
    assert capsys.readouterr() == ("", "")


def test_nothing_stays_on_the_optimizer(data):
    optimizer = sgd(model := network())
    quick(model, data, optimizer)
    with contextlib.suppress(ValueError):
        quick(model, [], optimizer)
    assert not optimizer._optimizer_step_post_hooks
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"steps": -1}, "steps must be a whole number of 0 or more, not -1"),
        ({"steps": 2.0}, "steps must be a whole number of 0 or more, not 2.0"),
        ({"accumulate": 0}, "accumulate must be a whole number of 1 or more, not 0"),
        ({"seed": 2**32}, r"seed must be from 0 to 2\*\*32 - 1"),
        ({"clip_norm": 0}, "clip_norm must be above 0, or None, not 0"),
        ({"clip_norm": float("nan")}, "clip_norm must be above 0, or None, not nan"),
        ({"evaluate_every": 0}, "evaluate_every must be a whole number of 1 or more, not 0"),
        ({"checkpoint_every": 0}, "checkpoint_every must be a whole number of 1 or more"),
        ({"batch_size": 5000}, "batch_size must be 1 to 1437, not 5000"),
        ({"resume": True}, "resume=True needs a checkpoint"),
        ({"recipe": "fp8"}, "unknown recipe 'fp8'; choose from 32-true"),
        ({"device": "tpu"}, "'tpu' is no device"),
    ],
)
def test_mistakes(data, options, message):
    model = network()
    before = [parameter.clone() for parameter in model.parameters()]
    with pytest.raises(ValueError, match=message):
        quick(model, data, **options)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_wrong_optimizer_and_scheduler(data):
    model = network()
    with pytest.raises(TypeError, match=r"optimizer must be a torch\.optim\.Optimizer, not list"):
        train(model, data, [1], steps=1)
    plateau = torch.optim.lr_scheduler.ReduceLROnPlateau(sgd(model))
    with pytest.raises(TypeError, match="ReduceLROnPlateau steps on a metric"):
        quick(model, data, scheduler=plateau)


def test_no_steps(data):
    run = quick(network(), data, steps=0)
    assert run.losses == [] and run.steps == 0 and run.step_s is None
