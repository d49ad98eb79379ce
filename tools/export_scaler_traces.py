"""Write the traces that hold the GradScaler player (JavaScript) and `LossScaler` (Python) together.

    python tools/export_scaler_traces.py FILE.json

A list. Each trace is a history as `LossScaler.export()` gives it (amp_helpers/scaling/history.py says what is in it),
with a `name`, and `weights_finite`: 1 or 0 per iteration, whether the weight was still finite afterwards.
"""

from __future__ import annotations

import json
import math
import random
import sys
from pathlib import Path

import torch

from amp_helpers.scaling import LossScaler

#: name -> settings, tracker that was loaded, and a bad (1) or good (0) gradient or a scale to set per iteration.
SCRIPTED = {
    "all good": ({}, 0, [0] * 20),
    "growth after 2000": ({}, 1990, [0] * 25),
    "one infinity": ({"growth_interval": 4}, 0, [0, 0, 1, 0, 0, 0, 0, 0]),
    "interval of one": ({"growth_interval": 1}, 0, [0, 0, 1, 0, 1, 1, 0]),
    "the cliff": ({}, 0, [1] * 144 + [0] * 3),
    "just before the cliff": ({}, 0, [1] * 143 + [0] * 3),
    "down to zero": ({}, 0, [1] * 170 + [0] * 3),
    "the top": ({"growth_interval": 1, "init_scale": 2.0**120}, 0, [0] * 12 + [1] + [0] * 3),
    "the top, factor 1.3": ({"growth_interval": 1, "growth_factor": 1.3, "init_scale": 1e38}, 0, [0] * 12),
    "a scale set by hand": ({"growth_interval": 3}, 0, [0, 0, 128.0, 0, 1, 0.1, 0, 0, 0, math.inf, 1, 0]),
    "an interval below the tracker": ({"growth_interval": 3}, 7, [0] * 6 + [1] + [0] * 4),
    "backoff to zero at once": ({"backoff_factor": 0.0}, 0, [0, 1, 0]),
}


def trace(name: str, settings: dict, tracker: int, script: list) -> dict:
    """Run a `LossScaler` on one weight, and export what happened."""
    scaler = LossScaler("cpu", **settings)
    if tracker:
        scaler.load_state_dict({**scaler.state_dict(), "_growth_tracker": tracker})
    weight = torch.nn.Parameter(torch.ones(()))
    optimizer = torch.optim.SGD([weight], lr=1e-3)
    finite = []
    for entry in script:
        scaler.scale(torch.ones(()))
        # The gradient of `weight`, scaled; a set scale stands in a good iteration.
        weight.grad = torch.tensor(math.inf) if entry == 1 and isinstance(entry, int) else torch.tensor(1e-30)
        scaler.step(optimizer)
        scaler.update(*([entry] if isinstance(entry, float) else []))
        finite.append(int(weight.isfinite().item()))
    return {"name": name, **scaler.export(), "weights_finite": finite}


def traces() -> list[dict]:
    """All of them; the same on every run."""
    rows = [trace(name, *arguments) for name, arguments in SCRIPTED.items()]
    rng = random.Random(9)
    for number in range(60):
        settings = {
            "init_scale": rng.choice([2.0**16, 1.0, 0.1, 1000.0, 2.0**-120, 2.0**126]),
            "growth_factor": rng.choice([2.0, 2.0, 1.5, 1.1, 10.0]),
            "backoff_factor": rng.choice([0.5, 0.5, 0.75, 0.1, 1 / 3]),
            "growth_interval": rng.choice([1, 2, 5, 20]),
        }
        share = rng.choice([0.05, 0.3, 0.9])
        script = [int(rng.random() < share) for _ in range(60)]
        if number % 5 == 0:
            script[30] = rng.choice([64.0, 0.3])
        rows.append(trace(f"random {number}", settings, rng.choice([0, 0, 1]), script))
    return rows


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_text(json.dumps(traces(), allow_nan=False), encoding="utf-8")
