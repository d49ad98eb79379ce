"""Colours, markers and axes that every figure shares."""

from __future__ import annotations

import io
from pathlib import Path

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

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


def new_axes(ax: Axes | None) -> Axes:
    return plt.subplots()[1] if ax is None else ax


def to_png(ax: Axes) -> bytes:
    """Return the whole figure of some axes as a PNG file, and close it.

    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    file = io.BytesIO()
    ax.figure.savefig(file, format="png", dpi=ax.figure.dpi, metadata={"Software": None})
    plt.close(ax.figure)
    return file.getvalue()
