"""The Python side of the dtype flow: what it takes from a trace, traits, the twin."""

import json

import pytest
import torch
import traitlets
from test_widgets import HOSTILE, Twin
from torch import nn
from torch.utils.checkpoint import checkpoint

from amp_helpers.models import GPT, GPTConfig, ResNet9, TransformerBlock
from amp_helpers.tracing import trace
from amp_helpers.widgets import DtypeFlow
from amp_helpers.widgets.dtype_flow import DIRECTIONS, MOST, MOST_KINDS, MOST_ROWS, NOT_KNOWN, amount, rows_of


def traced(model, x, backward=True):
    with trace(model) as t:
        with torch.autocast("cpu", dtype=torch.bfloat16):
            result = model(x)
        if backward:
            (result[0] if isinstance(result, tuple) else result).float().square().mean().backward()
    return t


@pytest.fixture(scope="module")
def block():
    """The chapter's trace."""
    return traced(TransformerBlock(width=64, heads=4), torch.randn(2, 16, 64))


class Odd(nn.Module):
    """The same layer several times in a row, calls that fail half-way, and a checkpoint."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(8, 8)

    def forward(self, x):
        for _ in range(3):
            x = self.layer(x)
        for _ in range(2):
            with pytest.raises(RuntimeError):
                nn.functional.linear(x, torch.ones(3, 3))
        return checkpoint(self.layer, self.layer(x), use_reentrant=False)


class Steps(nn.Module):
    """Many calls."""

    def __init__(self, count):
        super().__init__()
        self.layer, self.count = nn.Linear(8, 8), count

    def forward(self, x):
        for step in range(self.count):
            x = self.layer(x[: 1 + step]).relu()
        return x


# --- what it takes from a trace -------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["block", "gpt", "resnet", "odd", "gru"])
def test_every_op_that_moves_data_is_in_one_row_and_every_call_has_its_own(case):
    model, x = {
        "block": lambda: (TransformerBlock(width=16, heads=2), torch.randn(2, 4, 16)),
        "gpt": lambda: (GPT(GPTConfig(layers=2, width=32, heads=2)), torch.randint(0, 10, (2, 8))),
        "resnet": lambda: (ResNet9(), torch.randn(2, 3, 32, 32)),
        "odd": lambda: (Odd(), torch.randn(2, 8)),
        "gru": lambda: (nn.GRU(4, 4, 2), torch.randn(5, 2, 4)),
    }[case]()
    t = traced(model, x)
    rows = rows_of(t)
    assert [id(record) for row in rows for record in row[-1]] == [id(r) for r in t.records if not r.moves_nothing]
    calls = [row for row in rows if row[5] != NOT_KNOWN]
    assert [row[2] for row in calls] == [call.name for call in t.calls if not call.moves_nothing]
    # The recorder knows which records a call has; the rows found them by bytes and FLOPs.
    known = [[id(r) for r in t.records[start:end] if not r.moves_nothing] for *_, start, end in t._raw_calls]
    assert [[id(record) for record in row[-1]] for row in calls] == [ids for ids in known if ids]
    assert all({record.direction for record in row[-1]} == {row[0]} for row in rows)


def test_the_block_of_the_chapter(block):
    flow = DtypeFlow(block)
    forward, backward = flow.table("forward"), flow.table("backward")
    assert [row[:2] for row in forward.rows][:4] == [
        ["norm1", "layer_norm"],
        ["qkv", "linear"],
        ["(model)", "scaled_dot_product_attention"],
        ["project", "linear"],
    ]
    assert forward.rows[1][2:] == ["float32 → bfloat16", "3 casts float32 → bfloat16, 87.2 kB, by autocast"]
    assert forward.rows[4] == ["(model)", "add", "float32, bfloat16 → float32", ""]
    names = [(module, name) for module, name, *_ in backward.rows]
    assert names.index(("contract", "AddmmBackward0")) < names.index(("expand", "AddmmBackward0"))
    casts = [row for row in backward.rows if row[1] == "ToCopyBackward0"]
    assert len(casts) == 4 and all("bfloat16 → float32" in row[3] and "by autograd" in row[3] for row in casts)


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_totals_are_those_of_the_records(block, direction):
    records = [record for record in block.records if record.direction == direction]
    casts = [record for record in records if record.cast]
    _, _, number, cast_bytes, moved, flops = DtypeFlow(block).flow["totals"][direction]
    assert number == len(casts) > 5 and cast_bytes == sum(record.bytes for record in casts)
    assert (moved, flops) == (sum(record.bytes for record in records), sum(record.flops for record in records))
    share = round(100 * cast_bytes / moved)
    assert f"{number} casts moved {amount(cast_bytes)}, {share} % of the" in DtypeFlow(block).notes(direction)
    flow = DtypeFlow(block).flow
    pairs = [pair for row in flow[direction] for pair in zip(row[6][::2], row[6][1::2], strict=True)]
    shown = [(flow["ops"][op], times) for op, times in pairs]
    assert sum(op[5] * times for op, times in shown) == moved and sum(op[4] * times for op, times in shown) == flops


def test_amounts_have_three_digits():
    counts = [0, 999, 1000, 1125, 87168, 323_000, 1_203_000_000, 2 * 10**12]
    shown = ["0 B", "999 B", "1.00 kB", "1.13 kB", "87.2 kB", "323 kB", "1.20 GB", "2.00 TB"]
    assert [amount(count) for count in counts] == shown


# --- long traces ----------------------------------------------------------------------------------------------------


def test_a_long_trace_is_cut_and_says_so():
    flow = DtypeFlow(traced(Steps(400), torch.randn(400, 8)))
    rows = len(flow.flow["forward"])
    assert 40 < rows <= MOST_ROWS and len(json.dumps(flow.state())) < 30_000
    assert f"Only the first {rows} of {flow.flow['totals']['forward'][0]} rows are shown." in flow.notes("forward")
    assert flow.flow["totals"]["forward"][0] > 800
    assert flow.notes("forward") in Twin(flow.twin()).text
    short = DtypeFlow(traced(Steps(2), torch.randn(2, 8)))
    assert "Only" not in short.notes("forward") + short.notes("backward")


def test_the_state_has_a_limit_whatever_the_shapes():
    class Wide(Steps):
        def forward(self, x):
            for step in range(300):
                x = torch.cat([x[:1]] * (2 + step % 50))
            return x

    flow = DtypeFlow(traced(Wide(0), torch.randn(2, 8, requires_grad=True)))
    assert 5 < len(flow.flow["forward"]) < MOST_ROWS and len(json.dumps(flow.flow)) <= MOST


def test_a_row_of_many_kinds_of_op_is_cut():
    def run(x):
        for size in range(60):
            x.new_ones(size + 1).float()
        return x

    class Many(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, gradient):
            return run(gradient)

    x = torch.ones(3, requires_grad=True)
    with trace() as t:
        Many.apply(x).sum().backward()
    (row,) = [row for row in DtypeFlow(t).flow["backward"] if row[7]]
    assert len(row[6]) == 2 * MOST_KINDS and sum(row[6][1::2]) + row[7] == 60


# --- traits and the twin --------------------------------------------------------------------------------------------


def test_repr_and_bundle(block):
    widget = DtypeFlow(block, direction="backward", selected=3)
    assert repr(widget) == "DtypeFlow(<trace: 13 forward and 17 backward rows>, direction='backward', selected=3)"
    assert repr(DtypeFlow(block)) == "DtypeFlow(<trace: 13 forward and 17 backward rows>)"
    assert DtypeFlow(block).twin() == DtypeFlow(block).twin()
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "dtype_flow" and json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {"direction", "selected", "flow"}
    assert len(twin.widget["state"]) < 8_000 and "export default" in str(DtypeFlow._esm)


def test_two_runs_give_the_same_twin():
    torch.manual_seed(0)
    first, second = (DtypeFlow(traced(TransformerBlock(16, 2), torch.randn(1, 4, 16))).twin() for _ in range(2))
    assert first == second


def test_the_fallback_tells_the_same(block):
    flow = DtypeFlow(block)
    twin = Twin(flow.twin())
    for direction in DIRECTIONS:
        assert flow.notes(direction) in twin.text and f"{direction.capitalize()}, in the order" in twin.text
        for row in flow.table(direction).rows:
            assert all(cell in twin.text for cell in row)
    assert twin.tags.count("table") == 2


def test_a_hostile_name_is_text():
    model = nn.Sequential()
    model.add_module(HOSTILE.replace(".", ""), nn.Linear(4, 4))
    twin = Twin(DtypeFlow(traced(model, torch.randn(2, 4))).twin())
    assert "script" not in twin.tags and "img" not in twin.tags and HOSTILE.replace(".", "") in twin.text


def test_a_trace_without_backward():
    flow = DtypeFlow(traced(nn.Linear(4, 4), torch.randn(2, 4), backward=False))
    assert flow.flow["backward"] == [] and "Backward" not in Twin(flow.twin()).text
    with pytest.raises(traitlets.TraitError, match="no rows for direction 'backward'; choose from forward"):
        flow.direction = "backward"


def test_a_trace_of_backward_alone():
    loss = nn.Linear(4, 4)(torch.randn(2, 4)).square().sum()
    with trace() as t:
        torch.autograd.backward(loss, torch.tensor(1.0))
    flow = DtypeFlow(t)
    assert flow.direction == flow._first()
    assert flow.flow["backward"]


@pytest.mark.parametrize(("value", "name"), [(None, "NoneType"), (nn.Linear(2, 2), "Linear"), (trace, "type")])
def test_only_a_trace_will_do(value, name):
    with pytest.raises(TypeError, match=f"expects a trace .*, not a {name}"):
        DtypeFlow(value)


def test_an_empty_trace_is_refused():
    with trace() as t:
        torch.empty(3)
    with pytest.raises(ValueError, match="no op that moves data; run something in its block"):
        DtypeFlow(t)


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("direction", "up", "unknown direction 'up'; choose from forward, backward"),
        ("selected", 13, "selected is 13; choose a forward row from 0 to 12"),
        ("selected", -1, "selected is -1; choose"),
        ("flow", {}, "read-only"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(block, trait, value, message):
    widget = DtypeFlow(block)
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == repr(DtypeFlow(block))
    with pytest.raises(traitlets.TraitError, match=message):
        DtypeFlow(block, **{trait: value})


def test_an_unknown_name_is_refused(block):
    with pytest.raises(TypeError, match="no trait 'module'; choose from direction, flow, selected"):
        DtypeFlow(block, module="qkv")


def test_a_change_of_direction_keeps_the_row_in_range(block):
    widget = DtypeFlow(block, direction="backward", selected=16)
    widget.direction = "forward"
    assert widget.selected == 12
    widget.set_state({"direction": "backward", "selected": 15})  # what the page sends
    assert (widget.direction, widget.selected) == ("backward", 15)
