"""What a level of Apex refuses: each mistake in one line, before anything is changed."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.parameter import is_lazy


def check_fresh(level, model, optimizer) -> str:
    """That a model and an optimizer are as they were made, so that casting them loses nothing.

    Returns: the type of the model's device.
    Raises: TypeError, ValueError or RuntimeError naming what is wrong.
    """
    if level.optimizer is not None:
        raise RuntimeError("initialize was called before: make a new ApexLevel for another model or optimizer")
    if not isinstance(model, nn.Module):
        raise TypeError(f"one torch.nn.Module is expected, not a {type(model).__name__}")
    if not isinstance(optimizer, torch.optim.Optimizer):
        raise TypeError(f"one torch.optim.Optimizer is expected, not a {type(optimizer).__name__}")
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        raise ValueError(f"initialize the model first, then wrap it in {type(model).__name__}")
    stepped = [p for group in optimizer.param_groups for p in group["params"]]
    named = [*model.named_parameters(), *model.named_buffers(), *(("a parameter of the optimizer", p) for p in stepped)]
    if any(is_lazy(tensor) for _, tensor in named):
        raise ValueError("the model has uninitialised parameters: run it once on a batch, then make its optimizer")
    for name, tensor in named:
        if tensor.is_floating_point() and tensor.dtype != torch.float32:
            raise ValueError(f"{name} is {tensor.dtype}: give the model in float32, the level casts what it needs")
        if tensor.grad is not None:
            raise ValueError(f"{name} has a gradient already: initialize before the first backward pass")
    if optimizer.state:
        raise ValueError("the optimizer has state already: initialize first, then step, or load its state_dict")
    types = sorted({tensor.device.type for _, tensor in named})
    if len(types) != 1 or types == ["meta"]:
        found = ", ".join(types) or "no tensor at all"
        raise ValueError(f"the tensors of model and optimizer must be on one type of device, not on {found}")
    return types[0]


def check_optimizer(level, optimizer) -> None:
    """That this is the optimizer, and what it steps on, that `initialize` left. Raises: RuntimeError or ValueError."""
    if level.optimizer is None:
        raise RuntimeError("call initialize(model, optimizer) first")
    if optimizer is not level.optimizer:
        raise ValueError("this is not the optimizer that initialize was given")
    stepped = (p for group in optimizer.param_groups for p in group["params"])
    if level.level.master_weights and any(p.dtype != torch.float32 for p in stepped):
        raise ValueError("the optimizer got 16-bit parameters after initialize: give it all its groups before")


def check_before(level, optimizer) -> None:
    """That no master holds gradients that were used already, which the next ones would be added to.

    Raises: RuntimeError or ValueError.
    """
    check_optimizer(level, optimizer)
    if level.used and any(master.grad is not None and master.grad.any() for master in level.masters.values()):
        raise RuntimeError(
            "the float32 masters still have the gradients of the last step: call optimizer.zero_grad() after it "
            "(model.zero_grad() does not reach them)"
        )
    level.used = False


def forbid_plain_step(level, optimizer) -> None:
    """Refuse `optimizer.step()`, which would step on scaled gradients and leave the weights where they are."""
    level.in_step = level.used = False

    def check(*_):
        if not level.in_step:
            raise RuntimeError("call step(optimizer) of the level, not optimizer.step()")

    optimizer.register_step_pre_hook(check)
