"""The Python side of the widgets: traits, the twin, what is stored in a notebook."""

import html
import json
import math
import subprocess
import sys
import types
from html.parser import HTMLParser
from pathlib import Path

import anywidget
import pytest
import traitlets

from amp_helpers import widgets
from amp_helpers.formats import FORMATS, encode
from amp_helpers.javascript import widget_kinds
from amp_helpers.widgets import BitExplorer, BookWidget

HOSTILE = "<img src=x onerror=alert(1)>\"'&</amp-widget><script>alert(1)</script>"


class Twin(HTMLParser):
    """Tags in order, and the attributes of the amp-widget element."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.open, self.text, self.widget = [], [], "", None
        self.feed(text)
        assert not self.open, f"never closed: {self.open}"

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        if tag != "wbr":  # is never closed
            self.open.append(tag)
        if tag == "amp-widget":
            self.widget = dict(attrs)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data


class Note(BookWidget):
    """A widget with free text and without a module of its own."""

    _kind = "bit_explorer"
    text = traitlets.Unicode("").tag(sync=True)
    secret = traitlets.Unicode("not shared")


@pytest.fixture
def outside_colab(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)


def test_every_widget_has_its_module_and_back():
    everything = (getattr(widgets, name) for name in widgets.__all__)
    kinds = {cls._kind: cls for cls in everything if issubclass(cls, BookWidget) and cls is not BookWidget}
    assert sorted(kinds) == widget_kinds()
    for cls in kinds.values():
        assert "export default" in str(cls._esm) and issubclass(cls, anywidget.AnyWidget)


def test_repr_is_deterministic_and_reads_back():
    widget = BitExplorer(format="bfloat16", typed="0.1")
    assert repr(widget) == "BitExplorer(code='0x3dcd', format='bfloat16', typed='0.1')"
    assert repr(widget) == repr(eval(repr(widget)))
    assert repr(BitExplorer()) == "BitExplorer()"


def test_bundle_carries_all_three_views(outside_colab):
    widget = BitExplorer(format="float8_e4m3fn", code="0x7e", url_state=True)
    data, _ = widget._repr_mimebundle_()
    assert data["text/plain"] == repr(widget)
    assert data["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.model_id
    twin = Twin(data["text/html"])
    assert twin.tags[0] == "amp-widget" and twin.widget["kind"] == "bit_explorer"
    assert json.loads(twin.widget["state"]) == widget.state()
    assert twin.widget["state"] == json.dumps(widget.state(), sort_keys=True)
    custom = {"exponent_bits", "significand_bits", "bias", "specials", "signed"}
    assert set(widget.state()) == {"format", "code", "typed", "compact", "url_state"} | custom
    assert "model_id" not in data["text/html"] and widget.model_id not in data["text/html"]
    assert len(data["text/html"]) < 2000


def test_the_fallback_says_what_the_bits_hold(outside_colab):
    twin = Twin(BitExplorer().twin())
    assert set(twin.tags) == {
        "amp-widget",
        "table",
        "caption",
        "thead",
        "tbody",
        "tr",
        "th",
        "td",
        "code",
    }  # GitHub keeps these
    for expected in ("float16 code 0x3c00 = 1.0 (normal)", "sign", "01111", "15 − 15 = 0", "1.0000000000 in binary"):
        assert expected in twin.text
    assert "1 − 127 = -126" in Twin(BitExplorer(format="bfloat16", code="0x0001").twin()).text  # a subnormal's exponent
    assert "reserved" in Twin(BitExplorer(code="0x7e00").twin()).text
    assert "rounded from 1/3" in Twin(BitExplorer(typed="1/3").twin()).text
    scale = Twin(BitExplorer(format="float8_e8m0fnu").twin())
    assert "sign" not in scale.text and "fraction" not in scale.text


def test_hostile_text_stays_text(outside_colab):
    twin = Twin(Note(text=HOSTILE).twin())
    assert twin.tags == ["amp-widget", "pre"]
    assert json.loads(twin.widget["state"]) == {"text": HOSTILE}
    assert twin.text == f"Note(text={HOSTILE!r})"
    assert html.escape(HOSTILE) in Note(text=HOSTILE).fallback().replace("\\", "")


def test_colab_gets_the_live_view_only(monkeypatch):
    colab, output = types.ModuleType("google.colab"), types.ModuleType("google.colab.output")
    output.enable_custom_widget_manager = lambda: None
    output._widgets = types.SimpleNamespace(_installed_url="manager.js")
    colab.output = output
    for name, module in (("google.colab", colab), ("google.colab.output", output)):
        monkeypatch.setitem(sys.modules, name, module)
    data, _ = BitExplorer()._repr_mimebundle_()
    assert "text/html" not in data
    assert "application/vnd.jupyter.widget-view+json" in data


def test_ipywidgets_7_cannot_bypass_the_bundle():
    assert BitExplorer._ipython_display_ is None and BitExplorer()._ipython_display_ is None


def test_the_wrong_trait_name_is_refused():
    with pytest.raises(TypeError, match=r"BitExplorer has no trait 'fmt'; choose from bias, code, .*url_state"):
        BitExplorer(fmt="float16")


# --- the bit explorer's traits -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", FORMATS)
def test_the_default_code_is_one(name):
    widget = BitExplorer(format=name)
    assert widget.value == 1.0 and int(widget.code, 16) == encode(1.0, name)


@pytest.mark.parametrize(
    ("given", "kept"),
    [("0x7C00", "0x7c00"), ("0b1", "0x0001"), (0x3C00, "0x3c00"), ("31744", "0x7c00"), ("0x0_1", "0x0001")],
)
def test_a_code_is_kept_in_one_form(given, kept):
    assert BitExplorer(code=given).code == kept


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("format", "half", "unknown format 'half'; choose from float64, float32, .*custom"),
        ("code", "0x10000", "code '0x10000' is not a code of float16: 0x0 to 0xffff"),
        ("code", -1, "code '-0x1' is not a code"),
        ("code", "zz", "code 'zz' is not a code"),
        ("code", None, "code"),
        ("code", True, "code"),
        ("typed", "<b>", "'<b>' is not a number; type 0.1"),
        ("typed", "1/0", "'1/0' divides by zero"),
        ("typed", "1e999999999", "exponent is too large"),
        ("typed", "1" * 2000, "too long: 1000"),
        ("specials", "nan", "unknown specials 'nan'; choose from ieee"),
        ("exponent_bits", 12, "exponent_bits must be an integer from 1 to 11, not 12"),
        ("significand_bits", 0, "significand_bits must be an integer from 1 to 52, not 0"),
        ("bias", 5000, "change bias 5000"),
        ("signed", "yes", "signed"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = BitExplorer()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "BitExplorer()"
    with pytest.raises(traitlets.TraitError, match=message):
        BitExplorer(**{trait: value})


def test_a_nan_needs_a_format_that_has_one():
    with pytest.raises(traitlets.TraitError, match="float4_e2m1fn cannot hold a NaN"):
        BitExplorer(format="float4_e2m1fn").typed = "nan"
    widget = BitExplorer(typed="nan")
    widget.format = "float4_e2m1fn"
    assert (widget.code, widget.typed) == ("0x0", "")


def test_the_value_is_that_of_the_code():
    widget = BitExplorer()
    widget.code = "0x7c00"
    assert widget.value == math.inf
    widget.value = 0.1
    assert (widget.code, widget.typed) == ("0x2e66", "0.1")
    widget.code = "0x2e67"
    assert widget.typed == "", "the bits no longer round what was typed"


def test_a_new_format_keeps_the_number():
    widget = BitExplorer(typed="0.1")
    widget.format = "float32"
    assert (widget.code, widget.typed) == ("0x3dcccccd", "0.1")
    widget.format = "float64"
    assert (widget.value, widget.typed) == (0.1, "0.1")
    widget.code = hex(encode(1.5, "float64"))
    widget.format = "float8_e4m3fn"
    assert (widget.value, widget.typed) == (1.5, "")


def test_a_custom_format_is_one_move():
    widget = BitExplorer(format="custom", exponent_bits=3, significand_bits=2, bias=3, specials="none", code="0x1f")
    assert widget.float_format.bits == 6 and widget.value == 28.0
    widget.significand_bits = 3
    assert widget.value == 28.0 and widget.float_format.bits == 7
    with pytest.raises(traitlets.TraitError, match="no normal number is left"):
        BitExplorer(format="custom", exponent_bits=1, significand_bits=2, bias=1, specials="ieee")


def test_the_page_sends_traits_that_belong_together():
    widget = BitExplorer(typed="0.1")
    widget.set_state({"format": "bfloat16", "code": "0x3dcd"})
    assert (widget.format, widget.code, widget.typed) == ("bfloat16", "0x3dcd", "0.1")
    widget.set_state({"code": "0x3dce", "typed": ""})
    widget.format = "float64"
    assert (widget.value, widget.typed) == (float.fromhex("0x1.9cp-4"), "")
    widget.set_state({"format": "custom", "exponent_bits": 5, "significand_bits": 2, "bias": 15, "code": "0x3c"})
    assert widget.value == 1.0


# --- the Sphinx side ---------------------------------------------------------------------------------------------


def test_the_book_side_imports_neither_torch_nor_widget_libraries():
    code = (
        "import sys, amp_helpers.sphinx_ext, amp_helpers.javascript as j; j.page_script()\n"
        "bad = {'torch', 'anywidget', 'ipywidgets', 'traitlets', 'numpy'} & set(sys.modules); assert not bad, bad"
    )
    subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[1], check=True)


def test_only_pages_with_a_widget_load_the_script(tmp_path):
    from amp_helpers import sphinx_ext

    class App:
        builder = types.SimpleNamespace(format="html")
        outdir = tmp_path

        def __init__(self):
            self.events, self.added = {}, []

        def connect(self, event, handler):
            self.events[event] = handler

        def add_js_file(self, name, **options):
            self.added.append((name, options))

        def add_css_file(self, name):
            self.added.append((name, {}))

    app = App()
    assert sphinx_ext.setup(app)["parallel_write_safe"]
    app.events["builder-inited"](app)
    assert {path.name for path in (tmp_path / "_static").iterdir()} == {sphinx_ext.SCRIPT, sphinx_ext.STYLE}
    for body, files in (("<p>text</p>", 0), ('<amp-widget kind="x"></amp-widget>', 2)):
        app.added.clear()
        app.events["html-page-context"](app, "page", "page.html", {"body": body}, None)
        assert len(app.added) == files
    assert app.added[0] == (sphinx_ext.SCRIPT, {"loading_method": "defer"})
    app.events["html-page-context"](app, "search", "search.html", {}, None)
