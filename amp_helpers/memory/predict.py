"""One training step, on tensors without data (predicted) or on a copy of the model (measured)."""

from __future__ import annotations

import contextlib
import copy
import gc
import os
from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._pytree import tree_leaves, tree_map

from amp_helpers.precision import Recipe, get_recipe

from .breakdown import KINDS, Breakdown
from .watch import Watch

#: Optimizers by name; anything that takes parameters and returns an optimizer will do as well.
OPTIMIZERS = {
    "sgd": lambda parameters: torch.optim.SGD(parameters, lr=1e-3),
    "sgd-momentum": lambda parameters: torch.optim.SGD(parameters, lr=1e-3, momentum=0.9),
    "adam": lambda parameters: torch.optim.Adam(parameters, lr=1e-3),
    "adamw": lambda parameters: torch.optim.AdamW(parameters, lr=1e-3),
}


def predict_memory(
    model: nn.Module,
    example,
    *,
    recipe: str | Recipe = "32-true",
    optimizer: str | Callable | None = "adamw",
    loss: Callable | None = None,
    device: str | torch.device | None = None,
) -> Breakdown:
    """Predict the bytes of one training step without allocating any: on fake tensors, which have a shape but no data.

    Args:
        model: left as it is; its parameters may be on the "meta" device.
        example: the model's input: a tensor, a tuple of arguments or a dictionary of keyword arguments.
        recipe: as in `precision.get_recipe`.
        optimizer: a name in `OPTIMIZERS`, a function from parameters to an optimizer, or None.
        loss: a function from the model's output to a scalar; None adds up the output's floating-point tensors.
        device: predict for this one, which need not be there ("cuda" on a machine without a GPU, if torch was built
            with CUDA); None takes the parameters' own. Where it is not there, every parameter that needs a gradient
            is taken to get one, and attention is the plain kernel, since a fused one is chosen by looking at the GPU.
    Returns: a `Breakdown` without `allocated` and `peak`.
    Raises: ValueError for an unknown recipe or optimizer; TypeError if `model` is no module. What the model raises
        passes through: code that looks at the values of tensors cannot run on fake ones.
    Introduced in: notebooks/05_memory.ipynb
    """
    recipe, build = _checked(model, recipe, optimizer)
    if device is None and any(tensor.is_meta for tensor in (*model.parameters(), *model.buffers())):
        raise ValueError("the model is on the meta device: name the device to predict for, device='cuda' or 'cpu'")

    def empty(value):
        if not isinstance(value, Tensor):
            return value
        dtype = recipe.weights if value.is_floating_point() else value.dtype
        where = value.device if device is None else device
        return torch.empty_strided(value.shape, value.stride(), dtype=dtype, device=where)

    with FakeTensorMode():
        # A copy of the model in which every tensor is replaced, so that none is copied.
        twins = {id(p): nn.Parameter(empty(p), p.requires_grad) for p in model.parameters()}
        twins |= {id(buffer): empty(buffer) for buffer in model.buffers()}
        return _step(copy.deepcopy(model, twins), tree_map(empty, example), recipe, build, loss)


def measure_memory(
    model: nn.Module,
    example,
    *,
    recipe: str | Recipe = "32-true",
    optimizer: str | Callable | None = "adamw",
    loss: Callable | None = None,
) -> Breakdown:
    """Run one training step on a copy of the model, and measure what it keeps.

    Saved tensors and casts are counted by hooks. `allocated` is the allocator's own account of the forward pass: on
    CUDA `torch.cuda.memory_allocated`, on a CPU the profiler's record of every allocation.

    Args: as `predict_memory`, on the device of the model's parameters.
    Returns: a `Breakdown` with `allocated`, and on CUDA with `peak`.
    Raises: as `predict_memory`.
    Introduced in: notebooks/05_memory.ipynb
    """
    recipe, build = _checked(model, recipe, optimizer)
    device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    allocator = _cuda_allocator if device.type == "cuda" else _cpu_allocator
    # The hooks keep nothing alive that autograd would not, but the account is taken without them all the same.
    example = _converted(example, recipe)
    allocated = _forward_bytes(recipe.convert(copy.deepcopy(model)), example, recipe, loss, allocator)
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
    found = _step(recipe.convert(copy.deepcopy(model)), example, recipe, build, loss)
    peak = torch.cuda.max_memory_allocated(device) if device.type == "cuda" else None
    return Breakdown(
        **{kind: getattr(found, kind) for kind in KINDS}, by_module=found.by_module, allocated=allocated, peak=peak
    )


def _checked(model, recipe, optimizer):
    if not isinstance(model, nn.Module):
        raise TypeError(f"a torch.nn.Module is expected, not a {type(model).__name__}")
    if isinstance(optimizer, str):
        if optimizer not in OPTIMIZERS:
            raise ValueError(
                f"unknown optimizer {optimizer!r}; choose from {', '.join(OPTIMIZERS)}, or give a function"
            )
        optimizer = OPTIMIZERS[optimizer]
    return get_recipe(recipe, levels=False), optimizer


def _step(model: nn.Module, example, recipe: Recipe, build, loss) -> Breakdown:
    watch = Watch(model, [leaf for leaf in tree_leaves(example) if isinstance(leaf, Tensor)])
    with _autocast(recipe, model), watch:
        value = _loss(_call(model, example), loss)
    if value.device.type == "cuda" and not torch.cuda.is_available():
        # Autograd's engine starts a thread on the device, also for tensors without data.
        for parameter in model.parameters():
            parameter.grad = torch.empty_like(parameter) if parameter.requires_grad else None
    else:
        value.backward()
    by_module: dict[str, dict[str, int]] = {}

    def add(path: str, kind: str, size: int) -> None:
        kinds = by_module.setdefault(path, {})
        kinds[kind] = kinds.get(kind, 0) + size

    optimizer = None
    if build is not None:
        optimizer = build([p for p in model.parameters() if p.requires_grad])
        optimizer.step()
    seen = set()
    for path, module in model.named_modules():
        for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
            if id(tensor) in seen:
                continue
            seen.add(id(tensor))
            add(path, "parameters", tensor.nbytes)
            if tensor.grad is not None:
                add(path, "gradients", tensor.grad.nbytes)
            if optimizer is not None:
                state = optimizer.state.get(tensor, {}).values()
                add(path, "optimizer", sum(value.nbytes for value in state if isinstance(value, Tensor)))
    for size, path in watch.casts.values():
        add(path, "casts", size)
    for key, (size, path) in watch.saved.items():
        if key not in watch.casts:
            add(path, "activations", size)
    sums = {kind: sum(kinds.get(kind, 0) for kinds in by_module.values()) for kind in KINDS}
    return Breakdown(**sums, by_module=by_module)


def _forward_bytes(model, example, recipe: Recipe, loss, allocator) -> int:
    with _autocast(recipe, model):
        _loss(_call(model, example), loss)  # the first call also allocates what libraries keep
    model.zero_grad()
    gc.collect()
    with _autocast(recipe, model):
        with allocator() as account:
            value = _loss(_call(model, example), loss)
        del value
    return account["bytes"]


@contextlib.contextmanager
def _cuda_allocator():
    account = {}
    torch.cuda.synchronize()
    before = torch.cuda.memory_allocated()
    yield account
    torch.cuda.synchronize()
    account["bytes"] = torch.cuda.memory_allocated() - before


@contextlib.contextmanager
def _cpu_allocator():
    account = {}
    # Kineto's C++ writes to stderr when it finds no GPU, also when it is not used; it reads this on its first use.
    os.environ.setdefault("KINETO_LOG_LEVEL", "9")
    with torch.autograd.profiler.profile(use_kineto=False, profile_memory=True) as profile:
        yield account
    account["bytes"] = sum(event.self_cpu_memory_usage for event in profile.key_averages())


def _autocast(recipe: Recipe, model: nn.Module):
    device = next((tensor.device for tensor in (*model.parameters(), *model.buffers())), torch.device("cpu"))
    if recipe.autocast is not None and device.type == "cuda" and not torch.cuda.is_available():
        return _forced_autocast(device.type, recipe.autocast)
    return recipe.autocast_context(device.type)


@contextlib.contextmanager
def _forced_autocast(device_type: str, dtype: torch.dtype):
    """`torch.autocast` switches itself off where the device is missing; tensors without data do not need it."""
    before = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    torch.set_autocast_enabled(device_type, True)
    torch.set_autocast_dtype(device_type, dtype)
    torch.autocast_increment_nesting()
    try:
        yield
    finally:
        if torch.autocast_decrement_nesting() == 0:
            torch.clear_autocast_cache()
        torch.set_autocast_enabled(device_type, before[0])
        torch.set_autocast_dtype(device_type, before[1])


def _converted(example, recipe: Recipe):
    """Floating-point inputs in the dtype of the weights, as a pure 16-bit model needs them."""

    def convert(value):
        floating = isinstance(value, Tensor) and value.is_floating_point()
        return value.to(recipe.weights) if floating else value

    return tree_map(convert, example)


def _call(model: nn.Module, example):
    if isinstance(example, Mapping):
        return model(**example)
    return model(*example) if isinstance(example, (tuple, list)) else model(example)


def _loss(output, loss: Callable | None) -> Tensor:
    if loss is not None:
        return loss(output)
    found = [leaf for leaf in tree_leaves(output) if isinstance(leaf, Tensor) and leaf.is_floating_point()]
    if not found:
        raise ValueError("the model returned no floating-point tensor: give a loss, a function of its output")
    return sum(tensor.sum() for tensor in found)
