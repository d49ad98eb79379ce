"""Traces of the real `torch.amp.GradScaler("cpu")`, in the form of an exported history, for the GradScaler player.

`tools/export_vectors.py` writes them among its vectors, beside those of `LossScaler`; both sides of the player replay
them all.
"""

from __future__ import annotations

import math
import random

import torch

#: Settings that every trace list begins with: the defaults, odd factors, growth at every step, no growth at all.
SETTINGS = [
    {},
    {"growth_interval": 1},
    {"growth_interval": 3, "growth_factor": 1.1, "backoff_factor": 0.9},
    {"init_scale": 2.0**100, "growth_interval": 1, "growth_factor": 1e10, "backoff_factor": 0.1},
    {"init_scale": 3.0, "growth_interval": 7, "growth_factor": math.pi, "backoff_factor": 1 / 3},
    {"init_scale": 1e-30, "growth_interval": 4, "backoff_factor": 0.0},
]


def trace(found_inf: list[int], sets: dict[int, float] | None = None, tracker: int = 0, **settings) -> dict:
    """What a `GradScaler("cpu", **settings)` does in these iterations; `sets` holds the new scales for `update`."""
    sets = sets or {}
    scaler = torch.amp.GradScaler("cpu", **settings)
    if tracker:
        scaler.load_state_dict(scaler.state_dict() | {"_growth_tracker": tracker})
    weight = torch.zeros((), requires_grad=True)
    optimizer = torch.optim.SGD([weight], lr=0.0)
    scaler.scale(torch.zeros(()))  # makes the scale and the tracker
    state = scaler.state_dict()
    names = ("growth_factor", "backoff_factor", "growth_interval")
    history = {"init_scale": state["scale"]} | {name: state[name] for name in names}
    history |= {"found_inf": list(found_inf), "scale": [], "growth_tracker": []}
    for n, found in enumerate(found_inf):
        weight.grad = torch.tensor(math.inf if found else 1.0)
        scaler.step(optimizer)
        scaler.update(sets.get(n))
        state = scaler.state_dict()
        history["scale"].append(_json_number(state["scale"]))
        history["growth_tracker"].append(state["_growth_tracker"])
    if sets:
        history["set_scale"] = {str(n): _json_number(value) for n, value in sets.items()}
    if tracker:
        history["init_growth_tracker"] = tracker
    return history


def torch_traces(random_ones: int = 120, steps: int = 40) -> list[dict]:
    """The same list on every run: the cliff, growth at the top of float32, then random settings and patterns."""
    rng = random.Random(16)
    found = [trace([1] * 170 + [0, 1, 0]), trace([0] * 40, growth_interval=1, init_scale=2.0**120), trace([])]
    found.append(trace([0, 0, 1, 0, 0, 0], {1: 128.0, 2: 0.1, 4: math.inf}, growth_interval=3))
    found.append(trace([0] * 5, tracker=4, growth_interval=3))  # past the interval: it never grows
    found.append(trace([0] * 5, tracker=4, growth_interval=6))
    for n in range(random_ones):
        settings = SETTINGS[n] if n < len(SETTINGS) else _random_settings(rng)
        share = rng.choice([0.05, 0.3, 0.7])
        pattern = [int(rng.random() < share) for _ in range(steps)]
        sets = {rng.randrange(steps): rng.uniform(0.1, 1e6)} if rng.random() < 0.2 else None
        found.append(trace(pattern, sets, rng.choice([0, 0, 1, 3]), **settings))
    return found


def _json_number(x: float) -> float | str:
    return x if math.isfinite(x) else {"inf": "Infinity", "nan": "NaN"}[repr(x)]


def _random_settings(rng: random.Random) -> dict:
    return {
        "init_scale": rng.choice([2.0 ** rng.randint(-140, 127), rng.uniform(1e-3, 1e6)]),
        "growth_factor": rng.choice([2.0, 1.0 + rng.random(), rng.uniform(1.5, 100)]),
        "backoff_factor": rng.choice([0.5, rng.random()]),
        "growth_interval": rng.choice([1, 2, 3, 5, 10, 2000]),
    }
