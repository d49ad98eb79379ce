"""The rounding stepper: one number rounded to one format, step by step."""

from __future__ import annotations

import math
from fractions import Fraction
from html import escape

import traitlets

from amp_helpers.formats import FORMATS, MODES, FloatFormat, decode, encode
from amp_helpers.typed_number import parse_number

from .base import BookWidget

_STEPS = 6
_LARGEST_SEED = 2**32 - 1


class RoundingStepper(BookWidget):
    """One number rounded to one format, step by step: cut, guard, round and sticky bits, decision, result.

    Args (all of them traits, shared with the page):
        value: the number as text, such as "0.1", "1/3", "2^-24" or "0x1.002p0"; the page reads it exactly.
        format: the format to round to, a key of `FORMATS`.
        via: a format to round to first, or "" for none; the page then compares once with twice.
        mode: one of `MODES`; "stochastic" shows a coin to toss.
        step: 1 number, 2 cut, 3 rest, 4 decide, 5 result, 6 compare (with `via` only; without it 5 is shown).
        seed: 0 to 2**32 - 1, where the coin's tosses start; the same seed gives the same tosses.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    The static fallback is computed by Python, which reads `value` as a float64 first.
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """

    _kind = "rounding_stepper"

    value = traitlets.Unicode("0.1").tag(sync=True)
    format = traitlets.Unicode("float16").tag(sync=True)
    via = traitlets.Unicode("").tag(sync=True)
    mode = traitlets.Unicode("nearest_even").tag(sync=True)
    step = traitlets.Int(1).tag(sync=True)
    seed = traitlets.Int(0).tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("value")
    def _check_value(self, proposal):
        try:
            parse_number(proposal.value)
        except ValueError as error:
            raise traitlets.TraitError(str(error)) from None
        return proposal.value.strip()

    @traitlets.validate("format", "via", "mode")
    def _check_choice(self, proposal):
        name = proposal.trait.name
        choices = {"format": tuple(FORMATS), "via": ("", *FORMATS), "mode": MODES}[name]
        if proposal.value not in choices:
            listed = ", ".join(choice or '""' for choice in choices)
            raise traitlets.TraitError(f"unknown {name} {proposal.value!r}; choose from {listed}")
        return proposal.value

    @traitlets.validate("step", "seed")
    def _check_range(self, proposal):
        name = proposal.trait.name
        low, high = {"step": (1, _STEPS), "seed": (0, _LARGEST_SEED)}[name]
        if not low <= proposal.value <= high:
            raise traitlets.TraitError(f"{name} must be an integer from {low} to {high}, not {proposal.value}")
        return proposal.value

    # --- the page without scripts -------------------------------------------------------------------------------

    def fallback(self) -> str:
        number, fmt = parse_number(self.value), FORMATS[self.format]
        rows = []
        smallest = 0 if fmt.has_zero else fmt.smallest_normal  # below it every mode goes to the smallest value
        if math.isfinite(number) and number != 0 and (fmt.signed or number >= smallest):
            rows += _cut(number, fmt)
            if self.mode == "stochastic":
                rows.append(("probability of up", "rest / ulp"))
        modes = [self.mode] if self.mode != "stochastic" else _candidates(number, fmt)
        results = [_result(number, fmt, mode) for mode in modes]
        rows.append(("result", " or ".join(dict.fromkeys(results))))
        if self.via and self.mode != "stochastic":
            rows += _twice(number, fmt, FORMATS[self.via], self.mode)
        body = "".join(f'<tr><th scope="row">{name}</th><td>{escape(text)}</td></tr>' for name, text in rows)
        caption = f"{escape(self.value)} rounded to {fmt.name}, {self.mode}"
        return f"<table><caption>{caption}</caption><tbody>{body}</tbody></table>"


def _candidates(number: float, fmt: FloatFormat) -> list[str]:
    """The directed modes that give what a coin may give."""
    away_from_zero = "toward_negative" if math.copysign(1, number) < 0 else "toward_positive"
    one_beyond = Fraction(fmt.max) + Fraction(2) ** (fmt.max_exponent - fmt.significand_bits)
    if math.isfinite(number) and abs(Fraction(number)) < one_beyond:
        return ["toward_zero", away_from_zero]
    return [away_from_zero]


def _cut(number: float, fmt: FloatFormat) -> list[tuple[str, str]]:
    """The rows that show which bits are kept and which are left over."""
    exponent = max(math.frexp(number)[1] - 1, fmt.min_exponent)
    ulps = abs(Fraction(number)) / Fraction(2) ** (exponent - fmt.significand_bits)
    count, rest = divmod(ulps, 1)
    digits = f"{count:0{fmt.significand_bits + 1}b}"
    kept = f"{digits[0]}.{digits[1:]}" if fmt.significand_bits else digits
    guard, round_bit, sticky = int(rest * 2), int(rest * 4) % 2, int(rest * 4 % 1 > 0)
    return [
        ("kept bits", f"{'−' if number < 0 else '+'}{kept} in binary, times 2 to the power {exponent}"),
        ("guard, round, sticky", f"{guard}, {round_bit}, {sticky}"),
        ("rest", _ulps(rest)),
    ]


def _ulps(rest: Fraction) -> str:
    """The rest in ulps, never shown on the wrong side of a half or of one."""
    text = f"{float(rest):.4g}"
    if rest == Fraction(1, 2):
        return "0.5 ulp, a tie"
    if text in ("0.5", "1"):
        text = f"just {'over' if rest > Fraction(text) else 'under'} {text}"
    return f"{text} ulp"


def _rounded(number: float, fmt: FloatFormat, mode: str) -> int | None:
    """The code, None for a NaN that the format cannot hold."""
    try:
        return encode(number, fmt, mode)
    except ValueError:
        return None


def _result(number: float, fmt: FloatFormat, mode: str) -> str:
    code = _rounded(number, fmt, mode)
    if code is None:
        return f"{fmt.name} has no NaN"
    return f"{decode(code, fmt)!r} (code 0x{code:0{-(-fmt.bits // 4)}x})"


def _twice(number: float, fmt: FloatFormat, via: FloatFormat, mode: str) -> list[tuple[str, str]]:
    """The rows that compare the direct way with the way through another format."""
    middle = _rounded(number, via, mode)
    if middle is None:
        return [(f"by way of {via.name}", f"{via.name} has no NaN")]
    twice = decode(middle, via)
    same = _rounded(twice, fmt, mode) == _rounded(number, fmt, mode)
    return [
        (f"by way of {via.name}", f"{twice!r}, then {_result(twice, fmt, mode)}"),
        ("once against twice", "the same result" if same else "the results differ"),
    ]
