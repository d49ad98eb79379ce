"""Every figure of the book, in one style. The only importer of matplotlib.

A figure function draws what it is given, takes `ax=None` and returns the axes. Colour and marker are fixed per dtype in
the whole book; sign, exponent and fraction have a trio of their own, the widgets' too (book/assets/book.css).
"""

from .autocast import call_dtypes
from .flaws import flaw_ladder
from .gradients import gradient_exponents, underflow_by_scale
from .hardware import memory_bars, speedups
from .levels import seed_points
from .numbers import exponents, field_widths, gaps, relative_errors, value_lines
from .rounding import ignored_shares, running_sums
from .scaling import scale_history
from .style import DTYPE_STYLE, FIELD_COLORS, FIELD_HATCHES, KIND_STYLES, MEMORY_STYLE, to_png, use_book_style
from .training import by_batch, ladder, loss_curves

__all__ = [
    "DTYPE_STYLE",
    "FIELD_COLORS",
    "FIELD_HATCHES",
    "KIND_STYLES",
    "MEMORY_STYLE",
    "by_batch",
    "call_dtypes",
    "exponents",
    "field_widths",
    "flaw_ladder",
    "gaps",
    "gradient_exponents",
    "ignored_shares",
    "ladder",
    "loss_curves",
    "memory_bars",
    "relative_errors",
    "running_sums",
    "scale_history",
    "seed_points",
    "speedups",
    "to_png",
    "underflow_by_scale",
    "use_book_style",
    "value_lines",
]
