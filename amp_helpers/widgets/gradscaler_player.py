"""The GradScaler player: the state machine of `torch.amp.GradScaler`, and the history of a run replayed."""

from __future__ import annotations

import json
import math
import re
import struct
from typing import NamedTuple

import traitlets

from amp_helpers.tables import Table

from .base import BookWidget

#: The most steps, and the longest text of steps: a state stays below 30 kB.
MOST = 100_000
LONGEST = 20_000
_LARGEST = 2.0**128 - 2.0**104  # of float32
_LARGEST_INT = 2**31 - 1
_TOKEN = re.compile(r"([si])(\d*)|=(Infinity|NaN|[-+.\de]+)(!?);")
_SHOWN = 8


class Step(NamedTuple):
    """One step: the scale in use, whether it was skipped, and the scale and the growth tracker after `update()`."""

    used: float
    skipped: bool
    scale: float
    growth_tracker: int


class GradScalerPlayer(BookWidget):
    """The state machine of `torch.amp.GradScaler`, step by step, and the history of a run replayed.

    The reader steps, injects infs and changes the settings; the page shows the scale over time, skipped steps, the
    growth tracker, and what the next step would do, at the cliff too (1/scale is infinite at 2**-128 and below).

    Args (all of them traits, shared with the page):
        init_scale, growth_factor, backoff_factor, growth_interval: as in `torch.amp.GradScaler`, with its defaults.
        init_growth_tracker: where the growth tracker starts (a loaded state), 0 as a rule.
        overflow_above: a step finds an inf by itself when the scale is above this; 0 means never.
        steps: the steps as text, at most 100,000: "s20" twenty steps, "i" one with an injected inf, "=128.0;" one
            after which `update(128.0)` set the scale ("=128.0!;" if it found an inf too). "s20is5" is 26 steps.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """

    _kind = "gradscaler_player"

    init_scale = traitlets.Float(65536.0).tag(sync=True)
    growth_factor = traitlets.Float(2.0).tag(sync=True)
    backoff_factor = traitlets.Float(0.5).tag(sync=True)
    growth_interval = traitlets.Int(2000).tag(sync=True)
    init_growth_tracker = traitlets.Int(0).tag(sync=True)
    overflow_above = traitlets.Float(0.0).tag(sync=True)
    steps = traitlets.Unicode("").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    @classmethod
    def replay(cls, history: dict, **traits) -> GradScalerPlayer:
        """A player of an exported history.

        Args:
            history: what `LossScaler.export()` or `ScalerMonitor.export()` returns.
            traits: further traits, such as `url_state`.
        Returns: the player; its steps and settings give the history's scales and growth trackers.
        Raises: ValueError for a history whose scales or growth trackers these settings do not give, naming the
            iteration; traitlets.TraitError for settings out of range.
        """
        sets = {int(key): float(value) for key, value in history.get("set_scale", {}).items()}
        tokens = []
        for n, found in enumerate(history["found_inf"]):
            if n in sets:
                tokens.append(f"={_as_text(sets[n])}{'!' if found else ''};")
            elif tokens and tokens[-1][0] == "si"[found]:
                tokens[-1] = f"{tokens[-1][0]}{int(tokens[-1][1:] or 1) + 1}"
            else:
                tokens.append("si"[found])
        names = ("init_scale", "growth_factor", "backoff_factor", "growth_interval")
        settings = {name: history[name] for name in names}
        settings["init_growth_tracker"] = history.get("init_growth_tracker", 0)
        player = cls(**settings, steps="".join(tokens), **traits)
        recorded = zip(history["scale"], history["growth_tracker"], strict=True)
        for n, (step, (scale, tracker)) in enumerate(zip(player.played(), recorded, strict=True)):
            if repr(step.scale) != repr(float(scale)) or step.growth_tracker != tracker:
                given = f"{step.scale!r} and {step.growth_tracker}"
                raise ValueError(
                    f"after iteration {n} the history has scale {scale!r} and growth tracker {tracker!r}; "
                    f"its settings give {given}"
                )
        return player

    @traitlets.validate("init_scale", "growth_factor", "backoff_factor", "overflow_above")
    def _check_float(self, proposal):
        name, value = proposal.trait.name, proposal.value
        fits, wanted = {
            "init_scale": (0 < value <= _LARGEST and _float32(value) > 0, "a number above 0 that float32 holds"),
            "growth_factor": (1 < value < math.inf, "a number above 1"),
            "backoff_factor": (0 <= value < 1, "a number from 0 to below 1"),
            "overflow_above": (0 <= value < math.inf, "0 (never) or a scale"),
        }[name]
        if not fits:
            raise traitlets.TraitError(f"{name} must be {wanted}, not {value!r}")
        return value

    @traitlets.validate("growth_interval", "init_growth_tracker")
    def _check_whole(self, proposal):
        least = 1 if proposal.trait.name == "growth_interval" else 0
        if not least <= proposal.value <= _LARGEST_INT:
            name = proposal.trait.name
            raise traitlets.TraitError(f"{name} must be from {least} to {_LARGEST_INT}, not {proposal.value}")
        return proposal.value

    @traitlets.validate("steps")
    def _check_steps(self, proposal):
        _parse(proposal.value)
        return proposal.value

    def played(self) -> list[Step]:
        """Every step of the run, by torch's rule: products in float64, rounded once to float32."""
        scale, tracker, result = _float32(self.init_scale), self.init_growth_tracker, []
        for kind, count, value, found in _parse(self.steps):
            for _ in range(count):
                used = scale
                skipped = found or (kind == "s" and 0 < self.overflow_above < scale)
                if kind == "=":
                    scale = value
                elif skipped:
                    scale, tracker = _float32(scale * self.backoff_factor), 0
                else:
                    tracker += 1
                    if tracker == self.growth_interval:
                        grown = _float32(scale * self.growth_factor)
                        scale, tracker = grown if math.isfinite(grown) else scale, 0
                result.append(Step(used, skipped, scale, tracker))
        return result

    def fallback(self) -> str:
        played = self.played()
        rows = [
            (
                f"{n:,}",
                _shown(step.used),
                "skipped" if step.skipped else "stepped",
                _shown(step.scale),
                step.growth_tracker,
            )
            for n, step in enumerate(played, 1)
            if step.scale != step.used or n > len(played) - 2
        ]
        scale = played[-1].scale if played else _float32(self.init_scale)
        count = f"{len(played):,} step{'' if len(played) == 1 else 's'}"
        caption = (
            f"GradScaler after {count}: scale {_shown(scale)}, {sum(step.skipped for step in played):,} skipped, "
            f"growth interval {self.growth_interval:,}"
        )
        if not rows:
            return f"<p>{caption}.</p>"
        if len(rows) > _SHOWN:
            caption += f"; the last {_SHOWN} changes"
        columns = ["step", "scale in use", "what happened", "scale after", "tracker after"]
        return Table(columns, rows[-_SHOWN:], caption)._repr_html_()


# --- the steps as text, and the scale as torch holds it --------------------------------------------------------------


def _parse(text: str) -> list[tuple[str, int, float, bool]]:
    """(kind, count, scale set, inf found) for every run of steps in the text."""
    if len(text) > LONGEST:
        raise traitlets.TraitError(f"steps hold {len(text)} characters; {LONGEST} at most")
    runs, place, total = [], 0, 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            rest = text[place : place + 40]
            raise traitlets.TraitError(
                f'steps cannot be read at {rest!r}; write "s20" for twenty steps, "i" for an inf'
            )
        letter, count, value, found = match.groups()
        try:
            runs.append(
                (letter, int(count[:9] or 1), 0.0, letter == "i")
                if letter
                else ("=", 1, _float32(float(value)), found == "!")
            )
        except ValueError:
            raise traitlets.TraitError(f"steps set the scale to {value[:40]!r}, which is no number") from None
        total += runs[-1][1]
        place = match.end()
        if total > MOST:
            raise traitlets.TraitError(f"steps hold more than {MOST} steps")
    return runs


def _float32(x: float) -> float:
    """The nearest float32; infinite beyond its largest value."""
    try:
        return struct.unpack("f", struct.pack("f", x))[0]
    except OverflowError:
        return math.copysign(math.inf, x)


def _as_text(x: float) -> str:
    """As JavaScript writes and Python reads it."""
    return {"inf": "Infinity", "-inf": "-Infinity", "nan": "NaN"}.get(repr(x)) or json.dumps(x)


def _shown(scale: float) -> str:
    exponent = math.frexp(scale)[1] - 1
    if 0 < scale < math.inf and scale == 2.0**exponent and not 0 <= exponent < 6:
        return f"2^{exponent}".replace("-", "−")
    return f"{scale:.7g}"
