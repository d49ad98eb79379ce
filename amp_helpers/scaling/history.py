"""How the scale moves: the rule for one update, and the record of many.

The exported form is a small dictionary that JSON can hold. The GradScaler player of the book replays it:

    init_scale        float: the scale of iteration 0
    growth_factor     float
    backoff_factor    float
    growth_interval   int
    found_inf         [0 or 1, ...] per iteration: did any optimizer's gradients hold inf or NaN
    scale             [float, ...] after that iteration's update(), a float32 value
    growth_tracker    [int, ...] after that iteration's update()
    set_scale         {"7": 128.0}, only if used: iteration -> scale given to update(new_scale)
    init_growth_tracker  int, only if not 0: the history began with a loaded state

The lists have one length. `next_scale` from `init_scale` gives `scale` and `growth_tracker` exactly, but for the
iterations in `set_scale`, which take that scale and leave the tracker alone. A scale that is not finite is the
string "Infinity", "-Infinity" or "NaN", because JSON has no number for it.
"""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass

from ..tables import Table


def float32(value: float) -> float:
    """Round to float32, to the nearest and ties to even; what is too large becomes infinite."""
    try:
        return struct.unpack("f", struct.pack("f", value))[0]
    except OverflowError:
        return math.copysign(math.inf, value)


def next_scale(
    scale: float,
    growth_tracker: int,
    found_inf: bool,
    growth_factor: float = 2.0,
    backoff_factor: float = 0.5,
    growth_interval: int = 2000,
) -> tuple[float, int]:
    """Return the scale and the growth tracker after one `update()`.

    Args:
        scale: the scale of this iteration, a float32 value.
        growth_tracker: iterations in a row without infinities, before this one.
        found_inf: whether a gradient of this iteration held an infinity or a NaN.
        growth_factor: multiplies the scale after `growth_interval` good iterations in a row.
        backoff_factor: multiplies the scale after a bad iteration.
        growth_interval: how many good iterations it takes.
    Returns: the new scale, a float32 value, and the new growth tracker.
    Special values: a scale that would grow to infinity stays; one that shrinks may become subnormal, then 0.
    Exactness: the product is formed in float64 and rounded once, as torch does; bit for bit in tests/test_scaling.py.
    Source: aten/src/ATen/native/cpu/AmpGradScalerKernels.cpp in PyTorch.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """
    if found_inf:
        return float32(scale * backoff_factor), 0
    growth_tracker += 1
    # Not >=: an interval set below the tracker is never met, and the scale does not grow before an infinity.
    if growth_tracker != growth_interval:
        return scale, growth_tracker
    grown = float32(scale * growth_factor)
    return (grown if math.isfinite(grown) else scale), 0


@dataclass(frozen=True)
class HistoryEntry:
    """What one `update()` saw and decided.

    Args:
        step: the iteration, from 0.
        scale: the scale after the update, which the next iteration uses.
        found_inf: whether any gradient held an infinity or a NaN.
        skipped: how many optimizers were skipped in this iteration.
        growth_tracker: iterations in a row without infinities, after the update.
        set_by_user: whether `update(new_scale)` was called, which decides nothing.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """

    step: int
    scale: float
    found_inf: bool
    skipped: int
    growth_tracker: int
    set_by_user: bool = False


class ScaleHistory(list):
    """A list of `HistoryEntry`, which also knows the state before the first one.

    `start` is the scaler's `state_dict()` before the first update, or None.

    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """

    def __init__(self):
        super().__init__()
        self.start: dict | None = None

    def record(self, before: dict, after: dict, found_inf: bool, skipped: int, set_by_user: bool) -> HistoryEntry:
        """Add the entry of one update and return it; `before` and `after` are `state_dict()` values."""
        if self.start is None:
            self.start = dict(before)
        entry = HistoryEntry(len(self), after["scale"], found_inf, skipped, after["_growth_tracker"], set_by_user)
        self.append(entry)
        return entry

    @property
    def num_skipped(self) -> int:
        """Optimizer steps that were skipped, in all iterations together."""
        return sum(entry.skipped for entry in self)

    def table(self, last: int | None = None) -> Table:
        """Show the history, or its end.

        Args:
            last: how many iterations, all by default.
        Returns: a `Table` with a row per iteration; the scale is the one that `update()` left.
        Raises: ValueError if `last` is not positive.
        Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
        """
        if last is not None and last < 1:
            raise ValueError(f"last must be at least 1, or None for all iterations; got {last}")
        rows = [
            (
                entry.step,
                "yes" if entry.found_inf else "no",
                entry.skipped,
                power_of_two(entry.scale) + (" (set)" if entry.set_by_user else ""),
                entry.growth_tracker,
            )
            for entry in (self if last is None else self[-last:])
        ]
        iterations = "iteration" if len(self) == 1 else "iterations"
        steps = "step" if self.num_skipped == 1 else "steps"
        caption = f"{len(self)} {iterations}, {self.num_skipped} optimizer {steps} skipped."
        return Table(["step", "found_inf", "skipped", "scale after", "growth tracker"], rows, caption)

    def export(self) -> dict:
        """Return the history as plain data, in the form that this module's docstring describes.

        Returns: a dictionary that `json.dumps` accepts.
        Raises: ValueError if there is no entry yet, or if the entries do not follow from the first state, because
            a factor or the interval was changed on the way; it names the iteration.
        Introduced in: notebooks/10_gradscaler_in_practice.ipynb
        """
        if self.start is None:
            raise ValueError("the history is empty: call update() at least once before export()")
        names = ("growth_factor", "backoff_factor", "growth_interval")
        rule = {name: self.start[name] for name in names}
        scale, tracker = float32(self.start["scale"]), self.start["_growth_tracker"]
        data = {"init_scale": plain(scale), **rule}
        if tracker:
            data["init_growth_tracker"] = tracker
        for entry in self:
            if entry.set_by_user:
                scale = entry.scale
            else:
                scale, tracker = next_scale(scale, tracker, entry.found_inf, **rule)
            same = scale == entry.scale or (math.isnan(scale) and math.isnan(entry.scale))
            if not same or tracker != entry.growth_tracker:
                raise ValueError(
                    f"iteration {entry.step} does not follow from the factors of the first one ({rule}); "
                    "they were changed on the way, and the exported form holds one set of them"
                )
        data["found_inf"] = [int(entry.found_inf) for entry in self]
        data["scale"] = [plain(entry.scale) for entry in self]
        data["growth_tracker"] = [entry.growth_tracker for entry in self]
        if given := {str(entry.step): plain(entry.scale) for entry in self if entry.set_by_user}:
            data["set_scale"] = given
        return data


def plain(scale: float) -> float | str:
    """A number that JSON can hold, or the name of one that it cannot."""
    if math.isnan(scale):
        return "NaN"
    if math.isinf(scale):
        return "Infinity" if scale > 0 else "-Infinity"
    return scale


def power_of_two(scale: float) -> str:
    """`2^16` for 65536, and six digits for what is not a power of two."""
    if scale > 0 and math.isfinite(scale):
        significand, exponent = math.frexp(scale)
        if significand == 0.5:
            return f"2^{exponent - 1}"
    return f"{scale:.6g}"
