"""Watch a forward pass: which tensors autograd saves, which parameters autocast copies, and in which module."""

from __future__ import annotations

import contextlib

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.utils._python_dispatch import TorchDispatchMode


def storage_key(tensor: Tensor) -> int:
    """What tells one storage from another as long as both live; also for tensors without data."""
    return tensor.untyped_storage()._cdata


class Watch:
    """Collects, between `__enter__` and `__exit__`, the storages that a forward pass leaves behind.

    Attributes:
        saved: storage -> (bytes, module path), for tensors that autograd saved.
        casts: the same for copies of parameters in another dtype that autocast caches.
    """

    def __init__(self, model: nn.Module, inputs: list[Tensor]):
        self.paths = {id(module): path for path, module in model.named_modules()}
        self.owners = {}
        for path, module in model.named_modules():
            for tensor in (*module.parameters(recurse=False), *module.buffers(recurse=False)):
                self.owners.setdefault(storage_key(tensor), path)
        self.inputs = {storage_key(tensor) for tensor in inputs}
        self.saved: dict[int, tuple[int, str]] = {}
        self.casts: dict[int, tuple[int, str]] = {}
        self._running: list[str] = []
        self._stack: contextlib.ExitStack | None = None

    def __enter__(self) -> Watch:
        with contextlib.ExitStack() as stack:
            stack.callback(register_module_forward_pre_hook(self._enter_module).remove)
            stack.callback(register_module_forward_hook(self._leave_module, always_call=True).remove)
            stack.enter_context(torch.autograd.graph.saved_tensors_hooks(self._save, lambda tensor: tensor))
            stack.enter_context(_Casts(self))
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *error) -> None:
        self._stack.__exit__(*error)

    def _enter_module(self, module, inputs) -> None:
        self._running.append(self.paths.get(id(module), self._running[-1] if self._running else ""))

    def _leave_module(self, module, inputs, output) -> None:
        if self._running:
            self._running.pop()

    def _save(self, tensor: Tensor) -> Tensor:
        key = storage_key(tensor)
        if key not in self.owners and key not in self.inputs:
            where = self._running[-1] if self._running else ""
            self.saved.setdefault(key, (tensor.untyped_storage().nbytes(), where))
        # The tensor itself may be the output of the node that saves it: that would be a cycle, and nothing is freed.
        return tensor.detach()


class _Casts(TorchDispatchMode):
    """Below autocast, where its casts are ops like others."""

    def __init__(self, watch: Watch):
        super().__init__()
        self.watch = watch

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if func is torch.ops.aten._to_copy.default:
            owner = self.watch.owners.get(storage_key(args[0]))
            # Autocast keeps the copies of float32 parameters only; that they are leaves which need a gradient is
            # not visible down here, where every tensor looks detached.
            if owner is not None and args[0].dtype == torch.float32 and result.dtype != torch.float32:
                self.watch.casts[storage_key(result)] = (result.untyped_storage().nbytes(), owner)
        return result
