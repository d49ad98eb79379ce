"""`ScalerMonitor` changes nothing, sees everything, and speaks before the weights are hurt."""

import functools
import gc
import json
import math
import pickle
import warnings
import weakref

import pytest
import torch
from test_scaling import NUM_SCENARIOS, OPTIMIZERS, Run, bits, iterate, model_and_optimizer, perform, random_scenario
from torch import nn

from amp_helpers.scaling import LossScaler, ScalerError, ScalerMonitor, ScalerWarning, monitor

BOTH = [torch.amp.GradScaler, LossScaler]
both = pytest.mark.parametrize("kind", BOTH, ids=["torch", "ours"])


pytestmark = pytest.mark.usefixtures("one_thread")


# --- it changes nothing ---------------------------------------------------------------------------------


@both
def test_random_runs_are_the_same_with_a_monitor_and_it_sees_what_the_scaler_does(kind):
    """Also in scenarios full of misuse; the monitor's state must be the scaler's after every operation."""
    for seed in range(0, NUM_SCENARIOS, 4):
        settings, layouts, operations = random_scenario(seed)
        operations = [
            operation for operation in operations if operation[0] != "save and load" or operation[1] == "same"
        ]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            alone, watched = (Run(kind, settings, layouts) for _ in range(2))
            with ScalerMonitor(watched.scaler) as monitor:
                for number, operation in enumerate(operations):
                    for run in (alone, watched):
                        perform(run, operation)
                    where = f"scenario {seed}, operation {number}: {operation}; {settings}, {layouts}"
                    assert repr(alone.outcome[-1:]) == repr(watched.outcome[-1:]), where
                    assert alone.state() == watched.state(), where
                    assert len(getattr(alone.scaler, "_per_optimizer_states", ())) == len(
                        getattr(watched.scaler, "_per_optimizer_states", ())
                    ), where
                    if operation[0] == "update" and monitor.history:
                        entry = monitor.history[-1]
                        assert repr(entry.scale) == repr(watched.scaler.get_scale()), where
                        assert entry.growth_tracker == watched.scaler._get_growth_tracker(), where
            if kind is LossScaler and not any(o[:2] == ("misuse", 9) for o in operations):  # a state loaded in part
                assert repr(monitor.history) == repr(watched.scaler.history), where
                assert repr(monitor.history.start) == repr(watched.scaler.history.start), where


@both
def test_the_methods_come_back(kind):
    scaler = kind("cpu")
    before = dict(vars(scaler))
    monitor = ScalerMonitor(scaler)
    with monitor as entered:
        assert entered is monitor and set(vars(scaler)) - set(before) == {
            "unscale_", "step", "update", "load_state_dict", "_scaler_monitor"
        }  # fmt: skip
        assert scaler.step.__doc__ == kind.step.__doc__
        other = kind("cpu")
        assert "step" not in vars(other) and type(scaler).step is kind.step
    assert vars(scaler) == before
    pickle.dumps(scaler)
    with pytest.raises(ZeroDivisionError), ScalerMonitor(scaler):
        1 / 0  # noqa: B018
    assert vars(scaler) == before
    monitor.attach()
    monitor.detach()
    monitor.detach()
    assert vars(scaler) == before


@both
def test_an_optimizer_keeps_no_trace(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    names, hooks = set(vars(optimizer)), dict(optimizer._optimizer_step_post_hooks)
    with ScalerMonitor(scaler):
        iterate(scaler, model, optimizer)
        iterate(scaler, model, optimizer, bad=True)
        optimizer.step = functools.partial(explode)
        with pytest.raises(ZeroDivisionError):
            iterate(scaler, model, optimizer)
        del optimizer.step
        scaler.update()
        iterate(scaler, model, optimizer)
    assert set(vars(optimizer)) == names and dict(optimizer._optimizer_step_post_hooks) == hooks


def explode(*args, **kwargs):
    raise ZeroDivisionError


@both
def test_an_optimizer_that_fails_is_followed(kind):
    """step() raised after the check: the scaler still counts the iteration as good."""
    scaler = kind("cpu", growth_interval=1)
    model, optimizer = model_and_optimizer()
    with ScalerMonitor(scaler) as monitor:
        optimizer.step = explode
        with pytest.raises(ZeroDivisionError):
            iterate(scaler, model, optimizer)
        scaler.update()
    assert scaler.get_scale() == 2.0**17 == monitor.history[0].scale
    assert monitor.history[0].skipped == 0


@both
def test_somebody_else_s_wrapper_survives(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    monitor = ScalerMonitor(scaler).attach()
    inner, calls = scaler.step, []
    scaler.step = lambda *args: calls.append(True) or inner(*args)
    monitor.detach()
    iterate(scaler, model, optimizer)
    assert calls == [True] and monitor.history == []
    with monitor:
        iterate(scaler, model, optimizer)
    assert calls == [True, True] and len(monitor.history) == 1
    assert monitor._steps_run[optimizer] == 1


def test_one_monitor_at_a_time():
    scaler = torch.amp.GradScaler("cpu")
    with ScalerMonitor(scaler) as monitor:
        with pytest.raises(RuntimeError, match="another ScalerMonitor is attached"):
            ScalerMonitor(scaler).attach()
        with pytest.raises(RuntimeError, match="this monitor is attached"):
            monitor.attach()
    model, optimizer = model_and_optimizer()
    scaler.scale(model(torch.ones(1, 4)).sum()).backward()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="between two iterations"):
        monitor.attach()
    assert "step" not in vars(scaler)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"scaler": 3}, TypeError, "int has no"),
        ({"floor": -1.0}, ValueError, "floor .* -1.0"),
        ({"floor": math.nan}, ValueError, "floor .* nan"),
        ({"max_skipped": 0}, ValueError, "max_skipped .* 0"),
        ({"max_skipped": True}, ValueError, "max_skipped .* True"),
        ({"max_skipped": 2.0}, ValueError, "max_skipped .* 2.0"),
        ({"on": "error"}, ValueError, "'warn' or 'raise', got 'error'"),
    ],
)
def test_wrong_arguments(arguments, error, message):
    with pytest.raises(error, match=message):
        ScalerMonitor(**{"scaler": torch.amp.GradScaler("cpu"), **arguments})


# --- what it sees ---------------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_history_of_one_optimizer(kind, name):
    scaler = kind("cpu", growth_interval=2)
    model, optimizer = model_and_optimizer(OPTIMIZERS[name])
    with ScalerMonitor(scaler) as monitor:
        for step, bad in enumerate([True, False, False, False, True]):
            iterate(scaler, model, optimizer, bad, step)
        scaler.update(3.0)
        with pytest.warns(ScalerWarning, match="fell to 0.1"):
            scaler.update(torch.tensor(0.1))
    assert [entry.found_inf for entry in monitor.history] == [True, False, False, False, True, False, False]
    assert [entry.skipped for entry in monitor.history] == [1, 0, 0, 0, 1, 0, 0]
    scales = [2.0**15, 2.0**15, 2.0**16, 2.0**16, 2.0**15, 3.0, torch.tensor(0.1).item()]
    assert [entry.scale for entry in monitor.history] == scales
    assert [entry.growth_tracker for entry in monitor.history] == [0, 1, 0, 1, 0, 0, 0]
    assert monitor.num_skipped == 2
    assert len(monitor.table(3).rows) == 3
    assert "7 iterations, 2 optimizer steps skipped." in repr(monitor.table())


@both
def test_export_is_what_the_player_replays(kind):
    scaler = kind("cpu", init_scale=4.0, growth_interval=2, growth_factor=3.0)
    model, optimizer = model_and_optimizer()
    with ScalerMonitor(scaler) as monitor:
        for step, bad in enumerate([False, False, True]):
            iterate(scaler, model, optimizer, bad, step)
    assert json.loads(json.dumps(monitor.export())) == {
        "init_scale": 4.0,
        "growth_factor": 3.0,
        "backoff_factor": 0.5,
        "growth_interval": 2,
        "found_inf": [0, 0, 1],
        "scale": [4.0, 12.0, 6.0],
        "growth_tracker": [1, 0, 0],
    }


@both
def test_two_optimizers_and_one_that_is_only_checked(kind):
    scaler = kind("cpu")
    (one, first), (two, second), (three, third) = (model_and_optimizer(seed=seed) for seed in range(3))
    with ScalerMonitor(scaler) as monitor:
        for model, factor in ((one, math.inf), (two, 1.0), (three, math.nan)):
            scaler.scale(model(torch.ones(1, 4)).sum() * factor).backward()
        scaler.step(first)
        scaler.step(second)
        scaler.unscale_(third)
        scaler.update()
        assert monitor.history[-1].found_inf and monitor.history[-1].skipped == 1
        for model, optimizer in ((one, first), (three, third)):
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(1, 4)).sum() * (math.nan if model is three else 1.0)).backward()
        scaler.step(first)
        scaler.unscale_(third)
        scaler.update()
    assert monitor.history[-1].found_inf and monitor.history[-1].skipped == 0
    assert monitor.history[-1].scale == scaler.get_scale() == 2.0**14


@both
def test_loading_starts_a_new_history_and_attaching_again_goes_on(kind):
    scaler = kind("cpu", growth_interval=3)
    model, optimizer = model_and_optimizer()
    monitor = ScalerMonitor(scaler)
    with monitor:
        iterate(scaler, model, optimizer)
    with monitor:
        iterate(scaler, model, optimizer)
        assert len(monitor.history) == 2
        scaler.load_state_dict({**scaler.state_dict(), "scale": 0.1})
        assert monitor.history == []
        with pytest.warns(ScalerWarning):  # 0.05 is below the floor
            iterate(scaler, model, optimizer, bad=True)
        assert monitor.history[0].scale == scaler.get_scale()
    iterate(scaler, model, optimizer)
    with monitor:
        assert monitor.history == []  # the scaler moved on alone: the old entries do not join the new ones
        iterate(scaler, model, optimizer)
        assert monitor.export()["init_growth_tracker"] == 1


@both
def test_a_disabled_scaler(kind):
    scaler = kind("cpu", enabled=False)
    model, optimizer = model_and_optimizer()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with ScalerMonitor(scaler, on="raise", max_skipped=1) as monitor:
        scaler.unscale_(optimizer)
        iterate(scaler, model, optimizer)
        assert monitor.step_scheduler(scheduler) and not monitor.step_scheduler(scheduler)
        scaler.load_state_dict({})
    assert monitor.history == []


def test_no_wait_for_the_device_beyond_step_s_own(monkeypatch):
    """Counted: every `.item()` of a GradScaler's tensors, with and without a monitor."""
    counts = {}
    item = torch.Tensor.item

    def counted(tensor):
        counts[key] = counts.get(key, 0) + 1
        return item(tensor)

    monkeypatch.setattr(torch.Tensor, "item", counted)
    for name in ("sgd", "fused_adam"):
        for watched in (False, True):
            key = (name, watched)
            scaler = torch.amp.GradScaler("cpu")
            model, optimizer = model_and_optimizer(OPTIMIZERS[name])
            monitor = ScalerMonitor(scaler)
            if watched:
                iterate(scaler, model, optimizer)
                counts[key] = 0
                monitor.attach()
                counts[key] = 0
            for step in range(10):
                iterate(scaler, model, optimizer, seed=step)
            if watched:
                assert len(monitor.history) == 10
    assert counts[("sgd", False)] == counts[("sgd", True)] == 10
    assert counts.get(("fused_adam", False), 0) == 0 and counts[("fused_adam", True)] == 10


# --- incidents ------------------------------------------------------------------------------------------


def caught(function):
    with warnings.catch_warnings(record=True) as records:
        warnings.simplefilter("always")
        function()
    return [record for record in records if record.category is ScalerWarning]


@both
def test_the_floor_is_reported_once_per_incident(kind):
    scaler = kind("cpu", init_scale=4.0, growth_interval=1)
    model, optimizer = model_and_optimizer()
    flags = [True, True, True, True, True, False, False, False, False, True, True, True, True]
    with ScalerMonitor(scaler, max_skipped=100) as monitor:
        when = [bool(caught(lambda bad=bad: iterate(scaler, model, optimizer, bad))) for bad in flags]
    scales = [entry.scale for entry in monitor.history]
    assert scales == [2.0, 1.0, 0.5, 0.25, 0.125, 0.25, 0.5, 1.0, 2.0, 1.0, 0.5, 0.25, 0.125]
    assert [step for step, spoke in enumerate(when) if spoke] == [2, 10]


@both
def test_skipped_steps_are_reported_once_per_incident(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    flags = [True, True, False, True, True, True, True, False, True, True, True]
    with ScalerMonitor(scaler, max_skipped=3):
        when = [caught(lambda bad=bad: iterate(scaler, model, optimizer, bad)) for bad in flags]
    assert [step for step, records in enumerate(when) if records] == [5, 10]
    assert "in 3 iterations in a row" in str(when[5][0].message)
    assert when[5][0].filename.endswith("test_scaling.py"), "the warning points at the user's own update()"


@both
def test_both_at_once_are_one_warning(kind):
    scaler = kind("cpu", init_scale=1.0)
    model, optimizer = model_and_optimizer()
    with ScalerMonitor(scaler, max_skipped=1):
        (record,) = caught(lambda: iterate(scaler, model, optimizer, True))
    assert "below the floor of 1" in str(record.message) and "also" in str(record.message)
    assert "iteration 1:" in str(record.message) and "0.5" in str(record.message)


@both
@pytest.mark.parametrize(("floor", "max_skipped"), [(1.0, 10), (1.0, 10**6), (0.0, 10), (0.0, 10**6)])
@pytest.mark.parametrize("name", ["plain_sgd", "sgd", "adamw", "adam", "fused_adam", "fused_sgd"])
def test_the_cliff_is_caught_before_the_weights_are_hurt(kind, name, floor, max_skipped):
    """With both limits switched off too, and by whoever catches the error and goes on."""
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer(OPTIMIZERS[name])
    iterate(scaler, model, optimizer)
    before = [bits(param) for param in model.parameters()]
    errors, first = 0, None
    with ScalerMonitor(scaler, floor=floor, max_skipped=max_skipped, on="raise"):
        for step in range(160):
            try:
                iterate(scaler, model, optimizer, bad=step < 150 or step == 155)
            except ScalerError:
                errors += 1
                first = step if first is None else first
    assert errors and [bits(param) for param in model.parameters()] == before
    expected = {(1.0, 10): 9, (1.0, 10**6): 16, (0.0, 10): 9, (0.0, 10**6): 144}[floor, max_skipped]
    assert first == expected and errors >= 16


@both
def test_without_a_monitor_the_same_run_hurts_them(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer(OPTIMIZERS["adamw"])
    for step in range(145):
        iterate(scaler, model, optimizer, bad=step < 144)
    assert not all(param.isfinite().all() for param in model.parameters())


@both
@pytest.mark.parametrize("explicit", [False, True])
def test_the_cliff_warns_once_and_lets_the_step_through(kind, explicit):
    scaler = kind("cpu", init_scale=2.0**-128)
    model, optimizer = model_and_optimizer()

    def harmful():
        scaler.scale(model(torch.ones(1, 4)).sum()).backward()
        if explicit:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        scaler.update()

    with ScalerMonitor(scaler, floor=0.0) as monitor:
        (record,) = caught(harmful)
        assert "can write inf or NaN" in str(record.message)
        assert not caught(harmful)
    assert not model.weight.isfinite().all() and len(monitor.history) == 2


@both
def test_raising_leaves_the_gradients_alone(kind):
    scaler = kind("cpu", init_scale=2.0**-128)
    model, optimizer = model_and_optimizer()
    scaler.scale(model(torch.ones(1, 4)).sum()).backward()
    before = bits(model.weight.grad)
    with ScalerMonitor(scaler, floor=0.0, on="raise"):
        for method in (scaler.unscale_, scaler.step):
            with pytest.raises(ScalerError, match="1/scale is not finite"):
                method(optimizer)
    assert bits(model.weight.grad) == before
    scaler.update(1.0)
    assert scaler.get_scale() == 1.0


@both
def test_a_scale_just_above_the_cliff_is_let_through(kind):
    scaler = kind("cpu", init_scale=2.0**-127)
    model, optimizer = model_and_optimizer()
    with ScalerMonitor(scaler, floor=0.0, on="raise"):
        iterate(scaler, model, optimizer)
    assert model.weight.isfinite().all()


# --- the scheduler's gate -------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("before_update", [False, True])
def test_the_scheduler_steps_when_the_optimizer_did(kind, name, before_update):
    """First steps skipped: torch would warn about the order if the scheduler moved first."""
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer(OPTIMIZERS[name])
    scheduler = torch.optim.lr_scheduler.ExponentialLR(optimizer, 0.5)
    first = optimizer.param_groups[0]["lr"]
    flags = [True, True, False, False, True, False]
    with warnings.catch_warnings(), ScalerMonitor(scaler) as monitor:
        warnings.simplefilter("error")
        stepped = []
        for bad in flags:
            optimizer.zero_grad()
            scaler.scale(model(torch.ones(1, 4)).sum() * (math.nan if bad else 1.0)).backward()
            scaler.step(optimizer)
            if before_update:
                stepped.append(monitor.step_scheduler(scheduler))
            scaler.update()
            if not before_update:
                stepped.append(monitor.step_scheduler(scheduler))
    assert stepped == [not bad for bad in flags]
    assert optimizer.param_groups[0]["lr"] == first * 0.5**3 and scheduler.last_epoch == 3


@both
def test_two_optimizers_have_two_schedules(kind):
    scaler = kind("cpu")
    (one, first), (two, second) = (model_and_optimizer(seed=seed) for seed in range(2))
    schedulers = [torch.optim.lr_scheduler.StepLR(optimizer, 1) for optimizer in (first, first, second)]
    rows = []
    with ScalerMonitor(scaler) as monitor:
        for flags in [(False, True), (True, True), (True, False), (False, False)]:
            for model, optimizer, bad in ((one, first, flags[0]), (two, second, flags[1])):
                optimizer.zero_grad()
                scaler.scale(model(torch.ones(1, 4)).sum() * (math.inf if bad else 1.0)).backward()
                scaler.step(optimizer)
            scaler.update()
            rows.append([monitor.step_scheduler(scheduler) for scheduler in schedulers])
    assert rows == [[True, True, False], [False, False, False], [False, False, True], [True, True, True]]


@both
def test_accumulation_and_a_scheduler_called_too_often_or_late(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
    with ScalerMonitor(scaler) as monitor:
        assert not monitor.step_scheduler(scheduler)
        iterate(scaler, model, optimizer)
        iterate(scaler, model, optimizer, bad=True)
        assert monitor.step_scheduler(scheduler)  # it ran since the last call
        assert not monitor.step_scheduler(scheduler)
        late = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        assert not monitor.step_scheduler(late)  # the latest step was skipped
        iterate(scaler, model, optimizer)
        later = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        assert monitor.step_scheduler(later) and monitor.step_scheduler(late) and not monitor.step_scheduler(later)


@both
def test_a_plateau_gets_its_metric_and_a_wrong_scheduler_an_error(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=0)
    with ScalerMonitor(scaler) as monitor:
        for metric in (1.0, 2.0):
            iterate(scaler, model, optimizer)
            assert monitor.step_scheduler(scheduler, metric)
        assert optimizer.param_groups[0]["lr"] == pytest.approx(0.01)
        with pytest.raises(TypeError, match="learning-rate scheduler"):
            monitor.step_scheduler(optimizer)


def test_the_monitor_keeps_no_optimizer_alive():
    scaler = torch.amp.GradScaler("cpu")
    with ScalerMonitor(scaler) as monitor:
        model, optimizer = model_and_optimizer()
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1)
        iterate(scaler, model, optimizer)
        monitor.step_scheduler(scheduler)
        reference = weakref.ref(optimizer)
        del model, optimizer, scheduler
        gc.collect()
        assert reference() is None


class Duck:
    """An optimizer that is none of torch's: no hooks."""

    def __init__(self, params):
        self.param_groups = [{"params": list(params)}]

    def step(self):
        for param in self.param_groups[0]["params"]:
            param.data -= param.grad


@both
def test_an_optimizer_without_hooks(kind):
    scaler = kind("cpu")
    model = nn.Linear(4, 3)
    optimizer = Duck(model.parameters())
    with ScalerMonitor(scaler) as monitor:
        for factor in (1.0, math.inf, 1.0):
            model.zero_grad()
            scaler.scale(model(torch.ones(1, 4)).sum() * factor).backward()
            scaler.step(optimizer)
            scaler.update()
    assert [entry.skipped for entry in monitor.history] == [0, 1, 0]
    assert monitor.history[-1].scale == scaler.get_scale()


def test_every_watched_method_has_its_guard():
    assert all(callable(getattr(ScalerMonitor, f"_{name}")) for name in monitor.WATCHED)
