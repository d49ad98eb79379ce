"""What rounding loses: chapter 03."""

from __future__ import annotations

from matplotlib.axes import Axes

from .style import DTYPE_STYLE, new_axes


def ignored_shares(updates: list[float], shares: dict[str, list[float]], ax: Axes | None = None) -> Axes:
    """Draw the share of weights that an update leaves unchanged, against the size of the update.

    Args:
        updates: positive sizes, drawn on a logarithmic axis.
        shares: dtype name -> one share (0 to 1) per update.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/03_rounding_and_swamping.ipynb
    """
    ax = new_axes(ax)
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
    ax = new_axes(ax)
    for label, values in sums.items():
        dtype, *more = label.split()
        counts = range(1, len(values) + 1)
        every = max(1, len(values) // 8)
        ax.plot(counts, values, "--" if more else "-", label=label, markevery=every, **DTYPE_STYLE[dtype])
    ax.set(xlabel="numbers added", ylabel="sum")
    ax.legend()
    return ax
