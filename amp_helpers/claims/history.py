"""Evidence about what has been replaced: the rest of this topic rests on publications."""

from __future__ import annotations

import ast
import inspect
import textwrap
import threading
from collections.abc import Callable

import torch
from torch import nn
from torch.nn.parallel import parallel_apply

from .evidence import Evidence, outdated


def autocast_arguments(function: Callable) -> list[set[str]]:
    """The names of the arguments of each call of `autocast` in a function's source; "device_type" and "dtype" are the
    first and the second."""
    found = []
    for node in ast.walk(ast.parse(textwrap.dedent(inspect.getsource(function)))):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] == "autocast":
            given = ("device_type", "dtype", "enabled", "cache_enabled")[: len(node.args)]
            found.append({*given, *(keyword.arg for keyword in node.keywords)})
    return found


def dtype_in_thread() -> torch.dtype:
    """What a layer returns in a new thread that switches autocast on, as `DataParallel`'s do, in a float16 region."""
    layer, x, seen = nn.Linear(4, 4), torch.ones(2, 4), []

    def worker():
        with torch.autocast("cpu", enabled=True):
            seen.append(layer(x).dtype)

    with torch.autocast("cpu", torch.float16):
        thread = threading.Thread(target=worker)
        thread.start()
        thread.join()
    return seen[0]


def data_parallel() -> Evidence:
    """69: what torch itself says about `DataParallel`, and what its threads are told about autocast."""
    advice = " ".join((nn.DataParallel.__doc__ or "").split())
    replaced = "recommended to use :class:`~torch.nn.parallel.DistributedDataParallel`, instead of this class" in advice
    calls = autocast_arguments(parallel_apply)
    told = any("dtype" in names for names in calls)
    return outdated(
        f"The docstring of `DataParallel` {'recommends' if replaced else 'does not recommend'} "
        f"`DistributedDataParallel` instead. Its threads are {'told' if told else 'not told'} autocast's dtype; on a "
        f"CPU such a thread computes in {str(dtype_in_thread()).removeprefix('torch.')} inside a float16 region.",
        superseded=replaced,
    )


EVIDENCE = {"69": data_parallel}
