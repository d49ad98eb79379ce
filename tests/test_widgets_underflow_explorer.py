"""The Python side of the underflow explorer: traits, the twin, the recorded gradients and their inlined copy."""

import json
import re

import export_gradients
import pytest
import torch
import traitlets
from export_gradients import MODULE, module_text
from test_widgets import HOSTILE, Twin

from amp_helpers.gradients import GradientReport, collect
from amp_helpers.javascript import STATIC
from amp_helpers.widgets import UnderflowExplorer
from amp_helpers.widgets.underflow_explorer import FORMATS, LONGEST, recordings


def linear_report(activations=False):
    torch.manual_seed(0)
    model = torch.nn.Linear(3, 2)
    return collect(model, lambda: (model(torch.ones(4, 3)) * 2.0**-22).square().sum(), activations=activations)


def test_the_inlined_recordings_are_those_of_the_package():
    assert MODULE.read_text(encoding="utf-8") == module_text(), "run python tools/export_gradients.py --inline"
    names = re.findall(r"^  (\w+): \{", module_text(), re.M)
    assert names == recordings() and len(names) >= 2


def test_the_module_is_written_with_the_recordings_and_alone(tmp_path, monkeypatch):
    for name, path in (("FOLDER", tmp_path), ("MODULE", tmp_path / "module.js")):
        monkeypatch.setattr(export_gradients, name, path)
    monkeypatch.setattr(export_gradients, "record", lambda case: [("start", linear_report())])
    assert export_gradients.main([]) == 0
    written = (tmp_path / "module.js").read_text(encoding="utf-8")
    assert re.findall(r"^  (\w+): \{", written, re.M) == ["cnn_start", "gpt_start"]
    (tmp_path / "gpt_start.json").unlink()
    assert export_gradients.main(["--inline"]) == 0
    assert "gpt_start" not in (tmp_path / "module.js").read_text(encoding="utf-8")
    (tmp_path / "module.js").unlink()
    assert export_gradients.main([str(tmp_path / "elsewhere")]) == 0
    assert not (tmp_path / "module.js").exists()


@pytest.mark.parametrize("name", recordings())
def test_a_recording_is_real_and_small(name):
    widget = UnderflowExplorer(recording=name)
    data = json.loads((STATIC / "gradients" / f"{name}.json").read_text(encoding="utf-8"))
    assert widget.report().export() == data
    assert widget.report().total().nonzero > 10_000
    assert len(widget.twin()) < 8000


def test_it_shows_a_report_of_ones_own():
    report = linear_report(activations=True)
    widget = UnderflowExplorer.showing(report, scale_exponent=24, group="weight")
    assert widget.report() == GradientReport.from_export(json.loads(json.dumps(report.export())))
    assert UnderflowExplorer.showing(report.export()).histogram == widget.histogram
    assert repr(widget) == "UnderflowExplorer.showing(<Linear>, group='weight', scale_exponent=24)"
    assert "Linear: shares" in Twin(widget.twin()).text and len(widget.twin()) < 30_000


def test_another_report_forgets_the_group():
    widget = UnderflowExplorer.showing(linear_report(), group="weight")
    widget.histogram = ""
    assert widget.group == "" and repr(widget) == "UnderflowExplorer()"
    widget.group = "tokens.weight"
    widget.recording = "cnn_start"
    assert widget.group == ""


def test_repr_and_bundle():
    widget = UnderflowExplorer(recording="cnn_start", scale_exponent=16, format="float8_e5m2")
    assert repr(widget) == "UnderflowExplorer(format='float8_e5m2', recording='cnn_start', scale_exponent=16)"
    assert repr(eval(repr(widget))) == repr(widget) and repr(UnderflowExplorer()) == "UnderflowExplorer()"
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "underflow_explorer"
    assert json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {"recording", "histogram", "scale_exponent", "format", "group", "url_state"}
    assert "export default" in str(UnderflowExplorer._esm)


def test_the_fallback_tells_the_same():
    widget = UnderflowExplorer(recording="gpt_trained", scale_exponent=0)
    twin = Twin(widget.twin())
    total = widget.report().total()
    for name in FORMATS:
        assert f"{100 * total.shares(name).zero:.2f} %".replace("0.00 %", "0 %") in twin.text, name
    assert "at loss scale 2^0" in twin.text and "float16; the 12 that lose most of" in twin.text
    worst = max(widget.report().groups, key=lambda group: group.at("float16").zero)
    assert worst.name in twin.text
    assert twin.tags.count("tr") == 5 + 13


def test_a_report_with_infinities_has_no_safe_scale():
    model = torch.nn.Linear(2, 1)
    model.weight.grad = torch.tensor([[float("inf"), 1.0]])
    text = Twin(UnderflowExplorer.showing(collect(model)).twin()).text
    assert "none" in text


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("recording", HOSTILE, "unknown recording '<img"),
        ("recording", "bert", "unknown recording 'bert'; choose from cnn_start, cnn_trained, gpt_start, gpt_trained"),
        ("format", "float32", "unknown format 'float32'; choose from float16, bfloat16, float8_e5m2, float8_e4m3fn"),
        ("scale_exponent", 41, "scale_exponent must be from -10 to 40, not 41"),
        ("scale_exponent", 0.5, "scale_exponent"),
        ("group", "nope", "unknown group 'nope'; choose from tokens.weight"),
        ("histogram", "nope", "histogram: "),
        ("histogram", "{}", "histogram: not an export of gradients"),
        ("histogram", "1" * (LONGEST + 1), "histogram holds 29001 characters; 29000 at most: leave activations out"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = UnderflowExplorer()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "UnderflowExplorer()"
    with pytest.raises(traitlets.TraitError, match=message):
        UnderflowExplorer(**{trait: value})


def test_an_export_without_the_edges_of_every_format_is_refused():
    data = linear_report().export(["float16"])
    with pytest.raises(traitlets.TraitError, match="histogram: "):
        UnderflowExplorer.showing(data)


def test_the_page_sends_what_changed():
    widget = UnderflowExplorer()
    widget.set_state({"recording": "cnn_trained", "scale_exponent": 12, "group": "conv1.0.weight"})
    assert (widget.recording, widget.scale_exponent, widget.group) == ("cnn_trained", 12, "conv1.0.weight")
