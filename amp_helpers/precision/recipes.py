"""The recipes: what the weights are stored in, what autocast computes in, whether losses are scaled.

The names are those that users know from Lightning; Accelerate's and Composer's are aliases. Chapters write `autocast`
and `GradScaler` out; a recipe lets a suite or a command choose between them by name.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import nn

from amp_helpers.device import describe

from .float32 import float32_precision, set_float32_precision, set_switch
from .levels import OPT_LEVELS, OptLevel


@dataclass(frozen=True)
class Recipe:
    """One way of using precision in training.

    Args:
        name: as in `RECIPES`.
        summary: one line for a table.
        weights: dtype of parameters and buffers.
        autocast: dtype that autocast computes in, None for no autocast.
        scales_loss: whether a `GradScaler` is needed.
        tf32: whether float32 matrix products may use TF32.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    name: str
    summary: str
    weights: torch.dtype = torch.float32
    autocast: torch.dtype | None = None
    scales_loss: bool = False
    tf32: bool = False

    @property
    def needs(self) -> str:
        """The dtype, by name, that the device must accelerate for this recipe to pay."""
        if self.tf32:
            return "tfloat32"
        return str(self.autocast or self.weights).removeprefix("torch.")

    def convert(self, model: nn.Module) -> nn.Module:
        """The model itself, its parameters and buffers in `weights`, changed in place as by `model.to`."""
        return model.to(self.weights)

    def autocast_context(self, device_type: str) -> contextlib.AbstractContextManager:
        """A new `torch.autocast` of this recipe, or a context that does nothing."""
        if self.autocast is None:
            return contextlib.nullcontext()
        return torch.autocast(device_type, dtype=self.autocast)

    def grad_scaler(self, device_type: str, **options) -> torch.amp.GradScaler:
        """A `torch.amp.GradScaler`, enabled only where the recipe scales losses, so that one loop serves all recipes.

        Args:
            device_type: where the loss is.
            **options: of `GradScaler`, such as `init_scale`.
        """
        return torch.amp.GradScaler(device_type, enabled=self.scales_loss, **options)

    @contextlib.contextmanager
    def float32_settings(self) -> Iterator[None]:
        """For the length of the block, let float32 matrix products and convolutions use TF32, or forbid it.

        Both switches are set: convolutions use TF32 by default, matrix products do not. What was set before returns.
        """
        before = float32_precision()
        set_float32_precision("tf32" if self.tf32 else "ieee")
        try:
            yield
        finally:
            for name, value in before.items():
                set_switch(name, value)


RECIPES = {
    recipe.name: recipe
    for recipe in (
        Recipe("32-true", "float32 everywhere, TF32 forbidden"),
        Recipe("tf32", "float32 tensors, matrix products in TF32", tf32=True),
        Recipe("16-mixed", "float32 weights, float16 autocast, GradScaler", autocast=torch.float16, scales_loss=True),
        Recipe("bf16-mixed", "float32 weights, bfloat16 autocast", autocast=torch.bfloat16),
        Recipe("16-true", "everything float16", weights=torch.float16),
        Recipe("bf16-true", "everything bfloat16", weights=torch.bfloat16),
    )
}
#: The names of other libraries, and the number that Lightning takes for one.
ALIASES = {
    "32": "32-true",
    "16": "16-mixed",
    "bf16": "bf16-mixed",
    "no": "32-true",
    "fp16": "16-mixed",
    "fp32": "32-true",
    "amp_fp16": "16-mixed",
    "amp_bf16": "bf16-mixed",
}


def get_recipe(name: str | int | Recipe | OptLevel, *, levels: bool = True) -> Recipe | OptLevel:
    """A recipe by its name or by an alias, or a level of Apex by its name.

    Args:
        name: a key of `RECIPES`, `ALIASES` or `OPT_LEVELS`, or what is found there, which is returned.
        levels: whether the caller can use a level of Apex, which needs a loop of its own (see `ApexLevel`).
    Raises: ValueError listing the names.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if isinstance(name, Recipe):
        return name
    key = name.name if isinstance(name, OptLevel) else str(name)
    if key in OPT_LEVELS:
        if levels:
            return OPT_LEVELS[key]
        raise ValueError(
            f"{key} is a level of Apex and needs a loop of its own (precision.ApexLevel); the recipe closest to it is "
            f"{OPT_LEVELS[key].today}; choose from {', '.join(RECIPES)}"
        )
    if ALIASES.get(key, key) not in RECIPES:
        choices = ", ".join([*RECIPES, *OPT_LEVELS] if levels else RECIPES)
        raise ValueError(f"unknown recipe {name!r}; choose from {choices} (or {', '.join(ALIASES)})")
    return RECIPES[ALIASES.get(key, key)]


def choose_recipe(name: str | int | Recipe, device: str | torch.device | None = None) -> Recipe:
    """A recipe, checked against the device. Nothing is replaced by something else.

    Args:
        name: as in `get_recipe`; a level of Apex is none.
        device: as in `device.pick_device`.
    Returns: the recipe; one that the device runs only by emulation comes with a `RuntimeWarning` saying so.
    Raises: RuntimeError if the device cannot run it, naming the recipes that it can; ValueError for an unknown name.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    recipe, found = get_recipe(name, levels=False), describe(device)
    if not found.usable:
        raise RuntimeError(f"{found.name} cannot run a kernel: {found.reason}")
    support = found.dtypes[recipe.needs]
    if support.level == "unsupported":
        able = ", ".join(name for name, other in RECIPES.items() if found.dtypes[other.needs].level != "unsupported")
        raise RuntimeError(
            f"{found.name} cannot run {recipe.name}: no {recipe.needs} ({support.reason}); it can run {able}"
        )
    if support.level == "emulated":
        fast = ", ".join(name for name, other in RECIPES.items() if other.needs in found.accelerated())
        warnings.warn(
            f"{found.name} runs {recipe.name} only by emulation ({support.reason}); it accelerates {fast}",
            RuntimeWarning,
            stacklevel=2,
        )
    return recipe


def recommend_recipe(device: str | torch.device | None = None) -> tuple[Recipe, str]:
    """The recipe to begin with on a device, and why.

    Args:
        device: as in `device.pick_device`.
    Returns: the recipe and one sentence.
    Raises: as `device.describe`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    found = describe(device)
    fast = found.accelerated()
    if not found.usable:
        return RECIPES["32-true"], f"{found.name} cannot run a kernel: {found.reason}"
    if found.device_type != "mps" and "bfloat16" in fast:
        return RECIPES["bf16-mixed"], "it accelerates BF16, whose range is FP32's, so no loss needs scaling"
    if "float16" in fast:
        return RECIPES["16-mixed"], "it accelerates FP16 but not BF16; FP16's short range needs a GradScaler"
    return RECIPES["32-true"], "it accelerates no 16-bit format: mixed precision would be slower than FP32"
