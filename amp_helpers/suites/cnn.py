"""ResNet-9 on images of 32x32 pixels: precision, batch size, memory format, CUDA graphs, memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from amp_helpers.models import ResNet9
from amp_helpers.precision import RECIPES

from .breakdown import breakdown_rows
from .graphs import graphed_step
from .run import Bench
from .steps import autotuned_convolutions, time_variants, training_step

RECIPE_NAMES = ("32-true", "tf32", "16-true", "16-mixed", "bf16-mixed")
#: The largest question first, so that it is answered if the time runs out.
BATCHES = (1024, 64, 4096, 256)
#: What can be captured whole; a `GradScaler` decides on the CPU whether to take the step.
_GRAPHED = ("32-true", "tf32", "16-true", "bf16-mixed")


def train(bench: Bench) -> Iterator[dict]:
    """Steps of SGD with momentum, fused; cuDNN chooses its algorithms by trial.

    Each row has "recipe", "batch", "channels_last", "graphed" (False here), "images_per_s", and what `time_variants`
    gives. Recipes and memory formats of one batch size take turns.
    """
    for batch in bench.size(BATCHES, (2,)):
        yield from _rows(bench, batch, [(name, last, False) for last in (True, False) for name in RECIPE_NAMES])


def graphs(bench: Bench) -> Iterator[dict]:
    """Small batches, where the GPU waits for Python: the whole step as one CUDA graph, against the plain step.

    The columns are those of `train`; "graphed" tells the two apart. A graph's memory is set aside when it is captured
    and not allocated by the call, so its "peak_bytes" is None.
    """
    for batch in bench.size((64, 256), (2,)):
        variants = [(name, True, graphed) for graphed in (False, True) for name in _GRAPHED]
        yield from _rows(bench, batch, variants)


def memory(bench: Bench) -> Iterator[dict]:
    """What a step keeps, predicted and measured, by recipe: see `breakdown_rows`; and "batch"."""
    batch = bench.size(1024, 2)
    model = ResNet9(channels=bench.size(64, 4)).to(bench.device, memory_format=torch.channels_last)
    images = _images(bench, batch)[0].contiguous(memory_format=torch.channels_last)
    yield from breakdown_rows(
        bench, {"batch": batch}, model, images, bench.size(RECIPE_NAMES, ("32-true", "bf16-mixed")), "sgd-momentum"
    )


def _rows(bench: Bench, batch: int, variants: list[tuple[str, bool, bool]]) -> Iterator[dict]:
    data = [_images(bench, batch) for _ in range(2)]
    described = [
        (
            {"recipe": name, "batch": batch, "channels_last": last, "graphed": graphed},
            _builder(bench, name, last, graphed, data),
        )
        for name, last, graphed in variants
    ]

    def finish(row, seconds):
        return {"images_per_s": batch / seconds} | ({"peak_bytes": None} if row["graphed"] else {})

    with autotuned_convolutions():
        yield from time_variants(bench, described, finish, budget_s=6.0)


def _images(bench: Bench, batch: int) -> tuple[Tensor, Tensor]:
    size = bench.size(32, 8)
    return (
        torch.randn(batch, 3, size, size, device=bench.device),
        torch.randint(0, 10, (batch,), device=bench.device),
    )


def _loss(output: Tensor, labels: Tensor) -> Tensor:
    return F.cross_entropy(output.float(), labels)


def _builder(bench: Bench, name: str, last: bool, graphed: bool, data: list[tuple[Tensor, Tensor]]) -> Callable:
    def build():
        if graphed and bench.device.type != "cuda":
            raise RuntimeError(f"a CUDA graph needs CUDA, and this is {bench.device.type}")
        torch.manual_seed(0)
        recipe = RECIPES[name]
        layout = torch.channels_last if last else torch.contiguous_format
        model = recipe.convert(ResNet9(channels=bench.size(64, 4)).to(bench.device, memory_format=layout))
        # A copy in every case, so that each one's peak holds the same data.
        batches = [(x.to(recipe.weights, copy=True, memory_format=layout), labels) for x, labels in data]
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)
        make = graphed_step if graphed else training_step
        return make(model, batches, _loss, optimizer, recipe)

    return build


PARTS = {"memory": memory, "graphs": graphs, "train": train}
