"""Formats against torch, ml_dtypes, gfloat and exact fractions: every code of every format up to 16 bits."""

import math
import random
import struct
from fractions import Fraction

import gfloat
import ml_dtypes
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from oracles import DETERMINISTIC, LAYOUTS, Layout, round_exactly, same

from amp_helpers.formats import (
    FORMATS,
    MODES,
    SPECIALS,
    Fields,
    FloatFormat,
    classify,
    decode,
    encode,
    fields,
    get_format,
)

UP_TO_16 = [name for name, fmt in FORMATS.items() if fmt.bits <= 16]
SPECIALS_OF = {"top": "ieee", "last": "all_ones", "minus_zero": "negative_zero", "never": "none"}
NAMES = [
    *("float64", "float32", "tfloat32", "bfloat16", "float16"),
    *("float8_e4m3fn", "float8_e5m2", "float8_e4m3fnuz", "float8_e5m2fnuz", "float8_e8m0fnu"),
    *("float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"),
]

#: Formats that nobody ships, to try what the named ones do not: unsigned with a fraction, no fraction at all,
#: exponents far outside float32's, a largest value below 1, the widest and the narrowest fields.
CUSTOM = {
    "float8_e3m4": Layout(3, 4, 3),
    "wide_e8m3": Layout(8, 3, 127),
    "far_up": Layout(6, 4, -200, infinity=False, nan="last"),
    "far_down": Layout(6, 4, 400),
    "below_one": Layout(4, 3, 40),
    "unsigned_e4m4": Layout(4, 4, 7, infinity=False, nan="last", sign=False),
    "unsigned_ieee": Layout(5, 2, 15, sign=False),
    "unsigned_plain": Layout(3, 2, 3, infinity=False, nan="never", sign=False),
    "powers_signed": Layout(4, 0, 7, infinity=False, nan="minus_zero"),
    "powers_signed_even": Layout(5, 0, 16, infinity=False, nan="last"),
    "powers_plain": Layout(4, 0, 8, infinity=False, nan="never", sign=False),
    "e2m20": Layout(2, 20, 1, infinity=False, nan="minus_zero"),
    "e9m40": Layout(9, 40, 255),
    "e1m6": Layout(1, 6, 0, infinity=False, nan="never"),
}


def custom(name: str) -> FloatFormat:
    layout = CUSTOM[name]
    return FloatFormat(
        name, layout.exponent, layout.fraction, layout.bias, specials=SPECIALS_OF[layout.nan], signed=layout.sign
    )


EVERY = {name: (FORMATS[name], LAYOUTS[name]) for name in NAMES} | {n: (custom(n), CUSTOM[n]) for n in CUSTOM}
every = pytest.mark.parametrize(("fmt", "layout"), EVERY.values(), ids=EVERY)


def ml_dtype(name: str):
    return np.float16 if name == "float16" else getattr(ml_dtypes, name)


def gfloat_format(layout: Layout, name: str = "x") -> gfloat.FormatInfo:
    return gfloat.FormatInfo(
        name,
        layout.sign + layout.exponent + layout.fraction,
        layout.fraction + 1,
        bias=layout.bias,
        is_signed=layout.sign,
        domain=gfloat.Domain.Extended if layout.infinity else gfloat.Domain.Finite,
        has_nz=layout.sign and layout.nan != "minus_zero",
        num_high_nans={"top": 2**layout.fraction - 1, "last": 1}.get(layout.nan, 0),
        has_subnormals=layout.sign,
        is_twos_complement=False,
    )


def some_codes(fmt: FloatFormat, n: int = 4000) -> list[int]:
    """Every code of a small format; of a wide one the edges of each exponent field and random codes."""
    if fmt.bits <= 12:
        return list(range(1 << fmt.bits))
    choose = random.Random(fmt.name)
    starts = [field << fmt.significand_bits for field in range(1 << fmt.exponent_bits)]
    starts = [*choose.sample(starts, min(len(starts), n // 8)), starts[0], starts[-1], fmt.max_code]
    edges = [start + step for start in starts for step in (-2, -1, 0, 1, 2)]
    codes = [code | sign for code in edges for sign in (0, fmt.sign_bit) if 0 <= code < 1 << fmt.bits]
    return codes + [choose.randrange(1 << fmt.bits) for _ in range(n)]


# --- the table ----------------------------------------------------------------------------------------


def test_names_and_layouts():
    assert list(FORMATS) == NAMES
    for name, fmt in FORMATS.items():
        layout = LAYOUTS[name]
        assert fmt.name == name
        assert (fmt.exponent_bits, fmt.significand_bits, fmt.bias) == (layout.exponent, layout.fraction, layout.bias)
        assert (fmt.signed, fmt.has_infinity, fmt.has_nan) == (layout.sign, layout.infinity, layout.nan != "never")
    assert [fmt.bits for fmt in FORMATS.values()] == [64, 32, 19, 16, 16, 8, 8, 8, 8, 8, 6, 6, 4]


def test_torch_dtypes():
    without = {"tfloat32", "float6_e2m3fn", "float6_e3m2fn", "float4_e2m1fn"}
    for name, fmt in FORMATS.items():
        assert fmt.torch_dtype == (None if name in without else getattr(torch, name))
    assert FloatFormat("float16", 5, 10, 14).torch_dtype is None, "the name alone does not make it torch's"


@pytest.mark.parametrize("name", [name for name in NAMES if hasattr(torch, name)])
def test_limits_as_torch(name):
    info, fmt = torch.finfo(FORMATS[name].torch_dtype), FORMATS[name]
    assert (fmt.max, fmt.bits, fmt.smallest_normal) == (info.max, info.bits, info.smallest_normal)
    if name == "float8_e5m2fnuz":  # torch says 0.125, but the number after 1 is 1.25
        assert fmt.eps == 0.25 == float(torch.tensor([0x41], dtype=torch.uint8).view(torch.float8_e5m2fnuz)) - 1
    else:
        assert fmt.eps == info.eps


@pytest.mark.parametrize("name", [name for name in NAMES if name == "float16" or hasattr(ml_dtypes, name)])
def test_limits_as_ml_dtypes(name):
    info, fmt = ml_dtypes.finfo(ml_dtype(name)), FORMATS[name]
    assert (fmt.max, fmt.bits, fmt.eps) == (float(info.max), info.bits, float(info.eps))
    assert (fmt.smallest_normal, fmt.smallest_subnormal) == (
        float(info.smallest_normal),
        float(info.smallest_subnormal),
    )


@every
def test_limits_follow_from_the_values(fmt, layout):
    assert fmt.max == float(layout.magnitude(layout.finite - 1))
    assert decode(fmt.max_code, fmt) == fmt.max == math.ldexp(math.frexp(fmt.max)[0], fmt.max_exponent + 1)
    assert fmt.smallest_normal == float(layout.magnitude(2**layout.fraction if layout.sign else 0))
    assert fmt.smallest_normal == 2.0**fmt.min_exponent
    one = 2.0 ** max(min(0, fmt.max_exponent - 1), fmt.min_exponent)  # 1 where the format has it
    assert fmt.eps * one == decode(encode(one, fmt) + 1, fmt) - decode(encode(one, fmt), fmt)


@every
def test_smallest_value(fmt, layout):
    assert fmt.smallest_subnormal == float(layout.magnitude(1 if layout.sign else 0))


# --- decode, fields, classify -------------------------------------------------------------------------


@pytest.mark.parametrize("name", UP_TO_16)
def test_decode_every_code(name):
    fmt, layout = FORMATS[name], LAYOUTS[name]
    codes = np.arange(1 << fmt.bits)
    ours = np.array([decode(code, fmt) for code in range(1 << fmt.bits)])
    dtype = np.uint16 if fmt.bits == 16 else np.uint8
    with np.errstate(invalid="ignore"):  # a signalling NaN
        assert same(ours, codes.astype(dtype).view(ml_dtype(name)).astype(np.float64)).all()
    assert same(ours, gfloat.decode_ndarray(gfloat_format(layout), codes)).all()
    if fmt.torch_dtype:
        bits = torch.from_numpy(codes.astype(np.int16 if fmt.bits == 16 else np.uint8))
        assert same(ours, bits.view(fmt.torch_dtype).to(torch.float32).double().numpy()).all()


@pytest.mark.parametrize(("name", "integer", "real"), [("float32", "<I", "<f"), ("float64", "<Q", "<d")])
def test_decode_as_struct(name, integer, real):
    for code in some_codes(FORMATS[name]):
        (value,) = struct.unpack(real, struct.pack(integer, code))
        assert same(decode(code, name), value), hex(code)


def test_decode_tfloat32_is_the_top_of_float32():
    codes = np.arange(1 << 19, dtype=np.uint32)[::7]
    with np.errstate(invalid="ignore"):  # a signalling NaN
        values = (codes << 13).view(np.float32).astype(np.float64)
    assert same([decode(code, "tfloat32") for code in codes.tolist()], values).all()


@every
def test_decode_by_layout(fmt, layout):
    for code in some_codes(fmt, 500):
        magnitude = code & ~fmt.sign_bit
        value = decode(code, fmt)
        if magnitude < layout.finite and not (layout.nan == "minus_zero" and code == fmt.sign_bit):
            assert abs(Fraction(value)) == layout.magnitude(magnitude)
            assert math.copysign(1, value) == (-1 if code != magnitude else 1)
        elif layout.infinity and magnitude == layout.finite:
            assert value == (-math.inf if code != magnitude else math.inf)
        else:
            assert math.isnan(value)


@every
def test_fields_and_classes(fmt, layout):
    for code in some_codes(fmt, 500):
        text = f"{code:0{fmt.bits}b}"
        sign, rest = (text[0], text[1:]) if layout.sign else ("0", text)
        expected = Fields(int(sign), int(rest[: layout.exponent], 2), int("0" + rest[layout.exponent :], 2))
        assert fields(code, fmt) == expected
        value = decode(code, fmt)
        if math.isnan(value):
            kind = "nan"
        elif math.isinf(value):
            kind = "infinity"
        elif value == 0:
            kind = "zero"
        else:
            kind = "subnormal" if abs(value) < fmt.smallest_normal else "normal"
        assert classify(code, fmt) == kind, code


# --- encode -------------------------------------------------------------------------------------------


@every
def test_encode_undoes_decode(fmt, layout):
    for code in range(1 << fmt.bits) if fmt.bits <= 16 else some_codes(fmt):
        value = decode(code, fmt)
        if not math.isnan(value):
            assert encode(value, fmt) == code
        else:
            assert encode(value, fmt) == fmt.nan_code and math.isnan(decode(fmt.nan_code, fmt))


def hard_values(layout: Layout, n: int, choose: random.Random) -> list[float]:
    """Values of the format, points between neighbours and their float64 neighbours, edges, specials, random ones."""
    codes = [*range(min(4, layout.finite)), layout.finite - 2, layout.finite - 1]
    codes += [choose.randrange(layout.finite) for _ in range(n)]
    points = []
    for code in codes:
        low, high = layout.magnitude(code), layout.magnitude(code + 1)
        if high < 2**1023:
            points += [float(low), float((low + high) / 2), float((3 * low + high) / 4)]
    largest = float(layout.magnitude(layout.finite - 1))
    points += [0.0, math.inf, largest * 1.5, min(largest * 4, 1.7e308), largest, 5e-324, 1.0, 0.1, 1e300, 1e-300]
    points += [near for p in points for near in (math.nextafter(p, math.inf), math.nextafter(p, 0.0))]
    points += [math.ldexp(choose.random(), choose.randrange(-1074, 1024)) for _ in range(n)]
    return [signed for p in points for signed in (p, -p)]


@every
def test_encode_against_fractions(fmt, layout):
    choose = random.Random(fmt.name)
    for mode in DETERMINISTIC:
        for value in hard_values(layout, 25, choose):
            for overflow in ("ieee", "saturate"):
                expected = round_exactly(value, layout, mode, overflow)
                if math.isnan(expected) and not fmt.has_nan:
                    with pytest.raises(ValueError, match="cannot hold a NaN"):
                        encode(value, fmt, mode, overflow)
                else:
                    assert same(decode(encode(value, fmt, mode, overflow), fmt), expected), (value, mode, overflow)


@pytest.mark.parametrize("name", UP_TO_16)
def test_encode_as_ml_dtypes(name):
    fmt, target = FORMATS[name], ml_dtype(name)
    values = [v for v in hard_values(LAYOUTS[name], 150, random.Random(1)) if abs(v) < 1e30]
    values = np.array(values).astype(np.float32).astype(np.float64)  # ml_dtypes rounds float64 twice
    if name == "float8_e8m0fnu":
        values = values[values > 0]
        values = values[values >= 2.0**-126]  # it flushes below
    with np.errstate(over="ignore"):
        theirs = values.astype(np.float32).astype(target).astype(np.float64)
    ours = np.array([decode(encode(v, fmt), fmt) for v in values])
    ties = np.zeros(len(values), bool)
    if name == "float8_e8m0fnu":  # its tie rule is another: the larger power of two
        ties = np.frexp(values)[0] == 0.75
        assert ties.sum() > 10
    assert same(ours, theirs)[~ties].all(), values[~same(ours, theirs) & ~ties]


def test_e8m0_ties_go_to_the_even_code():
    assert [decode(encode(v, "float8_e8m0fnu"), "float8_e8m0fnu") for v in (1.5, 3.0, 6.0, 12.0)] == [
        2.0,
        2.0,
        8.0,
        8.0,
    ]
    assert encode(1e-300, "float8_e8m0fnu", "toward_negative") == 0


reals = st.floats(allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("mode", DETERMINISTIC)
@given(a=reals, b=reals, name=st.sampled_from([n for n in NAMES if n != "float8_e8m0fnu"]))
@example(a=1 + 2.0**-11, b=1 + 2.0**-11 + 2.0**-40, name="float16")
@settings(max_examples=150, deadline=None, derandomize=True, database=None)
def test_encode_is_monotone_and_nearest(mode, a, b, name):
    fmt = FORMATS[name]
    a, b = sorted((a, b))
    low, high = (decode(encode(v, fmt, mode, "saturate"), fmt) for v in (a, b))
    assert low <= high
    for value, rounded in ((a, low), (b, high)):
        code = encode(value, fmt, mode, "saturate")
        magnitude = code & ~fmt.sign_bit
        neighbours = [
            decode(code & fmt.sign_bit | m, fmt) for m in (magnitude - 1, magnitude + 1) if 0 <= m <= fmt.max_code
        ]
        error = abs(Fraction(value) - Fraction(rounded))
        if mode.startswith("nearest"):
            assert all(error <= abs(Fraction(value) - Fraction(n)) for n in neighbours if not math.isnan(n))
        elif abs(value) <= fmt.max:
            side = {"toward_zero": abs(rounded) <= abs(value), "toward_positive": rounded >= value}
            assert side.get(mode, rounded <= value)


# --- what goes wrong ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: decode(0, "fp16"), ValueError, "unknown format 'fp16'; choose from float64, float32, .*float4_e2m1fn"),
        (lambda: get_format(16), TypeError, "FloatFormat or its name, not int"),
        (lambda: decode(256, "float8_e5m2"), ValueError, r"code 256 is out of range for float8_e5m2: 0 to 255 \("),
        (lambda: decode(-1, "float8_e5m2"), ValueError, "code -1 is out of range"),
        (lambda: fields(1.0, "float16"), TypeError, r"code must be an integer, not 1\.0"),
        (lambda: encode(1.0, "float16", "up"), ValueError, "unknown mode 'up'; choose from nearest_even, .*negative$"),
        (lambda: encode(1.0, "float16", "stochastic"), ValueError, "unknown mode 'stochastic'"),
        (lambda: encode(1.0, "float16", overflow="wrap"), ValueError, "overflow 'wrap'; choose from ieee, saturate"),
        (lambda: encode(math.nan, "float4_e2m1fn"), ValueError, "float4_e2m1fn cannot hold a NaN"),
        (lambda: FloatFormat("f", 0, 3, 1), ValueError, "f: exponent_bits must be an integer from 1 to 11, not 0"),
        (lambda: FloatFormat("f", 12, 3, 1), ValueError, "from 1 to 11, not 12"),
        (lambda: FloatFormat("f", 4, 53, 1), ValueError, "significand_bits must be an integer from 1 to 52, not 53"),
        (lambda: FloatFormat("f", 4, -1, 1, "none"), ValueError, "significand_bits must be .* from 0 to 52, not -1"),
        (lambda: FloatFormat("f", 4, 0, 1), ValueError, "significand_bits must be an integer from 1 to 52, not 0"),
        (lambda: FloatFormat("f", 4, 3, 1.5), ValueError, r"bias must be an integer, not 1\.5"),
        (lambda: FloatFormat("f", 4, 3, 1, "nan"), ValueError, "unknown specials 'nan'; choose from ieee, all_ones"),
        (lambda: FloatFormat("f", 4, 3, 1, "negative_zero", False), ValueError, "needs a sign bit"),
        (lambda: FloatFormat("f", 11, 52, 1024), ValueError, r"2\*\*-1075 to 2\*\*1022 do not fit in float64"),
        (lambda: FloatFormat("f", 1, 3, 0), ValueError, "no normal number is left"),
    ],
)  # fmt: skip
def test_messages(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_constants():
    assert list(SPECIALS) == ["ieee", "all_ones", "negative_zero", "none"]
    assert list(MODES) == [*DETERMINISTIC, "stochastic"]
    assert get_format("float16") is FORMATS["float16"] is get_format(FORMATS["float16"])
