"""The figures of chapter 12 hold what they were given."""

import pytest

from amp_helpers import plots

pytestmark = pytest.mark.usefixtures("book_style")


def test_loss_curves():
    ax = plots.loss_curves({"32-true": [3.0, 2.0, 1.0], "bf16-mixed seed 1": [2.0, 1.0], "clipped": [1.0]})
    wide, low, other = ax.lines
    assert list(wide.get_xdata()) == [1, 2, 3] and list(wide.get_ydata()) == [3, 2, 1]
    assert wide.get_color() == plots.DTYPE_STYLE["float32"]["color"] and wide.get_marker() == "o"
    assert low.get_color() == plots.DTYPE_STYLE["bfloat16"]["color"] and low.get_linestyle() == "-"
    assert other.get_label() == "clipped" and ax.get_yscale() == "log"
    assert plots.loss_curves({"float16": [1.0]}, ax=ax) is ax and len(ax.lines) == 4
    assert ax.lines[3].get_marker() == plots.DTYPE_STYLE["float16"]["marker"]


def test_by_batch():
    series = {"32-true": {512: (5.0, 6.0, 7.0), 128: (1.0, 2.0, 4.0)}, "bf16-true": {128: (0.5, 1.0, 1.5)}}
    ax = plots.by_batch(series, "memory, MiB")
    wide, low = ax.containers
    assert list(wide.lines[0].get_xdata()) == [128, 512] and list(wide.lines[0].get_ydata()) == [2, 6]
    assert [segment.tolist() for segment in wide.lines[2][0].get_segments()] == [
        [[128, 1], [128, 4]],
        [[512, 5], [512, 7]],
    ]
    assert low.lines[0].get_linestyle() == "--" and wide.lines[0].get_linestyle() == "-"
    assert [text.get_text() for text in ax.get_xticklabels()] == ["128", "512"]
    assert ax.get_ylabel() == "memory, MiB" and ax.get_xscale() == ax.get_yscale() == "log"
    assert plots.by_batch({}, ax=ax) is ax
