"""Swamping: the same small number added again and again, in five accumulators side by side."""

from __future__ import annotations

import functools
import math
from fractions import Fraction

import traitlets

from amp_helpers.formats import FORMATS, FloatFormat, decode, encode
from amp_helpers.tables import Table
from amp_helpers.typed_number import parse_number

from .base import BookWidget

#: The most additions; five sums of that many take the page milliseconds.
MOST = 100_000
KAHAN_FORMATS = ("bfloat16", "float16")
_LARGEST_SEED = 2**32 - 1
_STOCHASTIC = "nearest_even", "toward_negative", "toward_positive"
_LARGEST = 1e30  # MOST additions of it still fit float32 and bfloat16


class Swamping(BookWidget):
    """The same small number added again and again, in five accumulators side by side.

    float32, bfloat16 and float16 round every sum to the nearest; Kahan's sum carries what was lost to the next
    addition; the last one rounds stochastically. Each rounds the start and the addend to its format, as
    `torch.tensor(..., dtype=...)` does, and the table measures it against the sum of the numbers as they were typed.

    Args (all of them traits, shared with the page):
        start, addend: numbers as text, such as "0.02", "1e-5" or "1/3", from -1e30 to 1e30.
        count: how often the addend is added, 0 to 100,000.
        kahan_format: "bfloat16" or "float16".
        seed: of the stochastic rounding, 0 to 2**32 - 1.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """

    _kind = "swamping"

    start = traitlets.Unicode("1").tag(sync=True)
    addend = traitlets.Unicode("1").tag(sync=True)
    count = traitlets.Int(3000).tag(sync=True)
    kahan_format = traitlets.Unicode("bfloat16").tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("start", "addend")
    def _check_number(self, proposal):
        try:
            number = parse_number(proposal.value)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        if not abs(number) <= _LARGEST:
            raise traitlets.TraitError(f"{proposal.trait.name} {proposal.value[:40]!r} is not between -1e30 and 1e30")
        return proposal.value.strip()

    @traitlets.validate("count", "seed")
    def _check_whole(self, proposal):
        most = MOST if proposal.trait.name == "count" else _LARGEST_SEED
        if not 0 <= proposal.value <= most:
            raise traitlets.TraitError(f"{proposal.trait.name} must be from 0 to {most}, not {proposal.value}")
        return proposal.value

    @traitlets.validate("kahan_format")
    def _check_kahan_format(self, proposal):
        if proposal.value not in KAHAN_FORMATS:
            choices = ", ".join(KAHAN_FORMATS)
            raise traitlets.TraitError(f"unknown kahan_format {proposal.value!r}; choose from {choices}")
        return proposal.value

    def sums(self) -> dict[str, tuple[float, int | None]]:
        """(sum, the step since which nothing changes any more or None) by accumulator, after `count` additions."""
        start, addend = parse_number(self.start), parse_number(self.addend)
        plain = {
            name: _nearest(FORMATS[name], start, addend, self.count) for name in ("float32", "bfloat16", "float16")
        }
        return plain | {
            f"{self.kahan_format}, Kahan": _kahan(FORMATS[self.kahan_format], start, addend, self.count),
            "bfloat16, stochastic": _stochastic(FORMATS["bfloat16"], start, addend, self.count, self.seed),
        }

    def fallback(self) -> str:
        start, addend = Fraction(parse_number(self.start)), Fraction(parse_number(self.addend))
        exact = start + self.count * addend
        rows = []
        for name, (total, since) in self.sums().items():
            error = f"{float(Fraction(total) - exact):+.2g}" if math.isfinite(total) else "–"
            verdict = "still moves" if since is None else f"stuck since step {since:,}"
            rows.append((name, f"{total:.7g}", error, verdict if math.isfinite(total) else "not finite"))
        caption = f"{self.start[:40]} plus {self.count:,} times {self.addend[:40]}: the exact sum is {float(exact):.9g}"
        return Table(["format", "sum", "error", "verdict"], rows, caption)._repr_html_()


# --- the sums that the page computes, for the page without scripts ---------------------------------------------------


def _rounding_to(fmt: FloatFormat, mode: str = "nearest_even"):
    """A function that rounds a number to a value of the format; it keeps its answers, for sums of 16 bits repeat."""
    return functools.cache(lambda x: x if math.isnan(x) else decode(encode(x, fmt, mode), fmt))


def _nearest(fmt: FloatFormat, start: float, addend: float, count: int) -> tuple[float, int | None]:
    """Steps of equal size are taken together as long as the sum stays in its binade, where every ulp is the same."""
    round_ = _rounding_to(fmt)
    total, addend, done = round_(start), round_(addend), 0
    while True:
        after = round_(total + addend)
        if after == total:
            return total, done if done <= count else None
        if done >= count:
            return total, None
        total, move, done = after, after - total, done + 1
        again = round_(total + addend) - total
        if again != move or not math.isfinite(total) or total == 0 or (total < 0) != (move < 0):
            continue
        edge = math.copysign(2.0 ** math.frexp(total)[1], total)  # the next power of two
        jump = min(count - done, max(0, int((edge - total) / move) - 1))
        total, done = total + jump * move, done + jump


def _kahan(fmt: FloatFormat, start: float, addend: float, count: int) -> tuple[float, int | None]:
    round_ = _rounding_to(fmt)
    total, addend, lost = round_(start), round_(addend), 0.0
    for done in range(count + 1):
        corrected = round_(addend - lost)
        after = round_(total + corrected)
        still = round_(round_(after - total) - corrected)
        if (after, still) == (total, lost) or math.isnan(total):
            return total, done
        if done < count:
            total, lost = after, still
    return total, None


def _stochastic(fmt: FloatFormat, start: float, addend: float, count: int, seed: int) -> tuple[float, int | None]:
    round_, round_down, round_up = (_rounding_to(fmt, mode) for mode in _STOCHASTIC)
    total, addend = round_(start), round_(addend)
    for done in range(count + 1):
        exact = total + addend
        after = round_down(exact)
        if after == total == exact:
            return total, done
        if done < count:
            if after != exact:
                above = round_up(exact)
                after = above if _draw(seed, done) < (exact - after) / (above - after) else after
            total = after
    return total, None


def _draw(seed: int, step: int) -> float:
    """The page's random number for a seed and a step: murmur3's finalizer over a counter."""
    return _mixed(_mixed(seed) + step * 0x9E3779B9 & _LARGEST_SEED) / 2**32


def _mixed(word: int) -> int:
    word = (word ^ word >> 16) * 0x85EBCA6B & _LARGEST_SEED
    word = (word ^ word >> 13) * 0xC2B2AE35 & _LARGEST_SEED
    return word ^ word >> 16
