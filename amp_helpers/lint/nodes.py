"""Walks a tree without its whitespace; LibCST's own visitors build the tree anew, which takes several times as long."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from functools import cache

import libcst as cst

_LAYOUT = ("whitespace", "lines", "header", "footer", "comma", "par", "semicolon", "indent", "newline", "bracket")


@cache
def _parts(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if not any(word in f.name for word in _LAYOUT) or f.name == "params")


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes directly below, in the order of the source."""
    for part in _parts(type(node)):
        value = getattr(node, part)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, list | tuple):
            yield from (one for one in value if isinstance(one, cst.CSTNode))


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and everything below it, outer nodes first."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(children(node)))


def calls_in(node: cst.CSTNode) -> list[cst.Call]:
    """Every call of an expression."""
    return [one for one in walk(node) if isinstance(one, cst.Call)]


def names_in(node: cst.CSTNode) -> set[str]:
    """Every identifier of an expression."""
    return {one.value for one in walk(node) if isinstance(one, cst.Name)}
