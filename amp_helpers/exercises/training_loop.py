"""Chapter 11: the order of a training step, and the lines of it that wait."""

from __future__ import annotations

from collections.abc import Callable

from .answers import unanswered

_PARTS = ("forward", "backward", "unscale", "clip", "step", "update", "zero_grad")
#: (earlier, later, why), for a step in FP16 with clipping.
_ORDER = (
    ("forward", "backward", "the backward pass starts from the loss"),
    ("backward", "unscale", "unscale_ divides gradients, which backward makes"),
    ("unscale", "clip", "the limit is meant for gradients without the scale"),
    ("clip", "step", "what is clipped after the step has been used already"),
    ("step", "update", "update ends the iteration and may change the scale"),
)
#: Number -> (a line of a loop, whether it needs the value of a tensor on the device).
_LINES = {
    1: ("losses.append(loss.item())", True),
    2: ("losses.append(loss.detach())", False),
    3: ("total += loss.detach()", False),
    4: ("if loss > 10: lower_the_rate()", True),
    5: ("print(f'loss {loss:.3f}')", True),
    6: ("loss = loss / 4", False),
    7: ("best = min(best, float(loss))", True),
}


def check_line_order(answer: list[str]) -> None:
    """Exercise: the order of the seven parts of a step in FP16 with clipping.

    Raises: AssertionError naming the first two that are in the wrong order; TypeError if it is no list of names.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    if unanswered(answer):
        return
    if not isinstance(answer, (list, tuple)) or not all(isinstance(name, str) for name in answer):
        raise TypeError(f"a list of names is expected, not {answer!r}")
    for name in answer:
        if name not in _PARTS:
            raise AssertionError(f"{name!r} is none of {', '.join(_PARTS)}")
    for name in _PARTS:
        if answer.count(name) != 1:
            raise AssertionError(f"{name!r} occurs {answer.count(name)} times, and should once")
    place = {name: answer.index(name) for name in _PARTS}
    for earlier, later, why in _ORDER:
        if place[earlier] > place[later]:
            raise AssertionError(f"{earlier!r} comes before {later!r}: {why}")
    if place["backward"] < place["zero_grad"] < place["step"]:
        raise AssertionError("'zero_grad' between 'backward' and 'step' throws the gradients away before they are used")
    print("Right. Each line needs what the line before has done.")


def waiting_lines() -> dict[int, str]:
    """Seven lines of a loop, by number, for `check_waiting_lines`.

    Introduced in: notebooks/11_training_loop.ipynb
    """
    return {number: line for number, (line, _) in _LINES.items()}


def check_waiting_lines(answer: set[int]) -> None:
    """Exercise: which of `waiting_lines` wait for the device.

    Raises: AssertionError naming the first that is missing or does not belong; TypeError if it is no set of numbers.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    if unanswered(answer):
        return
    if not isinstance(answer, (set, frozenset, list, tuple)) or not all(type(number) is int for number in answer):
        raise TypeError(f"a set of numbers is expected, not {answer!r}")
    if unknown := set(answer) - set(_LINES):
        raise AssertionError(f"{min(unknown)} is none of the numbers 1 to {len(_LINES)}")
    for number, (line, waits) in _LINES.items():
        if waits and number not in answer:
            raise AssertionError(f"{number} waits: `{line}` needs the value, and the device has not computed it yet")
        if number in answer and not waits:
            raise AssertionError(f"{number} does not wait: `{line}` only asks the device for one more tensor")
    print("Right: these need the value itself.")


def check_mixed_step(answer: Callable) -> None:
    """Exercise: one step in FP16, clipped to a norm of 1, as a function of (model, optimizer, scaler, images, labels).

    Raises: AssertionError with what an audit found, or naming what is not as in the right step; TypeError if the answer
        is not a function.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    if unanswered(answer):
        return
    if not callable(answer):
        raise TypeError(f"a function of model, optimizer, scaler, images and labels is expected, not {answer!r}")
    from amp_helpers.audit import audit_steps

    arguments = _fresh()
    dtypes, before = [], arguments[0].weight.detach().clone()
    arguments[0].register_forward_hook(lambda module, inputs, output: dtypes.append(str(output.dtype)))
    for finding in audit_steps(lambda: answer(*arguments), n=2):
        raise AssertionError(f"{finding.code}: {finding.what}; to do: {finding.fix}")
    if dtypes != ["torch.float16"] * 2:
        raise AssertionError(f"two steps are two forward passes in float16; the model returned {dtypes or 'nothing'}")
    expected = _fresh()
    for _ in range(2):
        _reference(*expected)
    moved, right = ((weight - before).norm().item() for weight in (arguments[0].weight, expected[0].weight))
    if abs(moved - right) > 0.02 * right:
        raise AssertionError(
            f"after two steps the weights have moved by {moved:.3g}, and {right:.3g} is right: is the norm of the "
            "gradients clipped to 1, and is the loss the cross-entropy?"
        )
    print("Right: the audit found nothing, and the weights are where they should be.")


def _fresh():
    """A model, an optimizer, a scaler and a batch whose gradients are longer than 1."""
    import torch

    generator = torch.Generator().manual_seed(0)
    model = torch.nn.Linear(8, 4)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.1 * torch.randn(parameter.shape, generator=generator))
    images, labels = 20 * torch.randn(16, 8, generator=generator), torch.arange(16) % 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    return model, optimizer, torch.amp.GradScaler("cpu", init_scale=256.0), images, labels


def _reference(model, optimizer, scaler, images, labels):
    import torch

    with torch.autocast("cpu", torch.float16):
        loss = torch.nn.functional.cross_entropy(model(images), labels)
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
    optimizer.zero_grad()
