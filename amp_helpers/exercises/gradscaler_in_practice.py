"""Chapter 10: loops with a `GradScaler`."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

from .answers import expect_function, unanswered


def check_accumulate_and_clip(answer: Callable) -> None:
    """Exercise: one iteration as a function of (model, optimizer, scaler, losses, max_norm).

    Raises: AssertionError naming the first case in which the weights or the scale are wrong; TypeError if the answer
        is not a function.
    Introduced in: notebooks/10_gradscaler_in_practice.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of (model, optimizer, scaler, losses, max_norm)")
    import torch

    cases = {"no clipping, one loss": (1, 1e3), "no clipping, four losses": (4, 1e3), "clipping": (4, 0.05)}
    for what, (num_losses, max_norm) in cases.items():
        model, expected = _model(), _model()
        optimizer, scaler = _tools(model)
        for parameter in model.parameters():  # an old gradient, which must not get into the step
            parameter.grad = torch.ones_like(parameter)
        answer(model, optimizer, scaler, [_loss(model, seed) for seed in range(num_losses)], max_norm)
        (sum(_loss(expected, seed) for seed in range(num_losses)) / num_losses).backward()
        torch.nn.utils.clip_grad_norm_(expected.parameters(), max_norm)
        torch.optim.SGD(expected.parameters(), lr=0.1).step()
        wanted, got = (_vector(m) - _vector(_model()) for m in (expected, model))
        if not torch.allclose(wanted, got, rtol=1e-3, atol=1e-7):
            raise AssertionError(
                f"{what}: the step has length {got.norm().item():.3g}; without a scaler it has "
                f"{wanted.norm().item():.3g}, and the cosine between the two is {_cosine(wanted, got):.3f}"
            )
        if (tracker := scaler._get_growth_tracker()) != 1:
            raise AssertionError(f"{what}: the scaler counted {tracker} good iterations, not 1; call update() once")
        print(f"{what}: right")
    model = _model()
    optimizer, scaler = _tools(model)
    answer(model, optimizer, scaler, [_loss(model, 0), _loss(model, 1) * float("inf")], 1.0)
    if not torch.equal(_vector(model), _vector(_model())) or scaler.get_scale() != 512.0:
        raise AssertionError(
            "one infinite loss: the step must be skipped and the scale fall from 1024 to 512, "
            f"but the scale is {scaler.get_scale():g}"
        )
    print("one infinite loss: right, skipped")


def check_two_schedules(answer: Callable) -> None:
    """Exercise: one iteration as a function of (loss, optimizers, schedulers, scaler).

    Raises: AssertionError naming the first case in which an optimizer, a scheduler or the scale did the wrong thing;
        TypeError if the answer is not a function.
    Introduced in: notebooks/10_gradscaler_in_practice.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of (loss, optimizers, schedulers, scaler)")
    import torch

    # Per optimizer, what multiplies the gradients of its layer; None: the layer takes no part.
    cases = {
        "both have gradients": (1.0, 1.0),
        "the second has none": (1.0, None),
        "the first has infinite gradients": (float("inf"), 1.0),
        "the second has infinite gradients": (1.0, float("inf")),
        "the first has none, the second infinite ones": (None, float("inf")),
    }
    for what, factors in cases.items():
        layers = [torch.nn.Linear(4, 4), torch.nn.Linear(4, 4)]
        losses = [layer(torch.ones(2, 4)).square().sum() for layer in layers]
        wanted = [
            layer.weight - 0.1 * torch.autograd.grad(loss, layer.weight, retain_graph=True)[0]
            for layer, loss in zip(layers, losses, strict=True)
        ]
        before = [layer.weight.detach().clone() for layer in layers]
        optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in layers]
        schedulers = [torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.5) for optimizer in optimizers]
        # Two good iterations in a row make it grow: one that counts twice is seen.
        scaler = torch.amp.GradScaler("cpu", init_scale=1024.0, growth_interval=2)
        total = sum(loss * factor for loss, factor in zip(losses, factors, strict=True) if factor is not None)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about the order of step() and scheduler.step(), in wrong answers
            answer(total, optimizers, schedulers, scaler)
        for number, factor in enumerate(factors):
            which = f"{what}: the {('first', 'second')[number]}"
            weight, good = layers[number].weight, factor == 1.0
            ran = not torch.equal(before[number], weight)
            did = "ran" if ran else "did not run"
            if ran != good:
                raise AssertionError(f"{which} optimizer {did}")
            if good and not torch.allclose(wanted[number], weight, rtol=1e-4):
                raise AssertionError(f"{which} optimizer divided by another scale than the one its loss carried")
            if (steps := schedulers[number].last_epoch) != int(good):
                raise AssertionError(f"{which} scheduler made {steps} steps, but its optimizer {did}")
        scale = 512.0 if float("inf") in factors else 1024.0
        if scaler.get_scale() != scale:
            raise AssertionError(f"{what}: the scale should be {scale:g} afterwards, not {scaler.get_scale():g}")
        print(f"{what}: right")


def check_resume(answer: tuple[Callable, Callable]) -> None:
    """Exercise: `save(model, optimizer, scaler)` and `load(state, model, optimizer, scaler)`, as a pair.

    Raises: AssertionError naming what differs from a run that was not interrupted; TypeError if the answer is not a
        pair of functions.
    Introduced in: notebooks/10_gradscaler_in_practice.ipynb
    """
    if unanswered(answer):
        return
    if not (isinstance(answer, tuple | list) and len(answer) == 2 and all(map(callable, answer))):
        raise TypeError(f"a pair of functions, (save, load), is expected, not {answer!r}")
    import torch

    save, load = answer

    def tools(model, enabled=True):
        # So high a scale that the first iterations are skipped: a scaler that begins anew is seen.
        scaler = torch.amp.GradScaler("cpu", init_scale=2.0**20, growth_interval=5, enabled=enabled)
        return model, torch.optim.Adam(model.parameters(), lr=0.01), scaler

    def resumed(run, enabled=True):
        file = io.BytesIO()
        torch.save(save(*run), file)
        file.seek(0)
        new = tools(_model(seed=1), enabled)
        load(torch.load(file), *new)
        return new

    whole, first = tools(_model()), tools(_model())
    _train(*whole, 36)  # a multiple of the three batches, twice
    _train(*first, 18)
    second = resumed(first)
    _train(*second, 18)
    for name, one, other in zip(("model", "optimizer", "scaler"), whole, second, strict=True):
        if not _same(one.state_dict(), other.state_dict()):
            raise AssertionError(
                f"after 18 iterations, a save and 18 more, the {name}'s state differs from that of 36 iterations"
            )
    print("Resumed bit for bit.")
    for saved, now in ((False, True), (True, False)):
        run = tools(_model(), enabled=saved)
        _train(*run, 2)
        said = f"saved with enabled={saved}, resumed with enabled={now}"
        try:
            new = resumed(run, enabled=now)
        except RuntimeError as error:
            raise AssertionError(f"{said}: RuntimeError: {error}") from None
        if not torch.equal(_vector(run[0]), _vector(new[0])):
            raise AssertionError(f"{said}: the weights are not those that were saved")
        print(f"{said}: right")


# --- what the checks share ------------------------------------------------------------------------------


def _model(seed: int = 0):
    """A small network; the random generator is left as it was."""
    import torch

    from amp_helpers.models import MLP

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return MLP(8, 16, 4)


def _tools(model):
    import torch

    return torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", init_scale=1024.0)


def _loss(model, seed: int):
    import torch

    x = torch.randn(4, 8, generator=torch.Generator().manual_seed(seed))
    return torch.nn.functional.cross_entropy(model(x), torch.arange(4))


def _train(model, optimizer, scaler, num_steps: int) -> None:
    import torch

    for step in range(num_steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = _loss(model, step % 3)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def _vector(model):
    import torch

    return torch.nn.utils.parameters_to_vector(model.parameters()).detach().clone()


def _cosine(one, other) -> float:
    import torch

    return torch.nn.functional.cosine_similarity(one, other, dim=0).item()


def _same(one, other) -> bool:
    """Whether two states are equal bit for bit."""
    import torch

    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(one[key], other[key]) for key in one)
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_same, one, other))
    return torch.equal(one, other) if isinstance(one, torch.Tensor) else one == other
