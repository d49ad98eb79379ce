"""Calls that a loop lacks: `scaler.update()` and `zero_grad()`. Silent wherever the rest of a loop cannot be seen."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .events import Event
from .flow import STEPS, Flow

Found = Iterator[tuple[cst.CSTNode, str, str]]


def missing_update(flow: Flow) -> Found:
    """AMP301: a repeated `scaler.step()` without `scaler.update()`."""
    seen = set()
    for step in flow.of("scaler_step"):
        place = (step.key, flow.loop_of(step) or step.function)
        if place not in seen and not _made_in(step, step.key) and lacks(flow, step, "update", [step.key]):
            seen.add(place)
            yield (
                step.node,
                "AMP301",
                f"{step.key}.step({step.target}) without {step.key}.update(): call {step.key}.update() after it",
            )


def missing_zero_grad(flow: Flow) -> Found:
    """AMP302: a repeated backward and step that never clears the gradients."""
    seen = set()
    for step in flow.of(*STEPS):
        loop = flow.loop_of(step)
        place = (step.target, loop or step.function)
        if place in seen or not _backward_with(flow, step) or _made_in(step, step.target):
            continue
        if lacks(flow, step, "zero", [step.target]) and not any(step.arguments[step.kind == "scaler_step" :]):
            seen.add(place)
            yield (
                step.node,
                "AMP302",
                f"{step.target} steps, but no gradient is ever cleared here: call {step.target}.zero_grad() once per "
                "step",
            )


def lacks(flow: Flow, step: Event, kind: str, keys: list[str]) -> bool:
    """Whether a step is repeated and nothing that is repeated with it does what `kind` says."""
    loop = flow.loop_of(step)
    if loop is not None:
        return not flow.has(loop, kind, keys, step)
    function = [event for event in flow.events if event.function is step.function]
    if any(flow.does(event, kind, keys) for event in function):
        return False
    if flow.call_loops(step.function, kind, keys):
        return True
    # A method whose class holds the object from its creation on: then the whole life is in the file.
    own = keys[0].startswith("self.") and keys[0] in flow.tree.assigned and bool(step.function.name)
    made = keys[0] in flow.actors.created or keys[0] in flow.actors.optimizers
    return own and made and not any(flow.does(event, kind, keys) for event in flow.events)


def _backward_with(flow: Flow, step: Event) -> bool:
    loop = flow.loop_of(step)
    events = flow.inside(loop) if loop is not None else [e for e in flow.events if e.function is step.function]
    return any(flow.does(event, "backward") for event in events)


def _made_in(step: Event, text: str) -> bool:
    """Whether the innermost loop makes the scaler or the optimizer anew: then nothing is left of the step before."""
    return any(text in loop.assigned or text.split(".")[0] in loop.assigned for loop in step.loops[-1:])
