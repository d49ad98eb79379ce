"""PyTorch's own AMP recipe, three linear layers: predicted from operations and bytes, then measured."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F

from amp_helpers.models import MLP
from amp_helpers.precision import RECIPES, Recipe

from .peaks import Peaks, find_peaks
from .run import Bench
from .steps import time_variants, training_step

LAYERS, WIDTH = 3, 4096
#: (batch, whether the optimizer is fused): the published workload, one with more work a step, and the better loop.
VARIANTS = ((512, False), (8192, False), (512, True), (8192, True))
#: Steps of the published workload.
_STEPS = 150


def recipe(bench: Bench) -> Iterator[dict]:
    """A step of plain SGD on `MLP(4096, 4096, 4096, 4096)` with a mean squared error.

    Each row has "recipe", "batch", "fused", "predicted_s" (None for a GPU without stated peaks), "flops" and
    "moved_bytes" that it comes from, "tflops" and "steps_150_s" (150 steps, as published), and what `time_variants`
    gives.
    Source: the recipe "Automatic Mixed Precision" of PyTorch's tutorials; its data has 50 batches, used three times.
    """
    found = find_peaks(torch.cuda.get_device_name(bench.device)) if bench.device.type == "cuda" else None
    width = bench.size(WIDTH, 16)
    for batch, fused in bench.size(VARIANTS, ((8, False), (8, True))):

        def finish(row, seconds, batch=batch):
            flops, moved = step_flops(batch, width), step_bytes(batch, width, RECIPES[row["recipe"]])
            return {
                "predicted_s": predicted_seconds(flops, moved, RECIPES[row["recipe"]], found),
                "flops": flops,
                "moved_bytes": moved,
                "tflops": flops / seconds / 1e12,
                "steps_150_s": _STEPS * seconds,
            }

        variants = [
            ({"recipe": name, "batch": batch, "fused": fused}, _builder(name, batch, width, fused, bench.device))
            for name in ("32-true", "tf32", "16-mixed")
        ]
        yield from time_variants(bench, variants, finish, budget_s=4.0)


def step_flops(batch: int, width: int, layers: int = LAYERS) -> int:
    """Operations of the matrix products of a step: a forward and two backward ones per layer, of 2 batch width^2 each.

    The first layer has one fewer, since nothing asks for the gradient of the data.
    """
    return (3 * layers - 1) * 2 * batch * width**2


def step_bytes(batch: int, width: int, recipe: Recipe, layers: int = LAYERS) -> int:
    """Bytes that a step moves outside of its matrix products, read and written.

    Per parameter 12 for SGD (read the weight and its gradient, write the weight); under autocast 12 more for casts (of
    the weight before the forward product, of its gradient after the backward one); with a `GradScaler` 8 more, since
    it reads and writes every gradient. Per element of a layer's output, which has s bytes: 2 s for ReLU, 3 s for its
    gradient, s for that of the bias; for the loss 20 (two inputs forward, two and an output backward, in float32);
    under autocast 18 more for casts (of the data, the output and its gradient).
    """
    size = 2 if recipe.autocast is not None else 4
    mixed = recipe.autocast is not None
    per_parameter = 12 + 12 * mixed + 8 * recipe.scales_loss
    per_element = (layers - 1) * 5 * size + layers * size + 20 + 18 * mixed
    return layers * (width**2 + width) * per_parameter + batch * width * per_element


def predicted_seconds(flops: float, moved: float, recipe: Recipe, peaks: Peaks | None) -> float | None:
    """Operations over the dense peak, plus bytes over the bandwidth: what the hardware could do at best.

    The two are added, since each kernel waits for the one before it.

    Args:
        flops: as `step_flops`.
        moved: as `step_bytes`.
        recipe: names the dtype of the products.
        peaks: of the GPU; None gives None, as does a dtype that it has no unit for.
    """
    if peaks is None or recipe.needs not in peaks.tflops:
        return None
    return flops / (peaks.tflops[recipe.needs] * 1e12) + moved / (peaks.tb_per_s * 1e12)


def _builder(name: str, batch: int, width: int, fused: bool, device: torch.device) -> Callable:
    def build():
        torch.manual_seed(0)
        chosen = RECIPES[name]
        model: nn.Module = chosen.convert(MLP(*[width] * (LAYERS + 1)).to(device))
        batches = [
            (torch.randn(batch, width, device=device), torch.randn(batch, width, device=device)) for _ in range(4)
        ]
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=fused)
        return training_step(model, batches, F.mse_loss, optimizer, chosen)

    return build


PARTS = {"recipe": recipe}
