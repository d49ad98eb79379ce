"""Recognises autocast regions: in a `with` line, in a decorator, and behind a name that was assigned one."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .events import Region
from .tree import Tree, argument, children


def region_of(tree: Tree, expression: cst.BaseExpression, node: cst.CSTNode) -> Region | None:
    """The region that a context manager or a decorator opens; None if it is no autocast.

    Args:
        tree: the file.
        expression: the context manager or the decorator, or a name for it.
        node: the statement to report.
    """
    found = list(_autocasts(tree, expression))
    if not found:
        name = expression.func if isinstance(expression, cst.Call) else expression
        found = [one for value in tree.assigned.get(tree.text(name), []) for one in _autocasts(tree, value)]
    if not found:
        return None
    call = found[0]
    if not isinstance(call, cst.Call):
        return Region(node)
    named = tree.names(call)
    first = {"torch.cuda.amp.autocast": "cuda", "torch.cpu.amp.autocast": "cpu"}.get(next(iter(named)))
    device = argument(call, "device_type", 0)
    literal = first or (device.evaluated_value if isinstance(device, cst.SimpleString) else "")
    dtype = argument(call, "dtype", 1)
    default = {"cuda": "float16", "cpu": "bfloat16"}.get(literal, "")
    enabled = argument(call, "enabled", 0 if first else 2)
    cached = argument(call, "cache_enabled", 2 if first else 3)
    return Region(
        node,
        enabled=enabled is None or tree.text(enabled) != "False",
        cached=cached is None or tree.text(cached) != "False",
        dtype=tree.dtype(dtype) if dtype is not None else default,
        given=dtype is not None,
    )


def _autocasts(tree: Tree, node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """Calls of autocast, and mentions without a call (in `functools.partial`, for example)."""
    if isinstance(node, cst.Call | cst.Attribute | cst.Name) and tree.is_autocast(node):
        yield node
    elif not isinstance(node, cst.Attribute | cst.Lambda):
        for child in children(node):
            yield from _autocasts(tree, child)
