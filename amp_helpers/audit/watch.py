"""Watch a training loop from outside: what is patched here is put back when the block ends, however it ends."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

import torch
from torch.nn.utils import clip_grad
from torch.optim.optimizer import register_optimizer_step_post_hook, register_optimizer_step_pre_hook

from amp_helpers.scaling import LossScaler

from .casts import CastWatch


@contextmanager
def watch(observer) -> Iterator[None]:
    """Report a loop's calls to `observer` (see `loop.LoopObserver`) while the block runs.

    Watched: backward passes, clipping, optimizer steps, the methods of GradScaler, its subclasses and `LossScaler`,
    and the clearing of autocast's cache. Every call does what it did before. Restored at the end, also after an
    exception.
    """
    with ExitStack() as stack:
        casts = CastWatch(observer)
        observer.casts = casts

        def patch(owner, name: str, wrapper: Callable) -> None:
            original = vars(owner)[name]
            setattr(owner, name, functools.wraps(original)(functools.partial(wrapper, original)))
            stack.callback(setattr, owner, name, original)

        def patch_method(owner, name: str) -> None:
            original = vars(owner)[name]

            @functools.wraps(original)
            def method(self, *args, **kwargs):
                return observer.scaler_call(name, functools.partial(original, self), self, args, kwargs)

            setattr(owner, name, method)
            stack.callback(setattr, owner, name, original)

        def backward(original, tensors, *args, **kwargs):
            inputs = kwargs.get("inputs", args[4] if len(args) > 4 else None)
            observer.backward_begins(tensors, inputs)
            try:
                return original(tensors, *args, **kwargs)
            finally:
                observer.backward_ends()

        def clip(original, parameters, max_norm, *args, **kwargs):
            parameters = [parameters] if isinstance(parameters, torch.Tensor) else list(parameters)
            # A bound of infinity only measures the norm.
            if math.isfinite(float(max_norm)):
                observer.clipped(parameters)
            return original(parameters, max_norm, *args, **kwargs)

        def clear(original):
            casts.clear()
            return original()

        patch(torch.autograd, "backward", backward)
        patch(torch, "clear_autocast_cache", clear)
        # clip_grad_norm_ looks this name up when it runs, so a function imported by name is seen too.
        patch(clip_grad, "_clip_grads_with_norm_", clip)
        for owner in [*_with_subclasses(torch.amp.GradScaler), LossScaler]:
            for name in ("scale", "unscale_", "step", "update"):
                if name in vars(owner):
                    patch_method(owner, name)
        before = register_optimizer_step_pre_hook(observer.step_begins)
        stack.callback(before.remove)
        after = register_optimizer_step_post_hook(observer.step_ends)
        stack.callback(after.remove)
        stack.enter_context(casts)
        yield


def _with_subclasses(cls: type) -> list[type]:
    found = [cls]
    for subclass in cls.__subclasses__():
        found += _with_subclasses(subclass)
    return list(dict.fromkeys(found))
