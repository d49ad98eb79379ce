"""The steps of a training loop, as they stand in a file: what happens to which scaler or optimizer, and where."""

from __future__ import annotations

from dataclasses import dataclass, field

import libcst as cst


@dataclass(eq=False)
class Loop:
    """A `for` or `while` statement.

    Args:
        targets: names that a `for` binds.
        assigned: dotted text of everything that its body assigns.
        depth: number of conditions that hold where the loop begins.
        ends: whether the body always leaves the loop at its end, as one that tries again after an error does.
    """

    targets: frozenset[str] = frozenset()
    assigned: set[str] = field(default_factory=set)
    depth: int = 0
    ends: bool = False


@dataclass(eq=False)
class Region:
    """A `with` block or a decorated function under autocast.

    Args:
        enabled: False for `enabled=False`.
        cached: False for `cache_enabled=False`.
        dtype: "float16", "bfloat16", or "" if that cannot be seen.
        given: whether the dtype is written there, and no default.
        loops: how many loops of its function are open where the region begins.
    """

    node: cst.CSTNode
    enabled: bool = True
    cached: bool = True
    dtype: str = ""
    given: bool = False
    loops: int = 0


@dataclass(eq=False)
class Function:
    """A function, a method, or the module itself (without a name).

    Args:
        loops: the loops of outer functions around its definition.
        regions: the region of its decorator, if it has one.
        inherits: whether it is a method of a class whose base may define methods that the file does not show.
    """

    name: str
    outer: Function | None = None
    loops: tuple[Loop, ...] = ()
    regions: tuple[Region, ...] = ()
    inherits: bool = False


@dataclass(eq=False)
class Event:
    """A call or an assignment that matters to a training loop.

    Args:
        kind: "scale", "backward", "unscale", "clip", "scaler_step", "optimizer_step", "update", "zero", "half" or
            "call".
        key: the scaler, the optimizer of "optimizer_step" and "zero", the function of "call"; for "backward" the
            scaler that scaled the loss, or "".
        target: what the scaler gets: the optimizer, or the loss; of "half" the name that keeps the result.
        arguments: text of every argument.
        conditions: (test, value) of the branches it stands in.
        index: its place in the order of the file.
        again: of "scale", whether the loss is already scaled.
    """

    kind: str
    node: cst.CSTNode
    key: str
    target: str
    arguments: tuple[str, ...]
    function: Function
    loops: tuple[Loop, ...]
    regions: tuple[Region, ...]
    conditions: tuple[tuple[str, bool], ...]
    index: int
    again: bool = False
