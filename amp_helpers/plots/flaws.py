"""What a benchmark reports when its flaws are put back: chapter 20."""

from __future__ import annotations

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

#: The honest rung, and those with a flaw.
_HONEST = {"color": "#0072b2", "marker": "s"}
_FLAWED = {"color": "#a8321f", "marker": "o"}


def flaw_ladder(rungs: dict[str, tuple[float, float, float]], ax: Axes | None = None) -> Axes:
    """Draw the speed-up that each way of measuring reports, from top to bottom, and a line down from the first one.

    Args:
        rungs: name -> (lower end, reported, upper end), the honest one first; see `suites.flaws.reported_speedups`. A
            reported value may lie outside its ends.
        ax: axes to draw on; None makes new ones, as high as the rungs need.
    Raises: ValueError if there are fewer than two rungs, or if a rung's ends are not positive and in order.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if len(rungs) < 2:
        raise ValueError(f"a ladder of flaws needs two rungs or more, not {len(rungs)}")
    for name, (lower, reported, upper) in rungs.items():
        if not (0 < lower <= upper and reported > 0):
            given = (lower, reported, upper)
            raise ValueError(f"rung {name!r}: the ends must be positive and in order, not {given}")
    if ax is None:
        ax = plt.subplots(figsize=(5.2, 0.9 + 0.42 * len(rungs)))[1]
    honest = next(iter(rungs.values()))[1]
    ax.axvline(honest, color=_HONEST["color"], linewidth=1, linestyle="--")
    ax.axvline(1, color="#22211f", linewidth=1)
    for row, (lower, reported, upper) in enumerate(rungs.values()):
        style = _FLAWED if row else _HONEST
        ax.plot([lower, upper], [row, row], color=style["color"], linewidth=2.2, solid_capstyle="butt")
        ax.plot([reported], [row], markersize=7, linestyle="", **style)
        text = ax.annotate(
            f"{reported:.2f}×", (max(upper, reported), row), (8, 0), textcoords="offset points", va="center"
        )
        text.set_bbox({"facecolor": ax.get_facecolor(), "edgecolor": "none", "pad": 1})  # above the dashed line
    largest = max(max(upper, reported) for _, reported, upper in rungs.values())
    ax.set(yticks=range(len(rungs)), yticklabels=list(rungs), ylim=(len(rungs) - 0.5, -0.5), xlim=(0, 1.18 * largest))
    ax.set_xlabel("reported: times as fast as float32")
    ax.grid(axis="y", visible=False)
    return ax
