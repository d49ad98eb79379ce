"""The Python side of the number line: traits, the twin, the fallback."""

import json
import math
import re
import sys

import pytest
import traitlets
from test_widgets import Twin

from amp_helpers.formats import FORMATS, MODES, decode, encode
from amp_helpers.javascript import WIDGETS, widget_kinds
from amp_helpers.widgets import BookWidget, NumberLine


@pytest.fixture(autouse=True)
def outside_colab(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


def test_the_widget_has_its_module():
    assert issubclass(NumberLine, BookWidget) and NumberLine._kind in widget_kinds()
    assert "export default" in str(NumberLine._esm)


def test_repr_reads_back():
    assert repr(NumberLine()) == "NumberLine()"
    widget = NumberLine(formats=("float16",), low=2**-24, high=65504, scale="log", probe=" 1/3 ", mode="toward_zero")
    assert repr(widget) == repr(eval(repr(widget)))
    assert widget.probe == "1/3" and widget.formats == ["float16"]


def test_defaults_are_those_of_the_page():
    """The page fills in what a state leaves out."""
    source = (WIDGETS / "number_line.js").read_text(encoding="utf-8")
    text = re.search(r"const DEFAULTS = (\{.*?\});", source, re.S)[1]
    defaults = json.loads(re.sub(r"(\w+):", r'"\1":', text).replace(",\n}", "}"))
    state = NumberLine().state()
    assert {**defaults, "url_state": False} == state


def test_the_bundle_carries_the_twin():
    widget = NumberLine(url_state=True)
    data, _ = widget._repr_mimebundle_()
    twin = Twin(data["text/html"])
    assert twin.widget["kind"] == "number_line" and json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {"formats", "low", "high", "scale", "probe", "mode", "url_state"}
    assert widget.model_id not in data["text/html"] and len(data["text/html"]) < 2500


@pytest.mark.parametrize("probe", ["1.3", "70000", "-1e-9", "nan", "inf", ""])
@pytest.mark.parametrize("mode", [mode for mode in MODES if mode != "stochastic"])
def test_the_fallback_says_where_the_probe_lands(probe, mode):
    names = ["float32", "float16", "float8_e4m3fn", "float8_e8m0fnu", "float4_e2m1fn"]
    twin = Twin(NumberLine(formats=names, probe=probe, mode=mode).twin())
    assert set(twin.tags) == {"amp-widget", "table", "caption", "thead", "tbody", "tr", "th", "td"}
    assert twin.tags.count("tr") == 1 + len(names) and (mode in twin.text) == bool(probe)
    for name in names:
        assert name in twin.text and f"{FORMATS[name].max:.6g}" in twin.text
        if probe and not (probe == "nan" and name == "float4_e2m1fn"):
            assert repr(decode(encode(float(probe), name, mode), name)) in twin.text


def test_the_fallbacks_error_is_stored_minus_probe():
    text = Twin(NumberLine(formats=["float8_e4m3fn"], probe="1.3").twin()).text
    assert text.endswith("0.001953" + "0.01562" + "448" + "1.25" + "-0.05")
    assert Twin(NumberLine(formats=["float16"], probe="1e6").twin()).text.endswith("inf" + "none")


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("formats", ["half"], "unknown format 'half'; choose from float64, float32"),
        ("formats", [], "one to 6 different ones, not \\[\\]"),
        ("formats", ["float16", "float16"], "one to 6 different ones"),
        ("formats", list(FORMATS)[:7], "one to 6 different ones"),
        ("low", 4.0, "low 4.0 must lie below high 4.0"),
        ("high", math.inf, "both finite"),
        ("low", math.nan, "low nan must lie below"),
        ("low", -math.inf, "both finite"),
        ("scale", "log", "one side of zero, not 0.0 and 4.0"),
        ("scale", "cubic", "unknown scale 'cubic'; choose from linear, log"),
        ("probe", "<b>", "'<b>' is not a number"),
        ("probe", "1/0", "divides by zero"),
        ("mode", "stochastic", "unknown mode 'stochastic'; choose from nearest_even"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = NumberLine()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "NumberLine()"
    with pytest.raises(traitlets.TraitError, match=message):
        NumberLine(**{trait: value})


def test_the_view_moves_as_one():
    widget = NumberLine()
    widget.show(10, 20)
    assert (widget.low, widget.high, widget.scale) == (10.0, 20.0, "linear")
    widget.show(-8, -1, "log")
    assert (widget.low, widget.high, widget.scale) == (-8.0, -1.0, "log")
    with pytest.raises(traitlets.TraitError, match="one side of zero"):
        widget.show(-8, 8)
    assert (widget.low, widget.high, widget.scale) == (-8.0, -1.0, "log"), "nothing changed"
    widget.show(-8, 8, "linear")
    NumberLine(low=100.0, high=200.0, scale="log")


def test_the_page_sends_traits_that_belong_together():
    widget = NumberLine()
    widget.set_state({"low": 2.0**-24, "high": 65504.0, "scale": "log"})
    widget.set_state({"formats": ["bfloat16"], "probe": "0.1", "mode": "toward_zero"})
    assert (widget.low, widget.scale, widget.formats, widget.probe) == (2.0**-24, "log", ["bfloat16"], "0.1")
    widget.set_state({"low": 0, "high": 2, "scale": "linear"})  # JavaScript sends whole numbers as integers
    assert widget.low == 0 and isinstance(widget.high, float)


def test_markers_and_colours_are_the_books():
    from amp_helpers.plots import DTYPE_STYLE

    style = (WIDGETS / "number_line_style.js").read_text(encoding="utf-8")
    colors = dict(re.findall(r'^  (\w+): \["(#[0-9a-f]{6})", "#[0-9a-f]{6}"\],$', style, re.M))
    assert colors == {name: one["color"] for name, one in DTYPE_STYLE.items() if name in colors}
    assert len(colors) >= 7
    draw = (WIDGETS / "number_line_draw.js").read_text(encoding="utf-8")
    shapes = dict(re.findall(r'^  (\w+): "(M[^"]+)",$', draw, re.M))
    assert list(shapes) == list(FORMATS) and len(set(shapes.values())) == len(FORMATS), "a marker of its own for each"
