"""Races are fair: same weights, same batches, turns; ratios are of pairs. No time is asserted of this machine."""

import random

import pytest
import torch
from torch import nn

from amp_helpers.datasets import digits
from amp_helpers.models import MLP
from amp_helpers.suites import race as module
from amp_helpers.suites.race import Lane, paired_speedup, race, race_table

# A CPU without matrix units warns.
pytestmark = pytest.mark.filterwarnings("ignore:.*only by emulation:RuntimeWarning")


def build():
    return nn.Sequential(nn.Flatten(), MLP(64, 16, 10))


def small_race(recipes=("32-true", "bf16-mixed"), **options):
    settings = {"steps": 6, "learning_rate": 0.01, "batch_size": 32} | options
    return race(build, digits(), recipes, **settings)


def lane(*step_s):
    return Lane("any", list(step_s), [0.0] * len(step_s), 9, 12)


def test_lanes_start_alike_and_learn():
    lanes = small_race(steps=60)
    assert list(lanes) == ["32-true", "bf16-mixed"]
    wide, low = lanes.values()
    assert wide.losses[0] == pytest.approx(low.losses[0], abs=0.02) and wide.losses != low.losses
    for found in lanes.values():
        assert len(found.step_s) == len(found.losses) == 60 and found.images == 360
        assert found.losses[-1] < 0.6 * found.losses[0] and found.accuracy > 0.8


def test_same_seed_same_race():
    first, again, other = (small_race(seed=seed)["32-true"].losses for seed in (1, 1, 2))
    assert first == again != other


def test_a_lane_is_the_plain_loop():
    torch.manual_seed(3)
    model, losses = build(), []
    optimizer = torch.optim.AdamW(model.parameters(), fused=True)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 0.01, total_steps=6)
    for images, labels in digits().batches(32, steps=6, seed=3):
        loss = nn.functional.cross_entropy(model(images), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        losses.append(loss.item())
    assert small_race(seed=3)["32-true"].losses == losses


def test_recipes_reach_the_model():
    lanes = small_race(("32", "bf16-true", "16-mixed"))
    assert list(lanes) == ["32-true", "bf16-true", "16-mixed"]
    assert len({tuple(found.losses) for found in lanes.values()}) == 3


def test_turns_are_shuffled(monkeypatch):
    orders = []

    class Watched(random.Random):
        def shuffle(self, items):
            super().shuffle(items)
            orders.append([runner.recipe.name for runner in items])

    monkeypatch.setattr(module.random, "Random", Watched)
    small_race(steps=12)
    assert len(orders) == 12 and {order[0] for order in orders} == {"32-true", "bf16-mixed"}


def test_threads_come_back():
    before = torch.get_num_threads()
    small_race()
    assert torch.get_num_threads() == before


def test_mistakes():
    with pytest.raises(ValueError, match="two recipes or more, not \\('32-true',\\)"):
        small_race(("32-true",))
    with pytest.raises(ValueError, match="two recipes or more, not \\('32-true', '32'\\)"):
        small_race(("32-true", "32"))
    with pytest.raises(ValueError, match="steps must be 4 or more, not 3"):
        small_race(steps=3)
    with pytest.raises(RuntimeError, match="cannot run tf32"):
        small_race(("32-true", "tf32"))
    with pytest.raises(ValueError, match="unknown recipe 'fp8'"):
        small_race(("32-true", "fp8"))


def test_ratios_are_of_pairs():
    # The machine is ten times slower in the last steps, for both lanes alike.
    base = lane(9.0, 9.0, 9.0, 2.0, 2.0, 2.0, 20.0, 20.0)
    other = lane(1.0, 1.0, 1.0, 1.0, 1.0, 1.0, 10.0, 10.0)
    assert paired_speedup(base, other) == (2.0, 2.0, 2.0)
    assert paired_speedup(other, base) == (0.5, 0.5, 0.5)
    assert paired_speedup(base, other, warmup=0)[2] > 2
    assert paired_speedup(lane(1.0, 2.0, 3.0, 4.0, 5.0), lane(*[1.0] * 5), warmup=0) == (2.0, 3.0, 4.0)


def test_pairs_are_checked():
    with pytest.raises(ValueError, match="lanes of 5 and 4 steps"):
        paired_speedup(lane(*[1.0] * 5), lane(*[1.0] * 4))
    with pytest.raises(ValueError, match="4 steps leave fewer than two after a warm-up of 3"):
        paired_speedup(lane(*[1.0] * 4), lane(*[1.0] * 4))


def test_table():
    lanes = {"32-true": lane(9.0, 9.0, 9.0, 0.2, 0.2), "bf16-mixed": lane(9.0, 9.0, 9.0, 0.1, 0.1)}
    assert race_table(lanes).rows == [
        ["32-true", "200", "1", "75.0%"],
        ["bf16-mixed", "100", "2.00 (2.00 to 2.00)", "75.0%"],
    ]
