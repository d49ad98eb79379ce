"""The exponents of one gradient, and what a format makes of them at any scale that is a power of two."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from torch import Tensor

from ..formats import FloatFormat, get_format
from . import bins
from .bins import EDGES, Edge, Tally

#: Powers of two that a float32 scale holds, `GradScaler`'s for one: 2**-126 to 2**127.
SCALE_EXPONENTS = range(-126, 128)


class Outcome(NamedTuple):
    """What becomes of nonzero finite gradients, as counts or as shares of them.

    `infinite` is beyond the largest value: infinity, NaN in a format without it (float8_e4m3fn), or the largest value
    in one without either.
    """

    zero: int | float
    subnormal: int | float
    normal: int | float
    infinite: int | float


class ScaleRange(NamedTuple):
    """Powers of two from `smallest` (little flushes to zero) to `largest` (nothing overflows); None: there is none.

    The range is empty, and false, if one is missing or the smallest is above the largest.
    """

    smallest: float | None
    largest: float | None

    def __bool__(self) -> bool:
        return self.smallest is not None and self.largest is not None and self.smallest <= self.largest


@dataclass(frozen=True, repr=False)
class GradientHistogram:
    """Exact counts of the elements of one gradient, by exponent.

    Args:
        name: of the parameter or module.
        kind: "parameter" or "activation" (the gradient with respect to a module's output), or what was merged.
        zeros: elements that are zero in the gradient itself, those that a sparse one leaves out included.
        infinite: elements that are infinite.
        nan: elements that are NaN.
        low: exponent of the first row.
        counts: a row for each exponent low, low + 1, ... where the exponent of g is floor(log2(abs(g))), and in it the
            elements with a significand beyond none, one, two ... of the edges.
        edges: significands, in rising order, at which some format changes its mind.
    Exactness: all counts; a gradient that is subnormal in float32 counts with its true exponent, down to -149.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    name: str
    kind: str
    zeros: int
    infinite: int
    nan: int
    low: int
    counts: tuple[tuple[int, ...], ...]
    edges: tuple[Edge, ...] = EDGES

    def __repr__(self) -> str:
        span = f", exponents {self.low} to {self.low + len(self.counts) - 1}" if self.counts else ""
        rest = f"{self.zeros} zero, {self.infinite} infinite, {self.nan} NaN"
        return f"GradientHistogram({self.name!r}, {self.kind}: {self.nonzero} nonzero{span}; {rest})"

    @classmethod
    def of(cls, gradient: Tensor, name: str = "", kind: str = "parameter") -> GradientHistogram:
        """Count the elements of a tensor: dense or sparse, of any floating-point or complex dtype, on any device.

        Raises: TypeError for integers.
        """
        tally = Tally()
        tally.add(gradient)
        return cls(name, kind, *tally.result())

    @classmethod
    def merged(cls, histograms, name: str, kind: str) -> GradientHistogram:
        """The sum of some histograms. Raises: ValueError if their edges differ."""
        histograms = list(histograms)
        edges = {histogram.edges for histogram in histograms} or {EDGES}
        if len(edges) > 1:
            raise ValueError(f"{name}: histograms with different edges cannot be added")
        rows: dict[int, tuple[int, ...]] = {}
        for histogram in histograms:
            for exponent, row in enumerate(histogram.counts, histogram.low):
                rows[exponent] = tuple(map(sum, zip(row, rows[exponent], strict=True))) if exponent in rows else row
        empty = (0,) * (len(*edges) + 1)
        low = min(rows, default=0)
        counts = tuple(rows.get(exponent, empty) for exponent in range(low, max(rows, default=-1) + 1))
        zeros, infinite, nan = (sum(getattr(h, field) for h in histograms) for field in ("zeros", "infinite", "nan"))
        return cls(name, kind, zeros, infinite, nan, low, counts, *edges)

    @cached_property
    def _above(self) -> list[int]:
        """Elements in row i and all higher rows, for each i, and 0 at the end."""
        return [*itertools.accumulate(map(sum, reversed(self.counts)), initial=0)][::-1]

    @property
    def nonzero(self) -> int:
        """Finite elements other than zero: those that every share is a share of."""
        return self._above[0]

    @property
    def elements(self) -> int:
        """All elements, whatever they hold."""
        return self.nonzero + self.zeros + self.infinite + self.nan

    @cached_property
    def exponents(self) -> dict[int, int]:
        """Exponent -> number of elements, from the smallest exponent to the largest, without gaps."""
        return {exponent: sum(row) for exponent, row in enumerate(self.counts, self.low)}

    def _beyond(self, exponent: int, edge: Edge) -> int:
        """Elements of this exponent beyond the edge, and all of higher exponents."""
        row = exponent - self.low
        if row < 0:
            return self.nonzero
        if row >= len(self.counts):
            return 0
        return self._above[row + 1] + sum(self.counts[row][self.edges.index(edge) + 1 :])

    def at(self, fmt: FloatFormat | str, scale: float = 1.0) -> Outcome:
        """Count what becomes of the gradient if it is multiplied by `scale` and stored in a format.

        Args:
            fmt: a signed format with 1 to 11 fraction bits, or its name.
            scale: a positive power of two; another would need the elements themselves.
        Returns: `Outcome` of counts.
        Raises: ValueError for another scale or a format that does not fit, also one whose edges were not exported.
        Exactness: as `rounding.round_to` of each exact product, nearest even.
        """
        fmt = self._checked(fmt)
        shift = _exponent(scale)
        tiny = fmt.min_exponent - fmt.significand_bits - 1 - shift  # of half the smallest subnormal
        not_zero = self._beyond(tiny, bins.zero_edge(fmt))
        not_tiny = self._beyond(fmt.min_exponent - 1 - shift, bins.normal_edge(fmt))
        infinite = self._beyond(fmt.max_exponent - shift, bins.overflow_edge(fmt))
        return Outcome(self.nonzero - not_zero, not_zero - not_tiny, not_tiny - infinite, infinite)

    def shares(self, fmt: FloatFormat | str, scale: float = 1.0) -> Outcome:
        """As `at`, each count divided by `nonzero`; all are 0 where that is 0."""
        return Outcome(*(count / max(self.nonzero, 1) for count in self.at(fmt, scale)))

    def by_scale(self, fmt: FloatFormat | str, exponents=range(-8, 33)) -> dict[int, Outcome]:
        """Exponent k of the scale 2**k -> `shares` at it. Raises: as `at`."""
        return {exponent: self.shares(fmt, math.ldexp(1.0, exponent)) for exponent in exponents}

    def largest_safe_scale(self, fmt: FloatFormat | str) -> float | None:
        """The largest power of two at which no element overflows.

        Special values: 2**127 if nothing sets a limit; None if the gradient holds an infinity or a NaN, which no scale
        repairs, or if even 2**-126 is too much.
        Raises: as `at`.
        """
        fmt = self._checked(fmt)
        if self.infinite or self.nan:
            return None
        if not self.counts:
            return math.ldexp(1.0, SCALE_EXPONENTS[-1])
        high = self.low + len(self.counts) - 1
        exponent = fmt.max_exponent - high - (self._beyond(high, bins.overflow_edge(fmt)) > 0)
        exponent = min(exponent, SCALE_EXPONENTS[-1])
        return math.ldexp(1.0, exponent) if exponent >= SCALE_EXPONENTS[0] else None

    def smallest_scale(self, fmt: FloatFormat | str, flushed: float = 0.001) -> float | None:
        """The smallest power of two at which at most a share `flushed` of `nonzero` becomes zero.

        Special values: 2**-126 if even that flushes no more; None if 2**127 still does.
        Raises: as `at`; ValueError if `flushed` is not from 0 to 1.
        """
        if not 0 <= flushed <= 1:
            raise ValueError(f"flushed must be a share from 0 to 1, not {flushed!r}")
        scales = (math.ldexp(1.0, exponent) for exponent in SCALE_EXPONENTS)
        return next((scale for scale in scales if self.at(fmt, scale).zero <= flushed * self.nonzero), None)

    def scale_range(self, fmt: FloatFormat | str, flushed: float = 0.001) -> ScaleRange:
        """`smallest_scale` to `largest_safe_scale`. Raises: as they do."""
        return ScaleRange(self.smallest_scale(fmt, flushed), self.largest_safe_scale(fmt))

    def with_edges(self, edges: tuple[Edge, ...]) -> GradientHistogram:
        """The same counts in fewer bins. Raises: ValueError for an edge that this histogram does not have."""
        missing = [edge for edge in edges if edge not in self.edges]
        if missing:
            raise ValueError(f"{self.name}: no bin ends at {missing[0]}")
        cuts = [0, *(self.edges.index(edge) + 1 for edge in edges), len(self.edges) + 1]
        counts = tuple(tuple(sum(row[a:b]) for a, b in itertools.pairwise(cuts)) for row in self.counts)
        return GradientHistogram(
            self.name, self.kind, self.zeros, self.infinite, self.nan, self.low, counts, tuple(edges)
        )

    def _checked(self, fmt: FloatFormat | str) -> FloatFormat:
        fmt = get_format(fmt)
        if not (fmt.signed and 1 <= fmt.significand_bits <= bins.MOST_BITS):
            raise ValueError(f"{fmt.name} is not a signed format with 1 to {bins.MOST_BITS} fraction bits")
        for edge in bins.edges_of([fmt]):
            if edge not in self.edges:
                raise ValueError(f"{self.name}: the bins do not answer for {fmt.name}; export them with formats=[...]")
        return fmt


def _exponent(scale: float) -> int:
    significand, exponent = math.frexp(scale)
    if significand != 0.5 or not math.isfinite(scale):
        raise ValueError(f"scale must be a positive power of two, not {scale!r}")
    return exponent - 1
