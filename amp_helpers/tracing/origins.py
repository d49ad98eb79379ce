"""Which module an op belongs to: in forward by hooks, in backward by the sequence number of the autograd node."""

from __future__ import annotations

import bisect
import threading
from collections.abc import Callable

import torch
from torch import nn

OUTSIDE = ("", "outside")
UNKNOWN = ("", "unknown")
#: Autograd gives this sequence number to the nodes that accumulate gradients, so that they run first.
_ACCUMULATES = 2**64 - 1
#: Their C++ fast path for inference is left when a `TorchFunctionMode` is active.
_WITH_FAST_PATH = (nn.TransformerEncoder, nn.TransformerEncoderLayer, nn.MultiheadAttention)
EAGER_ONLY = (
    "torch.compile was met: a trace sees eager ops only. PyTorch runs compiled functions uncompiled while a trace"
    " runs, so what the compiled code would have fused or cast is not shown"
)


class Origins:
    """Follows modules as they run.

    Autograd numbers its nodes in the order of the forward, and both counter and number can be read. So it is enough
    to note the counter whenever a module is entered or left: the node that runs in backward tells its number, hence
    its module. No tensor is touched and nothing is done per op.

    Args:
        model: its modules are named by `named_modules()`; others by their class, as "MLP.0".
        warn: is told in a sentence what cannot be seen.
    """

    def __init__(self, model: nn.Module | None, warn: Callable[[str], None]):
        self.warn = warn
        self.names: dict[nn.Module, tuple[str, str]] = {}
        self.owners: dict[int, tuple[str, str]] = {}
        self.stack: list[tuple[nn.Module, tuple[str, str], int]] = []
        self._numbers: dict[int, tuple[list[int], list[tuple[str, str]]]] = {}
        self._nodes: dict[tuple[int, int], tuple[tuple[str, str], str]] = {}
        self._nested: set[int] = set()
        self._last = (-1, False)
        self._numbered = (0, 0)  # thread and counter after the last op of a backward that can make nodes
        self._thread = threading.get_ident()
        if model is not None:
            self._name(model, "")
        self._mark(OUTSIDE)

    def hooks(self) -> list:
        """Handles of two hooks on all modules; the caller removes them."""
        module = torch.nn.modules.module
        return [
            module.register_module_forward_pre_hook(self._enter),
            module.register_module_forward_hook(self._leave, always_call=True),  # after an exception too
        ]

    def current(self) -> tuple[str, str, str, str, bool]:
        """Of the op that runs now: module, within, direction, autograd node, recomputed."""
        task = torch._C._current_graph_task_id()
        top = self.stack[-1] if self.stack else None
        if task == -1:
            origin = top[1] if top else OUTSIDE
            if self._last[1]:
                self._mark(origin, since_last=True)
            self._last = (-1, False)
            return *origin, "forward", "", False
        grad = torch.is_grad_enabled()
        if task != self._last[0] and self._last[0] != -1 and self._last[1]:
            self._nested.add(task)  # a backward that a recomputed forward started
        same, self._last = self._last == (task, True), (task, grad)
        origin, node = self._node(task)
        recomputed = top is not None and top[2] == task
        if recomputed:
            origin = top[1]
        elif grad:
            self._mark(origin, since_last=same)  # nodes made for a second derivative belong there too
        if grad:
            self._numbered = threading.get_ident(), torch.autograd._get_sequence_nr()
        return *origin, "backward", node, recomputed

    def _enter(self, module, args):
        task = torch._C._current_graph_task_id()
        if task == -1 and threading.get_ident() != self._thread:
            self.warn(f"{type(module).__name__} ran in another thread: a trace sees the thread that started it only")
            return
        origin = self.names.get(module) or self._name(module, type(module).__name__)
        if isinstance(module, _WITH_FAST_PATH) and not (
            module.training or torch.is_grad_enabled() or torch._C._is_any_autocast_enabled()
        ):
            self.warn(f"{type(module).__name__} may take a fast path for inference, but not while a trace runs")
        self.stack.append((module, origin, task))
        self._mark(origin)

    def _leave(self, module, args, output):
        for depth in range(len(self.stack) - 1, -1, -1):
            if self.stack[depth][0] is module:
                del self.stack[depth:]
                self._mark(self.stack[-1][1] if self.stack else OUTSIDE)
                return

    def _name(self, root: nn.Module, name: str) -> tuple[str, str]:
        for path, module in root.named_modules():
            if type(module).__name__ == "OptimizedModule" or module._compiled_call_impl is not None:
                self.warn(EAGER_ONLY)
            parts = [name, *path.split(".")]
            full = ".".join(part for part in parts if part not in ("", "_orig_mod"))  # torch.compile's wrapper
            self.names.setdefault(module, (full, "module"))
            for parameter in module.parameters(recurse=False):
                self.owners.setdefault(id(parameter), (full, "module"))
        return self.names[root]

    def _mark(self, origin: tuple[str, str], since_last: bool = False) -> None:
        """From the next node on (or from `_numbered` on) nodes belong to `origin`."""
        thread = threading.get_ident()
        starts, origins = self._numbers.setdefault(thread, ([], []))
        number = torch.autograd._get_sequence_nr()
        if since_last and self._numbered[0] == thread:
            number = max(self._numbered[1], starts[-1] if starts else 0)
        if starts and starts[-1] == number:
            origins[-1] = origin
        elif not origins or origins[-1] != origin:
            starts.append(number)
            origins.append(origin)

    def _node(self, task: int) -> tuple[tuple[str, str], str]:
        node = torch._C._current_autograd_node()
        if node is None:
            return UNKNOWN, ""
        number = node._sequence_nr()
        if number == _ACCUMULATES:
            variable = node.variable  # a leaf that is no parameter belongs to no module
            other = UNKNOWN if isinstance(variable, nn.Parameter) else OUTSIDE
            return self.owners.get(id(variable), other), "AccumulateGrad"
        found = self._nodes.get((task, number))
        if found is None:
            found = self._nodes[task, number] = self._lookup(task, number), node.name()
        return found

    def _lookup(self, task: int, number: int) -> tuple[str, str]:
        # Each thread counts for itself. On CUDA, backward has a thread of its own, and only a backward inside a
        # recomputed forward runs nodes that were made there.
        order = [threading.get_ident(), self._thread] if task in self._nested else [self._thread]
        for thread in dict.fromkeys([*order, *self._numbers]):
            starts, origins = self._numbers.get(thread, ((), ()))
            index = bisect.bisect_right(starts, number) - 1
            if index >= 0:
                return origins[index]
        return UNKNOWN
