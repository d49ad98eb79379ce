"""The figures of chapter 02 hold what they were given; the figure with controls follows its controls."""

import base64
import struct
import sys
import types

import ipywidgets
import pytest
from matplotlib import pyplot

from amp_helpers import plots
from amp_helpers.formats import FORMATS
from amp_helpers.widgets import InteractiveFigure

VIEW = "application/vnd.jupyter.widget-view+json"


pytestmark = pytest.mark.usefixtures("book_style")


def test_relative_errors():
    _, ax = pyplot.subplots()
    assert plots.relative_errors({"bfloat16": ([1.0, 2.0, 4.0], [0.25, 0.5, 1.0])}, ax=ax) is ax
    (line,) = ax.lines
    assert line.get_xydata().tolist() == [[1.0, 0.25], [2.0, 0.5], [4.0, 1.0]]
    assert line.get_color() == plots.DTYPE_STYLE["bfloat16"]["color"]


def test_value_lines_draw_every_value_from_top_to_bottom():
    ax = plots.value_lines({"float8_e4m3fn": [0.5, 1.0], "float8_e5m2": [2.0]})
    strokes = [[segment[0][0] for segment in lines.get_segments()] for lines in ax.collections]
    assert strokes == [[0.5, 1.0], [2.0]]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["float8_e4m3fn", "float8_e5m2"]
    bottom, top = ax.get_ylim()
    assert bottom > top


def test_exponents_draws_shares_and_ranges():
    ax = plots.exponents({"weights": ([-4, -3], [0.25, 0.75])}, ["float16", "float8_e4m3fn"])
    assert ax.lines[0].get_xydata().tolist() == [[-3.5, 0.25], [-2.5, 0.75]]
    bars = [(bar.get_x(), bar.get_x() + bar.get_width()) for bar in ax.patches]
    assert bars == [(-24, -14), (-14, 16), (-9, -6), (-6, 9)]  # subnormal, normal; the last exponent is covered too
    for fmt, (start, end) in zip(("float16", "float8_e4m3fn"), (bars[0:2], bars[2:4]), strict=True):
        assert 2.0 ** start[0] == FORMATS[fmt].smallest_subnormal and 2.0 ** start[1] == FORMATS[fmt].smallest_normal
        assert 2.0 ** (end[1] - 1) <= FORMATS[fmt].max < 2.0 ** end[1]
    assert all(tick >= 0 for tick in ax.get_yticks())


def test_kinds_are_told_apart_without_colour():
    dashes = [style["linestyle"] for style in plots.KIND_STYLES]
    assert len(set(dashes)) == len(dashes)
    with pytest.raises(ValueError, match="at most 3 kinds of numbers can be told apart, not 4"):
        plots.exponents({kind: ([0], [1.0]) for kind in "abcd"}, ["float16"])


def test_to_png_closes_the_figure():
    png = plots.to_png(plots.gaps({"float16": ([1.0, 2.0], [0.5, 1.0])}))
    width, height = struct.unpack(">II", png[16:24])
    assert png.startswith(b"\x89PNG") and width > height > 100
    assert pyplot.get_fignums() == []


# --- amp_helpers.widgets.interactive --------------------------------------------------------------------------


def draw(name, power):
    return plots.gaps({name: ([1.0, 2.0], [2.0**power, 2.0**power])})


@pytest.fixture
def figure(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    return InteractiveFigure(draw, name=["float16", "bfloat16"], power=(-4, 4))


def picture(figure):
    data, _ = figure._repr_mimebundle_()
    return base64.b64decode(data["image/png"])


def test_bundle_carries_the_view_and_its_picture(figure):
    data, metadata = figure._repr_mimebundle_(include=None, exclude=None)
    assert data["text/plain"] == "InteractiveFigure(name='float16', power=0)" and metadata == {}
    assert data[VIEW]["model_id"] == figure._box.model_id
    assert picture(figure) == plots.to_png(draw("float16", 0))
    assert not hasattr(figure, "_ipython_display_")  # ipywidgets 7 would bypass the bundle


def test_stored_form_keeps_the_picture_alone(figure):
    from nbformat.v4 import new_output
    from stored_form import stored_outputs

    data, _ = figure._repr_mimebundle_()
    (kept,) = stored_outputs([new_output("display_data", data)])
    assert sorted(kept.data) == ["image/png", "text/plain"]


def test_a_control_redraws(figure):
    before = picture(figure)
    figure._controls["name"].value = "bfloat16"
    figure._controls["power"].value = -3
    assert figure.values() == {"name": "bfloat16", "power": -3}
    assert picture(figure) != before and picture(figure) == plots.to_png(draw("bfloat16", -3))
    assert 'alt="Figure for name bfloat16, power -3"' in figure._image.value
    assert base64.b64encode(picture(figure)).decode() in figure._image.value
    assert pyplot.get_fignums() == []  # else the cell would show it a second time


def test_controls_come_in_three_forms():
    controls = {"name": ipywidgets.ToggleButtons(options=["float16"], description="format"), "power": (0, 8, 4)}
    figure = InteractiveFigure(draw, **controls)
    slider = figure._controls["power"]
    assert (slider.min, slider.max, slider.step, slider.continuous_update) == (0, 8, 4, False)
    assert figure._controls["name"].description == "format" and slider.description == "power"


def test_colab_is_offered_the_live_view_only(figure, monkeypatch):
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    data, _ = figure._repr_mimebundle_()
    assert sorted(data) == [VIEW, "text/plain"]


def test_what_does_not_fit_is_named():
    with pytest.raises(TypeError, match="controls name: missing a required argument: 'power'"):
        InteractiveFigure(draw, name=["float16"])
    with pytest.raises(ValueError, match="control power is None; give a list"):
        InteractiveFigure(draw, name=["float16"], power=None)
