"""The figure of chapter 15 holds one point per seed, and refuses what it cannot draw."""

import matplotlib
import pytest

from amp_helpers import plots

RUNS = {"SGD": {"O0": [98.0, 97.0], "O3": [96.0, 95.0]}, "Adam": {"O0": [98.5, 97.5], "O3": [8.0, 9.0]}}


pytestmark = pytest.mark.usefixtures("book_style")


def test_every_seed_is_a_point_in_its_row():
    ax = plots.seed_points(RUNS)
    assert [label.get_text() for label in ax.get_yticklabels()] == ["O0", "O3"] and ax.yaxis_inverted()
    assert [line.get_label() for line in ax.lines] == ["SGD", "Adam"]
    for line, found in zip(ax.lines, RUNS.values(), strict=True):
        assert list(line.get_xdata()) == [value for values in found.values() for value in values]
        assert [round(y) for y in line.get_ydata()] == [0, 0, 1, 1]
    styles = {(line.get_color(), line.get_marker()) for line in ax.lines}
    assert len({color for color, _ in styles}) == len({marker for _, marker in styles}) == 2
    assert ax.get_xlabel() == "right, %"


def test_it_draws_on_given_axes_and_grows_with_its_rows():
    ax = matplotlib.pyplot.subplots()[1]
    assert plots.seed_points(RUNS, "loss", ax=ax) is ax and ax.get_xlabel() == "loss"
    few, many = plots.seed_points(RUNS), plots.seed_points({"SGD": {str(n): [1.0] for n in range(9)}})
    assert many.figure.get_figheight() > few.figure.get_figheight() + 2


@pytest.mark.parametrize("runs", [{}, {"SGD": {}}, {str(n): {"O0": [1.0]} for n in range(4)}])
def test_what_cannot_be_drawn(runs):
    with pytest.raises(ValueError, match="one to 3 settings with at least one row are drawn"):
        plots.seed_points(runs)


def test_rows_that_differ():
    with pytest.raises(ValueError, match="every setting must have the rows O0, O3, in this order"):
        plots.seed_points(RUNS | {"Adam": {"O0": [1.0]}})
