"""Questions about the events of a file: what runs in the same iteration, what excludes what, what a call does."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable

from .actors import Actors
from .collecting import Collector
from .events import Event, Function, Loop, Region
from .tree import Tree

STEPS = ("scaler_step", "optimizer_step")


class Flow:
    """The events of one file, and what the rules ask about them.

    Args:
        tree: the file.
    """

    def __init__(self, tree: Tree):
        self.tree = tree
        self.actors = Actors(tree)
        collector = Collector(tree, self.actors)
        self.events: list[Event] = collector.events
        self.regions: list[Region] = collector.regions
        self._defined = {function.name for function in collector.functions}
        self._effects = self._all_effects(collector.functions)

    def of(self, *kinds: str) -> list[Event]:
        """The events of some kinds, in the order of the file."""
        return [event for event in self.events if event.kind in kinds]

    # What a call does.
    def _all_effects(self, functions: list[Function]) -> dict[str, set[str]]:
        effects, calls = defaultdict(set), defaultdict(set)
        for event in self.events:
            function = event.function
            while function is not None and function.name:  # what a nested function does, its outer one may do
                if event.kind == "call":
                    calls[function.name].add(called(event))
                else:
                    effects[function.name].add(event.kind)
                function = function.outer
        for _ in functions:
            before = sum(map(len, effects.values()))
            for name, others in calls.items():
                effects[name] |= {kind for other in others & self._defined for kind in effects[other]}
            if sum(map(len, effects.values())) == before:
                break
        return effects

    def does(self, event: Event, kind: str, keys: Iterable[str] = ()) -> bool:
        """Whether an event is of a kind, or a call that does it, or one that cannot be seen and might do it."""
        if event.kind != "call":
            return event.kind == kind
        name = called(event)
        if name in self._defined:
            return kind in self._effects[name]
        keys = [key for key in keys if key]
        if any(given == key or key.startswith(f"{given}.") for key in keys for given in event.arguments):
            return True
        owner = event.key.rpartition(".")[0]
        inherited = owner == "super()" or (owner == "self" and event.key not in self.tree.assigned)
        return inherited and event.function.inherits and any(key.startswith("self.") for key in keys)

    # Where it runs.
    def loop_of(self, event: Event) -> Loop | None:
        """The loop whose iterations repeat an event; one over optimizers does not count, nor one for a second try."""
        words = set(re.findall(r"\w+", f"{event.key} {event.target}"))
        return next((loop for loop in reversed(event.loops) if not loop.targets & words and not loop.ends), None)

    def inside(self, loop: Loop) -> list[Event]:
        """The events of a loop, also those of functions that are defined in it."""
        return [event for event in self.events if loop in _loops_around(event)]

    def has(self, loop: Loop, kind: str, keys: Iterable[str], step: Event | None = None) -> bool:
        """Whether something in a loop does, or may do, what `kind` says; not in a branch that excludes `step`."""
        events = [event for event in self.inside(loop) if step is None or not _elsewhere(event, step)]
        return any(self.does(event, kind, keys) for event in events)

    def call_loops(self, function: Function, kind: str, keys: Iterable[str], depth: int = 3) -> list[Loop]:
        """The loops that call a function; none where a caller in between, or the loop, does what `kind` says."""
        found = []
        if not function.name or not depth or kind in self._effects[function.name]:
            return found
        for event in self.of("call"):
            if called(event) == function.name and event.function is not function:
                loop = self.loop_of(event)
                if loop is None:
                    found += self.call_loops(event.function, kind, keys, depth - 1)
                elif not self.has(loop, kind, keys):
                    found.append(loop)
        return found

    # What comes before what.
    def same_iteration(self, event: Event) -> list[Event]:
        """The events of its function that run in the same iteration and are in no branch that excludes it."""
        loop = self.loop_of(event)
        return [
            other
            for other in self.events
            if other is not event
            and other.function is event.function
            and (loop is None or loop in other.loops)
            and not exclusive(event, other)
        ]

    def before(self, event: Event, *kinds: str) -> list[Event]:
        """Events of some kinds before an event, in the same iteration."""
        return [e for e in self.same_iteration(event) if e.index < event.index and (not kinds or e.kind in kinds)]

    def after(self, event: Event, *kinds: str) -> list[Event]:
        """Events of some kinds after an event, in the same iteration."""
        return [e for e in self.same_iteration(event) if e.index > event.index and (not kinds or e.kind in kinds)]


def called(event: Event) -> str:
    """The last name of what a call calls."""
    return event.key.rpartition(".")[2]


def exclusive(one: Event, other: Event) -> bool:
    """Whether two events stand in branches of which only one is taken."""
    return any((test, not value) in other.conditions for test, value in one.conditions)


def _elsewhere(event: Event, step: Event) -> bool:
    """Whether an event is in a branch that excludes a step in every iteration; `i % 4` excludes it in one of four."""
    if event.function is not step.function:
        return False
    return any("%" not in test and (test, not value) in event.conditions for test, value in step.conditions)


def own_conditions(event: Event) -> set[tuple[str, bool]]:
    """The conditions inside the innermost loop of an event."""
    return set(event.conditions[event.loops[-1].depth if event.loops else 0 :])


def now_and_then(event: Event) -> bool:
    """Whether an event runs in some iterations only, as the step of an accumulated batch does."""
    return any(value and ("%" in test or "accum" in test.lower()) for test, value in own_conditions(event))


def _loops_around(event: Event) -> list[Loop]:
    loops, function = list(event.loops), event.function
    while function is not None:
        loops += function.loops
        function = function.outer
    return loops
