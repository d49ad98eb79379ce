"""Claims on models made float16 by hand, and the functions that test them."""

from __future__ import annotations

import copy

import torch
from torch import nn

from .digit_training import digit_batches, digit_model, digit_scores
from .evidence import Evidence, holds
from .small_training import gradients, loss_of, lost_share, problem, train, weights

HALF = torch.float16


def half_model_trains() -> Evidence:
    """80: a float16 model with plain SGD, and with Adam as it comes."""
    model, inputs, labels = problem()
    by_hand, batches = copy.deepcopy(model).half(), [(inputs.half(), labels)] * 100
    exact = train(model, [(inputs, labels)] * 100).losses[-1]
    sgd = train(by_hand, batches).losses[-1]
    adam = train(by_hand, batches, lr=1e-3, kind=torch.optim.Adam)
    lost = weights(adam.model).isnan().double().mean().item()
    seen = (
        f"After 100 steps of SGD the loss was {sgd:.2f} for a float16 model and {exact:.2f} in float32; after 100 of "
        f"Adam {lost:.0%} of the float16 weights were NaN: its eps of 1e-8 is {torch.tensor(1e-8).half().item():g} in "
        f"float16, so that a gradient of 0 is divided by 0."
    )
    return holds(seen, abs(sgd / exact - 1) < 0.1, adam.finite)


def precision_per_layer() -> Evidence:
    """81: one layer of a float16 model that computes in float32, by two hooks."""
    model = nn.Sequential(nn.Linear(32, 64), nn.LayerNorm(64), nn.ReLU(), nn.Linear(64, 4)).half()
    model[1].float()
    model[1].register_forward_pre_hook(lambda layer, inputs: (inputs[0].float(),))
    computed = {}
    for place, layer in enumerate(model):
        layer.register_forward_hook(lambda layer, inputs, output, place=place: computed.update({place: output.dtype}))
    model[1].register_forward_hook(lambda layer, inputs, output: output.half())
    _, inputs, labels = problem()
    run = train(model, [(inputs.half(), labels)] * 20, lr=0.05)
    names = ", ".join(str(dtype)[6:] for dtype in computed.values())
    learned = run.finite and run.losses[-1] < run.losses[0]
    seen = (
        f"A float16 model whose LayerNorm was made float32 with two hooks computed its four layers in {names}, and "
        f"in 20 steps its loss {'fell' if learned else 'did not fall'}."
    )
    return holds(seen, not (learned and len(set(computed.values())) > 1))


def scaling_by_hand() -> Evidence:
    """86: a gradient of 2e-8, times 1e4 before backward, divided in float32 and in float16."""
    small, factor = 2e-8, 1e4
    weight = nn.Parameter(torch.zeros(1, dtype=HALF))
    (weight * torch.tensor(small * factor, dtype=HALF)).sum().backward()
    wide, narrow = (weight.grad.float() / factor).item(), (weight.grad / factor).item()
    model, inputs, labels = problem()
    exact = _scaled_gradients(model, inputs, labels, 1.0)
    same = [torch.equal(exact, _scaled_gradients(model, inputs, labels, scale)) for scale in (factor, 2.0**13)]
    seen = (
        f"A gradient of 2e-8 scaled by 1e4 came back as {wide:.0e} when divided in float32 and as {narrow:g} in "
        f"float16; the float32 gradients of a model came back bit for bit with a factor of 1e4: {_yes(same[0])}, of "
        f"2^13: {_yes(same[1])}."
    )
    return holds(seen, abs(wide / small - 1) < 0.01, abs(narrow / small - 1) < 0.01)


def initialise_then_cast() -> Evidence:
    """87: weights as PyTorch initialises them and a large one, cast by hand; and what autocast leaves to cast."""
    model, inputs, labels = problem()
    ordinary = copy.deepcopy(model).half()(inputs.half()).isfinite().all().item()
    computed = loss_of(model, inputs, labels, HALF).isfinite().item()
    kept = computed and all(parameter.dtype == torch.float32 for parameter in model.parameters())
    with torch.no_grad():
        model[0].weight[0, 1] = 1e5
    by_hand = copy.deepcopy(model).half()
    largest = weights(by_hand).abs().max().item()
    broken = not loss_of(by_hand, inputs.half(), labels).isfinite().item()
    seen = (
        f"Ordinary initial weights gave finite outputs after the cast: {_yes(ordinary)}; a weight of 1e5 became "
        f"{largest}, and the loss was {'not ' if broken else ''}finite. Autocast worked on weights that stayed "
        f"float32, with no cast by hand: {_yes(kept)}."
    )
    return holds(seen, ordinary and broken, not kept)


def better_loss() -> Evidence:
    """M12: Adam with eps=1e-4 in float16 and in float32, and in float32 with a larger learning rate."""
    model, adam = digit_model(256), {"kind": torch.optim.Adam, "eps": 1e-4}
    exact = train(model, digit_batches(40), lr=1e-3, **adam)
    by_hand = train(copy.deepcopy(model).half(), digit_batches(40, dtype=HALF), lr=1e-3, **adam)
    faster = train(model, digit_batches(40), lr=5e-3, **adam)
    moments = {run: second_moments(run.optimizer) for run in (exact, by_hand)}
    gone = (moments[by_hand] == 0) & (moments[exact] != 0)
    lost = lost_share(moments[by_hand], moments[exact])
    moved = {run: (weights(run.model) - weights(model))[gone].abs().mean().item() for run in (exact, by_hand)}
    further = moved[by_hand] / moved[exact]
    losses = [digit_scores(run.model)[0] for run in (exact, by_hand, faster)]
    seen = (
        f"With an eps of 1e-4 Adam's test loss was {losses[0]:.1f} in float32 and {losses[1]:.1f} in float16, where "
        f"{round(10 * lost)} in 10 second moments were exactly 0 and their weights had moved "
        f"{'over' if further > 5 else 'not over'} 5 times as far; float32 with 5 times the learning rate reached "
        f"{losses[2]:.1f}."
    )
    better = losses[1] < losses[0]
    return holds(seen, better and lost < 0.01, better and losses[1] <= losses[2])


def second_moments(optimizer: torch.optim.Adam) -> torch.Tensor:
    """All second moments of Adam in one row, in float32.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return torch.cat([state["exp_avg_sq"].float().flatten() for state in optimizer.state.values()])


def _scaled_gradients(model: nn.Module, inputs: torch.Tensor, labels: torch.Tensor, factor: float) -> torch.Tensor:
    """The float32 gradients of the loss times a factor, divided by it."""
    model = copy.deepcopy(model)
    (loss_of(model, inputs, labels) * factor).backward()
    return gradients(model) / factor


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"


EVIDENCE = {
    "80": half_model_trains,
    "81": precision_per_layer,
    "86": scaling_by_hand,
    "87": initialise_then_cast,
    "M12": better_loss,
}
