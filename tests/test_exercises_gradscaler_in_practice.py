"""The checks of chapter 10 accept the right answer, and explain the first mismatch of a wrong one."""

import pytest
import torch
from torch.nn.utils import clip_grad_norm_

from amp_helpers.exercises import gradscaler_in_practice as exercises
from amp_helpers.scaling import ScalerMonitor

CHECKS = [exercises.check_accumulate_and_clip, exercises.check_two_schedules, exercises.check_resume]


@pytest.mark.parametrize("check", CHECKS, ids=lambda c: c.__name__)
@pytest.mark.parametrize("answer", [5, (len, 5)])
def test_functions_are_expected(check, answer):
    with pytest.raises(TypeError, match=r"functions?.* not "):
        check(answer)


def accumulate(model, optimizer, scaler, losses, max_norm, mistake=None):
    if mistake != "no zero_grad":
        optimizer.zero_grad()
    for loss in losses:
        if mistake == "first loss only" and loss is not losses[0]:
            continue
        loss = loss if mistake == "sum" else loss / len(losses)
        (loss if mistake == "unscaled" else scaler.scale(loss)).backward()
        if mistake == "update each":
            scaler.unscale_(optimizer)
            scaler.update()
    if mistake == "unscaled":
        scaler.scale(torch.zeros(()))
    if mistake not in ("clip scaled", "update each"):
        scaler.unscale_(optimizer)
    if mistake != "no clipping":
        clip_grad_norm_(model.parameters(), max_norm)
    if mistake == "without the scaler":
        optimizer.step()
    else:
        scaler.step(optimizer)
    if mistake != "no update":
        scaler.update()


def test_accumulate_and_clip(capsys):
    exercises.check_accumulate_and_clip(accumulate)
    said = capsys.readouterr().out
    assert said.count("right") == 4 and "one infinite loss: right, skipped" in said


@pytest.mark.parametrize(
    "mistake, message",
    [
        ("no zero_grad", "no clipping, one loss: the step has length"),
        ("unscaled", "no clipping, one loss: the step has length"),
        ("sum", "no clipping, four losses: the step has length"),
        ("first loss only", "no clipping, four losses: the step has length"),
        ("clip scaled", "^clipping: the step has length 4.89e-06; without a scaler it has 0.005"),
        ("no clipping", "clipping: the step has length .* it has 0.005, and the cosine between the two is 1.000"),
        ("update each", "no clipping, one loss: the step has length 7.3.e-05; without a scaler it has 0.0749"),
        ("no update", "no clipping, one loss: the scaler counted 0 good iterations, not 1"),
        ("without the scaler", "one infinite loss: the step must be skipped and the scale fall"),
    ],
)
def test_wrong_accumulate_and_clip(mistake, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_accumulate_and_clip(lambda *arguments: accumulate(*arguments, mistake=mistake))


def has_gradients(optimizer):
    return any(p.grad is not None for group in optimizer.param_groups for p in group["params"])


def two_schedules(loss, optimizers, schedulers, scaler, mistake=None):
    with ScalerMonitor(scaler) as monitor:
        scaler.scale(loss).backward()
        for optimizer in optimizers:
            if has_gradients(optimizer) or mistake == "all":
                scaler.step(optimizer)
            if mistake == "update each" and has_gradients(optimizer):
                scaler.update()
        if mistake == "all schedulers":
            for scheduler in schedulers:
                scheduler.step()
        before = scaler.get_scale()
        if mistake != "update each":
            scaler.update()
        if mistake == "by scale" and scaler.get_scale() >= before:
            for scheduler in schedulers:
                scheduler.step()
        if mistake not in ("all schedulers", "by scale", "no scheduler"):
            for scheduler in schedulers:
                monitor.step_scheduler(scheduler)


def by_hand(loss, optimizers, schedulers, scaler):
    """The same without a monitor: every optimizer says whether it ran."""
    ran = []
    hooks = [o.register_step_post_hook(lambda optimizer, *_: ran.append(id(optimizer))) for o in optimizers]
    scaler.scale(loss).backward()
    for optimizer in filter(has_gradients, optimizers):
        scaler.step(optimizer)
    scaler.update()
    for hook in hooks:
        hook.remove()
    for scheduler in schedulers:
        if id(scheduler.optimizer) in ran:
            scheduler.step()


@pytest.mark.parametrize("answer", [two_schedules, by_hand])
def test_two_schedules(answer, capsys):
    exercises.check_two_schedules(answer)
    assert capsys.readouterr().out.count("right") == 5


@pytest.mark.parametrize(
    "mistake, message",
    [
        ("all", "No inf checks were recorded for this optimizer"),
        ("all schedulers", "the second has none: the second scheduler made 1 steps, but its optimizer did not run"),
        ("by scale", "the second has none: the second scheduler made 1 steps"),
        ("no scheduler", "both have gradients: the first scheduler made 0 steps, but its optimizer ran"),
        ("update each", "both have gradients: the scale should be 1024 afterwards, not 2048"),
    ],
)
def test_wrong_two_schedules(mistake, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_two_schedules(lambda *arguments: two_schedules(*arguments, mistake=mistake))


def test_two_schedules_sees_another_scale():
    def answer(loss, optimizers, schedulers, scaler):
        scaler.scale(loss).backward()
        scaler.step(optimizers[0])
        scaler.update(512.0)
        scaler.step(optimizers[1])
        scaler.update()

    with pytest.raises(AssertionError, match="the first scheduler made 0 steps"):
        exercises.check_two_schedules(answer)


def save(*parts, names=("model", "optimizer", "scaler")):
    every = dict(zip(("model", "optimizer", "scaler"), parts, strict=True))
    return {name: every[name].state_dict() for name in names}


def load(state, *parts, guard=True):
    for name, part in zip(("model", "optimizer", "scaler"), parts, strict=True):
        if name in state and (state[name] or not guard):
            part.load_state_dict(state[name])


def test_resume(capsys):
    exercises.check_resume((save, load))
    said = capsys.readouterr().out
    assert "bit for bit" in said and said.count("right") == 2


@pytest.mark.parametrize(
    "pair, message",
    [
        ((save, lambda state, *parts: None), "the model's state differs"),
        ((lambda *parts: save(*parts, names=("model", "optimizer")), load), "the model's state differs"),
        ((lambda *parts: save(*parts, names=("model", "scaler")), load), "state differs from that of 36 iterations"),
        ((lambda *parts: save(*parts, names=("optimizer", "scaler")), load), "the model's state differs"),
        (
            (save, lambda *arguments: load(*arguments, guard=False)),
            "saved with enabled=False, resumed with enabled=True: RuntimeError: The source state dict is empty",
        ),
    ],
)
def test_wrong_resume(pair, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_resume(pair)
