"""A whole training step as one CUDA graph: the GPU runs it without waiting for Python."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from amp_helpers.precision import Recipe


def graphed_step(
    model: nn.Module,
    batches: Sequence[tuple[Tensor, Tensor]],
    loss: Callable[[Tensor, Tensor], Tensor],
    optimizer: torch.optim.Optimizer,
    recipe: Recipe,
) -> Callable[[], Tensor]:
    """Capture forward, backward and optimizer step; a call copies the next batch to its place and replays them.

    Args: as `steps.training_step`, on CUDA. The optimizer must be one that can be captured, such as fused SGD.
    Returns: a function that takes one step and returns the loss, which the next call overwrites.
    Raises: ValueError for a recipe that scales losses: its GradScaler asks on the CPU whether a step is to be taken.
    Source: "CUDA Graphs" in PyTorch's CUDA semantics: warm up on a side stream, let the captured backward pass allocate
        the gradients, and switch autocast's cache off, since a cached cast would outlive the capture that made it.
    """
    if recipe.scales_loss:
        raise ValueError(f"recipe {recipe.name} scales losses, which cannot be captured as a whole")
    inputs, targets = (tensor.clone() for tensor in batches[0])
    turns = itertools.cycle(batches)
    enabled = recipe.autocast is not None

    def run() -> Tensor:
        with torch.autocast("cuda", dtype=recipe.autocast, enabled=enabled, cache_enabled=False):
            value = loss(model(inputs), targets)
        value.backward()
        optimizer.step()
        return value

    with recipe.float32_settings():
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                optimizer.zero_grad()
                run()
        torch.cuda.current_stream().wait_stream(side)
        optimizer.zero_grad()
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            value = run().detach()

    def step() -> Tensor:
        for place, tensor in zip((inputs, targets), next(turns), strict=True):
            place.copy_(tensor)
        graph.replay()
        return value

    return step
