"""The four levels of `apex.amp`, O0 to O3: a table of what they mean, and a class that does it in today's PyTorch."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

import torch

from .casting import add_float32_state, cast_arguments, cast_weights, float32_masters
from .level_checks import check_before, check_fresh, check_optimizer, forbid_plain_step


@dataclass(frozen=True)
class OptLevel:
    """What a level of Apex sets; the names of the settings are Apex's.

    Args:
        name: a key of `OPT_LEVELS`.
        summary: one line for a table.
        cast_model_type: dtype of weights, buffers and inputs; None leaves all as they are.
        patch_torch_functions: whether each op chooses its dtype by a list, as under autocast.
        keep_batchnorm_fp32: whether affine BatchNorms are left out of the cast; None where nothing is cast.
        master_weights: whether the optimizer steps on float32 copies of the weights; None where nothing is cast.
        loss_scale: "dynamic", or a fixed scale.
        today: the recipe in `RECIPES` that comes closest.
    Source: the README and `apex/amp/frontend.py` of NVIDIA/apex, tag 25.05.
    Introduced in: notebooks/15_from_apex.ipynb
    """

    name: str
    summary: str
    cast_model_type: torch.dtype | None
    patch_torch_functions: bool
    keep_batchnorm_fp32: bool | None
    master_weights: bool | None
    loss_scale: float | str
    today: str


OPT_LEVELS = {
    level.name: level
    for level in (
        OptLevel("O0", "float32 everywhere", torch.float32, False, None, False, 1.0, "32-true"),
        OptLevel("O1", "each op by a list", None, True, None, None, "dynamic", "16-mixed"),
        OptLevel("O2", "float16, float32 masters", torch.float16, False, True, True, "dynamic", "16-mixed"),
        OptLevel("O3", "float16 everywhere", torch.float16, False, False, False, 1.0, "16-true"),
    )
}


class ApexLevel:
    """A level of Apex in today's PyTorch, for one model and one optimizer.

    Args:
        name: O0, O1, O2 or O3.
    Raises: here and in the methods, ValueError, TypeError or RuntimeError
        for a mistake, before anything is changed.
    Introduced in: notebooks/15_from_apex.ipynb
    """

    def __init__(self, name):
        self.level, self.masters, self.optimizer = opt_level(name), {}, None

    def initialize(self, model, optimizer):
        """Change both in place, and return them."""
        device_type = check_fresh(self, model, optimizer)
        dtype = self.level.cast_model_type
        if dtype is not None:
            cast_weights(model, dtype, self.level.keep_batchnorm_fp32)
            cast_arguments(model, dtype)  # outputs return to float32
        if self.level.master_weights:
            self.masters = float32_masters(optimizer)
        add_float32_state(model, self.masters)
        forbid_plain_step(self, optimizer)
        dynamic = self.level.loss_scale == "dynamic"
        self.scaler = torch.amp.GradScaler(device_type, enabled=dynamic)
        self.device_type, self.optimizer = device_type, optimizer
        return model, optimizer

    def autocast(self):
        """For the forward pass and the loss: what O1 patched into torch."""
        if self.level.patch_torch_functions:
            return torch.autocast(self.device_type, torch.float16)
        return contextlib.nullcontext()

    @contextlib.contextmanager
    def scale_loss(self, loss, optimizer):
        """Call `backward` on what this gives; masters then get gradients."""
        check_before(self, optimizer)
        yield self.scaler.scale(loss)
        for weight, master in self.masters.items():
            if weight.grad is not None:
                grad, weight.grad = weight.grad.float(), None
                had = master.grad
                master.grad = grad if had is None else had + grad

    def step(self, optimizer):
        """Step on float32 masters, if there are any, and copy them back."""
        check_optimizer(self, optimizer)
        self.in_step = self.used = True  # for the checks
        try:
            self.scaler.step(optimizer)  # if dynamic: skipped at inf or NaN
        finally:
            self.in_step = False
        self.scaler.update()
        with torch.no_grad():
            for weight, master in self.masters.items():
                weight.copy_(master)


def opt_level(name: str | OptLevel) -> OptLevel:
    """A level by its name. Raises: ValueError listing the levels."""
    name = name.name if isinstance(name, OptLevel) else name
    if name not in OPT_LEVELS:
        zero = " (the letter O, not a zero)" if str(name)[:1] == "0" else ""
        raise ValueError(f"unknown level {name!r}{zero}; choose from {', '.join(OPT_LEVELS)}")
    return OPT_LEVELS[name]
