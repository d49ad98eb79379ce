"""Run a model once on an example, and leave it as it was."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch import Tensor, nn


class Example:
    """The arguments of one forward pass.

    Args:
        value: a tensor, a tuple or list of arguments, or a dict of keyword arguments.
    Raises: TypeError for anything else.
    """

    def __init__(self, value):
        if isinstance(value, Tensor):
            value = (value,)
        if not isinstance(value, (tuple, list, dict)):
            raise TypeError(
                "example must be a tensor, a tuple of arguments or a dict of keyword arguments, "
                f"not {type(value).__name__}"
            )
        self.args = () if isinstance(value, dict) else tuple(value)
        self.kwargs = value if isinstance(value, dict) else {}

    @property
    def tensors(self) -> list[Tensor]:
        """Every tensor in it, also inside lists, tuples and dicts."""
        return tensors_in([self.args, self.kwargs])


def tensors_in(value) -> list[Tensor]:
    """Every tensor in nested lists, tuples, dicts and objects with fields, in order."""
    if isinstance(value, Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    elif not isinstance(value, (list, tuple)):
        value = vars(value).values() if hasattr(value, "__dataclass_fields__") else ()
    return [tensor for part in value for tensor in tensors_in(part)]


@contextmanager
def undisturbed(model: nn.Module, example: Example) -> Iterator[None]:
    """Put gradients, buffers, parameters' values, training flags and random states back when the block ends.

    Special values: attributes that are plain Python objects stay as the forward pass left them.
    """
    leaves = [*model.parameters(), *example.tensors]
    grads = [(leaf, leaf.grad) for leaf in leaves if leaf.is_leaf]
    flags = [(module, module.training) for module in model.modules()]
    buffers = [(module, dict(module._buffers)) for module in model.modules()]
    values = [(tensor, tensor.detach().clone()) for tensor in [*leaves, *model.buffers()]]
    accelerators = sorted({t.device.index or 0 for t in leaves if t.device.type == "cuda"})
    with torch.random.fork_rng(devices=accelerators):
        try:
            for leaf, _ in grads:
                leaf.grad = None
            yield
        finally:
            for leaf, grad in grads:
                leaf.grad = grad
            for module, training in flags:
                module.training = training
            for module, tensors in buffers:
                module._buffers.clear()
                module._buffers.update(tensors)
            for tensor, value in values:
                # Through .data: a graph that the caller still needs must not see a write.
                tensor.data.copy_(value)


def rehearse(model: nn.Module, example: Example, region) -> None:
    """One forward pass inside `region`, then the backward pass of the outputs' mean where gradients are possible."""
    with region:
        outputs = tensors_in(model(*example.args, **example.kwargs))
    wanted = [output for output in outputs if output.requires_grad and output.is_floating_point()]
    if wanted:
        torch.autograd.backward(wanted, [torch.full_like(output, 1 / output.numel()) for output in wanted])


@contextmanager
def foreign_regions(model: nn.Module, devices: set[str]) -> Iterator[list[tuple[str, str]]]:
    """Collect (module, device type) of every autocast region that the forward pass opens for another device."""
    names = {module: name for name, module in model.named_modules()}
    seen: list[tuple[str, str]] = []
    cls = torch.autocast
    original = cls.__enter__

    @functools.wraps(original)
    def enter(self):
        if self.device not in devices and torch._C._current_graph_task_id() == -1:
            seen.append((_module_of(sys._getframe(1), names), self.device))
        return original(self)

    with ExitStack() as stack:
        cls.__enter__ = enter
        stack.callback(setattr, cls, "__enter__", original)
        yield seen


@contextmanager
def overflows(model: nn.Module) -> Iterator[list[str]]:
    """Collect the innermost modules that return inf or NaN in float16 although what they received was finite."""
    seen: list[str] = []
    with ExitStack() as stack:
        for name, module in model.named_modules():

            def hook(module, args, kwargs, output, name=name):
                bad = [t for t in tensors_in(output) if t.dtype == torch.float16 and not t.isfinite().all()]
                given = [t for t in tensors_in([args, kwargs]) if t.is_floating_point()]
                if bad and all(t.isfinite().all() for t in given):
                    seen.append(name)

            stack.callback(module.register_forward_hook(hook, with_kwargs=True).remove)
        yield seen
        # A module whose part is to blame returned what the part had made.
        seen[:] = [name for name in seen if not any(_inside(other, name) for other in seen)]


def _inside(name: str, owner: str) -> bool:
    return name != owner and (not owner or name.startswith(owner + "."))


def _module_of(frame, names: dict) -> str:
    while frame is not None:
        owner = frame.f_locals.get("self")
        if isinstance(owner, nn.Module) and owner in names:
            return names[owner] or "(model)"
        frame = frame.f_back
    return "(model)"
