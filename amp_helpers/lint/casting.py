"""Autocast regions that hold too much, and dtypes that do not go together."""

from __future__ import annotations

import re
from collections.abc import Iterator

import libcst as cst

from .events import Event, Region
from .flow import STEPS, Flow, called
from .tree import names_in

#: What a loop gives a model: a name, an attribute, an item; no tensor made on the spot.
_INPUT = re.compile(r"[A-Za-z_][\w.]*(\[[^\[\]]*\])*$")

Found = Iterator[tuple[cst.CSTNode, str, str]]


def backward_under_autocast(flow: Flow) -> Found:
    """AMP304: `backward()` in an enabled region of the same function."""
    for event in flow.of("backward"):
        if event.regions and event.regions[-1].enabled:
            loss = f"{event.target}.backward()"
            yield event.node, "AMP304", f"{loss} stands inside autocast: end the region after the loss"


def stale_casts(flow: Flow) -> Found:
    """AMP305: a region that stays open over several steps of an optimizer."""
    for region in flow.regions:
        if not region.cached or not (region.enabled or _holds_enabled(flow, region)):
            continue
        for event in flow.events:
            if region not in event.regions or len(event.loops) <= region.loops or flow.loop_of(event) is None:
                continue
            if flow.loop_of(event) in event.loops[: region.loops]:
                continue
            own_call = event.kind == "call" and event.key in (called(event), f"self.{called(event)}")
            if event.kind in STEPS or (own_call and any(flow.does(event, step) for step in STEPS)):
                step = f"{event.key}.step" if event.kind in STEPS else event.key
                yield region.node, "AMP305", f"autocast stays open over the loop with {step}(): open it inside the loop"
                break


def _holds_enabled(flow: Flow, outer: Region) -> bool:
    return any(outer in event.regions and event.regions[-1].enabled for event in flow.events)


def half_under_autocast(flow: Flow) -> Found:
    """AMP201: a float16 cast by hand of something that a call under autocast receives."""
    calls = [event for event in flow.of("call") if event.regions and event.regions[-1].enabled]
    for half in flow.of("half"):
        if half.target in flow.actors.trained or half.key in flow.actors.trained or not _INPUT.match(half.key):
            continue
        text, under = flow.tree.text(half.node), half.regions and half.regions[-1].enabled
        direct = under and any(text in call.arguments for call in calls if call.function is half.function)
        passed = half.target and any(
            half.target in call.arguments
            for call in calls
            if call.function is half.function and call.index > half.index and _shared(half, call)
        )
        if direct or passed:
            name = half.key if direct else half.target
            yield half.node, "AMP201", f"{text} goes through autocast: pass {name} in float32 and let autocast cast it"


def _shared(half: Event, call: Event) -> bool:
    return half.loops == call.loops[: len(half.loops)]


def float16_parameters(flow: Flow) -> Found:
    """AMP202: `.half()` on a model whose parameters an optimizer gets, beside autocast or a scaler."""
    for half in flow.of("half"):
        model = half.target or half.key
        if model not in flow.actors.trained or half.conditions:
            continue  # in a branch it may be another recipe than the one with autocast
        near = [e for e in flow.events if e.function is half.function or model.startswith("self.")]
        amp = near if half.function.name else flow.events
        trained = any(f"{model}.parameters(" in text for e in near for text in e.arguments)
        if trained and (any(e.regions or e.kind in ("scale", "unscale") for e in amp) or _creates_scaler(flow, amp)):
            message = f"the parameters of {model} are trained: keep them in float32 and drop the cast to float16"
            yield half.node, "AMP202", message


def _creates_scaler(flow: Flow, events: list[Event]) -> bool:
    created = {call for calls in flow.actors.created.values() for call in calls}
    return any(event.node in created for event in events)


def float16_without_scaler(flow: Flow) -> Found:
    """AMP203: a loop with float16 autocast, backward and step, in a file that scales nothing."""
    if flow.actors.scalers or flow.actors.disabled or _mentions_scaling(flow):
        return
    for backward in flow.of("backward"):
        steps = flow.after(backward, "optimizer_step")
        if not steps or flow.loop_of(backward) is None or not backward.loops:
            continue
        events = flow.before(backward)
        regions = {region for event in [*events, backward] for region in event.regions}
        if any(region.enabled and region.dtype == "float16" for region in regions):
            message = f"{backward.target} comes out of float16 autocast and nothing scales it: use torch.amp.GradScaler"
            yield backward.node, "AMP203", message


def _mentions_scaling(flow: Flow) -> bool:
    """Whether any name of the file speaks of a scale, or of a library that scales by itself."""
    parts = ("scale", "accelerat", "fabric", "deepspeed", "lightning")
    return any(part in name.lower() for name in names_in(flow.tree.module) for part in parts)


def scaler_with_bfloat16(flow: Flow) -> Found:
    """AMP204: a scaler that is always enabled, although every region is bfloat16."""
    regions = [region for region in flow.regions if region.enabled]
    if not regions or any(region.dtype != "bfloat16" for region in regions):
        return
    used = {event.key for event in flow.of("scaler_step")}
    for scaler, calls in flow.actors.created.items():
        if scaler in used and flow.actors.always_enabled(scaler):
            for call in calls:
                message = f"{scaler} scales bfloat16 gradients, which need no scale: drop it, or pass enabled=False"
                yield call, "AMP204", message
