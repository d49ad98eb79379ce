"""Gradients by exponent, and what a scale does to them: chapter 08."""

from __future__ import annotations

import math

import matplotlib.pyplot as plt
from matplotlib.axes import Axes

from amp_helpers.formats import FloatFormat, get_format

from .style import DTYPE_STYLE, new_axes


def gradient_exponents(
    histograms, fmt: FloatFormat | str = "float16", scale: float = 1.0, ax: Axes | None = None
) -> Axes:
    """Draw a row of cells for each gradient: the darker, the more of its nonzero elements have that exponent.

    Lines show the format's limits, as seen from the gradient before it is scaled: where rounding leaves zero (dotted),
    the smallest normal number (dashed), and beyond the largest one (solid).

    Args:
        histograms: those of `amp_helpers.gradients`, drawn from top to bottom.
        fmt: a format with a style in `DTYPE_STYLE`, or its name.
        scale: a power of two that the gradients are multiplied by.
        ax: axes to draw on; None makes new ones, as high as the rows need.
    Raises: as `formats.get_format`; KeyError if the format has no style; ValueError if all gradients are zero.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    fmt, histograms = get_format(fmt), list(histograms)
    color = DTYPE_STYLE[fmt.name]["color"]
    used = [exponent for histogram in histograms for exponent in histogram.exponents]
    if not used:
        raise ValueError("no gradient has a nonzero element to draw")
    if ax is None:
        ax = plt.subplots(figsize=(5.2, max(2.2, 0.8 + 0.13 * len(histograms))))[1]
    powers = range(min(used), max(used) + 1)
    shares = [[h.exponents.get(power, 0) / max(h.nonzero, 1) for power in powers] for h in histograms]
    # The square root lets a hundredth of a gradient be seen.
    extent = (powers.start, powers.stop, len(shares) - 0.5, -0.5)
    ax.imshow([[share**0.5 for share in row] for row in shares], cmap="Greys", vmin=0, aspect="auto", extent=extent)
    limits = {
        f"{fmt.name}: zero below": (fmt.min_exponent - fmt.significand_bits - 1, ":"),
        "subnormal below": (fmt.min_exponent, "--"),
        "infinite beyond": (fmt.max_exponent + 1, "-"),
    }
    for label, (exponent, dashes) in limits.items():
        ax.axvline(exponent - math.log2(scale), color=color, linestyle=dashes, linewidth=1.8, label=label)
    ax.set(yticks=range(len(histograms)), yticklabels=[h.name for h in histograms], xlabel="size of the gradient")
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$")
    ax.tick_params(axis="y", labelsize=7)
    ax.grid(visible=False)
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=3, fontsize=8)
    return ax


def underflow_by_scale(outcomes: dict[str, dict], ax: Axes | None = None) -> Axes:
    """Draw which shares of a gradient a format loses, against the scale: zero, subnormal, infinite.

    Args:
        outcomes: dtype name -> what `GradientHistogram.by_scale` gives: exponent of the scale -> shares, 0 to 1.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    ax = new_axes(ax)
    for name, by_scale in outcomes.items():
        style = DTYPE_STYLE[name] | {"markevery": max(1, len(by_scale) // 8)}
        for part, dashes in (("zero", "-"), ("subnormal", "--"), ("infinite", ":")):
            shares = [getattr(outcome, part) for outcome in by_scale.values()]
            ax.plot(list(by_scale), shares, dashes, label=f"{name}: {part}", **style)
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$")
    ax.yaxis.set_major_formatter("{x:.0%}")
    ax.set(xlabel="scale", ylabel="share of the gradient", ylim=(-0.03, 1.03))
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=max(1, len(outcomes)), fontsize=8)
    return ax
