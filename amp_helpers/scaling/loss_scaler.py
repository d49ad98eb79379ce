"""A loss scaler to read: it does what `torch.amp.GradScaler` does.

Chapter 9 prints the class, so no line is wider than 78 characters.
"""

from __future__ import annotations

import inspect
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import partial

import torch

from .history import ScaleHistory, next_scale
from .messages import (
    CLOSURE,
    NEW_SCALE,
    NO_CUDA,
    NO_GRADIENT,
    NOT_A_TENSOR,
    NOT_SCALABLE,
    NOT_SCALED,
    OLD_CONTRACT,
    STEPPED_TWICE,
    UNSCALED_TWICE,
    require,
)
from .scaler_state import ScalerState


@dataclass
class OptimizerState:
    """What one optimizer has been through since the last `update()`."""

    stage: str = "ready"  # then "unscaled", then "stepped"
    found_inf_per_device: dict = field(default_factory=dict)

    def found_inf(self) -> bool:
        """Whether any gradient was bad; waits for the device."""
        return any(f.item() for f in self.found_inf_per_device.values())

    def skipped(self) -> bool:
        """Whether `step` left the weights alone."""
        return self.stage == "stepped" and self.found_inf()


class LossScaler(ScalerState):
    """Scale a loss so that small float16 gradients survive.

    It behaves as `torch.amp.GradScaler` does and adds a history.

    Args:
        device: "cuda" or "cpu".
        init_scale: the first scale; a power of two changes no digit.
        growth_factor: multiplies the scale after `growth_interval`
            iterations in a row without an infinity.
        backoff_factor: multiplies the scale after an infinity.
        growth_interval: see `growth_factor`.
        enabled: if False, every method hands its work through.
    Special values: an infinity or a NaN in a gradient is a bad step.
        The scale has no floor; from 2^-128 down 1/scale is infinite.
    Raises: the errors of `GradScaler`, with its messages.
    Exactness: state and weights equal `GradScaler`'s bit for bit on a
        CPU, tested in tests/test_scaling.py. Unlike there, `update`
        waits for the device, arguments of a wrong type and complex
        gradients are not refused by a kernel, and MPS, which has no
        float64, is not supported.
    Source: torch/amp/grad_scaler.py in PyTorch, its behaviour.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """

    def __init__(
        self,
        device: str = "cuda",
        init_scale: float = 2.0**16,
        growth_factor: float = 2.0,
        backoff_factor: float = 0.5,
        growth_interval: int = 2000,
        enabled: bool = True,
    ):
        self._device, self._enabled = device, enabled
        self.history = ScaleHistory()
        if enabled and device == "cuda" and not torch.cuda.is_available():
            warnings.warn(NO_CUDA, stacklevel=2)
            self._enabled = False
        if self._enabled:
            require(growth_factor > 1.0, "The growth factor must be > 1.0.")
            require(backoff_factor < 1.0, "The backoff factor must be < 1.0.")
            self._growth_factor = growth_factor
            self._backoff_factor = backoff_factor
            self._growth_interval = growth_interval
            # The tensors are made by the first scale(), on the loss's device.
            self._init_scale, self._init_growth_tracker = init_scale, 0
            self._scale = self._growth_tracker = None
            self._per_optimizer_states = defaultdict(OptimizerState)

    # -- before backward -----------------------------------------------------

    def scale(self, outputs):
        """Multiply a tensor, or each tensor of an iterable, by the scale."""
        if not self._enabled:
            return outputs
        if isinstance(outputs, torch.Tensor):
            self._start_on(outputs.device)
            return outputs * self._scale.to(outputs.device)
        return self._scale_each(outputs)

    def _start_on(self, device):
        if self._scale is None:
            new = partial(torch.full, (), device=device)
            scale, tracker = self._init_scale, self._init_growth_tracker
            self._scale = new(scale, dtype=torch.float32)
            self._growth_tracker = new(tracker, dtype=torch.int32)

    def _scale_each(self, outputs):
        if isinstance(outputs, torch.Tensor):
            self._start_on(outputs.device)
            return outputs * self._scale.to(outputs.device, copy=True)
        if not isinstance(outputs, Iterable):
            raise ValueError(NOT_SCALABLE)
        scaled = map(self._scale_each, outputs)
        if isinstance(outputs, list | tuple):
            return type(outputs)(scaled)
        return scaled

    # -- after backward ------------------------------------------------------

    def unscale_(self, optimizer):
        """Divide the optimizer's gradients by the scale, in place."""
        if not self._enabled:
            return
        self._require_scale("unscale_")
        state = self._per_optimizer_states[id(optimizer)]
        if state.stage == "unscaled":
            raise RuntimeError(UNSCALED_TWICE)
        if state.stage == "stepped":
            raise RuntimeError("unscale_() is being called after step().")
        # One rounding: the reciprocal is exact enough in float64.
        inv_scale = self._scale.double().reciprocal().float()
        state.found_inf_per_device = self._check_(optimizer, inv_scale)
        state.stage = "unscaled"

    @torch.no_grad()
    def _check_(self, optimizer, inv_scale=None):
        """Look for infinities, per device; then multiply by `inv_scale`."""
        grads, found_inf = [], {}
        for param in (p for g in optimizer.param_groups for p in g["params"]):
            if not isinstance(param, torch.Tensor):
                kind = type(param).__name__
                raise AssertionError(NOT_A_TENSOR.format(kind))
            if param.grad is None:
                continue
            if param.grad.dtype == torch.float16:
                # 1/scale would push small float16 values back to zero.
                if inv_scale is not None:
                    raise ValueError("Attempting to unscale FP16 gradients.")
                if param.grad.is_sparse:  # adding duplicates may overflow
                    param.grad = param.grad.coalesce()
            grad = param.grad
            grads.append(grad._values() if grad.is_sparse else grad)
        for grad in grads:
            # The scaled values are checked, not the unscaled ones.
            bad = (~torch.isfinite(grad)).any().float()
            others = found_inf.get(grad.device, bad)
            found_inf[grad.device] = torch.maximum(bad, others)
            if inv_scale is not None:
                grad.mul_(inv_scale.to(grad.device))
        return found_inf

    def step(self, optimizer, *args, **kwargs):
        """Unscale if needed; step the optimizer unless a gradient is bad."""
        if not self._enabled:
            return optimizer.step(*args, **kwargs)
        if "closure" in kwargs:
            raise RuntimeError(CLOSURE)
        self._require_scale("step")
        state = self._per_optimizer_states[id(optimizer)]
        if state.stage == "stepped":
            raise RuntimeError(STEPPED_TWICE)
        if getattr(optimizer, "_step_supports_amp_scaling", False):
            result = self._step_fused(optimizer, state, args, kwargs)
        else:
            if state.stage == "ready":
                self.unscale_(optimizer)
            require(state.found_inf_per_device, NO_GRADIENT)
            result = None
            if not state.found_inf():
                result = optimizer.step(*args, **kwargs)
        state.stage = "stepped"
        return result

    def _step_fused(self, optimizer, state, args, kwargs):
        """A fused optimizer unscales and skips inside its own kernel."""
        if "grad_scaler" in inspect.signature(optimizer.step).parameters:
            warnings.warn(OLD_CONTRACT, FutureWarning, stacklevel=3)
            return optimizer.step(*args, **{**kwargs, "grad_scaler": self})
        grad_scale = getattr(optimizer, "grad_scale", None)
        if state.stage == "ready":
            state.found_inf_per_device = self._check_(optimizer)
            grad_scale = self._scale * getattr(optimizer, "grad_scale", 1)
        found = state.found_inf_per_device.values()
        optimizer.found_inf = sum(f.to(self._scale.device) for f in found)
        optimizer.grad_scale = grad_scale
        result = optimizer.step(*args, **kwargs)
        del optimizer.grad_scale, optimizer.found_inf
        return result

    # -- at the end of the iteration -----------------------------------------

    def update(self, new_scale=None):
        """Choose the next scale: back off, wait or grow; or `new_scale`."""
        if not self._enabled:
            return
        self._require_scale("update")
        before = self.state_dict()
        states = self._per_optimizer_states.values()
        if isinstance(new_scale, float):
            self._scale.fill_(new_scale)
        elif new_scale is not None:
            require(new_scale.device.type == self._device, NEW_SCALE)
            require(new_scale.numel() == 1, NEW_SCALE)
            require(not new_scale.requires_grad, NEW_SCALE)
            self._scale.copy_(new_scale)
        else:
            checked = any(state.found_inf_per_device for state in states)
            require(checked, "No inf checks were recorded prior to update.")
            scale, tracker = next_scale(
                self._scale.item(),
                self._growth_tracker.item(),
                any(state.found_inf() for state in states),
                self._growth_factor,
                self._backoff_factor,
                self._growth_interval,
            )
            self._scale.fill_(scale)
            self._growth_tracker.fill_(tracker)
        self.history.record(
            before,
            self.state_dict(),
            found_inf=any(state.found_inf() for state in states),
            skipped=sum(state.skipped() for state in states),
            set_by_user=new_scale is not None,
        )
        self._per_optimizer_states = defaultdict(OptimizerState)

    def _require_scale(self, method):
        require(self._scale is not None, NOT_SCALED.format(method))
