"""Write the test vectors that hold the Python and the JavaScript float core together.

    python tools/export_vectors.py FILE.json

`formats`: every parameter and limit. `codes`: the class and exact value of every code of every format up to 16 bits,
and of a sample of the wider ones. `rounding`: float64 values (midpoints and their neighbours, edges, specials) with
their codes in every mode and for both overflow policies. `numbers`: texts a reader may type, and the float64 they mean.
`scaler_traces`: histories of torch.amp.GradScaler and of LossScaler. `gradient_shares`: histograms and what Python
counts in them.
`roofline`: what the Python widget says about ops on every GPU. `memory`: training steps as `predict_memory` finds them.
"""

from __future__ import annotations

import json
import math
import random
import struct
import sys
from fractions import Fraction
from pathlib import Path

from export_gradient_shares import gradient_shares
from export_scaler_traces import traces
from memory_vectors import memory_vectors
from torch_scaler_traces import torch_traces

from amp_helpers.formats import FORMATS, MODES, OVERFLOWS, SPECIALS, FloatFormat, classify, decode, encode
from amp_helpers.typed_number import parse_number
from amp_helpers.widgets import Roofline
from amp_helpers.widgets.roofline import OPS, dtypes_of

WIDEST_WHOLE = 16  # formats up to this many bits are exported code by code
ROUNDING_MODES = [mode for mode in MODES if mode != "stochastic"]
# The named formats leave some combinations untouched: a fraction without a sign, widths that fill no byte.
CUSTOM = [
    FloatFormat("custom_e4m3_ieee", 4, 3, 7, "ieee"),
    FloatFormat("custom_e5m0_none", 5, 0, 15, "none"),
    FloatFormat("custom_u4m2_ones", 4, 2, 7, "all_ones", False),
    FloatFormat("custom_u3m2_none", 3, 2, 3, "none", False),
    FloatFormat("custom_e6m5_zero", 6, 5, -3, "negative_zero"),
    FloatFormat("custom_u5m3_ieee", 5, 3, 9, "ieee", False),
]
# fmt: off
NUMBERS = [
    "0", "-0", "+1", "0.1", ".5", "5.", "1e-400", "-1e400", "1E3", "  2.5 ", "007", "0.30000000000000004", "1/3",
    "-1/3", "1 / -3", "2/4", "1e-3/3", "0/5", "-0/5", "2^-24", "-2**-24", "2^10", "2^-1074", "2^-1075", "2^2000",
    "0x1.8p3", "-0x.8p-1", "0xAp0", "inf", "-inf", "+Infinity", "∞", "nan", "NaN", "−1.5", "65504", "65519.99999999",
    "3.4e38", "1" * 400, "0." + "0" * 350 + "1", "1.7976931348623158e308", "1.7976931348623159e308", "5e-324",
    "2.4703e-324",
]
BAD_NUMBERS = [
    "", " ", "x", "1e", "e5", ".", "1..2", "1.2.3", "--1", "1/0", "1/", "/2", "1/2/3", "inf/2", "0x3c00", "0b101",
    "0x1.8", "1_000", "1,5", "1e5001", "1e-99999999999", "2^5001", "3^2", "2^", "<b>1</b>", "٣", "1" * 1001,
    "nan/nan", "1e1.5",
]
# fmt: on


def pattern(value: float) -> str:
    """The 64 bits of a float64, in hexadecimal."""
    return f"0x{struct.unpack('>Q', struct.pack('>d', value))[0]:016x}"


def exact(value: float) -> list | None:
    """[sign, odd numerator as text, exponent of two], None for infinity and NaN."""
    if not math.isfinite(value):
        return None
    numerator, denominator = abs(value).as_integer_ratio()
    shift = (numerator & -numerator).bit_length() - 1 if numerator else 0
    return [int(math.copysign(1, value) < 0), str(numerator >> shift), shift - denominator.bit_length() + 1]


def chosen_codes(fmt: FloatFormat, most: int, rng: random.Random) -> list[int]:
    """All codes if there are at most `most`, else the edges of every class and a sample."""
    count = 1 << fmt.bits
    if count <= most:
        return list(range(count))
    edges = {0, 1, 2, fmt.max_code, fmt.max_code - 1, fmt.max_code + 1, (1 << fmt.significand_bits) - 1}
    edges |= {1 << fmt.significand_bits, (1 << fmt.significand_bits) + 1, encode(1.0, fmt)}
    edges |= {code | fmt.sign_bit for code in edges} | {count - 1}
    sample = (rng.randrange(count) for _ in range(most))
    return sorted({code for code in edges if code < count} | set(sample))


def rounding_inputs(fmt: FloatFormat, rng: random.Random) -> list[float]:
    """Values, midpoints, one float64 step beside both, the overflow edge, specials; of both signs."""
    finite = [decode(code, fmt) for code in chosen_codes(fmt, 64, rng)]
    finite = sorted({abs(value) for value in finite if math.isfinite(value)})
    top_gap = fmt.max - decode(fmt.max_code - 1, fmt)
    points = [
        *finite,
        fmt.max + top_gap / 2,
        fmt.max + top_gap,
        min(fmt.max, 2.0**1022) * 1.5,
        fmt.smallest_subnormal / 2,
    ]
    for value in finite:
        code = encode(value, fmt)
        if code < fmt.max_code:
            points.append((value + decode(code + 1, fmt)) / 2)
    points += [0.0, 5e-324, sys.float_info.min, sys.float_info.max, 1 / 3, math.pi * 1e5, fmt.smallest_subnormal / 4]
    points += [math.nextafter(point, direction) for point in points for direction in (0.0, math.inf)]
    unsigned = [*sorted({point for point in points if math.isfinite(point)}), math.inf]
    return [*unsigned, *(-point for point in unsigned), math.nan]


def code_or_none(value: float, fmt: FloatFormat, mode: str, overflow: str) -> str | None:
    try:
        return hex(encode(value, fmt, mode, overflow))
    except ValueError:  # a NaN, and the format has none
        return None


def describe(fmt: FloatFormat) -> dict:
    names = ["exponent_bits", "significand_bits", "bias", "specials", "signed", "bits", "min_exponent", "max_exponent"]
    names += ["has_infinity", "has_nan", "has_zero", "has_negative_zero"]
    codes = {name: getattr(fmt, name) for name in ("max_code", "nan_code", "sign_bit")}
    return {name: getattr(fmt, name) for name in names} | {
        name: code if code is None else hex(code) for name, code in codes.items()
    }


def vectors() -> dict:
    """Everything, as plain data; the same on every run."""
    rng = random.Random(754)
    formats = [*FORMATS.values(), *CUSTOM]
    codes, rounding = {}, {}
    for fmt in formats:
        most = 1 << WIDEST_WHOLE if fmt.bits <= WIDEST_WHOLE else 2000
        rows = ((code, decode(code, fmt)) for code in chosen_codes(fmt, most, rng))
        codes[fmt.name] = [[hex(code), classify(code, fmt), exact(value)] for code, value in rows]
        inputs = rounding_inputs(fmt, rng)
        rounding[fmt.name] = {"inputs": [pattern(value) for value in inputs]} | {
            f"{mode}/{overflow}": [code_or_none(value, fmt, mode, overflow) for value in inputs]
            for mode in ROUNDING_MODES
            for overflow in OVERFLOWS
        }
    return {
        "specials": SPECIALS,
        "modes": ROUNDING_MODES,
        "overflows": list(OVERFLOWS),
        "named": list(FORMATS),
        "formats": {fmt.name: describe(fmt) for fmt in formats},
        "codes": codes,
        "rounding": rounding,
        "numbers": [[text, pattern(parse_number(text))] for text in NUMBERS],
        "bad_numbers": BAD_NUMBERS,
        "fractions": fractions_rounded(),
        "scaler_traces": {"torch": torch_traces(), "ours": traces()},
        "gradient_shares": gradient_shares(),
        "roofline": rooflines(),
        "memory": memory_vectors(),
    }


def fractions_rounded() -> list[list[str]]:
    """Exact fractions between two float64 values: [text, format, code], the code found by comparing all neighbours."""
    rows = []
    for name, fmt in FORMATS.items():
        if fmt.bits > WIDEST_WHOLE:
            continue
        for code in range(1, min(fmt.max_code, 60)):
            below, above = Fraction(decode(code, fmt)), Fraction(decode(code + 1, fmt))
            middle, sliver = (below + above) / 2, Fraction(1, 10**60)
            for value, rounded in ((middle - sliver, code), (middle + sliver, code + 1), (middle, code + code % 2)):
                rows.append([f"{value.numerator}/{value.denominator}", name, hex(rounded)])
    return rows


def rooflines() -> dict:
    """`gpus`: the table that the page gets; `rows`: a state and what is found there."""
    widget, rows = Roofline(), []
    for gpu, card in widget.gpus.items():
        for op, names in OPS.items():
            for dtype in dtypes_of(card, op):
                for sizes in ((1, 1, 1), (4096, 1024, 77), (333, 8192, 65536)):
                    state = {"gpu": gpu, "op": op, "dtype": dtype} | dict(zip(names, sizes, strict=False))
                    found = Roofline(**state).ceiling()
                    keys = ("flops", "bytes", "intensity", "ridge", "flops_per_s", "seconds", "bound")
                    rows.append({"state": state, "result": {key: getattr(found, key) for key in keys}})
    return {"gpus": widget.gpus, "rows": rows}


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    Path(sys.argv[1]).write_text(json.dumps(vectors()), encoding="utf-8")
