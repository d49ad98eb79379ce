"""What can go wrong in a run, as errors that say where and what to do."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves


class NonFiniteLoss(FloatingPointError):
    """A loss became inf or NaN.

    Args:
        message: what happened.
        step: of the loss, from 1.
        module: the first module whose output was not finite, as `model.get_submodule` takes it; None if unknown or if
            all modules were fine.
        bad_input: whether the batch itself held inf or NaN.
    Introduced in: notebooks/11_training_loop.ipynb
    """

    def __init__(self, message: str, step: int, module: str | None = None, bad_input: bool = False):
        super().__init__(message)
        self.step, self.module, self.bad_input = step, module, bad_input


class ScaleCollapse(FloatingPointError):
    """The loss scale fell below 1, and steps are still being skipped.

    Introduced in: notebooks/11_training_loop.ipynb
    """


def first_bad_module(model: nn.Module, inputs) -> tuple[str, bool] | None:
    """Run a batch forward and find where inf or NaN comes up first. Buffers and random state are put back.

    Autocast is the caller's: call it in the same region as the forward pass in question.

    Args:
        model: any model, in the mode it is in.
        inputs: the model's only argument.
    Returns: the name of the first module to return a value that is not finite, and whether it was given such a
        value; None if all outputs are finite. A module inside another returns before it.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    found = []

    def hook(name):
        def look(module, arguments, keywords, output):
            if not found and not finite(output):
                found.append((name, not finite((arguments, keywords))))

        return look

    buffers = [(buffer, buffer.clone()) for buffer in model.buffers()]
    devices = {parameter.device for parameter in model.parameters() if parameter.device.type == "cuda"}
    handles = [
        module.register_forward_hook(hook(name), with_kwargs=True, always_call=False)
        for name, module in model.named_modules()
    ]
    try:
        with torch.no_grad(), torch.random.fork_rng(devices=devices):
            model(inputs)
    finally:
        for handle in handles:
            handle.remove()
        with torch.no_grad():
            for buffer, before in buffers:
                buffer.copy_(before)
    return found[0] if found else None


def finite(values) -> bool:
    """Whether all floating-point tensors of a nested structure are finite (waits for the device).

    Introduced in: notebooks/11_training_loop.ipynb
    """
    tensors = [value for value in tree_leaves(values) if isinstance(value, Tensor) and value.is_floating_point()]
    return all(bool(tensor.isfinite().all()) for tensor in tensors)


def blame(model: nn.Module, batches: list, step: int, value: float, region=contextlib.nullcontext) -> NonFiniteLoss:
    """The error for a loss that was not finite, with weights as they were before the step.

    Args:
        model: with these weights.
        batches: (input, target) of the step, in order.
        step: from 1.
        value: the loss.
        region: makes the autocast context of the forward pass.
    """
    start = f"the loss of step {step} is {value}"
    for inputs, targets in batches:
        if not finite(inputs):
            return NonFiniteLoss(f"{start}: its input batch already holds inf or NaN", step, bad_input=True)
        if not finite(targets):
            return NonFiniteLoss(f"{start}: its targets already hold inf or NaN", step, bad_input=True)
        with region():
            found = first_bad_module(model, inputs)
        if found is None:
            continue
        name, was_given = found
        module = model.get_submodule(name)
        where = f"{name!r} ({type(module).__name__})" if name else f"the model itself ({type(module).__name__})"
        text = f"{start}: the first output that is not finite is that of {where}"
        spoilt = [key for key, weight in module.named_parameters(recurse=False) if not finite(weight)]
        if spoilt:
            text += f", whose {spoilt[0]} already holds inf or NaN"
        else:
            text += ", whose input already was not finite" if was_given else ", whose input is finite"
        return NonFiniteLoss(text, step, name)
    return NonFiniteLoss(f"{start}: the output of every module is finite, so it comes from the loss function", step)


def check_weights(model: nn.Module, step: int):
    """Raise `NonFiniteLoss` if a parameter is inf or NaN although the losses were finite; buffers may hold inf."""
    for name, weight in model.named_parameters():
        if not finite(weight):
            raise NonFiniteLoss(
                f"after step {step} the weight {name!r} holds inf or NaN, although the loss was finite: a gradient or "
                "an update was not",
                step,
                name.rpartition(".")[0],
            )


def memory_advice(error: RuntimeError, batch_size: int, accumulate: int, recipe) -> str | None:
    """What to do about an error, if it means that memory ran out; the CPU's is a plain `RuntimeError`."""
    text = str(error).strip() or type(error).__name__
    if not isinstance(error, torch.OutOfMemoryError) and "can't allocate memory" not in text:
        return None
    half = max(batch_size // 2, 1)
    advice = []
    if batch_size > 1:
        advice.append(f"use batch_size={half} with accumulate={accumulate * 2}, which steps on as many examples")
    advice.append("wrap large blocks in torch.utils.checkpoint.checkpoint, which recomputes activations")
    if recipe.autocast is None and recipe.weights == torch.float32:
        advice.append('use the recipe "bf16-mixed", which halves many activations')
    return f"out of memory with batch_size={batch_size} ({text.splitlines()[0]}). {'; or '.join(advice)}."
