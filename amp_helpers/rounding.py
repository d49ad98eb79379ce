"""Round tensors to any float format: `round_reference` to read, `round_to` to use.

Both give the same result bit for bit in the five deterministic modes (tests/test_rounding.py).
"""

from __future__ import annotations

import functools
import math

import torch

from .formats import FORMATS, MODES, OVERFLOWS, check_choice, get_format

_DTYPES = {torch.float32: FORMATS["float32"], torch.float64: FORMATS["float64"]}
_INTEGERS = {torch.float32: torch.int32, torch.float64: torch.int64}
_CHUNK = 1 << 17  # elements: the few buffers of a chunk (0.5 MiB each) stay in a CPU's caches


class _StraightThrough(torch.autograd.Function):
    """Rounding has gradient 0 almost everywhere; hand the gradient through as if it were the identity."""

    @staticmethod
    def forward(x, function):
        return function(x)

    @staticmethod
    def setup_context(ctx, inputs, output):
        pass  # nothing to keep; torch.func asks for the method

    @staticmethod
    def backward(ctx, gradient):
        return gradient, None


def _rounding(function):
    """Check the arguments of a rounding function, and make its gradient straight-through."""

    @functools.wraps(function)
    def checked(x, fmt, mode="nearest_even", *, overflow="ieee", generator=None):
        if torch.compiler.is_compiling():  # a compiler may drop a cast and its way back: stay out of its graph
            return torch.compiler.disable(checked)(x, fmt, mode, overflow=overflow, generator=generator)
        if not isinstance(x, torch.Tensor):
            raise TypeError(f"x must be a tensor, not {type(x).__name__}")
        if x.dtype not in _DTYPES:
            raise TypeError(f"x has dtype {x.dtype}; choose from {', '.join(map(str, _DTYPES))}")
        if x.layout != torch.strided:
            raise TypeError(f"x has layout {x.layout}; only dense tensors (torch.strided) can be rounded")
        fmt = get_format(fmt)
        check_choice("mode", mode, MODES)
        check_choice("overflow", overflow, OVERFLOWS)
        if generator is not None:
            if not isinstance(generator, torch.Generator):
                raise TypeError(f"generator must be a torch.Generator, not {type(generator).__name__}")
            if generator.device.type != x.device.type:
                raise ValueError(f"generator is on {generator.device}, x on {x.device}; choose one on the same device")
        if torch.is_grad_enabled() and x.requires_grad:
            return _StraightThrough.apply(x, lambda x: function(x, fmt, mode, overflow=overflow, generator=generator))
        return function(x.detach(), fmt, mode, overflow=overflow, generator=generator)

    return checked


@functools.cache
def _powers_of_two(device: torch.device) -> torch.Tensor:
    """Every power of two that float64 holds, exactly: 2**e stands at index e + 1074."""
    return torch.tensor([math.ldexp(1.0, e) for e in range(-1074, 1024)], dtype=torch.float64, device=device)


@_rounding
def round_reference(
    x,
    fmt,
    mode="nearest_even",
    *,
    overflow="ieee",
    generator=None,
):
    """Round every element of `x` once to a value of `fmt`.

    To be read; `round_to` is the fast one. Arguments, result and errors are
    the same. Stochastic probabilities are exact to 2**-53.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    magnitude, negative = x.double().abs(), x.signbit()

    # 1. The neighbours of |x| are `count` and `count + 1` ulps, as if
    # exponents had no upper end.
    exponent = magnitude.frexp().exponent.long() - 1
    exponent = exponent.clamp(fmt.min_exponent, 1023)
    ulp = _powers_of_two(x.device)[exponent - fmt.significand_bits + 1074]
    count = (magnitude / ulp).floor()
    rest = magnitude - count * ulp

    # 2. Up or down? Codes count upwards with the values; a tie goes to the
    # even one.
    no = torch.zeros_like(negative)
    outward = {"toward_positive": ~negative, "toward_negative": negative}
    outward = outward.get(mode, no)  # away from zero, for this sign
    if mode == "nearest_even":
        binade = (exponent + fmt.bias - 1) << fmt.significand_bits
        odd = (count.long() + binade) % 2 == 1
        up = (2 * rest > ulp) | ((2 * rest == ulp) & odd)
    elif mode == "nearest_away":
        up = 2 * rest >= ulp
    elif mode == "stochastic":  # the nearer neighbour is the likelier one
        draw = torch.empty_like(magnitude).uniform_(generator=generator)
        up = draw < rest / ulp
    else:
        up = outward & (rest > 0)
    result = (count + up) * ulp
    if not fmt.has_zero:
        result = result.clamp(min=fmt.smallest_normal)

    # 3. Beyond the largest value. A mode that rounds towards zero stops
    # there, unless x is infinite.
    stops = no
    if mode.startswith("toward"):
        stops = ~outward & x.isfinite()
    if overflow == "saturate" or not fmt.has_nan:
        stops = ~no
    beyond = math.inf if fmt.has_infinity else math.nan
    top = torch.full_like(result, beyond).where(~stops, fmt.max)
    result = top.where(result > fmt.max, result)

    # 4. The sign, which some formats lack, or have for all but zero.
    if fmt.signed:
        result = result.copysign(x.double())
    else:
        result = result.masked_fill(negative | (x == 0), math.nan)
    if not fmt.has_negative_zero:
        result = result + 0.0
    return result.to(x.dtype)


@_rounding
def round_to(x, fmt, mode="nearest_even", *, overflow="ieee", generator=None):
    """Round every element of `x` once to a value of `fmt`.

    Args:
        x: tensor of any shape and strides, float32 or float64, CPU or CUDA; it is not changed.
        fmt: a `FloatFormat` or its name.
        mode: "nearest_even", "nearest_away", "toward_zero", "toward_positive", "toward_negative" or "stochastic".
        overflow: "ieee" gives infinity where the format has one, else NaN where it has one, else the largest
            value; a mode that rounds that sign towards zero gives the largest value (infinite x excepted).
            "saturate" gives the largest value in every mode, for infinite x too.
        generator: where "stochastic" draws from, on x's device; torch's default if None. Other modes ignore it.
    Returns: a new tensor with the shape and dtype of `x`. Its gradient is passed straight through.
    Special values: NaN stays NaN, also for formats without one. Negative zero keeps its sign where the format
        has one. In float8_e8m0fnu zero and negative values give NaN, and a positive value below the smallest
        gives the smallest. What x's dtype cannot hold (custom formats only) is cast to it.
    Raises: TypeError for another dtype or layout, or a generator that is none; ValueError for an unknown
        format, mode or overflow, or a generator on another device.
    Exactness: equal to `round_reference` in the deterministic modes; oracles in tests/test_rounding.py.
        Stochastic: an element goes to the upper neighbour with probability rest / ulp. Values of the format never
        move. From float32 that probability is exact in bfloat16 and tfloat32 and for the normal numbers of
        float16; for its subnormals it is off by less than 2**-13, in all smaller formats by at most 2**-15.
        From float64 it is exact for normal numbers. A seed may give other draws on CUDA than on a CPU.
        Under torch.compile it runs eagerly, between two graphs.
    Source: IEEE 754-2019, sections 4.3 and 7.4.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    x = x.resolve_neg()
    y = torch.empty_like(x)
    if y.stride() != x.stride():  # x has gaps, or repeats memory
        x = x.contiguous()
        y = torch.empty_like(x)
    count = x.numel()
    size = max(1, count if x.is_cuda else min(count, _CHUNK))
    step = _step_for(x, fmt, mode, overflow == "saturate", generator, size)
    if step is None:
        return round_reference(x, fmt, mode, overflow=overflow, generator=generator)
    chunks = (t.as_strided((count,), (1,)).split(size) for t in (x, y))
    for part, out in zip(*chunks, strict=True):
        step(part, out)
    return y


# --- the fast version ---------------------------------------------------------------------------------
# A step rounds a chunk of x into y. Every operation writes into memory that exists already, and none
# selects by a mask: on a CPU that alone costs more than the rounding. `own` is x's dtype as a format.


def _step_for(x, fmt, mode, saturate, generator, size):
    """The step for this format, or None where only the reference covers it: some custom formats."""
    own, digits = _DTYPES[x.dtype], fmt.significand_bits
    ieee = fmt.signed and fmt.specials == "ieee"
    if ieee and digits >= own.significand_bits and fmt.min_exponent <= own.min_exponent and fmt.max >= own.max:
        limit = fmt.max if saturate and fmt.max == own.max else math.inf
        return lambda x, y: torch.clamp(x, -limit, limit, out=y)

    if fmt.name in ("float16", "bfloat16") and fmt.torch_dtype and mode == "nearest_even" and own.bits == 32:
        return _native_step(fmt, saturate, torch.empty(size, dtype=fmt.torch_dtype, device=x.device))

    work = torch.empty(size, dtype=_INTEGERS[x.dtype], device=x.device)
    draw = _random_bits(work, generator) if mode == "stochastic" else None
    same_range = (fmt.bias, fmt.max_exponent) == (own.bias, own.max_exponent)
    if same_range and ieee and draw:
        return _same_range_step(fmt, own, mode, saturate, work, draw)
    if same_range and not fmt.signed and digits == 0:
        return _powers_step(fmt, own, mode, saturate, work, draw)
    inside = own.min_exponent <= fmt.min_exponent <= 0 and 1 <= fmt.max_exponent < own.max_exponent - digits
    if fmt.signed and 1 <= digits <= own.significand_bits - 2 and (inside or (same_range and ieee)):
        return _counting_step(fmt, own, mode, saturate, work, draw)
    return None


def _native_step(fmt, saturate, narrow):
    """torch's own cast: hardware rounds to the nearest. (Not from float64, which it would round twice.)"""

    def step(x, y):
        y.copy_(narrow[: x.numel()].copy_(x))
        if saturate:
            y.clamp_(-fmt.max, fmt.max)

    return step


def _random_bits(work, generator):
    """A function of n: n integers whose low 16 bits (all 64 for float64) are random, in memory used again.

    torch's CPU generator is serial and takes as long for 16 bits as for 64, so a draw serves four float32.
    """
    per_draw = 4 if work.dtype == torch.int32 else 1
    pool = torch.empty(-(-work.numel() // per_draw), dtype=torch.int64, device=work.device)

    def draw(n):
        pool[: -(-n // per_draw)].random_(-(2**63), None, generator=generator)
        return (pool if per_draw == 1 else pool.view(torch.int16))[:n]

    return draw


def _round_integer(x, y, dropped, mode, draw):
    """Clear the low bits of x, float patterns as integers, after adding what carries into the kept bits.

    A pattern without its sign grows with its value, so "toward_positive" and "toward_negative" need positive x.
    """
    low = (1 << dropped) - 1
    if mode == "nearest_even":  # just under a half, plus the last kept bit
        torch.bitwise_right_shift(x, dropped, out=y).bitwise_and_(1).add_(x).add_(low >> 1)
    elif mode == "nearest_away":
        torch.add(x, (low >> 1) + 1, out=y)
    elif mode == "stochastic":
        y.copy_(draw(x.numel()))
        if y.dtype == torch.int32 and dropped > 16:  # 16 random bits and a half
            y.mul_(1 << (dropped - 16)).bitwise_or_(1 << (dropped - 17))
        y.bitwise_and_(low).add_(x)
    elif mode == "toward_positive":
        torch.add(x, low, out=y)
    else:
        y.copy_(x)
    y.bitwise_and_(~low)


def _same_range_step(fmt, own, mode, saturate, work, draw):
    """The format has the exponents of x's dtype and fewer digits: dither the bits as an integer."""

    def step(x, y):
        _round_integer(x.view(work.dtype), y.view(work.dtype), own.significand_bits - fmt.significand_bits, mode, draw)
        # A NaN may have become any number: add NaN to it. All else gets -0.0, which changes nothing.
        y.add_(torch.clamp(x, -0.0, -0.0, out=work[: x.numel()].view(x.dtype)))
        if saturate:
            y.clamp_(-fmt.max, fmt.max)

    return step


def _powers_step(fmt, own, mode, saturate, work, draw):
    """Unsigned powers of two (E8M0): the same, but exponent field 0 is a value where own has its subnormals."""
    normal = 1 << own.significand_bits  # the pattern of own's smallest normal number

    def step(x, y):
        bits, spread = x.view(work.dtype), work[: x.numel()]
        # Spread own's upper subnormals over all of field 0, as if they had a leading 1 like the others.
        torch.sub(bits, normal, out=spread).clamp_(max=0).add_(bits).clamp_(min=0)
        _round_integer(spread, y.view(work.dtype), own.significand_bits, mode, draw)
        y.clamp_(fmt.smallest_normal, fmt.max if saturate or not fmt.has_nan else math.inf)
        y.add_(y, alpha=0)  # 0 * infinity is NaN
        y.add_(torch.rsqrt(x, out=spread.view(x.dtype)), alpha=0)  # infinite or NaN unless x is positive

    return step


def _counting_step(fmt, own, mode, saturate, work, draw):
    """The format's exponents lie inside x's dtype: count x in ulps, round to a whole number, scale back.

    2**exponent of x is x with sign and fraction cleared. Held at the smallest normal it gives the subnormals;
    held one binade above the largest value (where x's dtype has one) it keeps the counts finite.
    """
    digits, dropped = fmt.significand_bits, own.significand_bits - fmt.significand_bits
    room = own.max_exponent - fmt.max_exponent
    lowest, highest = 2.0**fmt.min_exponent, 2.0 ** (fmt.max_exponent + (room > 0))
    clamps = saturate or not fmt.has_nan
    # y * 2**lift is infinite just where y is beyond the format. (E4M3FN ends inside a binade: a plain factor.)
    lift = room if fmt.has_infinity and not clamps else 0
    to_infinity = own.max / (fmt.max + math.ldexp(0.5, fmt.max_exponent - digits))
    # A mode that rounds towards zero stops at the largest value on that side.
    stop_low = -fmt.max if mode in ("toward_zero", "toward_positive") else -math.inf
    stop_high = fmt.max if mode in ("toward_zero", "toward_negative") else math.inf
    stops = mode.startswith("toward") and not clamps and room > 0
    whole = {
        "nearest_even": torch.round_,
        "toward_zero": torch.trunc_,
        "toward_positive": torch.ceil_,
        "toward_negative": torch.floor_,
    }.get(mode)
    dtype = torch.float32 if own.bits == 32 else torch.float64
    floats, extra = work.view(dtype), None if whole else torch.empty_like(work)
    infinity = torch.full_like(work[:1], (1 << own.bits - 1) - (1 << own.significand_bits))
    buffers = work, floats, extra
    zero = torch.zeros_like(floats[:1])
    minus_zero = -zero  # added, it changes nothing

    def step(x, y):
        n = x.numel()
        bits, binade, b = (work, floats, extra) if n == len(work) else (t if t is None else t[:n] for t in buffers)
        source = torch.clamp(x, stop_low, stop_high, out=y) if stops else x
        torch.bitwise_and(source.view(work.dtype), infinity, out=bits)
        binade.clamp_(lowest, highest)
        if not whole:  # the sign moves to the binade: counts are positive, and -0.0 comes back on its own
            bits.bitwise_or_(torch.bitwise_and(source.view(work.dtype), -1 << (own.bits - 1), out=b))
        if room:
            torch.addcdiv(minus_zero, source, binade, value=2.0**digits, out=y)
        else:
            torch.div(source, binade, out=y).mul_(2.0**digits)
        if whole:
            whole(y)
        elif mode == "nearest_away":  # 0.5 itself would carry the number just below a half
            y.add_(0.5 - 2.0 ** -(own.significand_bits + 2)).floor_()
        elif dropped < 16 or own.bits == 64:  # as many random bits as are dropped
            y.add_(b.view(dtype).copy_(draw(n).bitwise_and_((1 << dropped) - 1)), alpha=2.0**-dropped).floor_()
        else:  # there are 16, as a signed integer
            y.add_(b.view(dtype).copy_(draw(n)), alpha=2.0**-16).add_(0.5).floor_()
        if room:
            torch.addcmul(minus_zero, y, binade, value=2.0 ** (lift - digits), out=y)
        else:  # in this order: y * binade alone may be infinite
            y.mul_(2.0**-digits).mul_(binade)
        if clamps:
            y.clamp_(-fmt.max, fmt.max)
        elif lift:
            y.mul_(2.0**-lift)
        elif not fmt.has_infinity and x.is_cuda:
            y.add_(torch.mul(y, to_infinity, out=binade), alpha=0)  # 0 * infinity is NaN
        elif not fmt.has_infinity:
            y.addcmul_(y, zero, value=to_infinity)  # the same in one operation, which a GPU orders otherwise
        if stops:  # where x was infinite, not just large, infinity comes back, or NaN
            y.sub_(torch.clamp(x, -own.max, own.max, out=binade).sub_(x))
            if not fmt.has_infinity:
                y.add_(y, alpha=0)
        if not fmt.has_negative_zero:
            y.add_(0.0)

    return step
