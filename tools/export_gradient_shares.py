"""What Python counts in gradient histograms, for the underflow explorer's own counting in JavaScript.

Made-up gradients are rounded one by one with `amp_helpers.formats.encode`; the recorded ones are counted by
`amp_helpers.gradients`. `tools/export_vectors.py` writes both among its vectors.
"""

from __future__ import annotations

import json
import math
import random
from pathlib import Path

import torch

from amp_helpers.formats import FORMATS, classify, encode
from amp_helpers.gradients import GradientHistogram, GradientReport

NAMES = ("float16", "bfloat16", "float8_e5m2", "float8_e4m3fn")
EXPONENTS = (-126, -60, -10, -3, 0, 1, 7, 16, 31, 40, 127)
RECORDED = Path(__file__).parents[1] / "amp_helpers" / "static" / "gradients"


def made_up(rng: random.Random, low: int, high: int, count: int) -> list[float]:
    """Float32 values with exponents from `low` to `high`, most of them at or beside a place where a format decides."""
    places = [1.0, 1.75, 1.8125, 1.875, 1.9921875, 1.99609375, 1.9990234375, 1.99951171875]
    beside = [place + step for place in places for step in (-(2.0**-23), 0.0, 2.0**-23) if place + step >= 1]
    values = []
    for _ in range(count):
        significand = rng.choice(beside) if rng.random() < 0.7 else 1 + rng.random()
        values.append(rng.choice([-1, 1]) * significand * 2.0 ** rng.randint(low, high))
    return torch.tensor(values, dtype=torch.float32).tolist()


def rounded_counts(values: list[float], name: str, exponent: int) -> list[int]:
    """Counts of zero, subnormal, normal and infinite among the nonzero finite values, each rounded by itself."""
    fmt, found = FORMATS[name], {"zero": 0, "subnormal": 0, "normal": 0, "infinity": 0, "nan": 0}
    for value in values:
        if math.isfinite(value) and value:
            found[classify(encode(value * 2.0**exponent, fmt), fmt)] += 1
    return [found["zero"], found["subnormal"], found["normal"], found["infinity"] + found["nan"]]


def exponent_of(scale: float | None) -> int | None:
    return None if scale is None else round(math.log2(scale))


def limits(group: GradientHistogram, name: str) -> list[int | None]:
    return [exponent_of(group.largest_safe_scale(name)), exponent_of(group.smallest_scale(name))]


def case(report: GradientReport, count) -> dict:
    """`data`: the export. `counts`: [group, format, exponent, zero, subnormal, normal, infinite], group -1 is the whole
    model. `limits`: [group, format, largest safe exponent, smallest useful exponent]."""
    groups = [(-1, report.total()), *enumerate(report.groups)]
    pairs = [(index, group, name) for index, group in groups for name in NAMES]
    return {
        "data": report.export(),
        "counts": [[i, name, k, *count(i, group, name, k)] for i, group, name in pairs for k in EXPONENTS],
        "limits": [[i, name, *limits(group, name)] for i, group, name in pairs],
    }


def gradient_shares() -> list[dict]:
    """The same list on every run: made-up gradients first, then every recording."""
    rng = random.Random(8)
    values = {
        "all exponents": made_up(rng, -126, 127, 300),
        "around float16": [0.0, 0.0, *made_up(rng, -30, 16, 300)],
        "tiny": [math.ldexp(rng.randrange(1, 2**22), -149) for _ in range(100)],
        "only zeros": [0.0] * 5,
        "not finite": [math.inf, math.nan, -math.inf, 1.0],
    }
    flat = [value for group in values.values() for value in group]
    groups = tuple(GradientHistogram.of(torch.tensor(group), name) for name, group in values.items())
    named = [flat if index < 0 else list(values.values())[index] for index in (*range(len(values)), -1)]
    report = GradientReport("made up", None, groups, ("never used",))
    cases = [case(report, lambda i, group, name, k: rounded_counts(named[i], name, k))]
    for path in sorted(RECORDED.glob("*.json")):
        recorded = GradientReport.from_export(json.loads(path.read_text(encoding="utf-8")))
        cases.append(case(recorded, lambda i, group, name, k: list(group.at(name, 2.0**k))))
    return cases
