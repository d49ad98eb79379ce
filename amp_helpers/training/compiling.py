"""`torch.compile` where the machine can; a visible notice and the model as it is where it cannot."""

from __future__ import annotations

import warnings

import torch
from torch import nn


def compiled(model: nn.Module, example, **options) -> nn.Module:
    """Compile a model and try it on an example, so that a machine that cannot compile is found out before the loop.

    The forward and the backward pass are compiled here; gradients, buffers and random state are put back.

    Args:
        model: any model.
        example: an input for it.
        **options: of `torch.compile`.
    Returns: the compiled model, or `model` itself with a `RuntimeWarning` that says why. Most often no C++ compiler was
        found, which the default backend needs.
    Raises: what the model itself raises on the example.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    before = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    with torch.random.fork_rng(devices=devices):
        try:
            model(example)
            fast = torch.compile(model, **options)
            problem = _problem(fast, example)
        finally:
            with torch.no_grad():
                for buffer, value in before:
                    buffer.copy_(value)
    if problem is None:
        return fast
    warnings.warn(
        f"torch.compile is not possible here, the model runs as it is: {problem}", RuntimeWarning, stacklevel=2
    )
    return model


def _problem(fast, example) -> str | None:
    try:
        output = fast(example)
        weights = [weight for weight in fast.parameters() if weight.requires_grad]
        if isinstance(output, torch.Tensor) and output.requires_grad and weights:
            torch.autograd.grad(output.float().sum(), weights, allow_unused=True)
    except Exception as error:  # each missing tool has an error of its own
        lines = [line.strip() for line in str(error).splitlines() if line.strip()]
        return f"{type(error).__name__}: {lines[0] if lines else 'no message'}"
    return None
