"""Both rounding functions against an exact oracle: every format, mode and overflow policy, on hard inputs."""

import inspect
import math
import textwrap

import gfloat
import numpy as np
import pytest
import torch
from oracles import DETERMINISTIC, LAYOUTS, Rounded, round_exactly, same
from test_formats import CUSTOM, custom, gfloat_format, ml_dtype

from amp_helpers.formats import FORMATS
from amp_helpers.rounding import round_reference, round_to

BOTH = [round_reference, round_to]
NAMES = [name for name in LAYOUTS if name != "float64"]
#: Exact tables fit these; the others are checked value by value.
TABLED = {name: layout for name, layout in CUSTOM.items() if layout.fraction < 16}
DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")],
    ),
]
both = pytest.mark.parametrize("function", BOTH, ids=lambda f: f.__name__)
device = pytest.mark.parametrize("device", DEVICES)
names = pytest.mark.parametrize("name", NAMES)
dtypes = pytest.mark.parametrize("dtype", [torch.float32, torch.float64], ids=["float32", "float64"])


pytestmark = pytest.mark.usefixtures("one_thread")


# --- hard inputs --------------------------------------------------------------------------------------


def patterns16() -> torch.Tensor:
    """Every float16 and every bfloat16, as float32."""
    codes = torch.arange(-(2**15), 2**15).to(torch.int16)
    return torch.cat([codes.view(torch.float16).float(), codes.view(torch.bfloat16).float()])


@pytest.fixture(scope="module")
def random_float32() -> torch.Tensor:
    """Two million random patterns, NaNs of every kind among them."""
    draw = torch.randint(-(2**31), 2**31, (2_000_000,), generator=torch.Generator().manual_seed(1))
    return draw.to(torch.int32).view(torch.float32)


def random_float64(n: int, seed: int = 2) -> torch.Tensor:
    pool = torch.empty(n, dtype=torch.int64).random_(-(2**63), None, generator=torch.Generator().manual_seed(seed))
    wide = pool.view(torch.float64)
    return torch.cat([wide, torch.randn(n, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))])


def grid(layout, dtype: torch.dtype) -> torch.Tensor:
    """Every value of a format, every midpoint, the overflow edges; each with its two neighbours in `dtype`."""
    values = torch.from_numpy(layout.magnitudes())
    top, step = values[-2], values[-1] - values[-2]
    edges = torch.stack([top + step / 2, top + 3 * step / 4, 2 * top, 1000 * top, top * (1 + 2**-20)])
    points = torch.cat([values, (values[1:] + values[:-1]) / 2, edges, torch.tensor([0.0, math.inf, math.nan])]).to(
        dtype
    )
    up, down = (torch.nextafter(points, torch.tensor(end, dtype=dtype)) for end in (math.inf, -math.inf))
    points = torch.cat([points, up, down])
    return torch.cat([points, -points])


def check(function, x: torch.Tensor, oracle: Rounded, fmt, mode: str, overflow: str):
    result = function(x, fmt, mode, overflow=overflow)
    assert result.dtype == x.dtype and result.shape == x.shape and result.device == x.device
    expected = oracle(mode, overflow)
    wrong = ~same(result.cpu(), expected)
    if wrong.any():
        first = int(np.flatnonzero(wrong)[0])
        x, result = x.cpu()[first].item(), result.cpu()[first].item()
        pytest.fail(f"{wrong.sum()} wrong, first {x.hex()} -> {result!r}, not {expected[first]!r}")


# --- deterministic modes against the oracle -----------------------------------------------------------


@pytest.mark.parametrize("mode", DETERMINISTIC)
@names
def test_hard_float32(name, mode):
    """Every value and midpoint of a format up to 16 bits, +-1 ulp, and all 16-bit patterns; both policies."""
    layout = LAYOUTS[name]
    x = patterns16()
    if FORMATS[name].bits <= 16:
        x = torch.cat([x, grid(layout, torch.float32)])
    oracle = Rounded(x.numpy(), layout)
    for function in BOTH:
        for overflow in ("ieee", "saturate"):
            check(function, x, oracle, name, mode, overflow)


@names
def test_two_million_random_float32(name, random_float32):
    oracle = Rounded(random_float32.numpy(), LAYOUTS[name])
    for mode in DETERMINISTIC:
        for overflow in ("ieee", "saturate"):
            check(round_to, random_float32, oracle, name, mode, overflow)
        check(round_reference, random_float32, oracle, name, mode, "ieee")


@names
def test_hard_float64(name):
    layout = LAYOUTS[name]
    x = torch.cat([random_float64(100_000), patterns16().double()])
    if FORMATS[name].bits <= 16:
        x = torch.cat([x, grid(layout, torch.float64)])
    else:  # beside the ties of the wider formats
        few = x[x.isfinite() & (x.abs() < 1e38) & (x.abs() > 1e-37)][:20_000].to(torch.float32)
        if name == "tfloat32":
            few = (few.view(torch.int32) & -(1 << 13)).view(torch.float32)
        few = few.double()
        tie = few * (1 + 2.0 ** -(1 + layout.fraction) * few.frexp().mantissa.abs().reciprocal() / 2)
        x = torch.cat([x, few, *(torch.nextafter(tie, tie * end) for end in (0, 1, 2))])
    oracle = Rounded(x.numpy(), layout)
    for mode in DETERMINISTIC:
        for overflow in ("ieee", "saturate"):
            for function in BOTH:
                check(function, x, oracle, name, mode, overflow)


@dtypes
@pytest.mark.parametrize("name", TABLED)
def test_custom_formats(name, dtype):
    layout, fmt = CUSTOM[name], custom(name)
    x = torch.cat([patterns16().to(dtype), random_float64(20_000).to(dtype), grid(layout, dtype)])
    x = torch.cat([x, torch.tensor([2.0**-149, 2.0**-140, -(2.0**-127), 1e-45], dtype=dtype)])
    oracle = Rounded(x.numpy(), layout)
    for mode in DETERMINISTIC:
        for overflow in ("ieee", "saturate"):
            expected = torch.from_numpy(oracle(mode, overflow)).to(dtype)  # which may not hold a custom format
            for function in BOTH:
                result = function(x, fmt, mode, overflow=overflow)
                wrong = np.flatnonzero(~same(result, expected))
                assert not wrong.size, (mode, overflow, *(t[wrong[0]].item() for t in (x, result, expected)))


@pytest.mark.parametrize("name", ["e2m20", "e9m40", "float32", "float8_e8m0fnu"])
def test_value_by_value(name):
    """The fractions need no table, and share nothing with the search in one."""
    layout, fmt = (CUSTOM[name], custom(name)) if name in CUSTOM else (LAYOUTS[name], FORMATS[name])
    x = torch.cat([random_float64(150), torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan, 1.5, 3.0, 2.0**-127])])
    for mode in DETERMINISTIC:
        expected = [round_exactly(value, layout, mode, "ieee") for value in x.tolist()]
        for function in BOTH:
            assert same(function(x, fmt, mode), expected).all(), mode


def test_oracles_agree():
    """The search in a table and the fractions, on values where they could differ."""
    for layout in [*LAYOUTS.values(), *TABLED.values()]:
        if layout.fraction < 16 and layout.exponent + layout.fraction <= 10:
            x = grid(layout, torch.float64)[::7][:150].numpy()
            table = Rounded(x, layout)
            for mode in DETERMINISTIC:
                for overflow in ("ieee", "saturate"):
                    exact = [round_exactly(value, layout, mode, overflow) for value in x.tolist()]
                    assert same(table(mode, overflow), exact).all()


@both
def test_double_rounding(function):
    """1 + 2**-11 + 2**-40 lies just above a tie of float16, and on it once it went through float32."""
    x = torch.tensor([1 + 2.0**-11 + 2.0**-40, 1 + 2.0**-11, 1 + 3 * 2.0**-11 - 2.0**-40], dtype=torch.float64)
    assert function(x, "float16").tolist() == [1 + 2.0**-10, 1.0, 1 + 2.0**-10]
    assert function(x.float(), "float16").tolist() == [1.0, 1.0, 1 + 2.0**-9]


@dtypes
@both
def test_as_wide_as_x_is_the_identity(function, dtype):
    x = torch.cat([random_float64(50_000).to(dtype), grid(LAYOUTS["float16"], dtype)])
    fmt = "float64" if dtype == torch.float64 else "float32"
    for mode in [*DETERMINISTIC, "stochastic"]:
        assert same(function(x, fmt, mode), x).all()
        assert same(function(x, "float64", mode), x).all()
    top = torch.tensor([math.inf, -math.inf, 1.0], dtype=dtype)
    assert function(top, fmt, overflow="saturate").tolist() == [torch.finfo(dtype).max, torch.finfo(dtype).min, 1.0]


# --- other libraries ----------------------------------------------------------------------------------

GFLOAT_MODES = {
    "nearest_even": gfloat.RoundMode.TiesToEven,
    "nearest_away": gfloat.RoundMode.TiesToAway,
    "toward_zero": gfloat.RoundMode.TowardZero,
    "toward_positive": gfloat.RoundMode.TowardPositive,
    "toward_negative": gfloat.RoundMode.TowardNegative,
}


@names
def test_as_gfloat(name, random_float32):
    layout, fmt = LAYOUTS[name], FORMATS[name]
    x = torch.cat([random_float32[:40_000], patterns16()[::7]]).double()
    x = torch.cat([x, grid(layout, torch.float64)[::5][:50_000]]) if fmt.bits <= 16 else x
    x = x[x.isfinite() & (x != 0)]
    if not fmt.signed:  # gfloat rounds negative values to a negative power and small ones to 0
        x = x[x >= fmt.smallest_normal]
    for mode, theirs in GFLOAT_MODES.items():
        for overflow in ("saturate",) if not fmt.has_nan else ("ieee", "saturate"):
            with np.errstate(all="ignore"):
                expected = gfloat.round_ndarray(gfloat_format(layout), x.numpy(), theirs, overflow == "saturate")
            for function in BOTH:
                assert same(function(x, name, mode, overflow=overflow), expected).all(), (mode, overflow)


@pytest.mark.parametrize("name", [n for n in NAMES if FORMATS[n].bits <= 16 and n != "float8_e8m0fnu"])
def test_as_ml_dtypes(name, random_float32):
    x = torch.cat([random_float32[:300_000], patterns16()])
    x = x if FORMATS[name].has_nan else x[~x.isnan()]
    with np.errstate(all="ignore"):
        expected = x.numpy().astype(ml_dtype(name)).astype(np.float64)
    for function in BOTH:
        assert same(function(x, name), expected).all()


# --- stochastic ---------------------------------------------------------------------------------------


@dtypes
@both
@names
def test_stochastic_picks_a_neighbour(function, name, dtype, random_float32):
    layout = LAYOUTS[name]
    x = torch.cat([random_float32[:100_000].to(dtype), patterns16().to(dtype)])
    x = torch.cat([x, grid(layout, dtype)]) if FORMATS[name].bits <= 16 else x
    oracle = Rounded(x.numpy(), layout)
    seeded = torch.Generator().manual_seed(3)
    for overflow in ("ieee", "saturate"):
        # Both neighbours, each with its overflow: the lower one may be the largest value, the upper one beyond it.
        ends = [oracle.chosen(up, overflow) for up in (False, True)]
        result = function(x, name, "stochastic", overflow=overflow, generator=seeded)
        assert (same(result, ends[0]) | same(result, ends[1])).all()


@dtypes
@both
@names
def test_stochastic_never_moves_a_value_of_the_format(function, name, dtype):
    layout = LAYOUTS[name]
    values = torch.from_numpy(layout.magnitudes()[:-1]) if layout.fraction < 16 else patterns16().double()
    x = torch.cat([values, -values] if layout.sign else [values]).to(dtype)
    seeded = torch.Generator().manual_seed(4)
    expected = x + 0.0 if layout.nan == "minus_zero" else x  # FNUZ has no -0.0
    for _ in range(max(1, 200_000 // len(x))):
        assert same(function(x, name, "stochastic", generator=seeded), expected).all()


#: Where in the gap between two neighbours, in ulps.
FRACTIONS = [2.0**-6, 0.25, 1 / 3, 0.5, 0.9]
BETWEEN = {
    "a normal number": lambda fmt: (fmt.smallest_normal * 2, fmt.smallest_normal * 2 * fmt.eps),
    "a subnormal number": lambda fmt: (fmt.smallest_subnormal, fmt.smallest_subnormal),
    "zero": lambda fmt: (0.0, fmt.smallest_subnormal),
}


@pytest.mark.parametrize("where", BETWEEN)
@dtypes
@both
@names
def test_stochastic_is_unbiased(function, name, dtype, where):
    """n draws of a coin with probability p: the mean is off by more than 5 standard deviations, sqrt(p (1 - p) / n),
    once in two million such tests. The stated error of the probability itself comes on top."""
    fmt = FORMATS[name]
    if name == "float32" and dtype == torch.float32:
        return  # the identity: nothing lies between two values
    low, ulp = BETWEEN[where](fmt)
    if not fmt.signed:
        low = ulp = 4.0  # one binade is like the other, and there is nothing below
    n, error = 100_000, 2.0**-13 if dtype == torch.float32 else 2.0**-20
    seeded = torch.Generator().manual_seed(5)
    for sign in (1.0, -1.0) if fmt.signed else (1.0,):
        for fraction in FRACTIONS:
            x = torch.full((n,), sign * (low + fraction * ulp), dtype=dtype)
            p = (abs(x[0].item()) - low) / ulp  # what is left of the fraction in this dtype
            result = function(x, fmt, "stochastic", generator=seeded).double().abs()
            assert set(result.unique().tolist()) <= {low, low + ulp}
            share = (result > low).double().mean().item()
            assert abs(share - p) <= 5 * math.sqrt(p * (1 - p) / n) + error, (sign, fraction, share)


@pytest.mark.parametrize("name", ["bfloat16", "float16", "tfloat32"])
def test_stochastic_probability_is_exact(name, monkeypatch):
    """Every dither there is, once: exactly j of 2**k go up where the dropped bits are j of 2**k."""
    from amp_helpers import rounding

    dropped = 23 - FORMATS[name].significand_bits
    monkeypatch.setattr(
        rounding, "_random_bits", lambda *_: lambda n: (torch.arange(n) % 2**dropped).to(torch.int32).to(torch.int16)
    )
    for rest in (0, 1, 2, 2 ** (dropped - 1), 2**dropped - 1, 1234):
        for pattern in (0x3F800000, 0x3FFFE000 >> dropped << dropped, 0x42280000 >> dropped << dropped):
            x = torch.full((2**dropped,), pattern | rest, dtype=torch.int32).view(torch.float32)
            for signed in (x, -x):
                down = round_to(signed, name, "toward_zero")
                assert (round_to(signed, name, "stochastic") != down).sum() == rest


@pytest.mark.parametrize("name", [n for n in NAMES if n != "float32"])
def test_stochastic_probability_is_as_exact_as_stated(name, monkeypatch):
    """Every 16-bit dither there is, once, for numbers with many more digits than it has: see round_to's docstring."""
    from amp_helpers import rounding

    codes = torch.arange(-(2**15), 2**15).to(torch.int16)
    monkeypatch.setattr(rounding, "_random_bits", lambda *_: lambda n: codes.clone())
    fmt, bound = FORMATS[name], {"float16": 2.0**-13, "tfloat32": 0.0, "bfloat16": 0.0}.get(name, 2.0**-15)
    for where in BETWEEN if fmt.signed and fmt.min_exponent > -126 else ["a normal number"]:
        low, ulp = BETWEEN[where](fmt) if fmt.signed else (4.0, 4.0)
        for fraction in (0.0, 1e-3, 1 / 3, 0.7654321, 0.99999):
            x = torch.tensor(low + fraction * ulp, dtype=torch.float32).expand(2**16)
            p = (x[0].item() - low) / ulp
            share = (round_to(x, name, "stochastic") > low).double().mean().item()
            assert abs(share - p) <= bound, (where, fraction, share, p)


@both
def test_stochastic_follows_its_generator(function):
    x = torch.linspace(0, 1, 300_001)
    draws = [function(x, "float8_e5m2", "stochastic", generator=torch.Generator().manual_seed(s)) for s in (7, 7, 8)]
    assert torch.equal(draws[0], draws[1]) and not torch.equal(draws[0], draws[2])
    going = torch.Generator().manual_seed(7)
    first, second = (function(x, "float8_e5m2", "stochastic", generator=going) for _ in range(2))
    assert torch.equal(first, draws[0]) and not torch.equal(second, draws[0])
    torch.manual_seed(9)
    default = [function(x, "float8_e5m2", "stochastic") for _ in range(2)]
    torch.manual_seed(9)
    assert torch.equal(default[0], function(x, "float8_e5m2", "stochastic"))
    assert not torch.equal(default[0], default[1])
    untouched = torch.Generator().manual_seed(7)
    function(x, "float8_e5m2", "nearest_even", generator=untouched)
    assert untouched.get_state().equal(torch.Generator().manual_seed(7).get_state())


@both
def test_stochastic_elements_are_independent(function):
    """Neighbouring elements, and elements of neighbouring chunks, agree as often as independent coins do."""
    n = 400_000
    up = function(torch.full((n,), 1.5), "float8_e8m0fnu", "stochastic", generator=torch.Generator().manual_seed(6)) > 1
    for lag in (1, 2, 3, 4, 1 << 15, 1 << 16, 1 << 17):
        agree = (up[lag:] == up[:-lag]).double().mean().item()
        assert abs(agree - 0.5) < 5 * 0.5 / math.sqrt(n - lag), lag


# --- tensors of every shape ---------------------------------------------------------------------------

LAYOUTS_OF_TENSORS = {
    "transposed": lambda x: x[:120].view(10, 12).t(),
    "sliced": lambda x: x[:120].view(10, 12)[:, 2:9:3],
    "reversed in memory": lambda x: x[:120].view(2, 3, 4, 5).permute(3, 1, 0, 2),
    "channels last": lambda x: x[:120].view(2, 3, 4, 5).to(memory_format=torch.channels_last),
    "expanded": lambda x: x[:7, None].expand(7, 5),
    "offset": lambda x: x[3:60],
    "empty": lambda x: x[:0].view(0, 3),
    "0-dim": lambda x: x[5],
    "one": lambda x: x[5:6],
    "overlapping": lambda x: x.as_strided((6, 4), (2, 1)),
    "negated view": lambda x: torch.complex(x[:9], x[:9]).conj().imag,
    "negated element": lambda x: torch.complex(x[:1], x[:1]).conj().imag,
}


@pytest.mark.parametrize("mode", [*DETERMINISTIC, "stochastic"])
@pytest.mark.parametrize("make", LAYOUTS_OF_TENSORS.values(), ids=LAYOUTS_OF_TENSORS)
@dtypes
@both
def test_tensor_layouts(function, make, dtype, mode):
    base = torch.randn(200, generator=torch.Generator().manual_seed(0), dtype=dtype) * 8
    x, before = make(base), base.clone()
    seeds = [torch.Generator().manual_seed(1) for _ in range(2)]
    for name in ("float16", "bfloat16", "float8_e4m3fn", "float8_e8m0fnu", "float64"):
        result = function(x, name, mode, generator=seeds[0])
        assert result.shape == x.shape and result.dtype == dtype
        if mode != "stochastic":
            flat = [function(value.clone(), name, mode).item() for value in x.reshape(-1)]
            assert same(result.reshape(-1), flat).all()
        assert torch.equal(base, before), "x was changed"
        assert result.data_ptr() != x.data_ptr() or not x.numel()


def test_memory_format_is_kept():
    x = torch.randn(2, 3, 4, 5).to(memory_format=torch.channels_last)
    assert round_to(x, "float16").stride() == x.stride()


@pytest.mark.parametrize("n", [1, 3, 5, 2**17 - 1, 2**17, 2**17 + 1, 2**18 + 7])
def test_chunks_join(n):
    x = torch.randn(n, generator=torch.Generator().manual_seed(0)) * 100
    for name in ("bfloat16", "tfloat32", "float8_e4m3fn", "float8_e8m0fnu"):
        for mode in ("nearest_even", "nearest_away", "toward_positive"):
            assert same(round_to(x, name, mode), round_reference(x, name, mode)).all()


@pytest.mark.parametrize("mode", ["nearest_even", "toward_zero", "stochastic"])
@dtypes
@both
def test_gradient_passes_straight_through(function, dtype, mode):
    x = torch.tensor([0.3, -700.0, 1e-9, math.inf], dtype=dtype, requires_grad=True)
    weight = torch.tensor([1.0, 2.0, 3.0, 4.0], dtype=dtype)
    result = function(x, "float8_e4m3fn", mode)  # one vanishes, two overflow
    assert result.requires_grad
    (result * weight).sum().backward()
    assert torch.equal(x.grad, weight)
    x.grad = None
    function(x, "float16", mode).sum().backward()
    assert torch.equal(x.grad, torch.ones_like(x))
    with torch.no_grad():
        assert not function(x, "float16", mode).requires_grad
    y = torch.randn(3, dtype=dtype, requires_grad=True)
    grad = torch.autograd.grad((function(y * 3, "float16", mode) ** 2).sum(), y)[0]
    if mode != "stochastic":
        assert torch.equal(grad, 6 * function(y.detach() * 3, "float16", mode))


@both
def test_torch_func(function):
    assert torch.func.grad(lambda x: function(x, "float16").sum())(torch.randn(3)).tolist() == [1.0, 1.0, 1.0]


@both
def test_compiled(function):
    """A compiler that removed the cast and its way back would return x itself."""
    x = torch.randn(100)
    compiled = torch.compile(lambda x: function(x * 2, "float16") + 1, backend="eager")
    assert torch.equal(compiled(x), function(x * 2, "float16") + 1)


# --- special values, errors ---------------------------------------------------------------------------


@both
@dtypes
def test_special_values(function, dtype):
    x = torch.tensor([math.nan, -0.0, 0.0, math.inf, -math.inf, -1e-40], dtype=dtype)
    nan = math.nan
    expected = {
        "float16": [nan, -0.0, 0.0, math.inf, -math.inf, -0.0],
        "float8_e4m3fn": [nan, -0.0, 0.0, nan, nan, -0.0],
        "float8_e4m3fnuz": [nan, 0.0, 0.0, nan, nan, 0.0],
        "float8_e8m0fnu": [nan, nan, nan, nan, nan, nan],
        "float4_e2m1fn": [nan, -0.0, 0.0, 6.0, -6.0, -0.0],
    }
    for name, values in expected.items():
        assert same(function(x, name), values).all(), name
    assert function(x[3:4], "float8_e8m0fnu", overflow="saturate").item() == 2.0**127
    assert function(torch.tensor([464.0, 464.01]), "float8_e4m3fn", overflow="saturate").tolist() == [448.0, 448.0]
    assert same(function(torch.tensor([464.0, 464.01, -465.0]), "float8_e4m3fn"), [448.0, nan, nan]).all()
    assert function(torch.tensor([1.5, 3.0, 6.0], dtype=dtype), "float8_e8m0fnu").tolist() == [2.0, 2.0, 8.0]
    for mode in DETERMINISTIC:
        assert function(torch.tensor([1e-45]), "float8_e8m0fnu", mode).item() == 2.0**-127


@both
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (([1.0], "float16"), TypeError, "x must be a tensor, not list"),
        ((torch.ones(2, dtype=torch.float16), "float8_e5m2"), TypeError, r"float16; choose from .*float32, .*float64"),
        ((torch.ones(2, dtype=torch.int64), "float16"), TypeError, r"dtype torch\.int64"),
        ((torch.ones(2, dtype=torch.complex64), "float16"), TypeError, r"dtype torch\.complex64"),
        ((torch.eye(2).to_sparse(), "float16"), TypeError, r"layout torch\.sparse_coo"),
        ((torch.ones(2), "half"), ValueError, "unknown format 'half'; choose from float64, .*float4_e2m1fn"),
        ((torch.ones(2), torch.float16), TypeError, "FloatFormat or its name, not dtype"),
        ((torch.ones(2), "float16", "rne"), ValueError, "unknown mode 'rne'; choose from nearest.*, stochastic$"),
    ],
)  # fmt: skip
def test_errors(function, arguments, error, message):
    with pytest.raises(error, match=message):
        function(*arguments)


@both
def test_errors_of_keywords(function):
    x = torch.ones(2)
    with pytest.raises(ValueError, match="unknown overflow 'wrap'; choose from ieee, saturate"):
        function(x, "float16", overflow="wrap")
    with pytest.raises(TypeError, match=r"generator must be a torch\.Generator, not int"):
        function(x, "float16", "stochastic", generator=0)
    with pytest.raises(ValueError, match="generator is on cpu, x on meta; choose one on the same device"):
        function(torch.ones(2, device="meta"), "float16", "stochastic", generator=torch.Generator())
    with pytest.raises(TypeError, match="positional"):
        function(x, "float16", "nearest_even", "ieee")


def test_one_signature():
    assert inspect.signature(round_to) == inspect.signature(round_reference)
    text = str(inspect.signature(round_to))
    assert text == "(x, fmt, mode='nearest_even', *, overflow='ieee', generator=None)"


def test_the_reference_can_be_printed():
    """A chapter prints it: nothing is wider than the page, and its code stays within forty lines."""
    source = textwrap.dedent(inspect.getsource(inspect.unwrap(round_reference)))
    assert max(map(len, source.splitlines())) <= 78
    body = source.split('"""', 2)[2]
    assert len([line for line in body.splitlines() if line.strip() and not line.strip().startswith("#")]) <= 40


# --- other devices ------------------------------------------------------------------------------------


@device
@dtypes
@names
def test_device(name, dtype, device, random_float32):
    """The same bits on every device, in one piece there and in chunks here."""
    layout = LAYOUTS[name]
    x = torch.cat([random_float32[:300_000], patterns16()]).to(dtype)
    x = torch.cat([x, grid(layout, dtype)]) if FORMATS[name].bits <= 16 else x
    oracle, x = Rounded(x.numpy(), layout), x.to(device)
    for mode in DETERMINISTIC:
        for overflow in ("ieee", "saturate"):
            for function in BOTH:
                check(function, x, oracle, name, mode, overflow)
    for function in BOTH:
        seeded = torch.Generator(device).manual_seed(0)
        result = function(x, name, "stochastic", generator=seeded)
        ends = [oracle.chosen(up, "ieee") for up in (False, True)]
        assert (same(result.cpu(), ends[0]) | same(result.cpu(), ends[1])).all()
        half = function(torch.full((100_000,), 1.5, device=device), "float8_e8m0fnu", "stochastic", generator=seeded)
        assert abs((half > 1).double().mean().item() - 0.5) < 5 * 0.5 / math.sqrt(100_000)
        where = torch.tensor(2.5, device=device, requires_grad=True)
        function(where, name).backward()
        assert where.grad.item() == 1.0
