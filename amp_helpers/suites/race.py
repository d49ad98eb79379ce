"""Recipes that train in turns, from the same weights on the same batches: time, loss and accuracy of each."""

from __future__ import annotations

import copy
import random
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import nn
from torch.nn import functional as F

from amp_helpers.benchmark import one_thread
from amp_helpers.datasets import ImageData
from amp_helpers.precision import Recipe, choose_recipe
from amp_helpers.tables import Table

from .steps import training_step


@dataclass(frozen=True)
class Lane:
    """What one recipe did in a race.

    Args:
        recipe: its name.
        step_s: seconds of each step, in the order of the steps.
        losses: the loss of each step.
        right: how many of the test images the trained model gets right.
        images: how many test images there are.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """

    recipe: str
    step_s: list[float]
    losses: list[float]
    right: int
    images: int

    @property
    def accuracy(self) -> float:
        """The share of the test images that is right, 0 to 1."""
        return self.right / self.images


def race(
    build: Callable[[], nn.Module],
    data: ImageData,
    recipes: tuple[str, ...],
    *,
    steps: int,
    learning_rate: float,
    batch_size: int = 64,
    seed: int = 0,
) -> dict[str, Lane]:
    """Train one model with each recipe on the CPU, a step each in turn.

    Every lane begins with the same weights and gets the same batches. Who
    goes first changes from step to step, so that a slow spell of the machine
    meets all lanes. The optimizer is AdamW, fused, its learning rate rising
    to a peak and falling again; torch uses one thread.

    Args:
        build: makes the model, in float32, under the seed.
        data: to train on and to test with.
        recipes: names as in `precision.get_recipe`, two or more.
        steps: of each lane, 4 or more.
        learning_rate: its peak.
        batch_size: as in `ImageData.batches`.
        seed: of the weights, the batches and the turns.
    Returns: name -> `Lane`, in the order of `recipes`.
    Raises: ValueError for fewer than two different recipes or 4 steps; as
        `precision.choose_recipe` and `ImageData.batches`.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    found = [choose_recipe(name, "cpu") for name in recipes]
    chosen = {recipe.name: recipe for recipe in found}
    if len(chosen) < 2:
        raise ValueError(f"a race needs two recipes or more, not {recipes!r}")
    if steps < 4:
        raise ValueError(f"steps must be 4 or more, not {steps}")
    batches = list(data.batches(batch_size, steps=steps, seed=seed))
    torch.manual_seed(seed)
    model = build()
    runners = {}
    for name, recipe in chosen.items():
        own = copy.deepcopy(model)
        runners[name] = _Runner(own, recipe, batches, learning_rate)
    order, turns = list(runners.values()), random.Random(seed)
    with one_thread():
        for _ in range(steps):
            turns.shuffle(order)
            for runner in order:
                runner.step()
        return {name: lane.finish(data) for name, lane in runners.items()}


class _Runner:
    def __init__(self, model, recipe: Recipe, batches, learning_rate: float):
        self.recipe, self.model = recipe, recipe.convert(model)
        optimizer = torch.optim.AdamW(self.model.parameters(), fused=True)
        self.schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, learning_rate, total_steps=len(batches))
        mine = [(x.to(recipe.weights), y) for x, y in batches]
        self.call = training_step(self.model, mine, _loss, optimizer, recipe)
        self.step_s: list[float] = []
        self.losses: list[float] = []

    def step(self) -> None:
        started = time.perf_counter()
        loss = self.call()
        self.step_s.append(time.perf_counter() - started)
        self.losses.append(loss.item())
        self.schedule.step()

    def finish(self, data: ImageData) -> Lane:
        self.model.eval()
        with torch.no_grad(), self.recipe.autocast_context("cpu"):
            output = self.model(data.test_images.to(self.recipe.weights))
        right = int((output.argmax(1) == data.test_labels).sum())
        return Lane(self.recipe.name, self.step_s, self.losses, right, len(output))


def _loss(output, labels):
    return F.cross_entropy(output.float(), labels)


def paired_speedup(base: Lane, other: Lane, warmup: int = 3) -> tuple[float, float, float]:
    """How many times as fast a lane is as another: quartiles and median of the ratios, step by step.

    The two steps of a pair ran right after each other, so both met the machine in the same state.

    Args:
        base: the lane to compare with.
        other: the lane in question.
        warmup: steps that are left out at the beginning.
    Returns: (lower quartile, median, upper quartile); above 1 the other lane is faster.
    Raises: ValueError if the lanes have different numbers of steps, or fewer than two after the warm-up.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    if len(base.step_s) != len(other.step_s):
        raise ValueError(f"lanes of {len(base.step_s)} and {len(other.step_s)} steps do not make pairs")
    ratios = [a / b for a, b in zip(base.step_s, other.step_s, strict=True)][warmup:]
    if len(ratios) < 2:
        raise ValueError(f"{len(base.step_s)} steps leave fewer than two after a warm-up of {warmup}")
    lower, median, upper = statistics.quantiles(ratios, n=4, method="inclusive")
    return lower, median, upper


def race_table(lanes: dict[str, Lane], warmup: int = 3) -> Table:
    """One row for each lane: its median step, how many times as fast as the first lane it is, and its accuracy.

    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    first, rows = next(iter(lanes.values())), []
    for name, lane in lanes.items():
        lower, median, upper = paired_speedup(first, lane, warmup)
        step_ms = 1e3 * statistics.median(lane.step_s[warmup:])
        ratio = "1" if lane is first else f"{median:.2f} ({lower:.2f} to {upper:.2f})"
        rows.append([name, f"{step_ms:.3g}", ratio, f"{lane.accuracy:.1%}"])
    return Table(["recipe", "step, ms", "times as fast (quartiles)", "right"], rows)
