"""Which call received which dtype: chapter 06."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes

from .style import DTYPE_STYLE, new_axes


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
    ax = new_axes(ax)
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
