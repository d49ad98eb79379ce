"""Every figure of the book, in one style. The only importer of matplotlib.

A figure function draws what it is given, takes `ax=None` and returns the axes. Colour and marker are fixed per dtype in
the whole book; sign, exponent and fraction have a trio of their own, the widgets' too (book/assets/book.css).
"""

from __future__ import annotations

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
