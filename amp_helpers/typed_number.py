"""Numbers as readers type them into a widget: the Python side of `static/widgets/text.js`."""

from __future__ import annotations

import math
import re
from fractions import Fraction

_DECIMAL = re.compile(
    r"[+-]?(?=\.?\d)(?P<whole>\d*)(\.(?P<part>\d*))?(e(?P<exponent>[+-]?\d+))?", re.IGNORECASE | re.ASCII
)
_POWER = re.compile(r"[+-]?2(\^|\*\*)(?P<exponent>[+-]?\d+)", re.ASCII)
_HEX_FLOAT = re.compile(
    r"[+-]?0x(?=\.?[\da-f])(?P<whole>[\da-f]*)(\.(?P<part>[\da-f]*))?p(?P<exponent>[+-]?\d+)", re.IGNORECASE | re.ASCII
)
# Caps keep exact arithmetic instant whatever is typed; the page has the same.
_LONGEST_TYPED = 1000
_LARGEST_EXPONENT = 5000


def parse_number(text: str) -> float:
    """Read a number as it may be typed into a widget.

    Args:
        text: a decimal, a fraction of two numbers, a power of two (2^-24 or 2**-24), a hexadecimal float (0x1.8p3),
            inf or nan, with a sign.
    Returns: the nearest float64, infinite beyond its range.
    Raises: ValueError naming the text.
    """
    clean = text.strip().replace("−", "-")
    if len(clean) > _LONGEST_TYPED:
        raise ValueError(f"{clean[:40]!r}... is too long: {_LONGEST_TYPED} characters at most")
    magnitude = clean.lstrip("+-")
    if magnitude.lower() in ("inf", "infinity", "∞", "nan") and len(clean) - len(magnitude) <= 1:
        return float(clean.replace("∞", "inf"))
    parts = [_exact(part.strip()) for part in clean.split("/")]
    if len(parts) > 2 or None in parts:
        raise ValueError(f"{clean[:40]!r} is not a number; type 0.1, 6e-8, 1/3, 2^-24, 0x1.8p3, inf or nan")
    if len(parts) == 2 and parts[1] == 0:
        raise ValueError(f"{clean[:40]!r} divides by zero")
    exact = parts[0] / parts[1] if len(parts) == 2 else parts[0]
    negative = sum(part.strip().startswith("-") for part in clean.split("/")) == 1
    try:
        number = float(abs(exact))
    except OverflowError:  # beyond float64
        number = math.inf
    return -number if negative else number


def _exact(text: str) -> Fraction | None:
    """A signed decimal, power of two or hexadecimal float as a fraction, None for anything else."""
    for pattern, base in ((_DECIMAL, 10), (_POWER, 2), (_HEX_FLOAT, 2)):
        match = pattern.fullmatch(text)
        if not match:
            continue
        exponent = int(match["exponent"] or 0)
        if abs(exponent) > _LARGEST_EXPONENT:
            raise ValueError(f"{text[:40]!r}: the exponent is too large, {_LARGEST_EXPONENT} at most either way")
        groups = match.groupdict()
        whole, part = groups.get("whole") or "", groups.get("part") or ""
        radix = 16 if pattern is _HEX_FLOAT else 10
        number = Fraction(int(whole + part, radix), radix ** len(part)) if whole + part else Fraction(1)
        return (-1 if text.startswith("-") else 1) * number * Fraction(base) ** exponent
    return None
