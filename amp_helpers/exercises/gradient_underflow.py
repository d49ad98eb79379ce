"""Chapter 08: which gradients vanish, and what scale saves them."""

from __future__ import annotations

import math
from collections.abc import Callable

from .answers import unanswered

FLUSHED = 0.001  # the share that `scale_range` lets go


def check_share_lost(answer: Callable) -> None:
    """Exercise: the share of a gradient's nonzero elements that become zero in float16, at a scale.

    Args:
        answer: a function of a float32 tensor and a scale, a power of two; 0 where no element is nonzero.
    Raises: AssertionError naming the first gradient for which it is wrong; TypeError if it is not a function.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    if unanswered(answer):
        return
    if not callable(answer):
        raise TypeError(f"a function of a gradient and a scale is expected, not {answer!r}")
    import torch

    from amp_helpers.gradients import GradientHistogram

    tiny = 2.0**-24  # the smallest subnormal of float16
    spread = torch.ldexp(torch.ones(64), torch.arange(-50, 14))
    cases = {
        "two elements, 1 and 1e-9": (torch.tensor([1.0, 1e-9]), 1.0),
        "two zeros, 1 and 1e-9": (torch.tensor([0.0, 0.0, 1.0, 1e-9]), 1.0),
        "a tie, half the smallest subnormal": (torch.tensor([tiny / 2, -tiny / 2, tiny]), 1.0),
        "just above that tie": (torch.tensor([0.6 * tiny, -0.6 * tiny]), 1.0),
        "negative ones": (torch.tensor([-1e-9, -1e-3]), 1.0),
        "all powers of two from 2^-50 to 2^13": (spread, 1.0),
        "the same at scale 2^8": (spread, 256.0),
        "the same at scale 2^-8": (spread, 1 / 256),
        "zeros alone": (torch.zeros(3), 1.0),
        "an infinite product": (torch.tensor([1.0, 1e-9]), 2.0**20),
    }
    for what, (gradient, scale) in cases.items():
        expected = GradientHistogram.of(gradient).shares("float16", scale).zero
        got = answer(gradient.clone(), scale)
        got = got.item() if isinstance(got, torch.Tensor) and got.numel() == 1 else got
        if not isinstance(got, int | float) or not math.isclose(got, expected, abs_tol=1e-6):
            raise AssertionError(f"{what}: a share of {expected:.4g} becomes zero, but the function returned {got!r}")
    print(f"Right for {len(cases)} gradients.")


def uneven_model():
    """A model with two losses of very different size, and a function that returns their sum, for an exercise.

    Returns: (model, loss): a `torch.nn.Module` of three linear layers, and a function without arguments.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(0)
    # Without biases, and with weights of our own: the global random state is left alone.
    sizes = {"body": (16, 32), "classes": (32, 10), "penalty": (32, 4)}
    model = nn.ModuleDict({name: nn.utils.skip_init(nn.Linear, *size, bias=False) for name, size in sizes.items()})
    for layer in model.values():
        nn.init.normal_(layer.weight, std=0.2, generator=generator)
    x = torch.randn(64, 16, generator=generator)
    labels = torch.randint(10, (64,), generator=generator)

    def loss():
        hidden = model["body"](x).tanh()
        penalty = model["penalty"](hidden.detach()).square().mean()
        return nn.functional.cross_entropy(model["classes"](hidden), labels) + 1e-8 * penalty

    return model, loss


def check_uneven_model(answer: tuple[str, float]) -> None:
    """Exercise: the parameter of `uneven_model` whose gradient vanishes in float16, and a scale that saves it.

    Args:
        answer: its name, and a power of two at which it keeps all but a thousandth and nothing overflows.
    Raises: AssertionError saying what happens at that scale; TypeError if the answer is not a name and a number.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    if unanswered(answer):
        return
    if not isinstance(answer, tuple) or len(answer) != 2 or not isinstance(answer[0], str):
        raise TypeError(f"a name and a scale are expected, such as ('body.weight', 256), not {answer!r}")
    name, scale = answer
    if not isinstance(scale, int | float) or isinstance(scale, bool):
        raise TypeError(f"the scale must be a number, not {scale!r}")
    from amp_helpers.gradients import collect

    collected = collect(*uneven_model())
    names = [group.name for group in collected.parameters]
    if name not in names:
        raise AssertionError(f"the model has no parameter {name!r}; it has {', '.join(names)}")
    zero = collected[name].shares("float16").zero
    if zero < 1:
        raise AssertionError(f"without a scale {name} loses {zero:.0%} of its gradient; another parameter loses it all")
    if not (scale > 0 and math.isfinite(scale) and math.frexp(scale)[0] == 0.5):
        raise AssertionError(f"{scale!r} is not a power of two")
    outcome = collected[name].shares("float16", scale)
    if outcome.zero > FLUSHED:
        raise AssertionError(f"at scale {scale:g} {outcome.zero:.1%} of {name} still becomes zero")
    for group in collected.parameters:
        if infinite := group.at("float16", scale).infinite:
            raise AssertionError(f"at scale {scale:g} {infinite} elements of {group.name} become infinite")
    print(f"Right: at scale {scale:g} {name} is there, and nothing overflows.")


def check_scaled_backward(answer: Callable) -> None:
    """Exercise: run a backward pass on a scaled loss, and leave in `.grad` what belongs there.

    Args:
        answer: a function of a model, a loss (a scalar tensor) and a scale.
    Raises: AssertionError naming the parameter whose gradient is wrong; TypeError if it is not a function.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    if unanswered(answer):
        return
    if not callable(answer):
        raise TypeError(f"a function of a model, a loss and a scale is expected, not {answer!r}")
    import torch
    from torch import nn

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(32, 8, generator=generator)
    model = nn.ModuleDict({name: nn.utils.skip_init(nn.Linear, 8, 8) for name in ("first", "second", "unused")})
    for parameter in model.parameters():
        nn.init.normal_(parameter, std=0.3, generator=generator)

    def loss():
        # Either cast sends the gradient back through float16, where a hundred-millionth of it becomes zero.
        hidden = model["first"](x).to(torch.float16).float().tanh()
        return 1e-8 * model["second"](hidden).to(torch.float16).float().norm()

    used = [(name, p) for name, p in model.named_parameters() if not name.startswith("unused")]
    scale = 2.0**20
    exact = torch.autograd.grad(loss() * scale, [p for _, p in used])
    answer(model, loss(), scale)
    for (name, parameter), scaled in zip(used, exact, strict=True):
        got, expected = parameter.grad, scaled / scale
        if got is None:
            raise AssertionError(f"{name} has no gradient: was backward called?")
        if torch.equal(got, scaled):
            raise AssertionError(f"{name}: its gradient is still multiplied by {scale:g}")
        if not torch.allclose(got, expected, rtol=1e-3, atol=0):
            zeros = (got == 0).sum().item()
            raise AssertionError(
                f"{name}: its largest element is {got.abs().max():.2g}, should be {expected.abs().max():.2g}, "
                f"and {zeros} of {got.numel()} elements are zero"
            )
    print("Right: the gradients came through float16, and have their true size.")
