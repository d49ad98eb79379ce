"""Every figure of the book, in one style. The only importer of matplotlib.

A figure function draws what it is given, takes `ax=None` and returns the axes. Colour and marker are fixed per dtype in
the whole book; sign, exponent and fraction have a trio of their own, the widgets' too (book/assets/book.css).
"""

from __future__ import annotations

import io
import math
from collections.abc import Iterable
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .formats import FloatFormat, get_format

#: Colour-blind-safe (after Okabe and Ito), with a marker each, so that no figure relies on colour alone.
DTYPE_STYLE = {
    "float64": {"color": "#9a968d", "marker": "P"},
    "float32": {"color": "#22211f", "marker": "o"},
    "tfloat32": {"color": "#cc79a7", "marker": "D"},
    "bfloat16": {"color": "#0072b2", "marker": "s"},
    "float16": {"color": "#d55e00", "marker": "^"},
    "float8_e4m3fn": {"color": "#00795b", "marker": "v"},
    "float8_e5m2": {"color": "#c9a800", "marker": "X"},
}
FIELD_COLORS = {"sign": "#a8321f", "exponent": "#2f7d4f", "fraction": "#2b62b5"}
FIELD_HATCHES = {"sign": "xxx", "exponent": "", "fraction": "///"}
#: For the numbers of a model, whatever their dtype: told apart by dashes too.
KIND_STYLES = (
    {"color": "#5b4a8a", "linestyle": "-"},
    {"color": "#8a6d3b", "linestyle": "--"},
    {"color": "#b0305c", "linestyle": ":"},
)


def use_book_style() -> None:
    """Give every following figure the book's style.

    Introduced in: notebooks/01_float_bits.ipynb
    """
    plt.style.use(Path(__file__).with_name("book.mplstyle"))


def _axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def field_widths(formats: Iterable[FloatFormat | str], ax: Axes | None = None) -> Axes:
    """Draw one bar per format, divided into sign, exponent and fraction bits.

    Args:
        formats: formats or names, drawn from top to bottom.
        ax: axes to draw on; None makes new ones.
    Raises: as `formats.get_format`.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    ax = _axes(ax)
    known = [get_format(fmt) for fmt in formats]
    for row, fmt in enumerate(known):
        left = 0
        for field, width in (
            ("sign", int(fmt.signed)),
            ("exponent", fmt.exponent_bits),
            ("fraction", fmt.significand_bits),
        ):
            color = FIELD_COLORS[field]
            ax.barh(
                row,
                width,
                left=left,
                color=color,
                alpha=0.85,
                edgecolor="white",
                hatch=FIELD_HATCHES[field],
                height=0.62,
            )
            if width > 1:
                ax.text(
                    left + width / 2, row, str(width), color="white", ha="center", va="center", weight="bold",
                    bbox={"boxstyle": "round,pad=0.15", "facecolor": color, "edgecolor": "none"},
                )  # fmt: skip
            left += width
    for field, color in FIELD_COLORS.items():
        ax.barh(0, 0, color=color, alpha=0.85, edgecolor="white", hatch=FIELD_HATCHES[field], label=field)
    ax.set(xlabel="bits", yticks=range(len(known)), yticklabels=[fmt.name for fmt in known])
    ax.grid(axis="y", visible=False)
    ax.invert_yaxis()
    ax.legend(loc="lower right")
    return ax


def gaps(series: dict[str, tuple[list[float], list[float]]], ax: Axes | None = None) -> Axes:
    """Draw the gap to the next larger value against the value, both on log2 axes.

    Args:
        series: dtype name -> (values, gaps), both positive and of equal length.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    ax = _axes(ax)
    for name, (values, widths) in series.items():
        ax.plot(values, widths, label=name, markevery=max(1, len(values) // 6), **DTYPE_STYLE[name])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="value", ylabel="gap to the next value")
    ax.legend()
    return ax


def ignored_shares(updates: list[float], shares: dict[str, list[float]], ax: Axes | None = None) -> Axes:
    """Draw the share of weights that an update leaves unchanged, against the size of the update.

    Args:
        updates: positive sizes, drawn on a logarithmic axis.
        shares: dtype name -> one share (0 to 1) per update.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    ax = _axes(ax)
    for name, values in shares.items():
        ax.plot(updates, values, label=name, markevery=max(1, len(updates) // 8), **DTYPE_STYLE[name])
    ax.set_xscale("log")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.set(xlabel="update", ylabel="weights that ignore it", ylim=(-0.03, 1.03))
    ax.legend()
    return ax


def running_sums(sums: dict[str, list[float]], ax: Axes | None = None) -> Axes:
    """Draw how sums grow, one line each, against the number of numbers added.

    Args:
        sums: label -> the sum after 1, 2, 3 ... numbers. The label's first word is the dtype that styles the line; a
            label of more words is drawn dashed.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a first word has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    ax = _axes(ax)
    for label, values in sums.items():
        dtype, *more = label.split()
        counts = range(1, len(values) + 1)
        every = max(1, len(values) // 8)
        ax.plot(counts, values, "--" if more else "-", label=label, markevery=every, **DTYPE_STYLE[dtype])
    ax.set(xlabel="numbers added", ylabel="sum")
    ax.legend()
    return ax


def relative_errors(series: dict[str, tuple[list[float], list[float]]], ax: Axes | None = None) -> Axes:
    """Draw a relative error against the size of the number, both on log2 axes.

    Args:
        series: dtype name -> (sizes, errors), both positive and of equal length; an error of 1 loses all.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    ax = _axes(ax)
    for name, (sizes, errors) in series.items():
        ax.plot(sizes, errors, label=name, markevery=max(1, len(sizes) // 8), **DTYPE_STYLE[name])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="size of the number", ylabel="worst relative error")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)  # the lines leave no corner free
    return ax


def value_lines(values: dict[str, list[float]], ax: Axes | None = None) -> Axes:
    """Draw the values of each format as strokes on a number line, one line above the other.

    Args:
        values: format name -> values, drawn from top to bottom.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    ax = _axes(ax)
    for row, (name, numbers) in enumerate(values.items()):
        ax.axhline(row, color=DTYPE_STYLE[name]["color"], linewidth=0.8)
        ax.vlines(numbers, row - 0.28, row + 0.28, color=DTYPE_STYLE[name]["color"], linewidth=1.1)
    ax.set(xlabel="value", yticks=range(len(values)), yticklabels=list(values), ylim=(len(values) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    return ax


def exponents(
    shares: dict[str, tuple[list[int], list[float]]], formats: Iterable[FloatFormat | str], ax: Axes | None = None
) -> Axes:
    """Draw how numbers are spread over the powers of two, and below it the range of formats.

    The bar of a format covers its normal numbers, its hatched part the subnormal ones.

    Args:
        shares: what the numbers are -> (exponents, shares): which part of them, 0 to 1, lies from 2**e to 2**(e + 1).
            Up to three, in the styles of `KIND_STYLES`.
        formats: formats or names with a style in `DTYPE_STYLE`, their bars drawn from top to bottom.
        ax: axes to draw on; None makes new ones.
    Raises: as `formats.get_format`; KeyError if a format has no style; ValueError if there are too many shares.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    if len(shares) > len(KIND_STYLES):
        raise ValueError(f"at most {len(KIND_STYLES)} kinds of numbers can be told apart, not {len(shares)}")
    ax = _axes(ax)
    for (kind, (powers, parts)), style in zip(shares.items(), KIND_STYLES, strict=False):
        ax.plot([e + 0.5 for e in powers], parts, label=kind, **style)
    low, high = ax.get_xlim()
    unit = ax.get_ylim()[1] / 10
    for row, fmt in enumerate(map(get_format, formats), start=1):
        color = DTYPE_STYLE[fmt.name]["color"]
        tiny = fmt.min_exponent - fmt.significand_bits
        bar = {"y": -row * unit, "height": 0.74 * unit, "edgecolor": color}
        ax.barh(width=fmt.min_exponent - tiny, left=tiny, color="none", hatch="////", linewidth=0.8, **bar)
        ax.barh(width=fmt.max_exponent + 1 - fmt.min_exponent, left=fmt.min_exponent, color=color, **bar)
        inside = tiny <= low
        ax.text(
            low + 0.8 if inside else tiny - 0.6, -row * unit, fmt.name,
            color="white" if inside else "#22211f", ha="left" if inside else "right", va="center", fontsize=8.5,
        )  # fmt: skip
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$")
    ax.set(xlim=(low, high), xlabel="size of the number", ylabel="share")
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= ax.get_ylim()[1]])
    ax.legend()
    return ax


def gradient_exponents(
    histograms, fmt: FloatFormat | str = "float16", scale: float = 1.0, ax: Axes | None = None
) -> Axes:
    """Draw a row of cells for each gradient: the darker, the more of its nonzero elements have that exponent.

    Lines show the format's limits, as seen from the gradient before it is scaled: where rounding leaves zero (dotted),
    the smallest normal number (dashed), and beyond the largest one (solid).

    Args:
        histograms: those of `amp_helpers.gradients`, drawn from top to bottom.
        fmt: a format with a style in `DTYPE_STYLE`, or its name.
        scale: a power of two that the gradients are multiplied by.
        ax: axes to draw on; None makes new ones, as high as the rows need.
    Raises: as `formats.get_format`; KeyError if the format has no style; ValueError if all gradients are zero.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    fmt, histograms = get_format(fmt), list(histograms)
    color = DTYPE_STYLE[fmt.name]["color"]
    used = [exponent for histogram in histograms for exponent in histogram.exponents]
    if not used:
        raise ValueError("no gradient has a nonzero element to draw")
    if ax is None:
        ax = plt.subplots(figsize=(5.2, max(2.2, 0.8 + 0.13 * len(histograms))))[1]
    powers = range(min(used), max(used) + 1)
    shares = [[h.exponents.get(power, 0) / max(h.nonzero, 1) for power in powers] for h in histograms]
    # The square root lets a hundredth of a gradient be seen.
    extent = (powers.start, powers.stop, len(shares) - 0.5, -0.5)
    ax.imshow([[share**0.5 for share in row] for row in shares], cmap="Greys", vmin=0, aspect="auto", extent=extent)
    limits = {
        f"{fmt.name}: zero below": (fmt.min_exponent - fmt.significand_bits - 1, ":"),
        "subnormal below": (fmt.min_exponent, "--"),
        "infinite beyond": (fmt.max_exponent + 1, "-"),
    }
    for label, (exponent, dashes) in limits.items():
        ax.axvline(exponent - math.log2(scale), color=color, linestyle=dashes, linewidth=1.8, label=label)
    ax.set(yticks=range(len(histograms)), yticklabels=[h.name for h in histograms], xlabel="size of the gradient")
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$")
    ax.tick_params(axis="y", labelsize=7)
    ax.grid(visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=8)
    return ax


def underflow_by_scale(outcomes: dict[str, dict], ax: Axes | None = None) -> Axes:
    """Draw which shares of a gradient a format loses, against the scale: zero, subnormal, infinite.

    Args:
        outcomes: dtype name -> what `GradientHistogram.by_scale` gives: exponent of the scale -> shares, 0 to 1.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    ax = _axes(ax)
    for name, by_scale in outcomes.items():
        style = DTYPE_STYLE[name] | {"markevery": max(1, len(by_scale) // 8)}
        for part, dashes in (("zero", "-"), ("subnormal", "--"), ("infinite", ":")):
            shares = [getattr(outcome, part) for outcome in by_scale.values()]
            ax.plot(list(by_scale), shares, dashes, label=f"{name}: {part}", **style)
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.set(xlabel="scale", ylabel="share of the gradient", ylim=(-0.03, 1.03))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=max(1, len(outcomes)), fontsize=8)
    return ax


def scale_history(history, ax: Axes | None = None) -> Axes:
    """Draw the loss scale over the steps on a log2 axis; a cross is a skipped step, at the scale it was tried with.

    Args:
        history: a `ScaleHistory` with at least one entry, of `amp_helpers.scaling`.
        ax: axes to draw on; None makes new ones.
    Special values: a scale that is 0 or not finite leaves a gap in the line.
    Raises: ValueError if the history is empty.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """
    if not history:
        raise ValueError("the history is empty: call update() at least once before drawing it")
    ax = _axes(ax)
    used = [history.start["scale"], *(entry.scale for entry in history)][: len(history)]
    used = [scale if 0 < scale < math.inf else math.nan for scale in used]
    steps = [entry.step for entry in history]
    ax.step(steps, used, where="mid", color="#22211f", linewidth=1.4, label="scale")
    skipped = [(step, scale) for step, scale, entry in zip(steps, used, history, strict=True) if entry.skipped]
    ax.plot(
        *zip(*skipped, strict=True) if skipped else ((), ()), "x", color="#a8321f", markeredgewidth=1.8, label="skipped"
    )
    ax.set_yscale("log", base=2)
    # Half a power above and below, so that a scale that never moves is no line on the border.
    known = [scale for scale in used if not math.isnan(scale)] or [1.0]
    ax.set(xlabel="step", ylabel="scale", ylim=(min(known) / 1.6, max(known) * 1.6))
    ax.legend(loc="upper right")
    return ax


def to_png(ax: Axes) -> bytes:
    """Return the whole figure of some axes as a PNG file, and close it.

    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    file = io.BytesIO()
    ax.figure.savefig(file, format="png", dpi=ax.figure.dpi, metadata={"Software": None})
    plt.close(ax.figure)
    return file.getvalue()


def call_dtypes(calls: Iterable, ax: Axes | None = None) -> Axes:
    """Draw the calls of a trace from top to bottom, each with the dtype it received and the dtype it returned.

    A call that received several dtypes stands at the first.

    Args:
        calls: as in `trace(...).calls`; those that only make views, or have no floating-point tensor, are left out.
        ax: axes to draw on; None makes new ones.
    Raises: ValueError if no call is left; KeyError if a dtype has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/06_autocast.ipynb
    """
    rows = []
    for call in calls:
        ends = [
            [str(d).removeprefix("torch.") for d in side if d.is_floating_point] for side in (call.inputs, call.outputs)
        ]
        if all(ends) and not call.view:
            rows.append((call.name, ends[0][0], ends[1][0]))
    if not rows:
        raise ValueError("no call received and returned floating-point tensors")
    ax = _axes(ax)
    dtypes = sorted({dtype for _, *ends in rows for dtype in ends}, key=list(DTYPE_STYLE).index)
    for row, (_, *ends) in enumerate(rows):
        columns = [dtypes.index(dtype) for dtype in ends]
        if columns[0] != columns[1]:
            ax.annotate("", (columns[1], row), (columns[0], row), arrowprops={"arrowstyle": "->", "shrinkB": 7})
        for column, dtype, size in zip(columns, ends, (5, 9), strict=True):
            ax.plot(column, row, linestyle="none", markersize=size, **DTYPE_STYLE[dtype])
    ax.set(xticks=range(len(dtypes)), xticklabels=dtypes, xlim=(-0.5, len(dtypes) - 0.5))
    ax.set(yticks=range(len(rows)), yticklabels=[name for name, *_ in rows], ylim=(len(rows) - 0.5, -0.5))
    return ax
