"""The figure of chapter 13 holds what it was given, and refuses what is no measurement."""

import math

import matplotlib
import pytest

from amp_helpers import plots

pytestmark = pytest.mark.usefixtures("book_style")


RUNGS = {"float32": (9.0, 10.0, 12.0), "bfloat16": (4.0, 5.0, 5.0), "slower": (19.0, 20.0, 21.0)}


def test_ladder():
    ax = plots.ladder(RUNGS, unit="s")
    assert [label.get_text() for label in ax.get_yticklabels()] == list(RUNGS)
    assert ax.yaxis_inverted()
    assert [bar.get_width() for bar in ax.patches] == [10, 5, 20]
    assert [list(line.get_xdata()) for line in ax.lines] == [[9, 12], [4, 5], [19, 21]]
    assert [text.get_text() for text in ax.texts] == ["1.00×", "2.00×", "0.50×"]
    assert ax.get_xlim()[0] == 0 and ax.get_xlim()[1] > 21
    assert ax.get_xlabel() == "s per step"


def test_ladder_draws_on_given_axes_and_grows_with_its_rungs():
    ax = matplotlib.pyplot.subplots()[1]
    assert plots.ladder(RUNGS, ax=ax) is ax
    few, many = plots.ladder(RUNGS), plots.ladder({str(n): (1.0, 2.0, 3.0) for n in range(9)})
    assert many.figure.get_figheight() > few.figure.get_figheight() + 2


@pytest.mark.parametrize("rung", [(2.0, 1.0, 3.0), (1.0, 2.0, 1.5), (0.0, 1.0, 2.0), (1.0, math.nan, 2.0)])
def test_a_rung_that_is_no_measurement(rung):
    with pytest.raises(ValueError, match="rung 'odd': quartiles and median must be positive and in order"):
        plots.ladder(RUNGS | {"odd": rung})


def test_no_rung():
    with pytest.raises(ValueError, match="at least one rung"):
        plots.ladder({})
