"""How fast `round_to` is, against a copy, torch's own casts, ml_dtypes and gfloat."""

from __future__ import annotations

import importlib.util
import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass

import torch

from amp_helpers.benchmark import Timing, one_thread, set_memory, time_interleaved
from amp_helpers.formats import FloatFormat, get_format
from amp_helpers.rounding import round_to
from amp_helpers.tables import Table

FORMATS = ("float16", "bfloat16", "tfloat32", "float8_e4m3fn", "float8_e5m2", "float4_e2m1fn")
SIZES = (10**4, 10**6, 10**7)
#: What `round_to` has to reach, as (mode, other, elements, ratio, formats): at most `ratio` times as long as
#: `x.clone()`, at least `ratio` times as fast as a library; formats None means every format.
TARGETS = (
    ("nearest_even", "x.clone()", 10**6, 5.0, None),
    ("nearest_even", "x.clone()", 10**7, 2.5, None),
    ("stochastic", "x.clone()", 10**6, 12.0, None),
    ("stochastic", "x.clone()", 10**7, 4.0, None),
    ("nearest_even", "gfloat", 10**6, 30.0, None),
    ("nearest_even", "gfloat", 10**7, 30.0, None),
    ("nearest_even", "native", 10**6, 2.0, ("float8_e4m3fn",)),
    ("nearest_even", "native", 10**7, 2.0, ("float8_e4m3fn",)),
)


@dataclass(frozen=True)
class RoundingRow:
    """One format at one size: for each variant its timing, or in a word why it has none.

    `memory` is the policy of `set_memory`, or "as the C library chooses" where there is none to set.
    """

    memory: str
    format: str
    elements: int
    timings: dict[str, Timing | str]

    def ratio(self, name: str, to: str = "x.clone()") -> float | None:
        """How many times as long as `to` the variant takes, by the medians; None if one was not timed."""
        mine, other = self.timings[name], self.timings[to]
        return None if isinstance(mine, str) or isinstance(other, str) else mine.median_s / other.median_s


def rounding_variants(x: torch.Tensor, fmt: FloatFormat | str) -> dict[str, Callable[[], object] | str]:
    """The ways to round `x` (float32, on the CPU) to `fmt` and back; a word in place of one says why it lacks.

    "native" is torch's own cast, where it has the dtype. The column of ml_dtypes uses NumPy's own float16.
    """
    fmt = get_format(fmt)
    array, dtype = x.numpy(), fmt.torch_dtype
    variants = {
        "x.clone()": x.clone,
        "nearest_even": lambda: round_to(x, fmt),
        "stochastic": lambda: round_to(x, fmt, "stochastic"),
        "native": (lambda: x.to(dtype).to(x.dtype)) if dtype else "no dtype",
        "ml_dtypes": "not installed",
        "gfloat": "not installed",
    }
    if ml_dtypes := _optional("ml_dtypes"):
        other = "float16" if fmt.name == "float16" else getattr(ml_dtypes, fmt.name, None)
        variants["ml_dtypes"] = (lambda: array.astype(other).astype(array.dtype)) if other else "no dtype"
    if gfloat := _optional("gfloat"):
        info = gfloat.FormatInfo(
            fmt.name,
            fmt.bits,
            fmt.significand_bits + 1,
            bias=fmt.bias,
            is_signed=fmt.signed,
            domain=gfloat.Domain.Extended if fmt.has_infinity else gfloat.Domain.Finite,
            has_nz=fmt.has_negative_zero,
            num_high_nans={"ieee": 2**fmt.significand_bits - 1, "all_ones": 1}.get(fmt.specials, 0),
            has_subnormals=fmt.signed,
            is_twos_complement=False,
        )
        variants["gfloat"] = lambda: gfloat.round_ndarray(info, array, sat=not fmt.has_nan)
    return variants


def _optional(name: str):
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def benchmark_rounding(
    formats: Sequence[FloatFormat | str] = FORMATS,
    sizes: Sequence[int] = SIZES,
    memories: Sequence[str] = ("fresh", "reused"),
    **how,
) -> Iterator[RoundingRow]:
    """Time `round_to` against `x.clone()` and other libraries with one torch thread.

    Args:
        formats: formats or their names.
        sizes: elements of x, which holds normal random numbers, float32.
        memories: policies of `set_memory`; the process keeps the last one.
        **how: `rounds`, `budget_s` and `seed` of `time_interleaved`.
    Yields: a `RoundingRow` for each policy, size and format, in this order.
    Raises: ValueError for an unknown format or policy, or a size below 1.
    """
    formats = [get_format(fmt) for fmt in formats]
    for size in sizes:
        if size < 1:
            raise ValueError(f"a size must be 1 or more, not {size}")
    for memory in memories:
        label = memory if set_memory(memory) else "as the C library chooses"
        for size, fmt in itertools.product(sizes, formats):
            x = torch.randn(size, generator=torch.Generator().manual_seed(0))
            with one_thread():
                variants = rounding_variants(x, fmt)
                timed = time_interleaved({name: call for name, call in variants.items() if callable(call)}, **how)
            yield RoundingRow(label, fmt.name, size, variants | timed)
        if label != memory:
            break  # the other policies would measure the same once more


def rounding_table(rows: Sequence[RoundingRow]) -> Table:
    """Ratios to `x.clone()`: median, and the quartiles in brackets."""
    names = [name for name in rows[0].timings if name != "x.clone()"]
    body = []
    for row in rows:
        clone = row.timings["x.clone()"]
        cells = [
            timing
            if isinstance(timing, str)
            else f"{row.ratio(name):.1f} [{timing.lower_quartile_s / clone.median_s:.1f}"
            f" {timing.upper_quartile_s / clone.median_s:.1f}]"
            for name, timing in ((name, row.timings[name]) for name in names)
        ]
        spread = f"[{clone.lower_quartile_s * 1e3:.3f} {clone.upper_quartile_s * 1e3:.3f}]"
        body.append([row.memory, row.format, row.elements, f"{clone.median_s * 1e3:.3f} {spread}", *cells])
    caption = "Times as long as x.clone(), which is in ms: median [lower and upper quartile]."
    return Table(["memory", "format", "elements", "x.clone() ms", *names], body, caption)


def rounding_verdicts(rows: Sequence[RoundingRow]) -> list[str]:
    """A line for each of `TARGETS` and memory policy: met, missed or not measured, with the worst format."""
    lines = []
    memories = dict.fromkeys(row.memory for row in rows)
    for memory, (mode, other, elements, limit, formats) in itertools.product(memories, TARGETS):
        slower = other == "x.clone()"
        ratios = {
            row.format: row.ratio(mode, other) if slower else row.ratio(other, mode)
            for row in rows
            if (row.memory, row.elements) == (memory, elements) and (formats is None or row.format in formats)
        }
        ratios = {name: ratio for name, ratio in ratios.items() if ratio is not None}
        claim = (
            f"{mode} {'at most' if slower else 'at least'} {limit:g} times as {'long' if slower else 'fast'} as {other}"
        )
        claim += f", {elements:,} elements, memory {memory}"
        if not ratios:
            lines.append(f"not measured: {claim}")
            continue
        worst = (max if slower else min)(ratios, key=ratios.get)
        met = ratios[worst] <= limit if slower else ratios[worst] >= limit
        lines.append(f"{'met' if met else 'MISSED'}: {claim}: {ratios[worst]:.1f} ({worst})")
    return lines


def rounding_record(rows: Sequence[RoundingRow]) -> dict:
    """Everything the table shows, and the times behind it, for `json.dumps`. Times are in seconds."""
    return {
        "targets": rounding_verdicts(rows),
        "rows": [asdict(row) | {"ratios_to_clone": {name: row.ratio(name) for name in row.timings}} for row in rows],
    }
