"""The lens against PyTorch itself: exact records of small cases, its own FLOP counter, and nothing left behind."""

import copy
import gc
import threading
import weakref

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack
from torch.utils.checkpoint import checkpoint
from torch.utils.flop_counter import FlopCounterMode

from amp_helpers.models import GPT, MLP, GPTConfig, ResNetBlock, TransformerBlock
from amp_helpers.tracing import trace

BF16, F32 = torch.bfloat16, torch.float32


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def autocast(dtype=BF16, **how):
    return torch.autocast("cpu", dtype=dtype, **how)


def ops(records):
    """What is no view, as (direction, module, op, input dtype, output dtype, cast by)."""
    return [
        (r.direction, r.module, r.op.removeprefix("aten::"), r.inputs[-1], r.outputs[0], r.cast)
        for r in records
        if not r.view
    ]


def state():
    """Everything that a trace switches on."""
    module = torch.nn.modules.module
    hooks = [
        dict(getattr(module, name))
        for name in vars(module)
        if name.startswith("_global_") and isinstance(getattr(module, name), dict)
    ]
    return hooks, list(_get_current_dispatch_mode_stack()), torch._C._len_torch_function_stack()


# --- exact records --------------------------------------------------------------------------------------


def test_records_of_an_mlp():
    model, x = MLP(16, 32, 8), torch.randn(4, 16)
    with trace(model) as t:
        with autocast():
            y = model(x)
        y.sum().backward()
    cast_in, cast_out = (F32, BF16, "autocast"), (BF16, F32, "backward")
    assert ops(t.records) == [
        ("forward", "0", "_to_copy", *cast_in),  # bias, input and weight, in the order autocast has
        ("forward", "0", "_to_copy", *cast_in),
        ("forward", "0", "_to_copy", *cast_in),
        ("forward", "0", "addmm", BF16, BF16, None),
        ("forward", "1", "relu", BF16, BF16, None),
        ("forward", "2", "_to_copy", *cast_in),
        ("forward", "2", "_to_copy", *cast_in),
        ("forward", "2", "addmm", BF16, BF16, None),
        ("forward", "", "sum", BF16, BF16, None),
        ("forward", "", "ones_like", BF16, BF16, None),
        ("backward", "2", "mm", BF16, BF16, None),
        ("backward", "2", "mm", BF16, BF16, None),
        ("backward", "2", "sum", BF16, BF16, None),
        ("backward", "2", "_to_copy", *cast_out),
        ("backward", "2", "_to_copy", *cast_out),
        ("backward", "1", "threshold_backward", BF16, BF16, None),
        ("backward", "0", "mm", BF16, BF16, None),
        ("backward", "0", "sum", BF16, BF16, None),
        ("backward", "0", "_to_copy", *cast_out),
        ("backward", "0", "_to_copy", *cast_out),
    ]
    assert {r.call for r in t.records if r.module == "0" and r.direction == "forward"} == {"linear"}
    assert {r.within for r in t.records if not r.module} == {"outside"}
    assert {r.node for r in t.records if r.op == "aten::mm"} == {"AddmmBackward0"}


def test_bytes_and_flops_by_hand():
    layer, x = nn.Linear(16, 32), torch.randn(4, 16)
    with trace(layer) as t, autocast():
        layer(x)
    casts = {r.shapes[0]: r.cast_bytes for r in t.records if r.cast}
    assert casts == {(4, 16): 64 * 6, (32, 16): 512 * 6, (32,): 32 * 6}  # 4 bytes read, 2 written
    (product,) = (r for r in t.records if r.op == "aten::addmm")
    assert product.bytes == 2 * (32 + 4 * 16 + 16 * 32 + 4 * 32)
    assert product.flops == 2 * 4 * 16 * 32
    assert (product.dtype, product.shapes, product.output_shapes) == (BF16, ((32,), (4, 16), (16, 32)), ((4, 32),))
    summary = t.summary()
    assert summary.flops == {BF16: product.flops}
    assert summary.bytes == {F32: (64 + 512 + 32) * 4, BF16: (64 + 512 + 32) * 2 + product.bytes}
    assert sum(summary.bytes.values()) == sum(r.bytes for r in t.records)
    assert [r.bytes for r in t.records if r.view] == [0]


def test_calls_are_what_the_user_sees():
    model, x = MLP(16, 32, 8), torch.randn(4, 16)
    with trace(model) as t:
        with autocast():
            first = model(x)
            model(x)
        first.float()
    seen = [(c.module, c.name, c.inputs, c.outputs, c.region, c.casts, c.cache_hits) for c in t.calls]
    assert seen == [
        ("0", "linear", (F32, F32, F32), (BF16,), BF16, 3, 0),
        ("1", "relu", (BF16,), (BF16,), BF16, 0, 0),
        ("2", "linear", (BF16, F32, F32), (BF16,), BF16, 2, 0),
        ("0", "linear", (F32, F32, F32), (BF16,), BF16, 1, 2),  # the input is cast again, weight and bias are not
        ("1", "relu", (BF16,), (BF16,), BF16, 0, 0),
        ("2", "linear", (BF16, F32, F32), (BF16,), BF16, 0, 2),
        ("", "float", (BF16,), (F32,), None, 1, 0),
    ]
    assert str(t.calls[0]) == "0  linear: float32 -> bfloat16  autocast bfloat16"
    assert t.summary().cache_hits == 4


@pytest.mark.parametrize("frozen", [False, True])
def test_no_cache_hits_where_autocast_caches_nothing(frozen):
    layer, x = nn.Linear(4, 4), torch.randn(2, 4)
    layer.requires_grad_(not frozen)
    with trace(layer) as t, autocast(cache_enabled=frozen):
        layer(x)
        layer(x)
    assert [(c.casts, c.cache_hits) for c in t.calls] == [(3, 0), (3, 0)]


def test_a_parameter_of_a_float32_op_is_no_cache_hit():
    norm, x = nn.GroupNorm(1, 4), torch.randn(2, 4, 3)
    with trace(norm) as t, autocast():
        norm(x)
        norm(x)
    assert [c.cache_hits for c in t.calls] == [0, 0]


# --- who casts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "cast",
    [
        lambda x: x.half(),
        lambda x: x.to(BF16),
        lambda x: x.type(torch.float16),
        lambda x: x.double(),
        lambda x: x.bfloat16(),
        lambda x: torch.empty(3, dtype=BF16).copy_(x),
        lambda x: x.sum(dtype=torch.float64),
    ],
)
@pytest.mark.parametrize("inside", [True, False])
def test_casts_by_the_user(cast, inside):
    x = torch.randn(3)
    with trace() as t, autocast(enabled=inside):
        cast(x)
    assert {r.cast for r in t.records if r.op in ("aten::_to_copy", "aten::copy_")} <= {"user"}
    casts = [r for r in t.records if r.cast]
    assert all(r.cast_bytes == 3 * (4 + r.outputs[0].itemsize) for r in casts)
    assert casts or t.records[-1].op == "aten::sum"


def test_casts_of_one_float32_loss():
    logits, target = torch.randn(4, 8, dtype=BF16, requires_grad=True), torch.zeros(4, dtype=torch.long)
    with trace() as t:
        with autocast():
            loss = F.cross_entropy(logits, target)
        loss.backward()
    casts = [(r.direction, r.cast, r.inputs, r.outputs) for r in t.records if r.cast]
    assert casts == [("forward", "autocast", (BF16,), (F32,)), ("backward", "backward", (F32,), (BF16,))]


def test_backward_under_autocast():
    a, b = torch.randn(4, 4, requires_grad=True), torch.randn(4, 4, requires_grad=True)
    with trace() as t:
        y = a @ b
        with autocast():
            torch.autograd.backward(y, torch.ones(4, 4))
    # The float32 products of the backward are cast by autocast, not by autograd.
    assert [r.inputs for r in t.records if r.op == "aten::mm"] == [(F32, F32), (BF16, BF16), (BF16, BF16)]
    assert {(r.cast, r.outputs[0]) for r in t.records if r.cast} >= {("autocast", BF16)}


@pytest.mark.parametrize("inside", [True, False])
def test_attention_without_a_fused_kernel_casts_by_itself(inside):
    query = torch.randn(1, 2, 4, 8, dtype=BF16)
    with trace() as t, autocast(enabled=inside):
        F.scaled_dot_product_attention(query, query, query, dropout_p=0.5)
    assert {r.inputs[0] for r in t.records if r.op == "aten::bmm"} == {F32}
    assert {r.cast for r in t.records if r.cast and r.outputs == (F32,)} == {"op"}


def test_a_copy_without_a_new_dtype_is_no_cast():
    with trace() as t:
        torch.empty(3).copy_(torch.ones(3))
        torch.ones(3, dtype=BF16).clone()
    assert not any(r.cast for r in t.records)


# --- modules --------------------------------------------------------------------------------------------


def test_names_with_and_without_a_model():
    model, x = nn.Sequential(TransformerBlock(16, 2)), torch.randn(1, 3, 16)
    with trace(model) as named:
        model(x).sum().backward()
    assert {r.module for r in named.records} == {
        "",
        "0",
        "0.norm1",
        "0.qkv",
        "0.project",
        "0.norm2",
        "0.expand",
        "0.contract",
    }
    with trace() as plain:
        model(x)
        nn.Linear(16, 2)(x)
    assert {r.module for r in plain.records} >= {"Sequential.0.qkv", "Sequential.0", "Linear"}
    with trace(model) as mixed:
        nn.MSELoss()(model(x), x)
    assert {r.module for r in mixed.records} >= {"0.qkv", "MSELoss"}


def test_the_model_itself_and_code_outside_of_it():
    class Scale(nn.Module):
        def forward(self, x):
            return x * 2

    model, x = Scale(), torch.ones(2)
    with trace(model) as t:
        model(x).exp()
    assert [(r.op, r.module, r.within) for r in t.records] == [
        ("aten::mul", "", "module"),
        ("aten::exp", "", "outside"),
    ]
    assert "(model)" in str(t.records[0]) and "(outside)" in str(t.records[1])


def test_every_backward_op_belongs_to_the_module_of_its_forward():
    model = GPT(GPTConfig(32, 8, 16, 2, 2))
    with trace(model) as t:
        with autocast():
            logits = model(torch.randint(32, (2, 8)))
        logits.float().sum().backward()
    backward = [r for r in t.records if r.direction == "backward"]
    assert backward and not [r for r in backward if r.within == "unknown"]
    forward = {r.module for r in t.records if r.flops and r.direction == "forward"}
    assert {r.module for r in backward if r.flops} == forward
    for module in forward - {"blocks.0", "blocks.1"}:  # every product has two in backward
        flops = [
            sum(r.flops for r in t.records if (r.module, r.direction) == (module, way))
            for way in ("forward", "backward")
        ]
        assert flops[1] == 2 * flops[0], module


def test_a_forward_before_the_trace_is_reported_as_unknown():
    model = MLP(4, 4, 4)
    y = model(torch.randn(2, 4)).sum()
    with trace(model) as t:
        y.backward()
    summary = t.summary()
    assert 0 < summary.unattributed < summary.backward  # what accumulates a gradient is known by its parameter
    assert f"{summary.backward - summary.unattributed} of {summary.backward}" in repr(summary)
    assert "(unknown)" in repr(t.table("records"))


def test_second_derivatives():
    model, x = MLP(4, 4, 1), torch.randn(2, 4, requires_grad=True)
    with trace(model) as t:
        y = torch.tanh(model(x)).sum()
        (grad,) = torch.autograd.grad(y, x, create_graph=True)
        (grad**2).sum().backward()
    nodes = {r.node: r.module for r in t.records}
    assert nodes["PowBackward0"] == nodes["TanhBackwardBackward0"] == "" and nodes["ThresholdBackwardBackward0"] == "1"
    assert {r.module for r in t.records if r.node == "MmBackward0"} == {"0", "2"}


@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("as_module", [True, False])
def test_checkpointing(use_reentrant, as_module):
    class Checkpointed(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.inner = nn.Linear(8, 8), MLP(8, 8, 8)

        def forward(self, x):
            inner = self.inner if as_module else lambda x: F.relu(F.linear(x, self.inner[0].weight))
            return checkpoint(inner, self.first(x), use_reentrant=use_reentrant)

    model = Checkpointed()
    plain = copy.deepcopy(model)
    x = torch.randn(2, 8)
    with autocast():
        y = plain(x)
    y.sum().backward()
    with trace(model) as t:
        with autocast():
            y = model(x)
        y.sum().backward()
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert (mine.grad is None and other.grad is None) or torch.equal(mine.grad, other.grad)
    again = [r for r in t.records if r.recomputed]
    if as_module:
        assert {r.module for r in again} == {"inner.0", "inner.1", "inner.2"}
        assert {r.direction for r in again} == {"backward"} and {r.cast for r in again} == {None, "autocast"}
    inside = ("inner.0", "inner.1", "inner.2") if as_module else ("",)
    products = [r for r in t.records if r.direction == "backward" and r.flops and not r.recomputed]
    assert {r.module for r in products} == {*inside, "first"} - {"inner.1"}
    assert not [r for r in t.records if r.within == "unknown"]


def test_custom_functions_and_hooks():
    class Square(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return (2 * x * grad).half().float()

    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return Square.apply(self.layer(x))

    model, seen = Model(), []
    model.layer.register_forward_hook(lambda module, args, output: seen.append("forward"))
    model.layer.register_full_backward_hook(lambda module, given, made: seen.append("backward"))
    with trace(model) as t:
        y = model(torch.randn(2, 4, requires_grad=True))
        y.register_hook(lambda grad: grad * 2)
        y.sum().backward()
    assert seen == ["forward", "backward"]
    casts = [(r.cast, r.node) for r in t.records if r.cast]
    assert casts == [("user", "SquareBackward")] * 2
    assert {r.module for r in t.records if r.node == "SquareBackward"} == {""}
    assert {r.module for r in t.records if r.node == "AddmmBackward0"} == {"layer"}


# --- whole models ---------------------------------------------------------------------------------------


def resnet18():
    return pytest.importorskip("torchvision").models.resnet18(num_classes=10)


MODELS = {
    "MLP": (lambda: MLP(8, 16, 4), (2, 8)),
    "ResNetBlock": (lambda: ResNetBlock(8), (2, 8, 4, 4)),
    "TransformerBlock": (lambda: TransformerBlock(16, 2), (2, 4, 16)),
    "LSTM": (lambda: nn.LSTM(8, 8, batch_first=True), (2, 3, 8)),
    "TransformerEncoder": (
        lambda: nn.TransformerEncoder(nn.TransformerEncoderLayer(16, 2, 32, batch_first=True), 2),
        (2, 4, 16),
    ),
    "resnet18": (resnet18, (2, 3, 32, 32)),
}


def first(output):
    return output[0] if isinstance(output, tuple) else output


@pytest.mark.parametrize("name", MODELS)
def test_flops_and_results_are_those_without_a_trace(name):
    make, shape = MODELS[name]
    model, x = make(), torch.randn(shape)
    plain = copy.deepcopy(model)

    def step(model):
        torch.manual_seed(1)
        with autocast():
            y = first(model(x))
        y.float().sum().backward()
        return y

    with FlopCounterMode(display=False) as counter:
        expected = step(plain)
    before = state()
    with trace(model) as t:
        result = step(model)
    assert state() == before
    assert torch.equal(result, expected)
    for mine, other in zip(model.parameters(), plain.parameters(), strict=True):
        assert torch.equal(mine.grad, other.grad)
    assert sum(r.flops for r in t.records) == counter.get_total_flops()
    assert sum(t.summary().flops.values()) == counter.get_total_flops()
    assert not t.summary().unattributed
    for view in ("calls", "records"):
        lines = repr(t.table(view)).splitlines()
        assert max(map(len, lines)) <= 120
        assert len(lines) < 60
        shown = t.calls if view == "calls" else t.records
        rows = t.table(view).rows
        times = [int(row[-1]) for row in rows] if t.table(view).columns[-1] == "times" else [1] * len(rows)
        assert sum(times) == sum(not entry.moves_nothing for entry in shown)
    assert "<table" in t.summary()._repr_html_()


def test_resnet18_in_a_terminal():
    model = resnet18()
    with trace(model) as t, autocast():
        model(torch.randn(2, 3, 32, 32))
    rows = {(row[0], row[1]): row for row in t.table().rows}
    assert rows["layer*.*.conv*", "conv2d"][2:5] == ["bfloat16, float32", "bfloat16", "bfloat16"]
    assert rows["layer*.*.conv*", "conv2d"][-1] == "16"
    assert rows["layer*.0.downsample.0", "conv2d"][-1] == "3"
    assert len(t.table().rows) < 20 < len(t.table(group=False).rows)
    assert {row[0] for row in t.table(module="layer1.0").rows} <= {
        "layer1.0",
        *(f"layer1.0.{n}" for n in ("conv1", "bn1", "relu", "conv2", "bn2")),
    } | {"layer1.0.conv*", "layer1.0.bn*"}


def test_a_table_leaves_out_columns_that_say_nothing():
    model = nn.Linear(4, 4)
    with trace(model) as t:
        model(torch.randn(2, 4))
    assert t.table().columns == ["module", "call", "inputs", "outputs", "MFLOP"]
    with trace(model) as t, autocast():
        model(torch.randn(2, 4))
        model(torch.randn(2, 4))
    assert t.table().columns == [
        "module",
        "call",
        "inputs",
        "outputs",
        "autocast",
        "MFLOP",
        "cast MB",
        "cached",
        "times",
    ]
    assert t.table(group=False).columns[-1] == "cached"
    with trace(model) as t:
        pass
    assert "times" in t.table().columns


def test_recurrent_ops_have_no_flop_formula_and_the_summary_says_so():
    model = nn.LSTM(8, 8, batch_first=True)
    with trace(model) as t, autocast():
        model(torch.randn(2, 3, 8))
    summary = t.summary()
    assert bool(summary.uncounted) == (not summary.flops)
    assert all(name in repr(summary) for name in summary.uncounted)


@pytest.mark.parametrize("wrap", [lambda y: {"y": y, "none": None}, lambda y: (y, [y], None), lambda y: None])
def test_outputs_of_any_kind(wrap):
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, x):
            return wrap(self.layer(x))

    model = Model()
    with trace(model) as t:
        model(torch.randn(2, 4))
        torch.ones(1).exp()
    assert [r.module for r in t.records if r.op in ("aten::addmm", "aten::exp")] == ["layer", ""]


@pytest.mark.parametrize("mode", [torch.no_grad, torch.inference_mode])
def test_without_gradients(mode):
    model, x = MLP(16, 32, 8), torch.randn(4, 16)
    with trace(model) as t, mode(), autocast():
        model(x)
        model(x)
    assert [r.op for r in t.records if r.flops] == ["aten::addmm"] * 4
    assert sum(r.flops for r in t.records) == 2 * 2 * (4 * 16 * 32 + 4 * 32 * 8)
    assert {r.cast for r in t.records} == {None, "autocast"}
    assert {r.module for r in t.records} == {"0", "1", "2"}


@pytest.fixture
def cuda_autocast():
    """`torch.autocast` refuses CUDA where there is none; the switch behind it does not."""
    before = torch.is_autocast_enabled("cuda")
    torch.set_autocast_enabled("cuda", True)
    yield
    torch.set_autocast_enabled("cuda", before)


def test_cuda_tensors_without_a_gpu(cuda_autocast):
    with FakeTensorMode(), torch.no_grad():
        weight, x = torch.empty(32, 16, device="cuda"), torch.empty(4, 16, device="cuda")
        with trace() as t:
            F.softmax(F.linear(x, weight), dim=-1)
    assert [(c.name, c.inputs[0], c.outputs[0], c.region) for c in t.calls] == [
        ("linear", F32, torch.float16, torch.float16),
        ("softmax", torch.float16, F32, torch.float16),
    ]
    assert {r.cast for r in t.records if r.op == "aten::_to_copy"} == {"autocast"}


# --- use and misuse -------------------------------------------------------------------------------------


def test_nested_traces_both_record():
    model, x = MLP(4, 4, 2), torch.randn(2, 4)
    with trace(model) as outer:
        model(x)
        with trace() as inner, autocast():
            model(x).sum().backward()
        model(x)
    once = [r.op for r in outer.records if r.direction == "forward"][:6]
    shared = outer.records[6:-6]
    assert (
        once
        == [r.op for r in outer.records[-6:]]
        == [f"aten::{n}" for n in ("t", "addmm", "relu", "detach", "t", "addmm")]
    )
    assert [(r.op, r.shapes, r.cast, r.direction) for r in shared] == [
        (r.op, r.shapes, r.cast, r.direction) for r in inner.records
    ]
    assert {r.module for r in inner.records if r.flops} == {"MLP.0", "MLP.2"}
    assert {r.module for r in outer.records if r.flops} == {"0", "2"}
    assert len(outer.calls) == len(inner.calls) + 6


def test_nothing_is_left_behind_after_an_exception():
    class Fails(nn.Module):
        def forward(self, x):
            raise RuntimeError("on purpose")

    model, before = nn.Sequential(nn.Linear(4, 4), Fails()), state()
    with pytest.raises(RuntimeError, match="on purpose"), trace(model) as t:
        model(torch.randn(2, 4))
    assert state() == before
    assert [r.module for r in t.records if r.flops] == ["0"]
    with trace(model) as t:
        with pytest.raises(RuntimeError, match="on purpose"):
            model(torch.randn(2, 4))
        torch.ones(1).exp()  # the module was left, although its forward did not return
    assert (t.records[-1].op, t.records[-1].within) == ("aten::exp", "outside")
    assert state() == before


def test_no_tensor_is_kept_alive():
    model, x = nn.Sequential(nn.Linear(4, 4)), torch.randn(2, 4)
    with trace(model) as t:
        with autocast():
            y = model(x)
        y.sum().backward()
    watched = [weakref.ref(value) for value in (x, y, model, model[0], model[0].weight)]
    assert t.records and t.calls and t.table() and t.summary()
    del model, x, y
    gc.collect()
    assert [ref() for ref in watched] == [None] * 5


@pytest.mark.parametrize("bad, words", [(3, "a int"), (MLP, "the class MLP"), ("model", "a str"), ([], "a list")])
def test_what_is_no_module(bad, words):
    with pytest.raises(TypeError, match=words):
        trace(bad)


def test_a_trace_is_used_once():
    t = trace()
    with t:
        pass
    with pytest.raises(ValueError, match="used"), t:
        pass
    assert not t.records and repr(t.summary()) and repr(t.table())


def test_unknown_views_and_modules():
    model, x = MLP(2, 2), torch.ones(1, 2)
    with trace(model) as t:
        model(x)
    with pytest.raises(ValueError, match="calls, records, not 'rows'"):
        t.table("rows")
    with pytest.raises(ValueError, match="'5'; recorded: 0"):
        t.table(module="5")


def test_calls_that_run_no_op_are_not_listed():
    x = torch.ones(2, 3)
    with trace() as t:
        assert (x.shape, x.dim(), x.dtype, x.is_contiguous()) == ((2, 3), 2, F32, True)
        x.float()
    assert not t.calls and not t.records


@pytest.mark.filterwarnings("ignore:Using `torch.compile")
@pytest.mark.parametrize("what", ["module", "method", "function", "warm"])
def test_under_compile_it_says_that_it_sees_eager_ops_only(what):
    torch._dynamo.reset()
    model, x = MLP(4, 4), torch.randn(2, 4)
    if what == "method":
        model.compile(backend="eager")
    run = {
        "module": lambda: torch.compile(model, backend="eager"),
        "warm": lambda: torch.compile(model, backend="eager"),
        "method": lambda: model,
        "function": lambda: torch.compile(lambda x: model(x), backend="eager"),
    }[what]()
    if what == "warm":
        run(x)
    before = state()
    with trace(run if isinstance(run, nn.Module) else model) as t:
        run(x)
    assert state() == before
    assert len(t.warnings) == 1 and "eager ops only" in t.warnings[0] and t.warnings[0] in repr(t.summary())
    assert [r.module for r in t.records if r.flops] == ["0"]  # also through the wrapper's _orig_mod
    with trace(MLP(4, 4)) as t:
        MLP(4, 4)(x)
    assert not t.warnings


def test_a_fast_path_that_is_not_taken_is_mentioned():
    model = nn.TransformerEncoderLayer(8, 2, batch_first=True).eval()
    with trace(model) as t, torch.no_grad():
        model(torch.randn(1, 3, 8))
    assert any("fast path" in warning for warning in t.warnings)
    with trace(model) as t, torch.no_grad(), autocast():
        model(torch.randn(1, 3, 8))
    assert not t.warnings


def test_modules_in_other_threads_are_mentioned_and_do_not_disturb():
    model, x = MLP(4, 4), torch.randn(2, 4)
    with trace(model) as t:
        thread = threading.Thread(target=lambda: model(x))
        thread.start()
        thread.join()
        torch.ones(1).exp()
    assert [r.within for r in t.records] == ["outside"] * len(t.records) and len(t.records) == 2
    assert any("another thread" in warning for warning in t.warnings)
