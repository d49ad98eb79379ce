"""Old and new TF32 switches in one file."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .guards import guarded
from .tree import Tree

_OLD = {
    "torch.backends.cuda.matmul.allow_tf32": "torch.backends.cuda.matmul.fp32_precision",
    "torch.backends.cudnn.allow_tf32": "torch.backends.cudnn.conv.fp32_precision",
    "torch.set_float32_matmul_precision": "torch.backends.cuda.matmul.fp32_precision",
    "torch.get_float32_matmul_precision": "torch.backends.cuda.matmul.fp32_precision",
}


def mixed_switches(tree: Tree) -> Iterator[tuple[cst.CSTNode, str, str]]:
    """AMP401: every old switch, if the file also has a new one and no branch for other versions holds the two."""
    meant = guarded(tree)
    named = [
        (node, name)
        for node in tree.nodes
        if isinstance(node, cst.Attribute | cst.Name) and node not in meant
        for name in tree.names(node)
    ]
    if any(name.startswith("torch.backends.") and name.endswith(".fp32_precision") for _, name in named):
        for node, name in named:
            if name in _OLD:
                yield node, "AMP401", f"{name} is mixed with fp32_precision: write {_OLD[name]} instead"
