"""Every figure of the book, in one style. The only importer of matplotlib.

A figure function draws what it is given, takes `ax=None` and returns the axes. Colour and marker are fixed per dtype in
the whole book; sign, exponent and fraction have a trio of their own, the widgets' too (book/assets/book.css).
"""

from __future__ import annotations

import io
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

#: For what takes memory in a training step, by `memory.KINDS`: a hatch each, so that no bar relies on colour alone.
MEMORY_STYLE = {
    "parameters": {"color": "#3d4f6b", "hatch": ""},
    "gradients": {"color": "#8ea3c4", "hatch": "///"},
    "optimizer": {"color": "#bdb5a4", "hatch": "..."},
    "casts": {"color": "#b0305c", "hatch": "xxx"},
    "activations": {"color": "#3f8f78", "hatch": "\\\\\\"},
}


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


def to_png(ax: Axes) -> bytes:
    """Return the whole figure of some axes as a PNG file, and close it.

    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    file = io.BytesIO()
    ax.figure.savefig(file, format="png", dpi=ax.figure.dpi, metadata={"Software": None})
    plt.close(ax.figure)
    return file.getvalue()


def memory_bars(runs: dict, ax: Axes | None = None) -> Axes:
    """Draw the bytes of several training steps, one bar each, divided by kind; the sum stands at its end.

    Args:
        runs: label -> `memory.Breakdown`, drawn from top to bottom. All bars have one unit: GiB if the longest reaches
            one, else MiB.
        ax: axes to draw on; None makes new ones.
    Raises: ValueError if there is no run.
    Introduced in: notebooks/05_memory.ipynb
    """
    if not runs:
        raise ValueError("there is no run to draw")
    ax = _axes(ax)
    power, unit = (30, "GiB") if max(run.total for run in runs.values()) >= 2**30 else (20, "MiB")
    left = [0.0] * len(runs)
    for kind, style in MEMORY_STYLE.items():
        sizes = [getattr(run, kind) / 2**power for run in runs.values()]
        ax.barh(range(len(runs)), sizes, left=left, label=kind, edgecolor="#fdfcfa", linewidth=0, height=0.7, **style)
        left = [before + size for before, size in zip(left, sizes, strict=True)]
    for row, size in enumerate(left):
        ax.annotate(f"{size:.3g}", (size, row), (4, 0), textcoords="offset points", va="center", fontsize=8.5)
    ax.set(xlabel=unit, yticks=range(len(runs)), yticklabels=list(runs))
    ax.grid(axis="y", visible=False)
    ax.invert_yaxis()
    ax.legend(loc="lower center", bbox_to_anchor=(0.42, 1.0), ncol=3, handlelength=2.2, handleheight=1.3)
    return ax


def speedups(series: Iterable[tuple[str, str, dict[int, float]]], ax: Axes | None = None) -> Axes:
    """Draw how many times as fast as float32 something is by its size, with a line at 1.

    Args:
        series: (label, dtype name, size -> ratio), each a line; a label that begins with "live" is drawn solid, the
            others, from records, dashed.
        ax: axes to draw on; None makes new ones.
    Raises: ValueError if there is nothing to draw; KeyError if a dtype has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    series = [one for one in series if one[2]]
    if not series:
        raise ValueError("nothing was measured, neither now nor in a record")
    ax = _axes(ax)
    for label, dtype, ratios in series:
        line = "-" if label.startswith("live") else "--"
        ax.plot(list(ratios), list(ratios.values()), label=f"{label}: {dtype}", linestyle=line, **DTYPE_STYLE[dtype])
    ax.axhline(1, color=DTYPE_STYLE["float32"]["color"], linewidth=1, label="float32")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="rows and columns", ylabel="times as fast as float32")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax
