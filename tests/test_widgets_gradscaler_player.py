"""The Python side of the GradScaler player: traits, the twin, and its steps against torch's GradScaler."""

import copy
import json
import math

import export_scaler_traces
import pytest
import torch
import traitlets
from test_widgets import HOSTILE, Twin
from torch_scaler_traces import torch_traces, trace

from amp_helpers.scaling import LossScaler
from amp_helpers.widgets import GradScalerPlayer
from amp_helpers.widgets.gradscaler_player import LONGEST, MOST

TRACES = torch_traces(30)


def test_replays_are_torchs():
    """`replay` refuses a trace that the player's own steps do not give; this looks at the steps as well."""
    for history in TRACES:
        played = GradScalerPlayer.replay(history).played()
        assert [repr(step.scale) for step in played] == [repr(float(scale)) for scale in history["scale"]]
        assert [step.growth_tracker for step in played] == history["growth_tracker"]
        assert [int(step.skipped) for step in played] == history["found_inf"]


def test_loss_scalers_traces_are_replayed_and_the_cliff_is_where_weights_die():
    for history in export_scaler_traces.traces():
        finite = history.pop("weights_finite")
        played = GradScalerPlayer.replay(history).played()
        died = [n for n, step in enumerate(played) if not step.skipped and step.used <= 2.0**-128]
        assert finite == [int(not died or n < died[0]) for n in range(len(played))], history["name"]


def test_it_replays_what_a_loss_scaler_exports():
    scaler = LossScaler("cpu", init_scale=1024.0, growth_interval=3)
    weight = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for n in range(20):
        scaler.scale(weight.sum() * (math.inf if n in (4, 5, 11) else 1.0)).backward()
        scaler.step(optimizer)
        scaler.update(64.0 if n == 15 else None)
        optimizer.zero_grad()
    player = GradScalerPlayer.replay(json.loads(json.dumps(scaler.export())), url_state=True)
    assert player.steps == "s4i2s5is3=64.0;s4" and player.url_state
    assert player.played()[-1].scale == scaler.get_scale()
    assert sum(step.skipped for step in player.played()) == 3


def test_a_history_that_its_settings_do_not_give_is_refused():
    history = copy.deepcopy(TRACES[0])
    history["scale"][7] = 3.0
    with pytest.raises(ValueError, match=r"after iteration 7 the history has scale 3\.0 .* its settings give 256\.0"):
        GradScalerPlayer.replay(history)
    with pytest.raises(traitlets.TraitError, match="growth_interval must be from 1"):
        GradScalerPlayer.replay(TRACES[0] | {"growth_interval": 0})


@pytest.mark.parametrize("bad", [143, 144, 166])
def test_the_next_good_step_beyond_the_cliff_ruins_the_weights(bad):
    """What the player says of the cliff, done with torch's own scaler."""
    scaler = torch.amp.GradScaler("cpu")
    weight = torch.ones(2, requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.1)
    for factor in [math.inf] * bad + [1.0]:
        optimizer.zero_grad()
        scaler.scale((weight * torch.tensor([1.0, 0.0])).sum() * factor).backward()
        scaler.step(optimizer)
        scaler.update()
    assert (bad < 144) == torch.isfinite(weight).all().item()
    if bad == 144:
        assert weight[0] == -math.inf and weight[1].isnan(), "a gradient becomes infinite, a zero NaN"
    scale = GradScalerPlayer(steps=f"i{bad}").played()[-1].scale
    assert scale == scaler.get_scale() and (scale <= 2.0**-128) == (bad >= 144)


def test_overflow_above_a_scale():
    player = GradScalerPlayer(growth_interval=20, overflow_above=2.0**17, steps="s200")
    played = player.played()
    assert all(step.skipped == (step.used > 2.0**17) for step in played) and max(step.used for step in played) == 2**18


def test_repr_and_bundle():
    player = GradScalerPlayer(growth_interval=20, steps="s20is5")
    assert repr(player) == "GradScalerPlayer(growth_interval=20, steps='s20is5')"
    assert repr(eval(repr(player))) == repr(player) and repr(GradScalerPlayer()) == "GradScalerPlayer()"
    twin = Twin(player.twin())
    assert twin.widget["kind"] == "gradscaler_player"
    assert json.loads(twin.widget["state"]) == player.state()
    names = {"init_scale", "growth_factor", "backoff_factor", "growth_interval", "init_growth_tracker"}
    assert set(player.state()) == names | {"overflow_above", "steps", "url_state"}
    assert "export default" in str(GradScalerPlayer._esm)


def test_the_defaults_are_torchs():
    real, player = torch.amp.GradScaler("cpu"), GradScalerPlayer()
    assert player.init_scale == real.get_scale() and player.growth_interval == real.get_growth_interval()
    assert player.growth_factor == real.get_growth_factor() and player.backoff_factor == real.get_backoff_factor()


def test_the_fallback_tells_the_same():
    assert "GradScaler after 0 steps: scale 2^16" in Twin(GradScalerPlayer().twin()).text
    twin = Twin(GradScalerPlayer(growth_interval=20, steps="s20is5").twin())
    for expected in ("after 26 steps: scale 2^16, 1 skipped, growth interval 20", "2^17", "skipped", "stepped"):
        assert expected in twin.text
    assert twin.tags.count("tr") == 5, "the growth, the skipped step and the last two"
    assert "2^−128" in Twin(GradScalerPlayer(steps="i144").twin()).text
    assert "1 step:" in Twin(GradScalerPlayer(steps="s").twin()).text
    longest = GradScalerPlayer(steps="si" * (LONGEST // 2))
    assert len(longest.twin()) < 30_000 and "the last 8 changes" in Twin(longest.twin()).text


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("steps", HOSTILE, "steps cannot be read at '<img"),
        ("steps", "s5x", "steps cannot be read at 'x'"),
        ("steps", "=--1;", "steps set the scale to '--1', which is no number"),
        ("steps", f"s{MOST}i", "steps hold more than 100000 steps"),
        ("steps", "s99999999999999999999", "steps hold more than 100000 steps"),
        ("steps", "s" * (LONGEST + 1), "steps hold 20001 characters; 20000 at most"),
        ("init_scale", 0.0, r"init_scale must be a number above 0 that float32 holds, not 0\.0"),
        ("init_scale", 1e39, "float32"),
        ("init_scale", math.nan, "float32"),
        ("growth_factor", 1.0, "growth_factor must be a number above 1"),
        ("growth_factor", math.inf, "growth_factor"),
        ("backoff_factor", 1.0, "backoff_factor must be a number from 0 to below 1"),
        ("growth_interval", 0, "growth_interval must be from 1 to 2147483647, not 0"),
        ("init_growth_tracker", -1, "init_growth_tracker must be from 0"),
        ("overflow_above", -1.0, r"overflow_above must be 0 \(never\) or a scale"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    player = GradScalerPlayer()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(player, trait, value)
    assert repr(player) == "GradScalerPlayer()"
    with pytest.raises(traitlets.TraitError, match=message):
        GradScalerPlayer(**{trait: value})


def test_the_page_sends_what_changed():
    player = GradScalerPlayer()
    player.set_state({"init_scale": 1024, "growth_interval": 5, "steps": "s3i"})
    assert (player.init_scale, player.growth_interval, player.steps) == (1024.0, 5, "s3i")


def test_traces_name_what_was_set():
    history = trace([0, 1], {1: math.inf}, growth_interval=1)
    assert history["scale"] == [131072.0, "Infinity"] and history["set_scale"] == {"1": "Infinity"}
    assert GradScalerPlayer.replay(history).steps == "s=Infinity!;"
