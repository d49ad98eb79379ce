"""The figures of chapter 03 hold what they were given, in the fixed colours."""

import matplotlib
import pytest

from amp_helpers import plots

pytestmark = pytest.mark.usefixtures("book_style")


def test_ignored_shares():
    _, ax = matplotlib.pyplot.subplots()
    assert plots.ignored_shares([1e-6, 1e-4], {"bfloat16": [0.98, 0.12], "float16": [0.84, 0.0]}, ax=ax) is ax
    assert [line.get_xydata().tolist() for line in ax.lines] == [
        [[1e-6, 0.98], [1e-4, 0.12]],
        [[1e-6, 0.84], [1e-4, 0]],
    ]
    assert [line.get_marker() for line in ax.lines] == ["s", "^"]
    assert ax.get_xscale() == "log"
    assert ax.yaxis.get_major_formatter()(0.25) == "25%"


def test_running_sums_count_from_one_and_tell_methods_apart():
    ax = plots.running_sums({"float16": [1.0, 2.0, 2.0], "bfloat16": [1.0], "bfloat16 stochastic": [1.0, 3.0]})
    plain, _, stochastic = ax.lines
    assert plain.get_xydata().tolist() == [[1, 1], [2, 2], [3, 2]]
    assert (plain.get_linestyle(), stochastic.get_linestyle()) == ("-", "--")
    assert stochastic.get_color() == plots.DTYPE_STYLE["bfloat16"]["color"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["float16", "bfloat16", "bfloat16 stochastic"]


@pytest.mark.parametrize(
    "draw", [lambda: plots.ignored_shares([1.0], {"half": [0.0]}), lambda: plots.running_sums({"half": [1.0]})]
)
def test_a_dtype_without_a_style(draw):
    with pytest.raises(KeyError, match="half"):
        draw()
