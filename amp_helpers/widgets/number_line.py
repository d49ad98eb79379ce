"""The number line: the values of several formats on one axis, and where a probe lands on each of them."""

from __future__ import annotations

import math
from fractions import Fraction
from html import escape

import traitlets

from amp_helpers.formats import FORMATS, MODES, decode, encode
from amp_helpers.typed_number import parse_number

from .base import BookWidget

MOST_FORMATS = 6
SCALES = ("linear", "log")
ROUNDINGS = tuple(mode for mode in MODES if mode != "stochastic")


class NumberLine(BookWidget):
    """The values of several formats, one line above the other, and what each makes of a probe.

    Args (all of them traits, shared with the page):
        formats: one to six different keys of `FORMATS`, drawn from top to bottom.
        low, high: the ends of the view; on a log scale both lie on one side of zero. `show` moves both at once.
        scale: "linear" or "log".
        probe: the number to round, as it may be typed ("0.1", "1/3", "2^-24", "inf"), or "" for none.
        mode: how it is rounded, every mode of `MODES` but "stochastic".
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """

    _kind = "number_line"

    formats = traitlets.List(
        traitlets.Unicode(), default_value=["float8_e4m3fn", "float8_e5m2", "bfloat16", "float16"]
    ).tag(sync=True)
    low = traitlets.Float(0.0).tag(sync=True)
    high = traitlets.Float(4.0).tag(sync=True)
    scale = traitlets.Unicode("linear").tag(sync=True)
    probe = traitlets.Unicode("1.3").tag(sync=True)
    mode = traitlets.Unicode("nearest_even").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    def show(self, low: float, high: float, scale: str | None = None) -> None:
        """Move the view: both ends at once, and the scale if given.

        Raises: traitlets.TraitError if the ends do not fit together or to the scale.
        """
        with self.hold_trait_notifications():
            self.low, self.high, self.scale = low, high, scale or self.scale

    # --- traits --------------------------------------------------------------------------------------------------

    @traitlets.validate("formats")
    def _check_formats(self, proposal):
        for name in proposal.value:
            if name not in FORMATS:
                raise traitlets.TraitError(f"unknown format {name!r}; choose from {', '.join(FORMATS)}")
        if not 1 <= len(set(proposal.value)) == len(proposal.value) <= MOST_FORMATS:
            raise traitlets.TraitError(f"formats: one to {MOST_FORMATS} different ones, not {proposal.value!r}")
        return proposal.value

    @traitlets.validate("low", "high", "scale")
    def _check_view(self, proposal):
        view = {name: getattr(self, name) for name in ("low", "high", "scale")} | {proposal.trait.name: proposal.value}
        low, high, scale = view["low"], view["high"], view["scale"]
        if scale not in SCALES:
            raise traitlets.TraitError(f"unknown scale {scale!r}; choose from {', '.join(SCALES)}")
        if not (low < high and math.isfinite(high - low)):
            raise traitlets.TraitError(
                f"low {low!r} must lie below high {high!r}, both finite; show(low, high) moves both"
            )
        if scale == "log" and not (low > 0 or high < 0):
            raise traitlets.TraitError(
                f"a log scale needs low and high on one side of zero, not {low!r} and {high!r}; "
                "show(low, high, scale) sets all three"
            )
        return proposal.value

    @traitlets.validate("probe")
    def _check_probe(self, proposal):
        probe = proposal.value.strip()
        if probe:
            try:
                parse_number(probe)
            except ValueError as error:
                raise traitlets.TraitError(str(error)) from None
        return probe

    @traitlets.validate("mode")
    def _check_mode(self, proposal):
        if proposal.value not in ROUNDINGS:
            raise traitlets.TraitError(f"unknown mode {proposal.value!r}; choose from {', '.join(ROUNDINGS)}")
        return proposal.value

    # --- the page without scripts --------------------------------------------------------------------------------

    def fallback(self) -> str:
        titles = ["format", "smallest subnormal", "smallest normal", "largest"]
        if self.probe:
            titles += ["stored", "error"]
        head = "".join(f'<th scope="col">{title}</th>' for title in titles)
        rows = "".join(f"<tr>{self._row(name)}</tr>" for name in self.formats)
        probe = f"; {escape(self.probe)} rounded, mode {self.mode}" if self.probe else ""
        caption = f"From {self.low!r} to {self.high!r}, {self.scale} scale{probe}"
        return f"<table><caption>{caption}</caption><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"

    def _row(self, name: str) -> str:
        fmt = FORMATS[name]
        subnormal = f"{fmt.smallest_subnormal:.4g}" if fmt.has_zero else "none"
        cells = [subnormal, f"{fmt.smallest_normal:.4g}", f"{fmt.max:.6g}"]
        if self.probe:
            cells += self._landing(name)
        return f'<th scope="row">{name}</th>' + "".join(f"<td>{cell}</td>" for cell in cells)

    def _landing(self, name: str) -> tuple[str, str]:
        """What a format stores for the probe, and the error."""
        number = parse_number(self.probe)
        try:
            stored = decode(encode(number, name, self.mode), name)
        except ValueError:  # a NaN, and the format has none
            return "none", "none"
        known = math.isfinite(stored) and math.isfinite(number)
        return repr(stored), f"{float(Fraction(stored) - Fraction(number)):.3g}" if known else "none"
