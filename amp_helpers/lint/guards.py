"""Which code is meant as it stands: branches for other versions of torch, and blocks that expect an error."""

from __future__ import annotations

import re

import libcst as cst

from .tree import Tree, walk

_QUESTIONS = re.compile(
    r"hasattr\((torch|amp)|__version__|version\.parse|Version\(|signature\(|\bTORCH_?(\w*_)?\d|\btorch_(ge|gt|lt|le|version)",
    re.IGNORECASE,
)
_ERRORS = ("ImportError", "ModuleNotFoundError", "AttributeError", "TypeError", "Exception")
_NEW = re.compile(
    r"torch\.(amp|autocast|GradScaler|get_autocast_dtype|is_autocast_enabled)\b"
    r"|from torch import .*\b(amp|autocast|GradScaler)\b"
)
_OLD = re.compile(r"\.amp\b|autocast_\w+_(dtype|enabled)")
_EXPECTED = ("raises(", "Raises(", "warns(", "Warns(", "deprecated_call(", "expected_error(")


def guarded(tree: Tree) -> set[cst.CSTNode]:
    """Every node in a block that is meant as it stands.

    Such blocks are a `try` that takes the new spelling, with its handlers; an `if` that asks torch for a version or
    an attribute, with both branches; and a `with` that expects an error or a warning.
    """
    return {below for node in tree.nodes if _opens(tree, node) for below in walk(node)}


def _opens(tree: Tree, node: cst.CSTNode) -> bool:
    if isinstance(node, cst.If | cst.IfExp):
        return _finds(tree, node.test, _QUESTIONS)
    if isinstance(node, cst.With):
        return any(_has(tree, item.item, _EXPECTED) or _suppresses(tree, item.item) for item in node.items)
    if isinstance(node, cst.Try) and node.handlers:
        types = [handler.type for handler in node.handlers]
        caught = None in types or any(_has(tree, one, _ERRORS) for one in types)
        return caught and _finds(tree, node.body, _NEW) and any(_finds(tree, h.body, _OLD) for h in node.handlers)
    return False


def _suppresses(tree: Tree, node: cst.CSTNode) -> bool:
    """Whether it hides the errors that an old or a new spelling raises; hiding KeyboardInterrupt says nothing."""
    return _has(tree, node, ("suppress(",)) and _has(tree, node, _ERRORS)


def _has(tree: Tree, node: cst.CSTNode, words: tuple[str, ...]) -> bool:
    return any(word in tree.text(node) for word in words)


def _finds(tree: Tree, node: cst.CSTNode, pattern: re.Pattern) -> bool:
    return pattern.search(tree.text(node)) is not None
