"""What a trace costs: a training step under autocast, plain and traced, interleaved in one process."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..benchmark import Timing, one_thread, time_interleaved
from ..models import GPT, MLP, GPTConfig
from ..tables import Table
from ..tracing import trace

#: A traced step of the GPT may take this many times as long as a plain one.
TARGET = 1.3


@dataclass(frozen=True)
class TraceRow:
    """One model: ops that a trace records in a step, and the step's times."""

    model: str
    ops: int
    plain: Timing
    traced: Timing

    @property
    def ratio(self) -> float:
        """How many times as long as a plain step a traced one takes."""
        return self.traced.median_s / self.plain.median_s

    @property
    def us_per_op(self) -> float:
        """Microseconds that recording adds to an op."""
        return (self.traced.median_s - self.plain.median_s) / self.ops * 1e6


def models() -> dict[str, tuple[nn.Module, torch.Tensor, torch.Tensor]]:
    """Name -> model, input, target: an MLP whose ops take microseconds, and a GPT of width 256."""
    generator = torch.Generator().manual_seed(0)
    draw = {"generator": generator}
    config = GPTConfig(vocabulary=256, context=128, width=256, heads=4, layers=4)
    return {
        "MLP 64-64-10, batch 32": (
            MLP(64, 64, 10),
            torch.randn(32, 64, **draw),
            torch.randint(10, (32,), **draw),
        ),
        "GPT width 256, 4 layers, 8 x 128 tokens": (
            GPT(config),
            torch.randint(256, (8, 128), **draw),
            torch.randint(256, (8, 128), **draw),
        ),
    }


def training_step(model: nn.Module, x: torch.Tensor, target: torch.Tensor) -> Callable[[], None]:
    """Forward under CPU autocast to bfloat16, backward outside of it."""

    def step():
        with torch.autocast("cpu", dtype=torch.bfloat16):
            loss = F.cross_entropy(model(x).flatten(0, -2), target.flatten())
        loss.backward()
        model.zero_grad()

    return step


def benchmark_trace(rounds: int = 25, budget_s: float = 8.0) -> Iterator[TraceRow]:
    """Time each model's step with one torch thread.

    Args:
        rounds, budget_s: of `time_interleaved`.
    Yields: a `TraceRow` for each of `models()`.
    """
    for name, (model, x, target) in models().items():
        step = training_step(model, x, target)

        def traced(model=model, step=step):
            with trace(model) as t:
                step()
            return t

        with one_thread():
            ops = len(traced().records)
            timed = time_interleaved({"plain": step, "traced": traced}, rounds=rounds, budget_s=budget_s)
        yield TraceRow(name, ops, timed["plain"], timed["traced"])


def trace_table(rows: list[TraceRow]) -> Table:
    """Times of a step, their ratio, and microseconds per op."""
    body = [
        [
            row.model,
            row.ops,
            f"{row.plain.median_s * 1e3:.2f}",
            f"{row.traced.median_s * 1e3:.2f}",
            f"{row.ratio:.2f} [{row.traced.lower_quartile_s / row.plain.median_s:.2f}"
            f" {row.traced.upper_quartile_s / row.plain.median_s:.2f}]",
            f"{row.us_per_op:.1f}",
        ]
        for row in rows
    ]
    columns = ["model", "ops", "plain ms", "traced ms", "ratio", "us per op"]
    return Table(columns, body, "A training step under autocast; ratio of medians [quartiles of the traced step].")


def trace_verdict(rows: list[TraceRow]) -> str:
    """Whether the GPT meets `TARGET`."""
    row = next(row for row in rows if row.model.startswith("GPT"))
    met = "met" if row.ratio <= TARGET else "MISSED"
    return f"{met}: a traced step of {row.model} takes at most {TARGET:g} times as long: {row.ratio:.2f}"


def trace_record(rows: list[TraceRow]) -> dict:
    """The same for `json.dumps`; times in seconds."""
    return {
        "targets": [trace_verdict(rows)],
        "rows": [asdict(row) | {"ratio": row.ratio, "us_per_op": row.us_per_op} for row in rows],
    }
