"""A problem small enough to train in a blink, and the loop that the claims about scaling run on it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amp_helpers.models import MLP


def problem() -> tuple[nn.Module, Tensor, Tensor]:
    """A float32 model with random weights, and a batch that it can learn.

    Shape: inputs (64, 32) float32, labels (64,) int64, from 0 to 3. Input 0 is always 0, as a blank pixel's is.
    Returns: model, inputs, labels.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    model, inputs = MLP(32, 64, 4), torch.randn(64, 32)
    inputs[:, 0] = 0
    return model, inputs, (inputs @ torch.randn(32, 4)).argmax(1)


def loss_of(model: nn.Module, inputs: Tensor, labels: Tensor, dtype: torch.dtype | None = None) -> Tensor:
    """The cross entropy, a float32 scalar: under autocast to `dtype`, or without autocast for None.

    Shape: the model's output (..., classes) and labels (...).
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        return F.cross_entropy(model(inputs).float().flatten(0, -2), labels.flatten())


def gradients(model: nn.Module) -> Tensor:
    """All gradients of a model in one row, in float32.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return torch.cat([parameter.grad.float().flatten() for parameter in model.parameters()])


def weights(model: nn.Module) -> Tensor:
    """All weights of a model in one row, in float32.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return torch.cat([parameter.detach().float().flatten() for parameter in model.parameters()])


def lost_share(values: Tensor, reference: Tensor) -> float:
    """Of the numbers that are not 0 in the reference, the share that is exactly 0.

    Args:
        values: as a narrow format gave them.
        reference: the same in float32.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return (values[reference != 0] == 0).double().mean().item()


def scaler(scale: float | None = 2.0**16, **options) -> torch.amp.GradScaler:
    """PyTorch's own GradScaler for the CPU; None as scale switches it off.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return torch.amp.GradScaler("cpu", init_scale=scale or 1.0, enabled=scale is not None, **options)


@dataclass(frozen=True)
class Run:
    """What came out of `train`.

    Args:
        model: as trained; the one given is left alone.
        optimizer: with its state.
        losses: of each step, before it.
        skipped: how many steps the scaler skipped.
    Introduced in: notebooks/20_claims_tested.ipynb
    """

    model: nn.Module
    optimizer: torch.optim.Optimizer
    losses: tuple[float, ...]
    skipped: int

    @property
    def finite(self) -> bool:
        """Whether every loss was a number."""
        return all(map(math.isfinite, self.losses))


def train(
    model: nn.Module,
    batches: Iterable[tuple[Tensor, Tensor]],
    *,
    lr: float = 0.1,
    dtype: torch.dtype | None = None,
    scale: float | None = None,
    shrink: float = 1.0,
    kind: type[torch.optim.Optimizer] = torch.optim.SGD,
    **options,
) -> Run:
    """Train a copy of a model: the ordinary loop, with a step for each batch.

    Args:
        model: float32, or float16 throughout (then with float16 inputs and dtype None).
        batches: (inputs, labels), such as `[(inputs, labels)] * 100`.
        lr: learning rate.
        dtype: autocast's; None trains without autocast.
        scale: the first loss scale; None trains without a scaler.
        shrink: multiplies the loss before backward and divides the learning rate; with SGD, exact arithmetic would not
            notice.
        kind: of optimizer.
        **options: for the optimizer.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    model, grad_scaler = copy.deepcopy(model), scaler(scale)
    optimizer = kind(model.parameters(), lr=lr / shrink, **options)
    losses, skipped = [], 0
    for inputs, labels in batches:
        loss = loss_of(model, inputs, labels, dtype)
        losses.append(loss.item())
        grad_scaler.scale(loss * shrink).backward()
        before = grad_scaler.get_scale()
        grad_scaler.step(optimizer)
        grad_scaler.update()
        optimizer.zero_grad()
        skipped += grad_scaler.get_scale() < before
    return Run(model, optimizer, tuple(losses), skipped)
