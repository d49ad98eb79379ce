"""The figures of chapter 08 hold what they were given, in the fixed colours."""

import matplotlib
import pytest
import torch

from amp_helpers import plots
from amp_helpers.gradients import GradientHistogram

pytestmark = pytest.mark.usefixtures("book_style")


def histogram(name, *values):
    return GradientHistogram.of(torch.tensor(values), name)


def test_gradient_exponents():
    rows = [histogram("a", 1.0, 1.5, 4.0, 0.0), histogram("b", 0.25), histogram("none", 0.0)]
    ax = plots.gradient_exponents(rows, "float16", 2.0**3)
    (image,) = ax.images
    assert image.get_extent() == [-2, 3, 2.5, -0.5]
    assert (image.get_array() ** 2).round(6).tolist() == [
        [0, 0, pytest.approx(2 / 3, abs=1e-6), 0, pytest.approx(1 / 3, abs=1e-6)],
        [1, 0, 0, 0, 0],
        [0, 0, 0, 0, 0],
    ]
    assert [line.get_xdata()[0] for line in ax.lines] == [-25 - 3, -14 - 3, 16 - 3]
    assert {line.get_color() for line in ax.lines} == {plots.DTYPE_STYLE["float16"]["color"]}
    assert len({line.get_linestyle() for line in ax.lines}) == 3
    assert [label.get_text() for label in ax.get_yticklabels()] == ["a", "b", "none"]
    assert ax.xaxis.get_major_formatter()(-14, 0) == "$2^{-14}$"


def test_more_rows_make_a_higher_figure():
    few, many = (plots.gradient_exponents([histogram("a", 1.0)] * n).figure.get_figheight() for n in (3, 40))
    assert many > 2 * few
    _, ax = matplotlib.pyplot.subplots()
    assert plots.gradient_exponents([histogram("a", 1.0)], ax=ax) is ax


def test_gradient_exponents_of_nothing():
    with pytest.raises(ValueError, match="no gradient has a nonzero element to draw"):
        plots.gradient_exponents([histogram("a", 0.0)])
    with pytest.raises(ValueError, match="unknown format 'half'"):
        plots.gradient_exponents([histogram("a", 1.0)], "half")
    with pytest.raises(KeyError, match="float6_e2m3fn"):
        plots.gradient_exponents([histogram("a", 1.0)], "float6_e2m3fn")


def test_underflow_by_scale():
    values = histogram("a", 2.0**-30, 2.0**-20, 1.0, 2.0**10)
    outcomes = {name: values.by_scale(name, range(0, 12, 5)) for name in ("float16", "bfloat16")}
    _, ax = matplotlib.pyplot.subplots()
    assert plots.underflow_by_scale(outcomes, ax=ax) is ax
    assert [line.get_xydata().tolist() for line in ax.lines[:3]] == [
        [[0, 0.25], [5, 0.25], [10, 0]],  # 2**-25 still goes to zero
        [[0, 0.25], [5, 0.25], [10, 0.25]],
        [[0, 0], [5, 0], [10, 0.25]],
    ]
    assert [line.get_linestyle() for line in ax.lines] == ["-", "--", ":"] * 2
    assert [line.get_marker() for line in ax.lines] == ["^"] * 3 + ["s"] * 3
    assert [text.get_text() for text in ax.get_legend().get_texts()][:2] == ["float16: zero", "float16: subnormal"]
    assert ax.yaxis.get_major_formatter()(0.25) == "25%"
    with pytest.raises(KeyError, match="half"):
        plots.underflow_by_scale({"half": {}})
