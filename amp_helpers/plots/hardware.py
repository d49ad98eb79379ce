"""Speed and memory: chapters 04 and 05."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes

from .style import DTYPE_STYLE, MEMORY_STYLE, new_axes


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
    ax = new_axes(ax)
    for label, dtype, ratios in series:
        line = "-" if label.startswith("live") else "--"
        ax.plot(list(ratios), list(ratios.values()), label=f"{label}: {dtype}", linestyle=line, **DTYPE_STYLE[dtype])
    ax.axhline(1, color=DTYPE_STYLE["float32"]["color"], linewidth=1, label="float32")
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="rows and columns", ylabel="times as fast as float32")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)
    return ax


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
    ax = new_axes(ax)
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
