"""The figure of chapter 04 shows each series, and what is live from what is recorded."""

import pytest

from amp_helpers import plots


def test_speedups():
    ax = plots.speedups(
        [("live", "bfloat16", {32: 0.5, 64: 2.0}), ("H200", "float16", {64: 4.0}), ("live", "float16", {})]
    )
    live, recorded, one = ax.lines
    assert (live.get_linestyle(), recorded.get_linestyle()) == ("-", "--")
    assert list(live.get_xdata()) == [32, 64] and list(live.get_ydata()) == [0.5, 2.0]
    assert live.get_marker() != recorded.get_marker()
    assert [text.get_text() for text in ax.get_legend().texts] == ["live: bfloat16", "H200: float16", "float32"]
    assert list(one.get_ydata()) == [1, 1]


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="nothing was measured"):
        plots.speedups([("live", "bfloat16", {})])
