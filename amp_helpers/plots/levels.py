"""Accuracies over seeds, one row per way of training: chapter 15."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from .style import KIND_STYLES

_MARKERS = ("o", "^", "s")


def seed_points(runs: dict[str, dict[str, list[float]]], xlabel: str = "right, %", ax: Axes | None = None) -> Axes:
    """Draw one point per seed: a row for each way of training, a marker and a colour for each setting.

    Args:
        runs: setting, such as an optimizer -> row, such as a level -> a number for each seed. Up to three settings.
        xlabel: what the numbers are.
        ax: axes to draw on; None makes new ones, as high as the rows need.
    Raises: ValueError if there is nothing to draw, there are too many settings, or two settings differ in their rows.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    rows = list(next(iter(runs.values()), {}))
    if not rows or len(runs) > len(_MARKERS):
        raise ValueError(f"one to {len(_MARKERS)} settings with at least one row are drawn, not {len(runs)}")
    if any(list(found) != rows for found in runs.values()):
        raise ValueError(f"every setting must have the rows {', '.join(rows)}, in this order")
    if ax is None:
        ax = plt.subplots(figsize=(5.2, 1.3 + 0.5 * len(rows)))[1]
    for number, (setting, found) in enumerate(runs.items()):
        offset = 0.22 * (number - (len(runs) - 1) / 2)
        points = [(value, place + offset) for place, values in enumerate(found.values()) for value in values]
        color = KIND_STYLES[number]["color"]
        ax.plot(*zip(*points, strict=True), _MARKERS[number], color=color, markerfacecolor="none", label=setting)
    ax.set(yticks=range(len(rows)), yticklabels=rows, ylim=(len(rows) - 0.5, -0.5), xlabel=xlabel)
    ax.legend(loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=len(runs), frameon=False)
    return ax
