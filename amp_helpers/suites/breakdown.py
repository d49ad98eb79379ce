"""Rows of a memory breakdown: what a training step keeps, predicted without a GPU and measured with one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amp_helpers.memory import KINDS, measure_memory, predict_memory

from .run import Bench


def breakdown_rows(
    bench: Bench, row: dict, model: nn.Module, example: Tensor, recipes: Iterable[str], optimizer: str
) -> Iterator[dict]:
    """A row for each recipe, of a step with a cross-entropy loss on labels that are all zero.

    Each row has the columns of `row`, "recipe", and in bytes for each kind in `memory.KINDS` and for "total"
    "KIND_bytes" (measured) and "predicted_KIND_bytes"; "allocated_bytes" (the allocator's account of the forward pass)
    and "peak_bytes" (None on a CPU).
    """
    for name in recipes:

        def measure(name=name):
            # The predicted first: it allocates nothing, and what it finds does not depend on the other.
            predicted = predict_memory(model, example, recipe=name, optimizer=optimizer, loss=zero_labels_loss)
            before = torch.cuda.memory_allocated() if bench.device.type == "cuda" else 0
            found = measure_memory(model, example, recipe=name, optimizer=optimizer, loss=zero_labels_loss)
            columns = {}
            for kind in (*KINDS, "total"):
                columns[f"{kind}_bytes"] = getattr(found, kind)
                columns[f"predicted_{kind}_bytes"] = getattr(predicted, kind)
            peak = None if found.peak is None else found.peak - before
            return columns | {"allocated_bytes": found.allocated, "peak_bytes": peak}

        yield bench.attempt({"recipe": name, **row}, measure)


def zero_labels_loss(output: Tensor) -> Tensor:
    """Cross-entropy of the last dimension's classes; its labels come from the output, so that fake tensors will do."""
    scores = output.flatten(0, -2).float()
    return F.cross_entropy(scores, torch.zeros(len(scores), dtype=torch.long, device=scores.device))
