"""The loss scale over time: chapter 09."""

from __future__ import annotations

import math

from matplotlib.axes import Axes

from .style import new_axes


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
    ax = new_axes(ax)
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
