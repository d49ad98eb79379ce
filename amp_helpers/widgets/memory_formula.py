"""Bytes of one training step in closed form: what `amp_helpers.memory.predict_memory` finds, without running anything.

The page computes the same in JavaScript; tests hold both to the predictions.
"""

from __future__ import annotations

import itertools

KINDS = ("parameters", "gradients", "optimizer", "casts", "activations")
#: Recipe -> (bytes of a weight, bytes of a number that a matrix product reads).
RECIPES = {"32-true": (4, 4), "16-mixed": (4, 2), "bf16-mixed": (4, 2), "bf16-true": (2, 2)}
#: Optimizer -> (copies of the weights, bytes that it keeps for each tensor).
OPTIMIZERS = {"sgd": (0, 0), "sgd-momentum": (1, 0), "adam": (2, 4), "adamw": (2, 4)}


def step_bytes(config: dict) -> dict[str, int | None]:
    """Bytes by kind of a training step with a cross-entropy loss.

    Args:
        config: the traits of `MemoryCalculator`, by name.
    Returns: kind -> bytes; "activations" is None for a model of which only the number of parameters is known; and
        "recomputed": the most that the backward pass of a checkpointed model keeps on top; "temporary": what the loss's
        backward pass holds on top for a moment, None where the logits are not known.
    """
    weight, low = RECIPES[config["recipe"]]
    mixed = low < weight
    copies, each = OPTIMIZERS[config["optimizer"]]
    count, cast, tensors = {"gpt": _gpt_size, "mlp": _mlp_size, "parameters": _any_size}[config["model"]](config)
    activations, recomputed, temporary = None, 0, None
    if config["model"] == "gpt":
        activations, recomputed = _gpt_activations(config, weight, low)
        temporary = _loss_backward(config["batch"] * config["context"], config["vocabulary"], config, weight, low)
    elif config["model"] == "mlp":
        rows = config["batch"]
        # ReLU's result is the next layer's input: one storage. The step's own input counts only as a cast copy of it.
        activations = rows * (config["layers"] * config["width"] * low + (config["inputs"] * low if mixed else 0))
        activations += _loss(rows, config["outputs"], config, weight, low)
        temporary = _loss_backward(rows, config["outputs"], config, weight, low)
    return {
        "parameters": count * weight,
        "gradients": count * weight,
        "optimizer": copies * count * weight + each * tensors,
        "casts": cast * low if mixed else 0,
        "activations": activations,
        "recomputed": recomputed,
        "temporary": temporary,
    }


def needed(found: dict[str, int | None]) -> int:
    """Bytes that a step needs at least: what it keeps, or what it holds while the loss's backward pass runs.

    No weight has a gradient at that moment, so of gradients and temporary tensors only the larger counts.

    Args:
        found: as `step_bytes` returns it.
    """
    kept = sum(found[kind] or 0 for kind in KINDS)
    return kept - found["gradients"] + max(found["gradients"], found["temporary"] or 0)


def _gpt_size(c: dict) -> tuple[int, int, int]:
    """(parameters, those that autocast casts, tensors): the embeddings of positions and the norms are not cast."""
    width = c["width"]
    cast = c["layers"] * (12 * width**2 + 9 * width) + c["vocabulary"] * width
    kept = c["context"] * width + (2 * c["layers"] + 1) * 2 * width
    return cast + kept, cast, 4 + 12 * c["layers"]


def _mlp_size(c: dict) -> tuple[int, int, int]:
    sizes = [c["inputs"], *[c["width"]] * c["layers"], c["outputs"]]
    count = sum(before * after + after for before, after in itertools.pairwise(sizes))
    return count, count, 2 * (c["layers"] + 1)


def _any_size(c: dict) -> tuple[int, int, int]:
    return c["parameters"], c["parameters"], 0


def _gpt_activations(c: dict, weight: int, low: int) -> tuple[int, int]:
    rows = c["batch"] * c["context"]
    stream = rows * c["width"]  # numbers in one activation of the residual stream, which stays in the weights' dtype
    statistics = 2 if c["device"] == "cpu" and weight == 2 else 4
    norm = stream * weight + 2 * rows * statistics
    heads = c["batch"] * c["heads"]
    if c["attention"] == "fused":
        attention = 3 * stream * low + heads * c["context"] * 4  # q, k, v in one storage; a log-sum-exp for each row
    else:
        # In float32 whatever the recipe: scaled q and k, v, and the probabilities. With a single head or example,
        # v needs no copy to become a batch of matrices, and as a view of all of q, k and v it keeps them.
        view = low == 4 and 1 in (c["heads"], c["batch"])
        attention = (5 if view else 3) * stream * 4 + heads * c["context"] ** 2 * 4
    # Inputs of the four products (1, 1, 1 and 4 widths), and that of GELU (4).
    block = 2 * norm + attention + 11 * stream * low
    kept = stream * weight if c["checkpointing"] else block
    ends = norm + stream * low + c["context"] * 8  # the last norm, the head's input, the positions' indices
    total = c["layers"] * kept + ends + _loss(rows, c["vocabulary"], c, weight, low)
    return total, block if c["checkpointing"] else 0


def _loss(rows: int, classes: int, c: dict, weight: int, low: int) -> int:
    """What cross-entropy saves: log-softmax, the targets, and one sum of weights.

    On CUDA `cross_entropy` asks for log-softmax in the dtype of its input and autocast leaves that; the next op is cast
    to float32, so both are kept.
    """
    each = low + 4 if _kept_twice(c, weight, low) else weight
    return rows * (classes * each + 8) + weight


def _loss_backward(rows: int, classes: int, c: dict, weight: int, low: int) -> int:
    """What the backward pass of cross-entropy holds on top: the gradients of log-softmax and of the logits.

    Where log-softmax is kept twice, its float32 copy goes before the second gradient comes, and that one has 16 bits.
    """
    return rows * classes * weight * (1 if _kept_twice(c, weight, low) else 2)


def _kept_twice(c: dict, weight: int, low: int) -> bool:
    return low < weight and c["device"] == "cuda"
