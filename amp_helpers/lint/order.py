"""Calls that stand in the wrong order, or once too often, within one iteration."""

from __future__ import annotations

from collections.abc import Iterator

import libcst as cst

from .events import Event
from .flow import STEPS, Flow, exclusive, now_and_then, own_conditions

Found = Iterator[tuple[cst.CSTNode, str, str]]


def clip_before_unscale(flow: Flow) -> Found:
    """AMP303: gradients are clipped between a scaled backward and `scaler.step()`, and not unscaled before."""
    for clip in flow.of("clip"):
        steps = [step for step in flow.after(clip, *STEPS) if not (step.loops and flow.loop_of(step) not in clip.loops)]
        if not steps or steps[0].kind != "scaler_step":
            continue
        step = steps[0]
        backwards = flow.before(clip, "backward")
        if backwards and not backwards[-1].key:
            continue
        start = backwards[-1].index if backwards else -1
        earlier = [event for event in flow.before(clip) if event.index > start]
        if any(flow.does(event, "unscale", [step.key]) for event in earlier):
            continue
        if not backwards and flow.of("unscale"):
            continue
        message = f"call {step.key}.unscale_({step.target}) before clipping: the gradients still carry the scale"
        yield clip.node, "AMP303", message


def bypassed_scaler(flow: Flow) -> Found:
    """AMP306: `optimizer.step()` on gradients that a scaler scaled."""
    for step in flow.of("optimizer_step"):
        backwards = flow.before(step, "backward")
        if not backwards or not backwards[-1].key:
            continue
        scaler = backwards[-1].key
        others = [e for e in flow.of("scaler_step") if e.function is step.function]
        if any(exclusive(other, step) and other.target == step.target for other in others):
            continue  # the other branch is for an enabled scaler, and a disabled one scales by 1
        together = [other for other in others if not exclusive(other, step)]
        unscaled = {event.target for event in flow.of("unscale")}
        if together and step.target not in {other.target for other in together} | unscaled:
            continue  # another optimizer, whose gradients need not come from the scaled loss
        if any(e.kind == "call" and flow.does(e, "scaler_step", [scaler]) for e in flow.before(step)):
            continue
        if any(event.key == f"{scaler}.get_scale" and event.index > backwards[-1].index for event in flow.before(step)):
            continue  # the gradients are divided by hand
        message = f"{step.target}.step() bypasses the scaler: write {scaler}.step({step.target})"
        yield step.node, "AMP306", message


def unscaled_backward(flow: Flow) -> Found:
    """AMP307: the backward of an unscaled loss, followed by `scaler.step()`."""
    for backward in flow.of("backward"):
        if backward.key:
            continue
        steps = [s for s in flow.after(backward, *STEPS) if flow.loop_of(s) in (None, *backward.loops)]
        if not steps or steps[0].kind != "scaler_step":
            continue
        step = steps[0]
        between = [event for event in flow.before(step) if event is not backward]
        direct = {event.index - 1 for event in flow.of("backward") if event.key}
        if any(flow.does(e, "scale", [step.key]) and e.index not in direct for e in between):
            continue  # something else scales a loss, and this may be it
        scaled = [e for e in flow.of("backward") if e.key and e.function is backward.function]
        if any(exclusive(other, backward) for other in scaled):
            continue
        loss = backward.target
        yield backward.node, "AMP307", f"{loss} is not scaled: write {step.key}.scale({loss}).backward()"


def repeated_unscale(flow: Flow) -> Found:
    """AMP308: `unscale_` twice without an `update` between, or for every micro-batch."""
    for unscale in flow.of("unscale"):
        text = f"{unscale.key}.unscale_({unscale.target})"
        twins = [
            other
            for other in flow.before(unscale, "unscale")
            if (other.key, other.target, other.loops) == (unscale.key, unscale.target, unscale.loops)
        ]
        if twins:
            between = [e for e in flow.before(unscale) if e.index > twins[-1].index]
            if not any(flow.does(event, "update", [unscale.key]) for event in between):
                yield unscale.node, "AMP308", f"{text} again before {unscale.key}.update(): call it once per step"
                continue
        loop = flow.loop_of(unscale)
        if loop is None or own_conditions(unscale):
            continue
        updates = [e for e in flow.of("update") if e.function is unscale.function and e.key == unscale.key]
        here = [event for event in flow.inside(loop) if flow.does(event, "update", [unscale.key])]
        later = [e for e in updates if loop not in e.loops and e.index > unscale.index]
        steps_here = any(flow.does(event, "scaler_step", [unscale.key]) for event in flow.inside(loop))
        in_turn = here and all(e.kind == "update" and now_and_then(e) for e in here)
        if in_turn or (later and not here and not steps_here):
            yield unscale.node, "AMP308", f"{text} runs for every micro-batch: call it once per step, before clipping"


def mixed_scales(flow: Flow) -> Found:
    """AMP309: `update` for every micro-batch, while the optimizer steps once for several of them."""
    for update in flow.of("update"):
        if not update.loops or now_and_then(update):
            continue
        loop = update.loops[-1]
        steps = [e for e in flow.of("scaler_step") if e.function is update.function and e.key == update.key]
        here = [step for step in steps if loop in step.loops]
        later = [step for step in steps if loop not in step.loops and step.index > update.index]
        nested = [step for step in later if set(step.loops) < set(update.loops) and step.loops == update.loops[:-1]]
        micro = any(flow.does(event, "backward") for event in flow.inside(loop))
        seldom = here and all(now_and_then(step) for step in here)
        if seldom or (
            micro
            and nested
            and not here
            and not own_conditions(update)
            and _no_backward_between(flow, update, nested[0])
        ):
            step = (here or nested)[0]
            message = f"{update.key}.update() runs for every micro-batch: call it after {step.key}.step({step.target})"
            yield update.node, "AMP309", message


def _no_backward_between(flow: Flow, one: Event, other: Event) -> bool:
    loop = one.loops[-1]
    backwards = [event for event in flow.of("backward") if loop not in event.loops]
    return not any(one.index < event.index < other.index for event in backwards)


def repeated_scale(flow: Flow) -> Found:
    """AMP310: a scaled loss is scaled again."""
    for scale in flow.of("scale"):
        if scale.again:
            yield scale.node, "AMP310", f"{scale.target} is already scaled: call {scale.key}.scale() once"


def no_gradients(flow: Flow) -> Found:
    """AMP311: `zero_grad` of the very optimizer between backward and its step."""
    for step in flow.of(*STEPS):
        if any(step.arguments[step.kind == "scaler_step" :]):
            continue  # a closure computes new gradients
        for zero in flow.before(step, "zero"):
            if zero.key != step.target or zero.loops != step.loops or not own_conditions(zero) <= own_conditions(step):
                continue
            between = [event for event in flow.before(step) if event.index > zero.index]
            earlier = flow.before(zero, "backward", *STEPS)
            if not earlier or earlier[-1].kind != "backward":
                continue
            if not any(flow.does(event, "backward", [step.target]) for event in between):
                message = f"{zero.key}.zero_grad() clears the gradients before the step: move it behind the step"
                yield zero.node, "AMP311", message


def update_before_step(flow: Flow) -> Found:
    """AMP312: `update` between backward and `scaler.step`."""
    for update in flow.of("update"):
        earlier = flow.before(update, "backward", "scaler_step")
        later = [e for e in flow.after(update, "backward", "scaler_step", "update") if e.loops == update.loops]
        if not earlier or earlier[-1].kind != "backward" or not earlier[-1].key or not later:
            continue
        if any(flow.does(e, "scaler_step", [update.key]) for e in flow.before(update) if e.kind == "call"):
            continue
        if later[0].kind == "scaler_step" and later[0].key == update.key and len(later) == 1:
            step = later[0]
            yield update.node, "AMP312", f"{update.key}.update() comes before {step.key}.step({step.target}): swap them"
