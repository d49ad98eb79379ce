"""The four levels of Apex beside the recipes of today, on ResNet-9: time and memory of a step, and what is learned."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amp_helpers.datasets import ImageData, digits
from amp_helpers.models import ResNet9
from amp_helpers.precision import OPT_LEVELS, RECIPES, ApexLevel

from .run import Bench
from .steps import autotuned_convolutions, time_variants, training_step

NAMES = (*OPT_LEVELS, "32-true", "tf32", "16-mixed", "bf16-mixed")
#: Name of the column "optimizer" -> how it is made.
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=0.01, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
}


def train(bench: Bench) -> Iterator[dict]:
    """Steps of SGD with momentum that take turns, in channels-last images.

    Each row has "recipe" (a level or a recipe), "batch", "images_per_s", and what `time_variants` gives.
    """
    batch = bench.size(1024, 4)

    def builder(name):
        return lambda: one_step(name, *_parts(bench, "sgd"), _batches(bench, batch, 2))

    variants = [({"recipe": name, "batch": batch}, builder(name)) for name in NAMES]
    with autotuned_convolutions():
        yield from time_variants(bench, variants, lambda row, seconds: {"images_per_s": batch / seconds})


def learn(bench: Bench) -> Iterator[dict]:
    """What a fixed number of steps learns, from the same first weights on the same batches.

    Each row has "recipe", "optimizer", "batch", "steps", "skipped_steps" (by the loss scaler), "final_loss" (of the
    last step; None if it is not finite), "nan_weights" (share of the weights that are NaN) and "accuracy" (on the test
    images, 0 to 1).
    """
    steps, batch = bench.size(100, 2), bench.size(128, 4)
    for optimizer in OPTIMIZERS:
        for name in NAMES:
            row = {"recipe": name, "optimizer": optimizer, "batch": batch, "steps": steps}
            yield bench.attempt(
                row, lambda name=name, optimizer=optimizer: _learn(bench, name, optimizer, batch, steps)
            )


def one_step(name: str, model: nn.Module, optimizer, batches) -> Callable[[], Tensor]:
    """One step of training in a level or a recipe, as a function without arguments.

    Args:
        name: one of `NAMES`.
        model: float32, on its device; changed in place.
        optimizer: of its parameters.
        batches: (images, labels) pairs that take turns, float32.
    Returns: a function that returns the loss without waiting for the device. Only the recipe `tf32` uses TF32.
    """
    if name in RECIPES:
        recipe = RECIPES[name]
        return training_step(recipe.convert(model), batches, F.cross_entropy, optimizer, recipe)
    level, turns = ApexLevel(name), itertools.cycle(batches)
    model, optimizer = level.initialize(model, optimizer)

    def step() -> Tensor:
        images, labels = next(turns)
        with RECIPES["32-true"].float32_settings():
            with level.autocast():
                loss = F.cross_entropy(model(images), labels)
            with level.scale_loss(loss, optimizer) as scaled_loss:
                scaled_loss.backward()
            level.step(optimizer)
            optimizer.zero_grad()
        return loss.detach()

    return step


def _learn(bench: Bench, name: str, optimizer: str, batch: int, steps: int) -> dict:
    model, made = _parts(bench, optimizer)
    counter = _Counter(made)
    step = one_step(name, model, made, _batches(bench, batch, steps))
    for _ in range(steps):
        loss = step()
    data = _data(bench)
    model.eval()
    # Where a level or a recipe uses autocast, it does so in a test too; O2 and O3 cast in the model itself.
    mixed = name == "O1" or (name in RECIPES and RECIPES[name].autocast is not None)
    dtype = RECIPES[name].autocast if name in RECIPES else torch.float16
    plain = RECIPES.get(name, RECIPES["32-true"])
    with torch.no_grad(), plain.float32_settings(), torch.autocast(bench.device.type, dtype, enabled=mixed):
        right = model(data.test_images.to(bench.device)).argmax(1).cpu() == data.test_labels
    weights = torch.cat([parameter.detach().flatten().float() for parameter in model.parameters()])
    return {
        "skipped_steps": steps - counter.taken,
        "final_loss": loss.item() if loss.isfinite() else None,
        "nan_weights": weights.isnan().double().mean().item(),
        "accuracy": right.double().mean().item(),
    }


class _Counter:
    """Counts the steps that an optimizer takes; a scaler that skips one does not call it."""

    def __init__(self, optimizer):
        self.taken = 0
        optimizer.register_step_post_hook(self._count)

    def _count(self, *_):
        self.taken += 1


def _parts(bench: Bench, optimizer: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    torch.manual_seed(0)
    model = ResNet9(inputs=1, channels=bench.size(64, 4)).to(bench.device, memory_format=torch.channels_last)
    return model, OPTIMIZERS[optimizer](model.parameters())


def _data(bench: Bench) -> ImageData:
    return digits(bench.size(32, 8))


def _batches(bench: Bench, batch: int, steps: int) -> list[tuple[Tensor, Tensor]]:
    layout = {"memory_format": torch.channels_last}
    return [
        (images.to(bench.device, **layout), labels.to(bench.device))
        for images, labels in _data(bench).batches(batch, steps=steps)
    ]


PARTS = {"learn": learn, "train": train}
