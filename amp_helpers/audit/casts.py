"""Below autocast: which weights were cast, and whether a cast is older than its weight."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode

CLAMPS = ("clamp_", "clamp_min_", "clamp_max_", "_foreach_clamp_min_", "_foreach_clamp_max_")


class Cast(NamedTuple):
    """A copy that autocast may have cached, the weight it was made of, and that weight's age then."""

    copy: Tensor
    weight: Tensor
    age: tuple[int, int]
    cached: bool


class CastWatch(TorchDispatchMode):
    """Sees the casts that autocast inserts, every op that reads one, and in-place clamps.

    Tensors are only held while autocast's own cache may hold them: `clear` belongs to every clearing of that cache.
    `observer` hears `clamped(tensors)` and `stale_read(cast, call)`.
    """

    def __init__(self, observer):
        super().__init__()
        self.observer = observer
        self.casts: dict[int, Cast] = {}
        self.dtypes: set[torch.dtype] = set()
        self.steps: dict[int, int] = {}

    def clear(self) -> None:
        """Forget the casts: autocast has emptied its cache."""
        self.casts.clear()

    def stepped(self, parameters) -> None:
        """An optimizer wrote to these; its writes through `.data` leave the version counter alone."""
        for parameter in parameters:
            self.steps[id(parameter)] = self.steps.get(id(parameter), 0) + 1

    def age(self, weight: Tensor) -> tuple[int, int]:
        """Changes whenever the weight was written to."""
        return weight._version, self.steps.get(id(weight), 0)

    def stale(self) -> list[Cast]:
        """The casts that are older than their weight."""
        return [cast for cast in self.casts.values() if cast.cached and self.age(cast.weight) != cast.age]

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        for cast in filter(None, (self.casts.get(id(tensor)) for tensor in _tensors(args))):
            self._read(cast)
        if func._schema.name.split("::")[1] in CLAMPS:
            self.observer.clamped(_tensors(args))
        result = func(*args, **kwargs)
        if func is torch.ops.aten._to_copy.default:
            self._remember(args[0], result)
        return result

    def _remember(self, weight: Tensor, copy: Tensor) -> None:
        # The conditions under which autocast keeps a cast of a weight.
        device = weight.device.type
        if not (weight.requires_grad and weight.is_leaf and weight.dtype == torch.float32):
            return
        with torch._C._RestorePythonTLSSnapshot():  # down here autocast looks switched off
            if torch.is_autocast_enabled(device) and copy.dtype == torch.get_autocast_dtype(device):
                cached = torch.is_autocast_cache_enabled()
                self.casts[id(copy)] = Cast(copy, weight, self.age(weight), cached)

    def _read(self, cast: Cast) -> None:
        if cast.cached and self.age(cast.weight) != cast.age:
            self.observer.stale_read(cast)
        # Not where the cast is made: autocast makes it with gradients, also under no_grad.
        with torch._C._RestorePythonTLSSnapshot():
            if torch.is_grad_enabled():
                self.dtypes.add(cast.copy.dtype)


def _tensors(values) -> list[Tensor]:
    flat = []
    for value in values:
        flat += value if isinstance(value, (list, tuple)) else [value]
    return [value for value in flat if isinstance(value, Tensor)]
