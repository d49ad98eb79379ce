"""Every rule, in one list."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from . import casting, missing, order
from .flow import Flow
from .guards import guarded
from .spellings import mixed_switches, spellings
from .tree import Tree

#: Rules that read the tree, and rules that read its training loops.
TREE_RULES = (spellings, mixed_switches)
LOOP_RULES = (
    missing.missing_update,
    missing.missing_zero_grad,
    order.clip_before_unscale,
    order.bypassed_scaler,
    order.unscaled_backward,
    order.repeated_unscale,
    order.mixed_scales,
    order.repeated_scale,
    order.no_gradients,
    order.update_before_step,
    casting.backward_under_autocast,
    casting.stale_casts,
    casting.half_under_autocast,
    casting.float16_parameters,
    casting.float16_without_scaler,
    casting.scaler_with_bfloat16,
)


def all_findings(tree: Tree) -> Iterator[tuple[cst.CSTNode, str, str]]:
    """Yield (node, code, message) of every rule, except in code that is meant as it stands."""
    flow, meant = Flow(tree), guarded(tree)
    found = [rule(tree) for rule in TREE_RULES] + [rule(flow) for rule in LOOP_RULES]
    yield from (one for finding in found for one in finding if one[0] not in meant)
