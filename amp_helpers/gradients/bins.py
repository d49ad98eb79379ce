"""Count the elements of a tensor by exponent, and by the few significands at which a format changes its mind.

Whether a value times 2**k goes to zero, to a subnormal or beyond the largest value depends on its exponent alone, but
for one exponent at each border: there the significand decides. `EDGES` holds every significand that can decide, so that
counts between them answer for every power of two and every format at once, exactly.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import torch
from torch import Tensor

from ..formats import FloatFormat

MOST_BITS = 11  # fraction bits of a format; its borders need one more
_KEPT = MOST_BITS + 1  # leading fraction bits that are looked at, beside whether any bit follows


class Edge(NamedTuple):
    """A border among significands from 1 to 2: beyond it is > `significand` if `strict`, otherwise >=."""

    significand: float
    strict: bool


def zero_edge(fmt: FloatFormat) -> Edge:
    """Where rounding leaves zero, half the smallest subnormal: that tie goes to zero, the even neighbour."""
    return Edge(1.0, strict=True)


def normal_edge(fmt: FloatFormat) -> Edge:
    """Where rounding reaches the smallest normal number, in the exponent below its own; the tie goes up to it."""
    return Edge(2 - 2.0**-fmt.significand_bits, strict=False)


def overflow_edge(fmt: FloatFormat) -> Edge:
    """Where rounding leaves the largest finite number, half an ulp above it; the tie stays if its code is even."""
    last = fmt.max_code & ((1 << fmt.significand_bits) - 1)
    return Edge(1 + (last + 0.5) * fmt.eps, strict=last % 2 == 0)


def edges_of(formats) -> tuple[Edge, ...]:
    """The edges of some formats in rising order, each once."""
    return tuple(sorted({edge(fmt) for fmt in formats for edge in (zero_edge, normal_edge, overflow_edge)}))


#: The edges of every signed format with 1 to 11 fraction bits, with an infinity or with all codes but one for numbers.
EDGES: tuple[Edge, ...] = tuple(
    sorted(
        {Edge(1.0, True)}
        | {Edge(2 - 2.0**-bits, False) for bits in range(1, MOST_BITS + 2)}
        | {Edge(2 - 1.5 * 2.0**-bits, True) for bits in range(1, MOST_BITS + 1)}
    )
)
_WIDTH = 32  # bins of an exponent, a power of two; len(EDGES) + 1 of them are in use
#: dtype -> the integers of its size, fraction bits, bias.
_LAYOUTS = {torch.float32: (torch.int32, 23, 127), torch.float64: (torch.int64, 52, 1023)}
_CHUNK = 1 << 16  # elements: the buffers of a chunk stay in a CPU's caches


class Tally:
    """Running counts of one gradient: `add` its tensors, then ask for `result`."""

    def __init__(self):
        self.zeros = 0
        self._counts: dict[torch.dtype, Tensor] = {}
        self._subnormal: dict[torch.dtype, Tensor] = {}

    def add(self, gradient: Tensor) -> None:
        """Count every element. What a sparse tensor does not store is zero. Raises: TypeError for integers."""
        x = gradient.detach()
        if x.layout != torch.strided:
            stored = (x.coalesce() if x.layout == torch.sparse_coo else x).values()
            self.zeros += x.numel() - stored.numel()
            x = stored
        if x.is_complex():
            x = torch.view_as_real(x.resolve_conj())
        if not x.is_floating_point():
            raise TypeError(f"a gradient has floating-point elements, not {x.dtype}")
        x = x if x.dtype in _LAYOUTS else x.float()  # exact: the others are narrower
        # The order of the elements does not matter: follow the memory, so that no copy is made.
        x = x.permute(sorted(range(x.dim()), key=x.stride, reverse=True)).reshape(-1).resolve_neg()
        integer, bits, _ = _LAYOUTS[x.dtype]
        for chunk in x.view(integer).split(_CHUNK):
            _add(self._counts, x.dtype, _count(chunk, x.dtype))
        tiny = self._counts.get(x.dtype)
        if tiny is not None and bool(tiny[0, 1:].any()):
            # Subnormal in its own dtype: read the fraction as a whole number, which gives it a leading 1.
            fraction = x.view(integer) & torch.iinfo(integer).max
            fraction = fraction[(fraction > 0) & (fraction < 1 << bits)]
            _add(self._subnormal, x.dtype, _count(fraction.to(x.dtype).view(integer), x.dtype))
            tiny[0, 1:] = 0

    def result(self) -> tuple[int, int, int, int, tuple[tuple[int, ...], ...]]:
        """(zeros, infinities, NaNs, exponent of the first row, rows): a row per exponent, a count per bin."""
        zeros, infinite, nan, rows = self.zeros, 0, 0, {}
        for dtype, counts in self._counts.items():
            _, bits, bias = _LAYOUTS[dtype]
            counts = counts.cpu()
            zeros += int(counts[0, 0])
            infinite += int(counts[-1, 0])
            nan += int(counts[-1, 1:].sum())
            _gather(rows, counts[1:-1], 1 - bias)
            if dtype in self._subnormal:
                _gather(rows, self._subnormal[dtype].cpu(), 1 - bias - bits - bias)
        if not rows:
            return zeros, infinite, nan, 0, ()
        low, high, empty = min(rows), max(rows), [0] * (len(EDGES) + 1)
        return zeros, infinite, nan, low, tuple(tuple(rows.get(e, empty)) for e in range(low, high + 1))


def _add(totals, dtype, counts) -> None:
    if dtype in totals:
        totals[dtype] += counts
    else:
        totals[dtype] = counts


def _gather(rows, counts, lowest) -> None:
    """Add the rows of a tensor that hold anything to those of a dictionary by exponent."""
    used = counts.any(dim=1).nonzero().flatten().tolist()
    for index, row in zip(used, counts[used].tolist(), strict=True):
        row = row[: len(EDGES) + 1]
        before = rows.get(lowest + index)
        rows[lowest + index] = row if before is None else [a + b for a, b in zip(before, row, strict=True)]


def _count(x: Tensor, dtype: torch.dtype) -> Tensor:
    """Counts by exponent field and bin, (fields, 32), of floats given as integers."""
    integer, bits, bias = _LAYOUTS[dtype]
    infinity = (2 * bias + 1) << bits
    rest = (1 << (bits - _KEPT)) - 1
    x = (x & torch.iinfo(integer).max).clamp_(max=infinity + 1)  # no sign; every NaN alike, so that nothing wraps
    # Twice the leading bits, plus one if any bit follows: rounded down plus rounded up.
    place = (x >> (bits - _KEPT)).add_(x.add_(rest) >> (bits - _KEPT))
    bins = _bin_of_place(x.device).index_select(0, (place & ((2 << _KEPT) - 1)).to(torch.int32))
    key = (place >> (_KEPT + 1)).mul_(_WIDTH).add_(bins)
    return torch.bincount(key, minlength=(2 * bias + 2) * _WIDTH).view(-1, _WIDTH)


@functools.cache
def _bin_of_place(device: torch.device) -> Tensor:
    """The bin, 0 to len(EDGES), of each place that `_count` tells apart within an exponent."""
    starts = torch.tensor([int((edge.significand - 1) * (2 << _KEPT)) + edge.strict for edge in EDGES])
    return torch.bucketize(torch.arange(2 << _KEPT), starts, right=True).to(torch.int32).to(device)
