"""Training runs: losses, times by batch, ladders: chapters 11 to 13."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .style import DTYPE_STYLE, new_axes


def _recipe_style(label: str) -> dict:
    """The style of the dtype or recipe that a label begins with; a recipe of 16-bit weights is dashed."""
    from amp_helpers.precision import RECIPES

    name = label.split()[0]
    if name in DTYPE_STYLE:
        return DTYPE_STYLE[name]
    if name not in RECIPES:
        return {}
    recipe = RECIPES[name]
    return {**DTYPE_STYLE[recipe.needs], "linestyle": "-" if recipe.weights.itemsize == 4 else "--"}


def loss_curves(curves: dict[str, list[float]], ax: Axes | None = None) -> Axes:
    """Draw losses step by step, on a logarithmic axis.

    Args:
        curves: label -> the loss of every step. A label that begins with a dtype or a recipe has its style.
        ax: axes to draw on; None makes new ones.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    ax = new_axes(ax)
    for label, losses in curves.items():
        every = max(1, len(losses) // 8)
        ax.plot(range(1, len(losses) + 1), losses, label=label, markevery=every, **_recipe_style(label))
    ax.set(xlabel="step", ylabel="loss", yscale="log")
    ax.legend()
    return ax


def by_batch(
    series: dict[str, dict[int, tuple[float, float, float]]], ylabel: str = "step, ms", ax: Axes | None = None
) -> Axes:
    """Draw a measurement against the batch size, with its spread, both axes logarithmic.

    Args:
        series: label -> batch -> (lower end, middle, upper end). A label that begins with a dtype or a recipe has its
            style.
        ylabel: what was measured, with its unit.
        ax: axes to draw on; None makes new ones.
    Introduced in: notebooks/12_precision_benchmark.ipynb
    """
    ax, batches = new_axes(ax), sorted({batch for points in series.values() for batch in points})
    for label, points in series.items():
        points = dict(sorted(points.items()))
        middles = [middle for _, middle, _ in points.values()]
        ends = [[m - low for low, m, _ in points.values()], [high - m for _, m, high in points.values()]]
        ax.errorbar(list(points), middles, yerr=ends, label=label, capsize=4, **_recipe_style(label))
    ax.set_xscale("log", base=2)
    ax.set_yscale("log")
    ax.set(xlabel="batch size", ylabel=ylabel, xticks=batches, xticklabels=map(str, batches))
    ax.legend()
    return ax


def ladder(rungs: dict[str, tuple[float, float, float]], unit: str = "ms", ax: Axes | None = None) -> Axes:
    """Draw measured rungs from top to bottom: a bar to the median, a line between the quartiles, the gain beside it.

    Args:
        rungs: what was changed -> (lower quartile, median, upper quartile) of a step's time with this change and all
            above it. The first is the base of the gains.
        unit: of the times.
        ax: axes to draw on; None makes new ones, as high as the rungs need.
    Raises: ValueError if there is no rung, or if a rung's three numbers are not positive and in order.
    Introduced in: notebooks/13_small_gpt.ipynb
    """
    if not rungs:
        raise ValueError("a ladder needs at least one rung")
    for name, (lower, median, upper) in rungs.items():
        if not 0 < lower <= median <= upper:
            given = (lower, median, upper)
            raise ValueError(f"rung {name!r}: quartiles and median must be positive and in order, not {given}")
    if ax is None:
        ax = plt.subplots(figsize=(5.2, 0.9 + 0.42 * len(rungs)))[1]
    base = next(iter(rungs.values()))[1]
    for row, (lower, median, upper) in enumerate(rungs.values()):
        ax.barh(row, median, height=0.6, color="#b9c4dc")
        ax.plot([lower, upper], [row, row], color="#22211f", linewidth=2.2, solid_capstyle="butt")
        ax.annotate(f"{base / median:.2f}×", (upper, row), (6, 0), textcoords="offset points", va="center")
    ax.set(yticks=range(len(rungs)), yticklabels=list(rungs), ylim=(len(rungs) - 0.5, -0.5), xlabel=f"{unit} per step")
    ax.set_xlim(0, 1.16 * max(upper for _, _, upper in rungs.values()))
    ax.grid(axis="y", visible=False)
    return ax
