"""The Python side of the swamping widget: traits, the twin, and its sums against torch's."""

import json
import math
from fractions import Fraction

import pytest
import torch
import traitlets
from test_widgets import HOSTILE, Twin

from amp_helpers.formats import FORMATS, decode, encode
from amp_helpers.widgets import Swamping
from amp_helpers.widgets.swamping import MOST, _draw

CASES = [
    {"count": 3000},
    {"start": "0.02", "addend": "1e-5", "count": 1000},
    {"start": "1", "addend": "1e-4", "count": 2500},
    {"start": "0", "addend": "0.1", "count": 700},
    {"start": "-0.02", "addend": "1e-5", "count": 1500},
    {"start": "3", "addend": "-0.004", "count": 2000},
    {"start": "65000", "addend": "7", "count": 1000},
    {"start": "1e-7", "addend": "1e-8", "count": 300},
    {"start": "1e6", "addend": "1/3", "count": 50},
    {"start": "1", "addend": "1", "count": 0},
]


def torch_sums(start, addend, count, dtype):
    """Every sum that torch gives, from 0 to one more than `count` additions."""
    total, step = torch.tensor(start, dtype=dtype), torch.tensor(addend, dtype=dtype)
    sums = [total.item()]
    for _ in range(count + 1):
        total = total + step
        sums.append(total.item())
    return sums


def kahan_in_torch(start, addend, count, dtype):
    total, step = torch.tensor(start, dtype=dtype), torch.tensor(addend, dtype=dtype)
    lost = torch.zeros((), dtype=dtype)
    for _ in range(count):
        corrected = step - lost
        after = total + corrected
        lost = (after - total) - corrected
        total = after
    return total.item()


def numbers(widget):
    return tuple(float(Fraction(text)) for text in (widget.start, widget.addend))


@pytest.mark.parametrize("case", CASES, ids=str)
def test_sums_are_torchs(case):
    widget = Swamping(**case)
    for name in ("float32", "bfloat16", "float16"):
        expected = torch_sums(*numbers(widget), widget.count, FORMATS[name].torch_dtype)
        total, since = widget.sums()[name]
        assert total == expected[widget.count], name
        settled = expected[widget.count] == expected[widget.count + 1]
        assert (since is not None) == settled, name
        if settled:
            assert expected[since] == expected[since + 1] and (since == 0 or expected[since - 1] != expected[since])
    for name in ("bfloat16", "float16"):
        widget.kahan_format = name
        expected = kahan_in_torch(*numbers(widget), widget.count, FORMATS[name].torch_dtype)
        assert repr(widget.sums()[f"{name}, Kahan"][0]) == repr(expected), name


def test_stochastic_sums_are_values_of_the_format_and_right_on_average():
    ends = [Swamping(addend="1e-4", count=400, seed=seed).sums()["bfloat16, stochastic"][0] for seed in range(60)]
    assert all(decode(encode(end, "bfloat16"), "bfloat16") == end for end in ends)
    # 400 draws move up by 2**-7 with probability p: the mean of 60 runs lies within four standard deviations.
    ulp, addend = 2.0**-7, decode(encode(1e-4, "bfloat16"), "bfloat16")
    p = addend / ulp
    deviation = ulp * math.sqrt(400 * p * (1 - p) / 60)
    assert abs(sum(ends) / 60 - (1 + 400 * addend)) < 4 * deviation
    assert len(set(ends)) > 3
    widget = Swamping(addend="1e-4", count=400, seed=5)
    assert widget.sums() == Swamping(addend="1e-4", count=400, seed=5).sums()
    assert 0 <= min(_draw(9, n) for n in range(1000)) < 0.01 and 0.99 < max(_draw(9, n) for n in range(1000)) < 1


def test_where_sums_stop():
    sums = Swamping(count=MOST).sums()
    assert sums["float16"] == (2048.0, 2047) and sums["bfloat16"] == (256.0, 255)
    assert sums["float32"] == (100_001.0, None)
    assert Swamping(start="1e6").sums()["float16"][0] == math.inf
    assert Swamping(addend="0").sums()["bfloat16, stochastic"] == (1.0, 0)


def test_repr_and_bundle():
    widget = Swamping(start="0.02", addend="1e-5", count=1000)
    assert repr(widget) == "Swamping(addend='1e-5', count=1000, start='0.02')"
    assert repr(eval(repr(widget))) == repr(widget) and repr(Swamping()) == "Swamping()"
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "swamping"
    assert json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {"start", "addend", "count", "kahan_format", "seed", "url_state"}
    assert "export default" in str(Swamping._esm)


def test_the_fallback_tells_the_same():
    text = Twin(Swamping().twin()).text
    for expected in ("1 plus 3,000 times 1: the exact sum is 3001", "2048", "stuck since step 2,047", "still moves"):
        assert expected in text
    assert len(Swamping().twin()) < 2000
    twin = Twin(Swamping(start="0.02", addend="1e-5", count=1000).twin())
    assert "the exact sum is 0.03" in twin.text and "0.03125" in twin.text and "-0.01" in twin.text
    assert twin.tags.count("tr") == 6
    assert "not finite" in Twin(Swamping(start="1e6").twin()).text


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("start", HOSTILE, "is not a number; type 0.1"),
        ("addend", "1/0", "'1/0' divides by zero"),
        ("addend", "inf", "addend 'inf' is not between -1e30 and 1e30"),
        ("start", "nan", "start 'nan' is not between"),
        ("start", "-1e31", "'-1e31' is not between"),
        ("count", MOST + 1, "count must be from 0 to 100000, not 100001"),
        ("count", -1, "count must be from 0"),
        ("count", 1.5, "count"),
        ("seed", 2**32, "seed must be from 0 to 4294967295, not 4294967296"),
        ("kahan_format", "float32", "unknown kahan_format 'float32'; choose from bfloat16, float16"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = Swamping()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "Swamping()"
    with pytest.raises(traitlets.TraitError, match=message):
        Swamping(**{trait: value})


def test_the_page_sends_what_changed():
    widget = Swamping()
    widget.set_state({"start": "0.02", "addend": "1e-5", "count": 1000, "seed": 4})
    assert (widget.start, widget.addend, widget.count, widget.seed) == ("0.02", "1e-5", 1000, 4)
