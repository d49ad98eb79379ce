"""Exact, slow and independent answers for the tests of formats and rounding.

Nothing here uses `amp_helpers`: the layouts are typed in from the specifications, the values are built from them
by another route, and rounding is a search in the sorted list of all values (or exact fractions).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

DETERMINISTIC = ("nearest_even", "nearest_away", "toward_zero", "toward_positive", "toward_negative")


@dataclass(frozen=True)
class Layout:
    """Widths of the fields, the bias, and which values the largest codes give up (infinity, NaNs)."""

    exponent: int
    fraction: int
    bias: int
    infinity: bool = True
    nan: str = "top"  # "top": the whole top exponent is special; "last": only the last code; "minus_zero"; "never"
    sign: bool = True

    def magnitude(self, code: int) -> Fraction:
        """The value of a code without its sign bit, as if no code were special."""
        field, rest = divmod(code, 2**self.fraction)
        if field == 0 and self.sign:
            return Fraction(rest, 2**self.fraction) * Fraction(2) ** (1 - self.bias)
        return (1 + Fraction(rest, 2**self.fraction)) * Fraction(2) ** (field - self.bias)

    @property
    def finite(self) -> int:
        """How many codes without sign bit are finite; they are 0, 1, 2, ..."""
        every = 2 ** (self.exponent + self.fraction)
        return every - {"top": 2**self.fraction, "last": 1}.get(self.nan, 0)

    def magnitudes(self) -> np.ndarray:
        """All finite magnitudes, ascending, and one more: what the next code would be (float64, exact)."""
        codes = np.arange(self.finite + 1)
        field, rest = np.divmod(codes, 2**self.fraction)
        hidden = np.where((field == 0) & self.sign, 0, 2**self.fraction)
        lowest = 1 if self.sign else 0
        return np.ldexp((hidden + rest).astype(np.float64), np.maximum(field, lowest) - self.bias - self.fraction)


#: name -> layout, from IEEE 754-2019 (table 3.5), the OCP OFP8 and MX specifications, and, for FNUZ, arXiv 2206.02915.
LAYOUTS = {
    "float64": Layout(11, 52, 1023),
    "float32": Layout(8, 23, 127),
    "tfloat32": Layout(8, 10, 127),
    "bfloat16": Layout(8, 7, 127),
    "float16": Layout(5, 10, 15),
    "float8_e4m3fn": Layout(4, 3, 7, infinity=False, nan="last"),
    "float8_e5m2": Layout(5, 2, 15),
    "float8_e4m3fnuz": Layout(4, 3, 8, infinity=False, nan="minus_zero"),
    "float8_e5m2fnuz": Layout(5, 2, 16, infinity=False, nan="minus_zero"),
    "float8_e8m0fnu": Layout(8, 0, 127, infinity=False, nan="last", sign=False),
    "float6_e2m3fn": Layout(2, 3, 1, infinity=False, nan="never"),
    "float6_e3m2fn": Layout(3, 2, 3, infinity=False, nan="never"),
    "float4_e2m1fn": Layout(2, 1, 1, infinity=False, nan="never"),
}


def same(left, right) -> np.ndarray:
    """Elementwise: the same value, with the sign of zero; any NaN equals any NaN."""
    with np.errstate(invalid="ignore"):  # a signalling NaN
        left, right = np.asarray(left, np.float64), np.asarray(right, np.float64)
    return (left.view(np.int64) == right.view(np.int64)) | (np.isnan(left) & np.isnan(right))


class Rounded:
    """The neighbours of every x in a format, and from them the rounding in any mode."""

    def __init__(self, x: np.ndarray, layout: Layout):
        with np.errstate(invalid="ignore"):  # a signalling NaN
            self.x, self.layout = np.asarray(x, np.float64), layout
        size = np.abs(self.x)
        if layout.fraction < 16:
            grid = layout.magnitudes()
            at = np.searchsorted(grid, size, side="right") - 1
            at[np.isnan(size)] = 0
            self.tiny = at < 0  # below the smallest value of a format without zero
            self.low, self.high = grid[np.maximum(at, 0)], grid[np.clip(at + 1, 0, len(grid) - 1)]
            self.odd = at % 2 == 1
            self.max = grid[-2]
        else:  # float32: numpy rounds to the nearest, the neighbours follow
            assert layout == LAYOUTS["float32"]
            with np.errstate(over="ignore", invalid="ignore"):
                near = np.minimum(size.astype(np.float32), np.finfo(np.float32).max)
            low = np.where(near.astype(np.float64) > size, np.nextafter(near, np.float32(0)), near)
            with np.errstate(over="ignore"):
                high = np.nextafter(low, np.float32(np.inf)).astype(np.float64)
            self.tiny = np.zeros(size.shape, bool)
            self.low, self.high = low.astype(np.float64), np.where(np.isinf(high), 2.0**128, high)
            self.odd = low.view(np.int32) % 2 == 1
            self.max = float(np.finfo(np.float32).max)
            self.low[size >= 2.0**128] = 2.0**128

    def __call__(self, mode: str, overflow: str) -> np.ndarray:
        x, size, low, high = self.x, np.abs(self.x), self.low, self.high
        negative = np.signbit(x)
        outward = {"toward_positive": ~negative, "toward_negative": negative}.get(mode, np.zeros(x.shape, bool))
        with np.errstate(invalid="ignore"):
            below, above = size - low, high - size
            up = {
                "nearest_even": (below > above) | ((below == above) & self.odd),
                "nearest_away": below >= above,
            }.get(mode, outward & (below > 0))
        return self._finish(np.where(up, high, low), overflow, mode.startswith("toward") & ~outward)

    def chosen(self, up: bool, overflow: str) -> np.ndarray:
        """The upper or the lower neighbour of every x, x itself where the format has it: stochastic's two choices."""
        exact = self.low == np.abs(self.x)
        return self._finish(np.where(exact | (not up), self.low, self.high), overflow, np.zeros(self.x.shape, bool))

    def _finish(self, result: np.ndarray, overflow: str, stops: np.ndarray) -> np.ndarray:
        """Overflow (where `stops` is true it ends at the largest value), the sign, and what has neither."""
        x, size = self.x, np.abs(self.x)
        result[self.tiny] = self.low[self.tiny]
        over = (result > self.max) | np.isinf(size)
        nan = self.layout.nan != "never"
        if overflow == "saturate" or not nan:
            result[over] = self.max
        else:
            result[over] = np.inf if self.layout.infinity else np.nan
            result[over & stops & ~np.isinf(size)] = self.max
        result = np.copysign(result, x)
        if self.layout.nan == "minus_zero":
            result[result == 0] = 0.0
        if not self.layout.sign:
            result[np.signbit(x) | (size == 0)] = np.nan
        result[np.isnan(x)] = np.nan
        return result


def round_exactly(value: float, layout: Layout, mode: str, overflow: str) -> float:
    """One value, with fractions: no table, so any layout."""
    if math.isnan(value):
        return math.nan
    negative = math.copysign(1, value) < 0
    if not layout.sign and (negative or value == 0):
        return math.nan
    largest = layout.magnitude(layout.finite - 1)
    if mode in ("toward_positive", "toward_negative"):
        mode = "out" if negative == (mode == "toward_negative") else "in"
    if math.isinf(value):
        result = None
    else:
        exact = Fraction(abs(value))
        # Bisection over the codes, continued past the largest: the magnitude of a code grows with the code.
        first, last = 0, 2 ** (layout.exponent + layout.fraction + 2)
        if exact < layout.magnitude(first):
            result = layout.magnitude(first)
        elif exact >= 2 * largest:
            result = exact
        else:
            while last - first > 1:
                middle = (first + last) // 2
                first, last = (middle, last) if layout.magnitude(middle) <= exact else (first, middle)
            low, high = layout.magnitude(first), layout.magnitude(last)
            half = (low + high) / 2
            up = {
                "nearest_even": exact > half or (exact == half and first % 2 == 1),
                "nearest_away": exact >= half,
                "out": exact > low,
            }.get(mode, False)
            result = high if up else low
    if result is None or result > largest:
        if overflow == "saturate" or layout.nan == "never" or (result and mode in ("in", "toward_zero")):
            result = largest
        else:
            return math.copysign(math.inf, value) if layout.infinity else math.nan
    number = math.copysign(float(result), value)
    return 0.0 if number == 0 and layout.nan == "minus_zero" else number
