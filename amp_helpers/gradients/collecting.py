"""Run one backward pass and count what it sends through a model."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from ..formats import FloatFormat
from .bins import Tally
from .histogram import GradientHistogram
from .reporting import GradientReport


def collect(
    model: nn.Module,
    loss: Callable[[], Tensor] | None = None,
    *,
    activations: bool | Iterable[str] = False,
    name: str | None = None,
) -> GradientReport:
    """Count the gradients of a model by exponent, from one backward pass.

    Call it without autocast and without a scaler: it answers what a format *would* lose of the float32 gradients. Each
    tensor is judged on its own; that a real float16 backward pass rounds at every step is not modelled.

    Args:
        model: its trainable parameters are counted, a shared one once.
        loss: a function without arguments that runs the forward pass and returns the loss, a scalar tensor. It runs
            once, and moves BatchNorm's statistics and the random state as it always does. No `.grad` is touched. None
            reads the gradients that stand in `.grad`.
        activations: True also counts the gradient with respect to the output of every module that has no children; or
            names of modules. Outputs may be tensors, or tuples, lists and dicts of them. What functions of
            `torch.nn.functional` return is not seen.
        name: of the model in tables; its class by default.
    Returns: `GradientReport`.
    Raises: TypeError if `model` or `loss` has the wrong type; ValueError for an unknown module, activations without a
        loss, a loss that is no scalar or needs no gradient, or a model without trainable parameters.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    if not isinstance(model, nn.Module):
        raise TypeError(f"model must be a torch.nn.Module, not {type(model).__name__}")
    if loss is not None and not callable(loss):
        raise TypeError(f"loss must be a function that returns the loss, or None, not {type(loss).__name__}")
    modules = _chosen(model, activations)
    parameters = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not parameters:
        raise ValueError(f"{type(model).__name__} has no parameter that requires a gradient")
    tallies: dict[str, Tally] = {}
    if loss is None:
        if modules:
            raise ValueError("activations have gradients only during a backward pass: give the function `loss`")
        value, gradients = None, [parameter.grad for parameter in parameters.values()]
    else:
        with _watched(modules, tallies), torch.enable_grad():
            result = loss()
            _check_loss(result)
            value = float(result.detach())
            gradients = torch.autograd.grad(result, list(parameters.values()), allow_unused=True)
    groups, missing = [], []
    for key, gradient in zip(parameters, gradients, strict=True):
        if gradient is None:
            missing.append(key)
        else:
            groups.append(GradientHistogram.of(gradient, key))
    groups += [GradientHistogram(key, "activation", *tally.result()) for key, tally in tallies.items()]
    return GradientReport(name or type(model).__name__, value, tuple(groups), tuple(missing))


def report(
    model: nn.Module,
    loss: Callable[[], Tensor] | None = None,
    *,
    activations: bool | Iterable[str] = False,
    fmt: FloatFormat | str = "float16",
    scale: float = 1.0,
) -> GradientReport:
    """`collect`, and print the table of the result for a format at a scale.

    Args: as `collect` and `GradientReport.table`.
    Returns: the `GradientReport`.
    Raises: as they do.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    collected = collect(model, loss, activations=activations)
    print(collected.table(fmt, scale))
    return collected


def _chosen(model: nn.Module, activations: bool | Iterable[str]) -> dict[str, nn.Module]:
    named = dict(model.named_modules())
    if isinstance(activations, bool):
        return {key: module for key, module in named.items() if activations and not any(module.children())}
    names = [activations] if isinstance(activations, str) else list(activations)
    for key in names:
        if key not in named:
            raise ValueError(f"no module named {key!r}; choose from {', '.join(filter(None, named))}")
    return {key: named[key] for key in names}


@contextmanager
def _watched(modules: dict[str, nn.Module], tallies: dict[str, Tally]):
    """Count the gradient of every output of the modules within the block, and leave no hook behind."""
    handles = []

    def watch(key):
        def counted(gradient):
            tallies.setdefault(key, Tally()).add(gradient)

        def after_forward(module, arguments, output):
            # A hook of the tensor, not a full backward hook: that one breaks on operations in place.
            handles.extend(tensor.register_hook(counted) for tensor in _tensors(output) if tensor.requires_grad)

        return after_forward

    try:
        for key, module in modules.items():
            handles.append(module.register_forward_hook(watch(key)))
        yield
    finally:
        for handle in handles:
            handle.remove()


def _tensors(output):
    if isinstance(output, Tensor):
        yield output
    elif isinstance(output, dict):
        for value in output.values():
            yield from _tensors(value)
    elif isinstance(output, list | tuple):
        for value in output:
            yield from _tensors(value)


def _check_loss(result) -> None:
    if not isinstance(result, Tensor) or result.numel() != 1:
        what = f"a tensor of shape {tuple(result.shape)}" if isinstance(result, Tensor) else type(result).__name__
        raise ValueError(f"loss must return a scalar tensor, not {what}")
    if not result.requires_grad:
        raise ValueError("the loss requires no gradient: was the forward pass run under torch.no_grad()?")
