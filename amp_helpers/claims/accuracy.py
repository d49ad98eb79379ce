"""The claim on accuracy, and the function that tests it."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch

from amp_helpers.datasets import source_text
from amp_helpers.models import GPT, GPTConfig

from .digit_training import digit_batches, digit_model, digit_scores
from .evidence import Evidence, holds
from .small_training import loss_of, train

#: Autocast's dtype and the first loss scale.
MODES = {"float32": (None, None), "bfloat16": (torch.bfloat16, None), "float16": (torch.float16, 2.0**16)}
SEEDS = 0, 1


def cost_of_sixteen_bits() -> Evidence:
    """90: test loss of a small character GPT and test accuracy on the digits, beside float32 with the same seeds."""
    losses, accuracies = by_mode(gpt_loss), by_mode(digit_accuracy)
    low = [mode for mode in MODES if mode != "float32"]
    loss_cost = [losses[mode] / losses["float32"] - 1 for mode in low]
    accuracy_cost = [accuracies["float32"] - accuracies[mode] for mode in low]
    seen = (
        f"Beside float32, with the same {len(SEEDS)} seeds, autocast with bfloat16 or with float16 and a scaler "
        f"changed the mean test loss of a small character GPT by less than {bound(loss_cost)} %, and the accuracy on "
        f"the digits by less than {bound(accuracy_cost)} in 100 images."
    )
    return holds(seen, *(cost >= 0.03 for cost in loss_cost), *(cost >= 0.01 for cost in accuracy_cost))


def by_mode(measure: Callable[[int, torch.dtype | None, float | None], float]) -> dict[str, float]:
    """The mean over the seeds, for each of `MODES`.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return {name: sum(measure(seed, *mode) for seed in SEEDS) / len(SEEDS) for name, mode in MODES.items()}


def bound(costs: list[float]) -> int:
    """The smallest whole percentage that every cost is below, whatever its sign.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return math.floor(100 * max(map(abs, costs))) + 1


def gpt_loss(seed: int, dtype: torch.dtype | None, scale: float | None) -> float:
    """Test loss of a GPT with two layers after 50 steps on characters.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    torch.manual_seed(seed)
    text = source_text()
    model = GPT(GPTConfig(len(text.vocabulary), context=32, width=32, heads=2, layers=2))
    batches = text.batches(8, length=32, steps=50, seed=seed)
    trained = train(model, batches, lr=1e-3, dtype=dtype, scale=scale, kind=torch.optim.AdamW).model
    with torch.no_grad():
        (inputs, targets), *_ = text.batches(128, length=32, steps=1, split="test")
        return loss_of(trained, inputs, targets, dtype).item()


def digit_accuracy(seed: int, dtype: torch.dtype | None, scale: float | None) -> float:
    """Test accuracy on the digits after 150 steps.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    torch.manual_seed(seed)
    trained = train(digit_model(), digit_batches(150, seed=seed), lr=0.2, dtype=dtype, scale=scale).model
    return digit_scores(trained, dtype)[1]


EVIDENCE = {"90": cost_of_sixteen_bits}
