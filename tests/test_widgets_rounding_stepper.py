"""The Python side of the rounding stepper: traits, twin and fallback."""

import json
import math
import re
import sys
from fractions import Fraction

import pytest
import traitlets
from test_widgets import HOSTILE, Twin

from amp_helpers.formats import FORMATS, MODES, classify, decode, encode
from amp_helpers.typed_number import parse_number
from amp_helpers.widgets import BookWidget, RoundingStepper


def rows(**traits):
    """The fallback's rows by their heading."""
    table = RoundingStepper(**traits).fallback()
    return dict(re.findall(r'<th scope="row">(.*?)</th><td>(.*?)</td>', table))


def test_the_twin_carries_state_and_table(monkeypatch):
    monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    widget = RoundingStepper(value="1/3", via="float32", step=6, url_state=True)
    assert isinstance(widget, BookWidget) and "export default" in str(widget._esm)
    assert repr(widget) == "RoundingStepper(step=6, url_state=True, value='1/3', via='float32')"
    assert repr(eval(repr(widget))) == repr(widget)
    data, _ = widget._repr_mimebundle_()
    twin = Twin(data["text/html"])
    assert twin.widget["kind"] == "rounding_stepper"
    assert json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {"value", "format", "via", "mode", "step", "seed", "url_state"}
    assert set(twin.tags) == {"amp-widget", "table", "caption", "tbody", "tr", "th", "td"}  # GitHub keeps these
    assert "1/3 rounded to float16, nearest_even" in twin.text
    assert len(data["text/html"]) < 2000


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("value", "<b>", "'<b>' is not a number; type 0.1"),
        ("value", "", "'' is not a number"),
        ("value", HOSTILE, "is not a number"),
        ("value", "1/0", "'1/0' divides by zero"),
        ("format", "half", "unknown format 'half'; choose from float64, float32"),
        ("format", "", "unknown format ''"),
        ("via", "half", "unknown via 'half'; choose from \"\", float64"),
        ("mode", "up", "unknown mode 'up'; choose from nearest_even, .*stochastic"),
        ("step", 0, "step must be an integer from 1 to 6, not 0"),
        ("step", 7, "step must be an integer from 1 to 6, not 7"),
        ("step", "2", "step"),
        ("seed", -1, "seed must be an integer from 0 to 4294967295, not -1"),
        ("seed", 2**32, "not 4294967296"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = RoundingStepper()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "RoundingStepper()"
    with pytest.raises(traitlets.TraitError, match=message):
        RoundingStepper(**{trait: value})


def test_what_the_page_sends_is_kept():
    widget = RoundingStepper()
    sent = {"value": "65520", "format": "bfloat16", "via": "float32", "mode": "toward_zero", "step": 6, "seed": 9}
    widget.set_state(sent)
    assert {name: getattr(widget, name) for name in sent} == sent
    widget.value = " 2^-24 "
    assert widget.value == "2^-24"


def test_the_fallback_tells_the_steps():
    table = rows(value="0x1.006p0")
    assert table["kept bits"] == "+1.0000000001 in binary, times 2 to the power 0"
    assert table["guard, round, sticky"] == "1, 0, 0"
    assert table["rest"] == "0.5 ulp, a tie"
    assert table["result"] == f"{1 + 2**-9} (code 0x3c02)"
    assert rows(value="-1e-6")["kept bits"] == "−0.0000010000 in binary, times 2 to the power -14"
    assert rows(value="65520")["result"] == "inf (code 0x7c00)"
    assert rows(value="nan", format="float4_e2m1fn") == {"result": "float4_e2m1fn has no NaN"}
    assert rows(value="-1", format="float8_e8m0fnu") == {"result": "nan (code 0xff)"}
    assert list(rows(value="2^-130", format="float8_e8m0fnu")) == ["result"]
    assert rows(value="3", format="float8_e8m0fnu")["kept bits"] == "+1 in binary, times 2 to the power 1"
    assert rows(value="0x1.0020000001p0")["rest"] == "just over 0.5 ulp"


def test_the_fallback_of_a_coin_names_both_results():
    assert rows(value="2049", mode="stochastic")["result"] == "2048.0 (code 0x6800) or 2050.0 (code 0x6801)"
    assert rows(value="-2048", mode="stochastic")["result"] == "-2048.0 (code 0xe800)"
    assert rows(value="2049", mode="stochastic")["probability of up"] == "rest / ulp"
    assert rows(value="65510", mode="stochastic")["result"] == "65504.0 (code 0x7bff) or inf (code 0x7c00)"
    assert rows(value="-1e9", mode="stochastic")["result"] == "-inf (code 0xfc00)"
    assert rows(value="1e308", mode="stochastic", format="float64")["result"].startswith("1e+308 ")
    assert "by way of float32" not in rows(value="0.1", via="float32", mode="stochastic")


def test_the_fallback_compares_once_with_twice():
    table = rows(value="0x1.0020000001p0", via="float32")
    assert table["by way of float32"] == f"{1 + 2**-11!r}, then 1.0 (code 0x3c00)"
    assert table["result"] == f"{1 + 2**-10!r} (code 0x3c01)"
    assert table["once against twice"] == "the results differ"
    assert rows(value="0.1", via="float32")["once against twice"] == "the same result"
    assert rows(value="nan", via="float4_e2m1fn")["by way of float4_e2m1fn"] == "float4_e2m1fn has no NaN"


@pytest.mark.parametrize("name", FORMATS)
def test_kept_bits_rest_and_result_agree_with_encode(name):
    """What the table shows is enough to round by hand: the neighbours, the tie and the choice."""
    fmt = FORMATS[name]
    for text in ("0.1", "-2.7", "3", "1/3", "2^-20", "-1e-3", "5.5", "0.0625", "1e2"):
        number = parse_number(text)
        table = rows(value=text, format=name)
        code = encode(number, fmt)
        if "kept bits" not in table:
            assert classify(code, fmt) == "nan" or number < fmt.smallest_normal
            continue
        sign, digits, power = re.fullmatch(r"([+−])([01.]+) in binary, .* power (-?\d+)", table["kept bits"]).groups()
        kept = Fraction(int(digits.replace(".", ""), 2)) * Fraction(2) ** (int(power) - fmt.significand_bits)
        guard, round_bit, sticky = map(int, table["guard, round, sticky"].split(", "))
        ulp = Fraction(2) ** (int(power) - fmt.significand_bits)
        quarters = Fraction(2 * guard + round_bit, 4)
        rest = (abs(Fraction(number)) - kept) / ulp
        assert (sign == "−") == (number < 0)
        assert quarters <= rest < quarters + Fraction(1, 4) and bool(sticky) == (rest > quarters)
        odd = encode(float(kept), fmt) % 2 if kept <= fmt.max else 0
        up = guard and (round_bit or sticky or odd)
        result = float(min(kept + ulp * bool(up), Fraction(10) ** 300))
        if result <= fmt.max:
            assert abs(decode(code, fmt)) == result, (name, text)
        shown = table["result"].split()[0]
        assert math.isnan(float(shown)) if classify(code, fmt) == "nan" else float(shown) == decode(code, fmt)


def test_every_mode_has_a_fallback():
    for mode in MODES:
        assert f"0.1 rounded to float16, {mode}" in RoundingStepper(mode=mode).fallback()
    assert rows(value="0.1", mode="toward_positive")["result"] != rows(value="0.1", mode="toward_negative")["result"]
