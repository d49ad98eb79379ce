"""Formats and the numbers in them: chapters 01 and 02."""

from __future__ import annotations

from collections.abc import Iterable

from matplotlib.axes import Axes

from amp_helpers.formats import FloatFormat, get_format

from .style import DTYPE_STYLE, FIELD_COLORS, FIELD_HATCHES, KIND_STYLES, new_axes


def field_widths(formats: Iterable[FloatFormat | str], ax: Axes | None = None) -> Axes:
    """Draw one bar per format, divided into sign, exponent and fraction bits.

    Args:
        formats: formats or names, drawn from top to bottom.
        ax: axes to draw on; None makes new ones.
    Raises: as `formats.get_format`.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    ax = new_axes(ax)
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
    ax = new_axes(ax)
    for name, (values, widths) in series.items():
        ax.plot(values, widths, label=name, markevery=max(1, len(values) // 6), **DTYPE_STYLE[name])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="value", ylabel="gap to the next value")
    ax.legend()
    return ax


def relative_errors(series: dict[str, tuple[list[float], list[float]]], ax: Axes | None = None) -> Axes:
    """Draw a relative error against the size of the number, both on log2 axes.

    Args:
        series: dtype name -> (sizes, errors), both positive and of equal length; an error of 1 loses all.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    ax = new_axes(ax)
    for name, (sizes, errors) in series.items():
        ax.plot(sizes, errors, label=name, markevery=max(1, len(sizes) // 8), **DTYPE_STYLE[name])
    ax.set_xscale("log", base=2)
    ax.set_yscale("log", base=2)
    ax.set(xlabel="size of the number", ylabel="worst relative error")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1), ncols=2)  # the lines leave no corner free
    return ax


def value_lines(values: dict[str, list[float]], ax: Axes | None = None) -> Axes:
    """Draw the values of each format as strokes on a number line, one line above the other.

    Args:
        values: format name -> values, drawn from top to bottom.
        ax: axes to draw on; None makes new ones.
    Raises: KeyError if a name has no style in `DTYPE_STYLE`.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    ax = new_axes(ax)
    for row, (name, numbers) in enumerate(values.items()):
        ax.axhline(row, color=DTYPE_STYLE[name]["color"], linewidth=0.8)
        ax.vlines(numbers, row - 0.28, row + 0.28, color=DTYPE_STYLE[name]["color"], linewidth=1.1)
    ax.set(xlabel="value", yticks=range(len(values)), yticklabels=list(values), ylim=(len(values) - 0.5, -0.5))
    ax.grid(axis="y", visible=False)
    return ax


def exponents(
    shares: dict[str, tuple[list[int], list[float]]], formats: Iterable[FloatFormat | str], ax: Axes | None = None
) -> Axes:
    """Draw how numbers are spread over the powers of two, and below it the range of formats.

    The bar of a format covers its normal numbers, its hatched part the subnormal ones.

    Args:
        shares: what the numbers are -> (exponents, shares): which part of them, 0 to 1, lies from 2**e to 2**(e + 1).
            Up to three, in the styles of `KIND_STYLES`.
        formats: formats or names with a style in `DTYPE_STYLE`, their bars drawn from top to bottom.
        ax: axes to draw on; None makes new ones.
    Raises: as `formats.get_format`; KeyError if a format has no style; ValueError if there are too many shares.
    Introduced in: notebooks/02_range_and_precision.ipynb
    """
    if len(shares) > len(KIND_STYLES):
        raise ValueError(f"at most {len(KIND_STYLES)} kinds of numbers can be told apart, not {len(shares)}")
    ax = new_axes(ax)
    for (kind, (powers, parts)), style in zip(shares.items(), KIND_STYLES, strict=False):
        ax.plot([e + 0.5 for e in powers], parts, label=kind, **style)
    low, high = ax.get_xlim()
    unit = ax.get_ylim()[1] / 10
    for row, fmt in enumerate(map(get_format, formats), start=1):
        color = DTYPE_STYLE[fmt.name]["color"]
        tiny = fmt.min_exponent - fmt.significand_bits
        bar = {"y": -row * unit, "height": 0.74 * unit, "edgecolor": color}
        ax.barh(width=fmt.min_exponent - tiny, left=tiny, color="none", hatch="////", linewidth=0.8, **bar)
        ax.barh(width=fmt.max_exponent + 1 - fmt.min_exponent, left=fmt.min_exponent, color=color, **bar)
        inside = tiny <= low
        ax.text(
            low + 0.8 if inside else tiny - 0.6, -row * unit, fmt.name,
            color="white" if inside else "#22211f", ha="left" if inside else "right", va="center", fontsize=8.5,
        )  # fmt: skip
    ax.xaxis.set_major_formatter(lambda exponent, _: f"$2^{{{exponent:.0f}}}$")
    ax.set(xlim=(low, high), xlabel="size of the number", ylabel="share")
    ax.set_yticks([tick for tick in ax.get_yticks() if 0 <= tick <= ax.get_ylim()[1]])
    ax.legend()
    return ax
