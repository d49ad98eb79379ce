"""The Python side of the autocast map: traits, the twin, and its tables against what torch does."""

import json
import re

import pytest
import torch
import traitlets
from test_widgets import HOSTILE, Twin
from torch import nn
from torch.profiler import ProfilerActivity, profile

from amp_helpers.javascript import WIDGETS
from amp_helpers.policy import stored_policies
from amp_helpers.policy.examples import FAMILIES, example
from amp_helpers.policy.probe import _Casts, _Maker, probing
from amp_helpers.widgets import AutocastMap
from amp_helpers.widgets.autocast_map import DEVICES, MOST

SOURCE = (WIDGETS / "autocast_map_families.js").read_text(encoding="utf-8")


def read_table(name):
    """One of the tables in the JavaScript, as the page reads it: {name: [op, ...]}."""
    text = re.search(rf"{name}(?: =|:) `\n(.*?)`", SOURCE, re.DOTALL)[1]
    lines = [line.split(": ") for line in text.strip().splitlines()]
    return {name: ops.split() for names, ops in lines for name in names.split()}


def family(name):
    """The ops of one family in the JavaScript."""
    return re.search(rf'id: "{name}".*?words\([`"](.*?)[`"]\)', SOURCE, re.DOTALL)[1].split()


LAYERS, PARTS = read_table("TABLE"), {device: read_table(device) for device in DEVICES}


def unpack(packed):
    return {
        version: {
            device: {op: category for category, ops in categories.items() for op in ops.split()}
            for device, categories in devices.items()
        }
        for version, devices in packed.items()
    }


def test_the_page_gets_the_stored_policies():
    stored = stored_policies()
    assert len(stored) >= 3 and unpack(AutocastMap().policies) == stored
    assert AutocastMap().version == list(stored)[-1]
    state = Twin(AutocastMap(layers="Linear").twin()).widget["state"]
    assert unpack(json.loads(state)["policies"]) == stored
    assert len(state) + MOST < 30_000


def test_repr_and_bundle():
    widget = AutocastMap(device="cpu", op="softmax", torch="2.8", layers="Linear, ReLU")
    assert repr(widget) == "AutocastMap(device='cpu', layers='Linear, ReLU', op='softmax', torch='2.8')"
    assert repr(eval(repr(widget))) == repr(widget) and repr(AutocastMap()) == "AutocastMap()"
    assert AutocastMap().twin() == AutocastMap().twin()
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "autocast_map" and json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {"device", "dtype", "torch", "op", "layers", "policies", "url_state"}
    assert "export default" in str(AutocastMap._esm)


def test_the_fallback_tells_the_same():
    twin = Twin(AutocastMap(op="rms_norm", dtype="float16", layers=HOSTILE).twin())
    for expected in ("rms_norm in float16 autocast", "torch 2.8", "not listed", "float32", HOSTILE, "raises an error"):
        assert expected in twin.text
    assert "What autocast does on cuda, torch" in twin.text and "script" not in twin.tags and "img" not in twin.tags
    newest = stored_policies()[AutocastMap().version]["cuda"]
    assert set(newest) <= set(re.findall(r"\w+", AutocastMap().fallback().replace("<wbr>", "")))


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_what_is_shown_is_what_the_files_say(dtype):
    words = {"lower precision": dtype, "widest": "widest input", "banned": "raises an error"}
    for version, devices in stored_policies().items():
        for device, ops in devices.items():
            for op, category in ops.items():
                shown = AutocastMap(op=op, dtype=dtype).shown(device, version)
                assert shown == words.get(category, category), (version, device, op)
    assert AutocastMap(op="relu").shown("cuda", AutocastMap().version) == "not listed"


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("device", "tpu", "unknown device 'tpu'; choose from cpu, cuda"),
        ("dtype", "float32", "unknown dtype 'float32'; choose from bfloat16, float16"),
        ("torch", "1.0", r"no policy of torch '1.0'; choose from 2\.8\.0, "),
        ("op", HOSTILE, "is not an op's name, such as 'linear'"),
        ("op", "", "op '' is not an op's name"),
        ("layers", "x" * (MOST + 1), "layers has 10001 characters; at most 10000"),
        ("policies", {}, "read-only"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = AutocastMap()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "AutocastMap()"
    with pytest.raises(traitlets.TraitError, match=message):
        AutocastMap(**{trait: value})


def test_the_page_sends_what_changed():
    widget = AutocastMap()
    widget.set_state({"device": "cpu", "dtype": "float16", "torch": "2.8.0", "op": "mm", "layers": "Linear"})
    assert (widget.device, widget.dtype, widget.version, widget.op) == ("cpu", "float16", "2.8.0", "mm")


# --- the tables of the page: which ops a layer calls ----------------------------------------------------------------


def outermost(run, listed):
    """The ops of `listed` that a call reaches first."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        run()

    def inside(event):
        name = event.name.removeprefix("aten::")
        if name in listed:
            return {name}
        return set().union(*(inside(child) for child in event.cpu_children))

    return set().union(*(inside(event) for event in seen.events() if event.cpu_parent is None))


def numbers(*shape):
    return torch.rand(shape)


def indices(*shape):
    return torch.zeros(shape, dtype=torch.int64)


def layer_call(name):
    """A call of the layer `name` with small inputs."""
    dims = re.search(r"(\d)d$", name)
    images = numbers(2, 4, *[8] * int(dims[1])) if dims else None
    row, pair = numbers(2, 4), (numbers(2, 4), numbers(2, 4))
    special = {
        "Bilinear": ((4, 4, 4), pair),
        "LSTM": ((4, 4), (numbers(3, 2, 4),)),
        "GRU": ((4, 4), (numbers(3, 2, 4),)),
        "RNN": ((4, 4), (numbers(3, 2, 4),)),
        "MultiheadAttention": ((4, 2), (numbers(3, 2, 4),) * 3),
        "GroupNorm": ((2, 4), (numbers(2, 4, 8),)),
        "Embedding": ((4, 4), (indices(3),)),
        "EmbeddingBag": ((4, 4), (indices(2, 3),)),
        "Unflatten": ((1, (2, 2)), (row,)),
        "PixelShuffle": ((2,), (numbers(2, 4, 8, 8),)),
        "Softmax2d": ((), (images,)),
        "LocalResponseNorm": ((2,), (numbers(2, 4, 8, 8),)),
        "UpsamplingNearest2d": ((None, 2), (images,)),
        "UpsamplingBilinear2d": ((None, 2), (images,)),
        "MarginRankingLoss": ((), (numbers(2),) * 3),
        "TripletMarginLoss": ((), (*pair, row)),
        "CosineEmbeddingLoss": ((), (*pair, numbers(2))),
        "MultiLabelMarginLoss": ((), (row, indices(2, 4))),
        "CTCLoss": ((), (numbers(5, 1, 3), torch.tensor([[1, 2]]), torch.tensor([5]), torch.tensor([2]))),
    }
    if name in special:
        made, given = special[name]
    elif "Conv" in name:
        made, given = ((4, 3) if name.startswith("Lazy") else (4, 4, 3)), (images,)
    elif name.startswith(("BatchNorm", "InstanceNorm")):
        made, given = (4,), (images,)
    elif "Pool" in name or "Pad" in name:
        made, given = (2 if "Pool" in name else 1,), (images,)
    elif re.match(r"Dropout\d", name):
        made, given = (), (images,)
    elif name in ("CrossEntropyLoss", "NLLLoss", "MultiMarginLoss"):
        made, given = (), (row, indices(2))
    elif "Loss" in name or name in ("CosineSimilarity", "PairwiseDistance"):
        made, given = (), pair
    elif "Linear" in name:
        made, given = ((4,) if name.startswith("Lazy") else (4, 4)), (row,)
    elif name.endswith("Cell"):
        made, given = (4, 4), (row,)
    else:
        made, given = {"LayerNorm": (4,), "RMSNorm": (4,)}.get(name, (1,) if "oftm" in name else ()), (row,)
    module_type = getattr(nn, name, None) or nn.modules.linear.NonDynamicallyQuantizableLinear
    module = module_type(*made)
    return lambda: module(*given)


#: What a run calls beside the table, on masks, offsets and lists of steps, or in the mean of attention's weights.
#: Listed ops that are called with a dtype of their own: autocast leaves them in it (softmax, sums).
CALLED_WITH_A_DTYPE = {"cross_entropy_loss": {"log_softmax"}}
BESIDE = {
    "LSTM": {"stack"},
    "GRU": {"stack"},
    "RNN": {"stack"},
    "MultiheadAttention": {"sum"},
    "EmbeddingBag": {"cumsum"},
    "CTCLoss": {"sum"},
}
#: Called only if no weights are asked for, and only on another device.
NOT_IN_THIS_RUN = {"MultiheadAttention": {"scaled_dot_product_attention"}}
NEEDS_A_GPU = {"LSTM", "GRU", "RNN"}  # on CUDA they are one op of cuDNN
#: Not to be judged on fake tensors: they need the device's library or driver, or call listed ops inside its kernel.
NOT_ON_FAKE = {
    "cpu": {"cudnn_convolution", "cudnn_convolution_transpose", "bilinear"},
    "cuda": {"lstm", "gru", "rnn_tanh", "ctc_loss", "fake_quantize_per_tensor_affine", "geqrf", "polar"}
    | {"view_as_complex", "linalg_lstsq", "linalg_matrix_rank", "lu_solve", "stft", "pinverse"},
}
NO_LAYER = {"cross_entropy"}  # a function
NOT_ON_A_CPU = {"SyncBatchNorm"}


@pytest.mark.parametrize("name", sorted(set(LAYERS) - NO_LAYER - NOT_ON_A_CPU))
def test_a_layer_calls_the_ops_of_the_table(name):
    call, newest = layer_call(name), stored_policies()[AutocastMap().version]
    for device in DEVICES:
        if device == "cuda" and name in NEEDS_A_GPU:
            continue
        expected, plain = set(), set()
        for op in LAYERS[name]:
            expected |= {op} & set(newest[device]) or set(PARTS[device].get(op, ()))
            plain |= {op} - set(newest[device]) - set(PARTS[device])
        found = outermost(call, set(newest[device]))
        missing = NOT_IN_THIS_RUN.get(name, set())
        beside = BESIDE.get(name, set()) | set().union(*(CALLED_WITH_A_DTYPE.get(op, set()) for op in LAYERS[name]))
        assert expected - missing <= found <= expected | beside, (device, found)
        if plain and not found:
            assert plain <= all_ops(call), device


def all_ops(call):
    """Names of all ops that a call reaches."""
    with profile(activities=[ProfilerActivity.CPU]) as seen:
        call()
    return {event.name.removeprefix("aten::") for event in seen.events()}


@pytest.mark.parametrize(
    ("device", "op"),
    [(device, op) for device in DEVICES for op in PARTS[device] if op not in ("lstm", "gru", "rnn_tanh")],
)
def test_an_op_that_is_not_listed_calls_the_listed_ops_of_the_table(device, op):
    found = outermost(lambda: call_op(op, Values()), set(stored_policies()[AutocastMap().version][device]))
    assert found - CALLED_WITH_A_DTYPE.get(op, set()) == set(PARTS[device][op])


def call_op(op, t):
    """Call an op with the example that the policy has of it, or one that stands here; `t` makes its tensors."""
    if op in CALLS:
        return CALLS[op](t)
    overload = next(name for examples in FAMILIES.values() for name in examples if name.partition(".")[0] == op)
    return getattr(torch.ops.aten, op)(*example(overload)(t))


def _recurrent(t, op, gates):
    state, weights = t(1, 2, 8), [t(8 * gates, 8), t(8 * gates, 8)]
    return getattr(torch, op)(
        t(3, 2, 8), (state, state) if op == "lstm" else state, weights, False, 1, 0.0, *[False] * 3
    )


ELEMENT_WISE = ["relu", "leaky_relu", "elu", "selu", "celu", "gelu", "silu", "mish", "hardswish", "hardsigmoid"]
ELEMENT_WISE += ["hardtanh", "sigmoid", "log_sigmoid", "tanh", "glu", "dropout", "alpha_dropout"]
ELEMENT_WISE += ["normalize", "gumbel_softmax"]
ONE_INPUT = ["mean", "max", "min", "abs", "sqrt", "square", "sin", "cos"]
#: Ops that no policy lists, as a user calls them.
CALLS = {
    **{
        op: lambda t, op=op: getattr(nn.functional, {"log_sigmoid": "logsigmoid"}.get(op, op))(t(4, 4))
        for op in ELEMENT_WISE
    },
    **{
        f"{pool}_pool{d}d": lambda t, pool=pool, d=d: getattr(nn.functional, f"{pool}_pool{d}d")(t(2, 4, *[8] * d), 2)
        for pool in ("max", "avg", "adaptive_avg", "adaptive_max")
        for d in (1, 2)
    },
    **{op: lambda t, op=op: getattr(torch, op)(t(4), t(4)) for op in ("add", "sub", "mul", "div")},
    **{op: lambda t, op=op: getattr(torch, op)(t(4)) for op in ONE_INPUT},
    "lstm": lambda t: _recurrent(t, "lstm", 4),
    "gru": lambda t: _recurrent(t, "gru", 3),
    "rnn_tanh": lambda t: _recurrent(t, "rnn_tanh", 1),
    "threshold": lambda t: nn.functional.threshold(t(4), 0.5, 0.0),
    "feature_dropout": lambda t: nn.functional.dropout2d(t(2, 4, 8, 8)),
    "batch_norm": lambda t: nn.functional.batch_norm(t(2, 4, 8), t(4), t(4), t(4), t(4), True),
    "instance_norm": lambda t: nn.functional.instance_norm(t(2, 4, 8)),
    "local_response_norm": lambda t: nn.functional.local_response_norm(t(2, 4, 8, 8), 2),
    "softmin": lambda t: nn.functional.softmin(t(4, 4), dim=1),
    "pairwise_distance": lambda t: nn.functional.pairwise_distance(t(4, 4), t(4, 4)),
    "matrix_power": lambda t: torch.matrix_power(t(4, 4), 3),
    "embedding": lambda t: nn.functional.embedding(t.index(3), t(4, 4)),
    "embedding_bag": lambda t: nn.functional.embedding_bag(t.index(2, 3), t(4, 4)),
    "flatten": lambda t: t(2, 4).flatten(),
    "unflatten": lambda t: t(4, 4).unflatten(1, (2, 2)),
    "pixel_shuffle": lambda t: nn.functional.pixel_shuffle(t(2, 4, 8, 8), 2),
    "channel_shuffle": lambda t: nn.functional.channel_shuffle(t(2, 4, 8, 8), 2),
    "clamp": lambda t: t(4).clamp(0.0, 1.0),
    "where": lambda t: torch.where(t(4) > 0.5, t(4), t(4)),
    "transpose": lambda t: t(4, 2).transpose(0, 1),
    "reshape": lambda t: t(4, 4).reshape(-1),
    "unfold": lambda t: nn.functional.unfold(t(2, 4, 8, 8), 2),
}
COMMON = re.search(r"COMMON_UNLISTED = words\(`(.*?)`\)", SOURCE, re.DOTALL)[1].split()


def seen_on(device, op):
    """What an op casts and returns on fake tensors, from float32 and from 16 bits, with autocast off and on."""
    low = torch.bfloat16
    torch.set_autocast_dtype(device, low)
    for dtype in (torch.float32, low):
        for autocast in (False, True):
            torch.set_autocast_enabled(device, autocast)
            try:
                with _Casts() as casts:
                    results = call_op(op, _Maker(device, dtype))
            except RuntimeError as error:
                results = type(error).__name__
            finally:
                torch.set_autocast_enabled(device, False)
            if not isinstance(results, str):
                results = results if isinstance(results, (tuple, list)) else [results]
                results = [result.dtype for result in results if isinstance(result, torch.Tensor)]
            yield casts.seen, results


@pytest.mark.parametrize("device", DEVICES)
def test_what_the_page_says_of_ops_that_are_not_listed_is_what_torch_does(device):
    newest = stored_policies()[AutocastMap().version]
    gone = {"cholesky", "qr"}  # without an op in torch 2.15
    ops = {*COMMON, *newest["cpu"], *newest["cuda"], *PARTS[device]} - set(newest[device]) - gone
    assert set(CALLS) >= set(COMMON) and len(ops) > 50
    wrong = {}
    with probing():
        for op in sorted(ops - NOT_ON_FAKE[device]):
            off, on, low_off, low_on = seen_on(device, op)
            failed = isinstance(off[1], str)  # from float32, every op runs
            if failed or (off != on or low_off != low_on) != (op in PARTS[device]):
                wrong[op] = (off, on, low_off, low_on)
    assert not wrong


class Values:
    """The `t` of the policy's examples: values that every op takes."""

    def __call__(self, *shape):
        return torch.eye(shape[0]) + 1 if len(set(shape)) == 1 and len(shape) == 2 else numbers(*shape)

    def index(self, *shape):
        return indices(*shape)


# --- the reasons that can be run --------------------------------------------------------------------------------


def takes(op, dtype):
    """Whether the CPU's kernel of an op takes 16-bit inputs, without autocast."""

    class Low(Values):
        def __call__(self, *shape):
            return super().__call__(*shape).to(dtype)

    overloads = ("", ".scalar", ".IntList", ".atol_rtol_float")
    arguments = next(found for overload in overloads if (found := example(op + overload)))
    try:
        if op == "stft":
            torch.stft(Low()(64), 16, return_complex=True)
        elif hasattr(torch.ops.aten, op):
            getattr(torch.ops.aten, op)(*arguments(Low()))
        else:
            getattr(torch, op)(*arguments(Low()))
    except RuntimeError:
        return False
    return True


def test_the_cpu_lacks_kernels_where_the_page_says_so():
    for op in set(family("kernel")) - {"lu_solve", "cholesky", "qr"}:  # one takes pivots, torch 2.15 dropped two
        assert takes(op, torch.float32), op
        assert not (takes(op, torch.bfloat16) and takes(op, torch.float16)), op


def test_the_cpu_has_kernels_where_the_page_says_so():
    for op in family("kept"):
        assert takes(op, torch.bfloat16) and takes(op, torch.float16), op
