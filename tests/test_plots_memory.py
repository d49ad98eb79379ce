"""The figure of chapter 05 holds what it was given: a bar per run, a colour and a hatch per kind."""

import matplotlib
import pytest

from amp_helpers import plots
from amp_helpers.memory import KINDS, Breakdown

pytestmark = pytest.mark.usefixtures("book_style")


def run(*mib, unit=2**20):
    return Breakdown(*(int(size * unit) for size in mib), by_module={})


def test_a_bar_is_divided_by_kind():
    _, ax = matplotlib.pyplot.subplots()
    assert plots.memory_bars({"first": run(4, 4, 8, 0, 2), "second": run(4, 4, 8, 2, 1)}, ax=ax) is ax
    bars = [[(bar.get_x(), bar.get_width()) for bar in kind] for kind in ax.containers]
    assert bars == [[(0, 4), (0, 4)], [(4, 4), (4, 4)], [(8, 8), (8, 8)], [(16, 0), (16, 2)], [(16, 2), (18, 1)]]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == list(KINDS)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["first", "second"]
    assert [text.get_text() for text in ax.texts] == ["18", "19"], "the sums"
    assert ax.get_xlabel() == "MiB" and ax.yaxis_inverted(), "the first bar is on top"


def test_the_longest_bar_sets_the_unit():
    ax = plots.memory_bars({"small": run(64, 0, 0, 0, 0), "large": run(1, 1, 2, 0, 2, unit=2**30)})
    assert ax.get_xlabel() == "GiB" and [text.get_text() for text in ax.texts] == ["0.0625", "6"]


def test_kinds_are_told_apart_by_more_than_colour():
    assert tuple(plots.MEMORY_STYLE) == KINDS
    for key in ("color", "hatch"):
        assert len({style[key] for style in plots.MEMORY_STYLE.values()}) == len(KINDS)
    assert not {s["color"] for s in plots.MEMORY_STYLE.values()} & {s["color"] for s in plots.DTYPE_STYLE.values()}


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no run"):
        plots.memory_bars({})
