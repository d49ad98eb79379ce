"""A binary floating-point format is data: a few widths and one rule for the special values.

Everything else (limits, classes, the code of a number) is derived here, exactly, with integers.
Values are Python floats, so a format may be as wide as float64; codes are plain integers.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

#: How a format encodes what is not a finite number.
SPECIALS = {
    "ieee": "the top exponent is reserved: fraction 0 is infinity, any other fraction is NaN",
    "all_ones": "no infinity; the code with every exponent and fraction bit set is NaN",
    "negative_zero": "no infinity and no negative zero; the code of negative zero is the only NaN",
    "none": "neither infinity nor NaN",
}

MODES = ("nearest_even", "nearest_away", "toward_zero", "toward_positive", "toward_negative", "stochastic")
OVERFLOWS = ("ieee", "saturate")


class Fields(NamedTuple):
    """The three bit fields of a code, as unsigned integers (see `fields`)."""

    sign: int
    exponent: int
    fraction: int


@dataclass(frozen=True)
class FloatFormat:
    """A binary floating-point format; limits are derived from the first six fields.

    Args:
        name: what error messages and figures call it.
        exponent_bits: width of the exponent field, 1 to 11.
        significand_bits: stored fraction bits, 0 to 52 (the leading bit is implied).
        bias: subtracted from the exponent field of a normal number.
        specials: how infinity and NaN are encoded, a key of `SPECIALS`.
        signed: False drops the sign bit, and with it zero and subnormals (E8M0).
    Raises: ValueError if a field is out of range or a value would not fit in float64.
    Source: IEEE 754-2019, section 3; OCP 8-bit (OFP8) and Microscaling (MX) v1.0 specifications.
    Introduced in: notebooks/01_float_bits.ipynb
    """

    name: str
    exponent_bits: int
    significand_bits: int
    bias: int
    specials: str = "ieee"
    signed: bool = True

    def __post_init__(self):
        if self.specials not in SPECIALS:
            raise ValueError(f"{self.name}: unknown specials {self.specials!r}; choose from {', '.join(SPECIALS)}")
        # Without a fraction bit "ieee" has no room for a NaN beside infinity.
        least_fraction = 1 if self.specials == "ieee" else 0
        for field, value, low, high in (
            ("exponent_bits", self.exponent_bits, 1, 11),
            ("significand_bits", self.significand_bits, least_fraction, 52),
        ):
            if not (isinstance(value, int) and low <= value <= high):
                raise ValueError(f"{self.name}: {field} must be an integer from {low} to {high}, not {value!r}")
        if not isinstance(self.bias, int):
            raise ValueError(f"{self.name}: bias must be an integer, not {self.bias!r}")
        if not self.signed and self.specials == "negative_zero":
            raise ValueError(f"{self.name}: specials 'negative_zero' needs a sign bit")
        if self.signed and self.max_code >> self.significand_bits == 0:
            raise ValueError(f"{self.name}: no normal number is left; raise exponent_bits {self.exponent_bits}")
        low, high = self.min_exponent - self.significand_bits, self.max_exponent
        if low < -1074 or high > 1023:
            raise ValueError(
                f"{self.name}: values from 2**{low} to 2**{high} do not fit in float64; change bias {self.bias}"
            )

    # --- widths -----------------------------------------------------------------------------------

    @property
    def bits(self) -> int:
        """Width of a code in bits, sign included."""
        return self.signed + self.exponent_bits + self.significand_bits

    @property
    def has_infinity(self) -> bool:
        """Whether a code stands for infinity."""
        return self.specials == "ieee"

    @property
    def has_nan(self) -> bool:
        """Whether a code stands for NaN."""
        return self.specials != "none"

    @property
    def has_zero(self) -> bool:
        """Whether a code stands for zero. In unsigned formats (E8M0) exponent field 0 is a power of two instead."""
        return self.signed

    @property
    def has_negative_zero(self) -> bool:
        """Whether zero comes with both signs."""
        return self.signed and self.specials != "negative_zero"

    # --- limits: all derived, none typed in -------------------------------------------------------

    @property
    def min_exponent(self) -> int:
        """Exponent of the smallest normal number: 1 - bias (field 0 belongs to the subnormals)."""
        return (1 if self.has_zero else 0) - self.bias

    @property
    def max_exponent(self) -> int:
        """Exponent of the largest finite number."""
        return (self.max_code >> self.significand_bits) - self.bias

    @cached_property
    def max_code(self) -> int:
        """Code of the largest finite number, sign bit clear."""
        everything = (1 << (self.exponent_bits + self.significand_bits)) - 1
        if self.specials == "ieee":
            return everything - (1 << self.significand_bits)  # one exponent lower, fraction all ones
        return everything - (self.specials == "all_ones")

    @cached_property
    def nan_code(self) -> int | None:
        """Code of the NaN that `encode` returns (quiet, positive), None if the format has none."""
        if self.specials == "ieee":
            return self.max_code + 1 + (1 << (self.significand_bits - 1))  # fraction 100...: a quiet NaN
        if self.specials == "all_ones":
            return self.max_code + 1
        return self.sign_bit if self.specials == "negative_zero" else None

    @property
    def sign_bit(self) -> int:
        """The sign bit as an integer mask, 0 in an unsigned format."""
        return 1 << (self.bits - 1) if self.signed else 0

    @cached_property
    def max(self) -> float:
        """Largest finite value."""
        return decode(self.max_code, self)

    @cached_property
    def smallest_normal(self) -> float:
        """Smallest positive value with an implied leading 1."""
        return math.ldexp(1.0, self.min_exponent)

    @cached_property
    def smallest_subnormal(self) -> float:
        """Smallest positive value; an unsigned format has no subnormals, so there it is `smallest_normal`."""
        return math.ldexp(1.0, self.min_exponent - self.significand_bits * self.has_zero)

    @cached_property
    def eps(self) -> float:
        """Gap between 1 and the next larger value (the ulp of 1)."""
        return math.ldexp(1.0, -self.significand_bits)

    @property
    def torch_dtype(self):
        """The `torch.dtype` with this layout, or None (TF32, FP6 and FP4 have none, nor have custom formats)."""
        if FORMATS.get(self.name) != self:
            return None
        import torch  # the book is built without it

        return getattr(torch, self.name, None)


def _table(*rows) -> dict[str, FloatFormat]:
    return {name: FloatFormat(name, *rest) for name, *rest in rows}


#: Every format the book names. Columns: exponent bits, fraction bits, bias, specials, signed.
FORMATS: dict[str, FloatFormat] = _table(
    ("float64", 11, 52, 1023),
    ("float32", 8, 23, 127),
    ("tfloat32", 8, 10, 127),  # 19 bits; a tensor core reads it from a float32 register
    ("bfloat16", 8, 7, 127),
    ("float16", 5, 10, 15),
    ("float8_e4m3fn", 4, 3, 7, "all_ones"),
    ("float8_e5m2", 5, 2, 15),
    ("float8_e4m3fnuz", 4, 3, 8, "negative_zero"),
    ("float8_e5m2fnuz", 5, 2, 16, "negative_zero"),
    ("float8_e8m0fnu", 8, 0, 127, "all_ones", False),
    ("float6_e2m3fn", 2, 3, 1, "none"),
    ("float6_e3m2fn", 3, 2, 3, "none"),
    ("float4_e2m1fn", 2, 1, 1, "none"),
)


def get_format(fmt: FloatFormat | str) -> FloatFormat:
    """Return `fmt` itself, or the format of that name.

    Raises: ValueError naming the known formats; TypeError if `fmt` is neither a format nor a string.
    """
    if isinstance(fmt, FloatFormat):
        return fmt
    if not isinstance(fmt, str):
        raise TypeError(f"fmt must be a FloatFormat or its name, not {type(fmt).__name__}")
    if fmt not in FORMATS:
        raise ValueError(f"unknown format {fmt!r}; choose from {', '.join(FORMATS)}")
    return FORMATS[fmt]


def check_choice(kind: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError naming `value` and the choices if it is not one of them."""
    if value not in choices:
        raise ValueError(f"unknown {kind} {value!r}; choose from {', '.join(choices)}")


def fields(code: int, fmt: FloatFormat | str) -> Fields:
    """Split a code into its sign, exponent and fraction fields.

    Args:
        code: 0 to 2**fmt.bits - 1.
        fmt: a format or its name.
    Returns: `Fields(sign, exponent, fraction)`, unsigned integers; the exponent is still biased.
    Raises: TypeError if `code` is not an integer, ValueError if it is out of range.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    fmt = get_format(fmt)
    try:
        code = code.__index__()
    except AttributeError:
        raise TypeError(f"code must be an integer, not {code!r}") from None
    if not 0 <= code < 1 << fmt.bits:
        raise ValueError(f"code {code} is out of range for {fmt.name}: 0 to {(1 << fmt.bits) - 1} ({fmt.bits} bits)")
    fraction = code & ((1 << fmt.significand_bits) - 1)
    exponent = (code >> fmt.significand_bits) & ((1 << fmt.exponent_bits) - 1)
    return Fields(int(bool(code & fmt.sign_bit)), exponent, fraction)


def classify(code: int, fmt: FloatFormat | str) -> str:
    """Name the class of a code: zero, subnormal, normal, infinity or nan.

    Raises: as `fields`.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    fmt = get_format(fmt)
    _, exponent, fraction = fields(code, fmt)
    magnitude = code & ~fmt.sign_bit
    if magnitude > fmt.max_code:
        return "infinity" if fmt.has_infinity and fraction == 0 else "nan"
    if code == fmt.sign_bit and fmt.specials == "negative_zero":
        return "nan"
    if exponent == 0 and fmt.has_zero:
        return "subnormal" if fraction else "zero"
    return "normal"


def decode(code: int, fmt: FloatFormat | str) -> float:
    """Return the value of a code, exactly: a float64 holds it.

    Args:
        code: 0 to 2**fmt.bits - 1.
        fmt: a format or its name.
    Special values: negative zero keeps its sign; every NaN code gives NaN.
    Raises: as `fields`.
    Exactness: oracles in tests/test_formats.py.
    Source: IEEE 754-2019, section 3.4.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    fmt = get_format(fmt)
    sign, exponent, fraction = fields(code, fmt)
    kind = classify(code, fmt)
    part = fraction / 2**fmt.significand_bits
    if kind == "nan":
        return math.nan
    if kind == "infinity":
        value = math.inf
    elif kind == "normal":
        value = math.ldexp(1 + part, exponent - fmt.bias)
    else:  # zero and subnormals: no implied 1, the smallest normal's power
        value = math.ldexp(part, fmt.min_exponent)
    return -value if sign else value


def encode(value: float, fmt: FloatFormat | str, mode: str = "nearest_even", overflow: str = "ieee") -> int:
    """Return the code of `value` rounded once to `fmt`.

    Args:
        value: a real number; it is read as a float64.
        fmt: a format or its name.
        mode: every mode of `MODES` but "stochastic".
        overflow: "ieee" gives infinity, else NaN, else the largest value, whichever the format has
            (a mode that rounds this sign towards zero gives the largest value); "saturate" always
            gives the largest value, for infinite input too.
    Returns: an integer, 0 to 2**fmt.bits - 1.
    Special values: negative zero keeps its sign where the format has one. In unsigned formats zero and
        negative values give NaN, and a positive value below the smallest gives the smallest.
    Raises: ValueError for an unknown name or mode, and for a NaN that the format cannot hold.
    Exactness: exact integer arithmetic, a single rounding; oracles in tests/test_formats.py.
    Source: IEEE 754-2019, sections 4.3 and 7.4.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    fmt = get_format(fmt)
    check_choice("mode", mode, tuple(m for m in MODES if m != "stochastic"))
    check_choice("overflow", overflow, OVERFLOWS)
    value = float(value)
    negative = math.copysign(1.0, value) < 0
    if math.isnan(value) or (not fmt.signed and (negative or value == 0)):
        if not fmt.has_nan:
            raise ValueError(f"{fmt.name} cannot hold a NaN")
        return fmt.nan_code
    sign = fmt.sign_bit if negative else 0
    if value == 0:
        return sign if fmt.has_negative_zero else 0
    if mode in ("toward_positive", "toward_negative"):  # towards or away from zero, for this sign
        mode = "toward_zero" if negative == (mode == "toward_positive") else "away_from_zero"

    if math.isinf(value):
        code = fmt.max_code + 1
    else:
        code = min(_round_magnitude(abs(value), fmt, mode), fmt.max_code + 1)
    if code > fmt.max_code:
        stays_finite = overflow == "saturate" or (mode == "toward_zero" and not math.isinf(value))
        if stays_finite or not fmt.has_nan:
            return sign | fmt.max_code
        return sign | (fmt.max_code + 1) if fmt.has_infinity else fmt.nan_code
    if code == 0 and not fmt.has_negative_zero:
        return 0
    return sign | code


def _round_magnitude(magnitude: float, fmt: FloatFormat, mode: str) -> int:
    """Round a positive finite number to a code. The range is unbounded above: the caller checks overflow.

    Codes of one sign count upwards with their values, so the two neighbours are `lower` and `lower + 1`.
    """
    exponent = max(math.frexp(magnitude)[1] - 1, fmt.min_exponent)
    quantum = exponent - fmt.significand_bits  # the ulp is 2**quantum
    numerator, denominator = magnitude.as_integer_ratio()
    if quantum < 0:
        numerator <<= -quantum
    else:
        denominator <<= quantum
    count, rest = divmod(numerator, denominator)  # magnitude = (count + rest / denominator) ulps
    lower = count + ((exponent - fmt.min_exponent) << fmt.significand_bits)
    if not fmt.has_zero:
        lower -= 1 << fmt.significand_bits  # field 0 is already a binade of its own
        if lower < 0:
            return 0  # below the smallest value, and there is no zero to round to
    if mode == "nearest_even":
        up = 2 * rest > denominator or (2 * rest == denominator and lower % 2 == 1)
    elif mode == "nearest_away":
        up = 2 * rest >= denominator
    else:
        up = mode == "away_from_zero" and rest > 0
    return lower + up
