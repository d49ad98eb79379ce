"""What counting gradients costs: a pass with `gradients.collect` against a plain forward and backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import torch
import torch.nn.functional as F
from torch import nn

from ..benchmark import Timing, one_thread, time_interleaved
from ..formats import check_choice
from ..gradients import collect
from ..models import GPT, GPTConfig, SmallCNN
from ..tables import Table

#: At most so many times as long as a plain backward pass, the forward pass taken off both.
TARGET = 5.0
MODELS = ("SmallCNN", "GPT")
KINDS = ("parameters", "activations")


@dataclass(frozen=True)
class GradientRow:
    """Timings of one model: "forward", "backward" (with the forward pass it needs), "parameters", "activations"."""

    model: str
    parameters: int
    timings: dict[str, Timing]

    def ratio(self, kind: str, *, backward_only: bool = False) -> float:
        """How many times as long as a plain pass, by the medians; or so with the forward pass taken off both."""
        free = self.timings["forward"].median_s if backward_only else 0.0
        return (self.timings[kind].median_s - free) / (self.timings["backward"].median_s - free)


def gradient_case(name: str) -> tuple[nn.Module, Callable[[], torch.Tensor]]:
    """A small model and the function that computes its loss on one batch of random data.

    Args:
        name: "SmallCNN" (64 images of 8x8) or "GPT" (width 64, two layers, 8 sequences of 64 tokens).
    Raises: ValueError for another name.
    """
    check_choice("model", name, MODELS)
    generator = torch.Generator().manual_seed(0)
    if name == "SmallCNN":
        model = SmallCNN()
        images = torch.randn(64, 1, 8, 8, generator=generator)
        labels = torch.randint(10, (64,), generator=generator)
        return model, lambda: F.cross_entropy(model(images), labels)
    model = GPT(GPTConfig(vocabulary=96, context=64, width=64, heads=4, layers=2))
    tokens = torch.randint(96, (8, 65), generator=generator)
    return model, lambda: F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def gradient_variants(model: nn.Module, loss: Callable[[], torch.Tensor]) -> dict[str, Callable[[], object]]:
    """What is timed, by the names of `GradientRow`."""

    def backward():
        model.zero_grad(set_to_none=True)
        loss().backward()

    return {
        "forward": loss,
        "backward": backward,
        "parameters": lambda: collect(model, loss),
        "activations": lambda: collect(model, loss, activations=True),
    }


def benchmark_gradients(models: Sequence[str] = MODELS, **how) -> Iterator[GradientRow]:
    """Time `collect` on the CPU with one torch thread, variants interleaved.

    Args:
        models: names that `gradient_case` knows.
        **how: `rounds`, `budget_s` and `seed` of `time_interleaved`.
    Yields: a `GradientRow` for each model.
    Raises: ValueError for an unknown name.
    """
    for name in models:
        model, loss = gradient_case(name)
        with one_thread():
            timings = time_interleaved(gradient_variants(model, loss), **how)
        yield GradientRow(name, sum(parameter.numel() for parameter in model.parameters()), timings)


def gradients_table(rows: Sequence[GradientRow]) -> Table:
    """Medians in ms with quartiles, and the ratios to a plain pass and to its backward half."""
    body = []
    for row in rows:
        for kind, timing in row.timings.items():
            ratios = ["-", "-"]
            if kind in KINDS:
                ratios = [f"{row.ratio(kind):.2f}", f"{row.ratio(kind, backward_only=True):.2f}"]
            spread = f"[{timing.lower_quartile_s * 1e3:.2f} {timing.upper_quartile_s * 1e3:.2f}]"
            body.append([f"{row.model} {kind}", f"{timing.median_s * 1e3:.2f} {spread}", *ratios])
    caption = "Median [lower and upper quartile] of one pass; the last column takes the forward pass off both."
    return Table(["pass", "ms", "to a plain pass", "to its backward"], body, caption)


def gradients_verdicts(rows: Sequence[GradientRow]) -> list[str]:
    """A line for each model and kind: whether `TARGET` is met, on the backward half alone."""
    lines = []
    for row in rows:
        for kind in KINDS:
            ratio = row.ratio(kind, backward_only=True)
            verdict = "met" if ratio <= TARGET else "MISSED"
            lines.append(f"{verdict}: {row.model}, {kind}: at most {TARGET:g} times a plain backward: {ratio:.2f}")
    return lines


def gradients_record(rows: Sequence[GradientRow]) -> dict:
    """Everything the table shows, for `json.dumps`. Times are in seconds."""
    return {
        "targets": gradients_verdicts(rows),
        "rows": [
            asdict(row) | {"ratios_to_backward": {kind: row.ratio(kind, backward_only=True) for kind in KINDS}}
            for row in rows
        ],
    }
