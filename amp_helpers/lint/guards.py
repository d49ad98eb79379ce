"""Which code is meant as it stands: branches for other versions of torch, and blocks that expect an error."""

from __future__ import annotations

import libcst as cst

from .nodes import walk
from .tree import Tree

_QUESTIONS = ("hasattr(torch", "hasattr(amp", "__version__", "version.parse", "Version(", "signature(")
_ERRORS = ("ImportError", "ModuleNotFoundError", "AttributeError", "TypeError", "Exception")
_NEW = ("torch.amp", "torch import amp", "torch.autocast", "torch import autocast")
_EXPECTED = ("raises(", "Raises(", "warns(", "Warns(", "deprecated_call(", "expected_error(", "suppress(")


def guarded(tree: Tree) -> set[cst.CSTNode]:
    """Every node in a block that is meant as it stands.

    Such blocks are a `try` that takes the new spelling, with its handlers; an `if` that asks torch for a version or
    an attribute, with both branches; and a `with` that expects an error or a warning.
    """
    return {below for node in tree.nodes if _opens(tree, node) for below in walk(node)}


def _opens(tree: Tree, node: cst.CSTNode) -> bool:
    if isinstance(node, cst.If | cst.IfExp):
        return _has(tree, node.test, _QUESTIONS)
    if isinstance(node, cst.With):
        return any(_has(tree, item.item, _EXPECTED) for item in node.items)
    if isinstance(node, cst.Try) and node.handlers:
        types = [handler.type for handler in node.handlers]
        caught = None in types or any(_has(tree, one, _ERRORS) for one in types)
        return caught and _has(tree, node.body, _NEW) and any(_has(tree, h.body, (".amp",)) for h in node.handlers)
    return False


def _has(tree: Tree, node: cst.CSTNode, words: tuple[str, ...]) -> bool:
    return any(word in tree.text(node) for word in words)
