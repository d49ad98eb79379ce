"""A perceptron on the handwritten digits, for claims that need real data: learning rates, accuracy, Adam's state."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from amp_helpers.datasets import digits
from amp_helpers.models import MLP

from .small_training import loss_of


def digit_model(hidden: int = 64) -> nn.Module:
    """A float32 model with random weights, from 64 pixels to 10 classes.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return MLP(64, hidden, 10)


def digit_batches(steps: int, seed: int = 0, dtype: torch.dtype = torch.float32) -> list[tuple[Tensor, Tensor]]:
    """Batches of 64 digits, as rows of pixels.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    batches = digits().batches(64, steps=steps, seed=seed)
    return [(images.flatten(1).to(dtype), labels) for images, labels in batches]


@torch.no_grad()
def digit_scores(model: nn.Module, dtype: torch.dtype | None = None) -> tuple[float, float]:
    """Loss and accuracy on the test part.

    Args:
        model: of any floating dtype; it becomes float32.
        dtype: autocast's; None tests without autocast.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    data, model = digits(), model.float()
    images, labels = data.test_images.flatten(1), data.test_labels
    with torch.autocast("cpu", dtype or torch.bfloat16, enabled=dtype is not None):
        right = (model(images).argmax(1) == labels).double().mean().item()
    return loss_of(model, images, labels, dtype).item(), right
