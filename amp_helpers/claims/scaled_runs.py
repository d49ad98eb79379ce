"""What a loss scale does to whole runs: what it saves, what it cannot, and what it leaves as it was."""

from __future__ import annotations

import copy
import math

import torch

from .digit_training import digit_batches, digit_model, digit_scores
from .evidence import Evidence, holds
from .scaled_gradients import TINY
from .small_training import gradients, loss_of, problem, scaler, train, weights

HALF = torch.float16
#: Multiplies the inputs of `problem()` so that its first layer overflows in float16.
HUGE = 1e5


def accuracy_guaranteed() -> Evidence:
    """9: a scaler against gradients that are too small, and against a forward pass that overflows."""
    model, inputs, labels = problem()
    batches = [(inputs, labels)] * 100
    exact = train(model, batches).losses[-1]
    lost = train(model, batches, dtype=HALF, shrink=TINY).losses[-1]
    saved = train(model, batches, dtype=HALF, shrink=TINY, scale=2.0**16).losses[-1]
    overflow = train(model, [(inputs * HUGE, labels)] * 20, dtype=HALF, scale=2.0**16)
    seen = (
        f"After 100 steps with very small gradients the loss was {exact:.2f} in float32, {lost:.2f} in float16 and "
        f"{saved:.2f} with a scaler; where the forward pass overflowed it skipped {overflow.skipped} of 20 steps."
    )
    return holds(seen, abs(saved / exact - 1) < 0.05, overflow.finite)


def can_be_unstable() -> Evidence:
    """19: three ways in which a run in float16 fails that float32 finishes."""
    model, inputs, labels = problem()
    batches, huge = [(inputs, labels)] * 50, [(inputs * HUGE, labels)] * 2
    overflow = train(model, huge, lr=0.0).finite and not train(model, huge, lr=0.0, dtype=HALF).finite
    learns = train(model, batches, shrink=TINY).losses
    stuck = train(model, batches, dtype=HALF, shrink=TINY).losses
    skipped, none = (train(model, batches, dtype=dtype, scale=2.0**24).skipped for dtype in (HALF, None))
    seen = (
        f"A forward pass that overflowed in float16 and not in float32: {_yes(overflow)}; a loss that stayed at "
        f"{stuck[-1]:.2f} because gradients were 0, where float32 reached {learns[-1]:.2f}; steps skipped at a scale "
        f"of 2^24: {'some' if skipped else 'none'} in float16, {'some' if none else 'none'} in float32."
    )
    return holds(seen, overflow, stuck[-1] == stuck[0] and learns[-1] < learns[0], skipped > none)


def learning_rate_kept() -> Evidence:
    """32: weights after 100 steps, with scalers and without one; and without unscaling."""
    model, inputs, labels = problem()
    batches = [(inputs, labels)] * 100
    plain = weights(train(model, batches).model)
    same = [torch.equal(plain, weights(train(model, batches, scale=scale).model)) for scale in (2.0**8, 2.0**16)]
    first, larger = (weights(train(model, batches[:1], lr=lr).model) - weights(model) for lr in (0.1, 0.1 * 2**8))
    twin = copy.deepcopy(model)
    (loss_of(twin, inputs, labels) * 2**8).backward()
    torch.optim.SGD(twin.parameters(), lr=0.1).step()
    forgotten = weights(twin) - weights(model)
    seen = (
        f"In float32 the weights after 100 steps equalled those without a scaler bit for bit at {sum(same)} of 2 "
        f"scales (2^8, 2^16); without unscaling one step was {forgotten.norm() / first.norm():.0f} times as long."
    )
    return holds(seen, *same, torch.allclose(forgotten, larger, rtol=1e-3, atol=1e-5))


def larger_learning_rate() -> Evidence:
    """83: the size of unscaled gradients, and the best of five learning rates on the digits."""
    model, batches = digit_model(), digit_batches(150)
    rates = 0.2, 0.4, 0.8, 1.6, 3.2
    best, norms = {}, {}
    for dtype, scale in ((None, None), (HALF, 2.0**16), (torch.bfloat16, None)):
        losses = {lr: digit_scores(train(model, batches, lr=lr, dtype=dtype, scale=scale).model)[0] for lr in rates}
        best[dtype] = min((rate for rate in rates if math.isfinite(losses[rate])), key=losses.get)
        twin, grad_scaler = copy.deepcopy(model), scaler(scale)
        grad_scaler.scale(loss_of(twin, *batches[0], dtype)).backward()
        grad_scaler.unscale_(torch.optim.SGD(twin.parameters(), lr=0.1))
        norms[dtype] = gradients(twin).norm().item()
    seen = (
        f"The best of {len(rates)} learning rates on the digits, each twice the last, was {best[None]} in float32, "
        f"{best[HALF]} in float16 with a scaler, {best[torch.bfloat16]} in bfloat16; float16's unscaled gradients were "
        f"{norms[HALF] / norms[None]:.2f} times float32's."
    )
    return holds(seen, best[HALF] >= 2 * best[None], norms[HALF] >= 1.01 * norms[None])


def watching_the_loss() -> Evidence:
    """88: does a broken forward pass show in the loss, and does a sound run with skipped steps look sound?"""
    model, inputs, labels = problem()
    broken = train(model, [(inputs * HUGE, labels)] * 3, dtype=HALF, scale=2.0**16)
    sound = train(model, [(inputs, labels)] * 100, dtype=HALF, scale=2.0**24)
    few, finite = 0 < sound.skipped < 20, sum(map(math.isfinite, sound.losses))
    seen = (
        f"An overflow in the forward pass showed in {sum(not math.isfinite(loss) for loss in broken.losses)} of 3 "
        f"losses; a sound run that began at a scale of 2^24 skipped {'a few' if few else sound.skipped} of its 100 "
        f"steps, and {finite} of 100 losses were finite."
    )
    return holds(seen, not math.isfinite(broken.losses[0]), few and sound.finite and sound.losses[-1] < sound.losses[0])


def remedies_for_nan() -> Evidence:
    """92: three remedies, each against the cause that it is named for."""
    model, inputs, labels = problem()
    batches = [(inputs, labels)] * 20
    high, low = (train(model, batches, lr=lr, dtype=HALF, scale=2.0**16).finite for lr in (1e7, 0.1))
    spoiled = inputs.clone()
    spoiled[5] = math.nan
    good = ~spoiled.isnan().any(1)
    dirty = loss_of(model, spoiled, labels, HALF).isfinite().item()
    clean = loss_of(model, spoiled[good], labels[good], HALF).isfinite().item()
    scales = 2.0**16, 1.0, 2.0**-16
    overflow = [(inputs * HUGE, labels)] * 3
    helped = sum(train(model, overflow, dtype=HALF, scale=scale).finite for scale in scales)
    bfloat16 = loss_of(model, inputs * HUGE, labels, torch.bfloat16).isfinite().item()
    seen = (
        f"A NaN loss was cured by a lower learning rate: {_yes(low and not high)}, by leaving out a bad row: "
        f"{_yes(clean and not dirty)}; a float16 forward pass that overflows by {helped} of {len(scales)} loss scales, "
        f"by bfloat16: {_yes(bfloat16)}."
    )
    return holds(seen, low and not high, clean and not dirty, helped > 0)


def autocast_and_scaler() -> Evidence:
    """94: Adam with autocast and a scaler, with bfloat16 alone, and with a float16 model, beside float32."""
    model, inputs, labels = problem()
    adam = {"kind": torch.optim.Adam, "lr": 1e-3}
    batches = [(inputs, labels)] * 60
    exact = train(model, batches, **adam).losses[-1]
    mixed = train(model, batches, dtype=HALF, scale=2.0**16, **adam).losses[-1]
    brain = train(model, batches, dtype=torch.bfloat16, **adam).losses[-1]
    by_hand = train(copy.deepcopy(model).half(), [(inputs.half(), labels)] * 60, **adam).losses[-1]
    seen = (
        f"After 60 steps of Adam the loss was {exact:.2f} in float32, {mixed:.2f} with float16 autocast and a scaler, "
        f"{brain:.2f} with bfloat16 autocast and none, and {by_hand:.2f} for a model made float16 by hand."
    )
    return holds(seen, abs(mixed / exact - 1) < 0.02, abs(brain / exact - 1) < 0.05, not by_hand <= 1.1 * exact)


def _yes(answer: bool) -> str:
    return "yes" if answer else "no"
