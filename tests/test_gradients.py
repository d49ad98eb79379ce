"""Histograms of gradients answer as rounding every element does, for every scale and format, and leave no trace."""

import json
import math

import export_gradients
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers import gradients
from amp_helpers.__main__ import main
from amp_helpers.benchmark import Timing
from amp_helpers.formats import FORMATS
from amp_helpers.gradients import GradientHistogram, GradientReport, collect, report
from amp_helpers.gradients.bins import EDGES
from amp_helpers.models import GPT, GPTConfig, SmallCNN
from amp_helpers.rounding import round_to
from amp_helpers.suites import gradients as suite

NAMES = [name for name, fmt in FORMATS.items() if fmt.signed and fmt.significand_bits <= 11]
EXPORTED = ("float16", "bfloat16", "float8_e5m2", "float8_e4m3fn")
of = GradientHistogram.of


def elementwise(x: torch.Tensor, name: str, scale: float) -> tuple[int, int, int, int]:
    """The same four counts from the elements: multiply in float64, which is exact, and round each one."""
    fmt = FORMATS[name]
    x = x.double()
    x = x[x.isfinite() & (x != 0)] * scale
    rounded = round_to(x, fmt).abs()
    zero = rounded == 0
    subnormal = ~zero & (rounded < fmt.smallest_normal)
    infinite = ~rounded.isfinite()
    if not fmt.has_nan:  # rounding stops at the largest value: see what rounding without an end would give
        ulp = math.ldexp(fmt.eps, fmt.max_exponent)
        infinite = x.abs() >= fmt.max + ulp / 2
    counts = [int(part.sum()) for part in (zero, subnormal, infinite)]
    return counts[0], counts[1], len(x) - sum(counts), counts[2]


def spread(n: int, seed: int, low: float = -45, high: float = 20) -> torch.Tensor:
    """Random signs and sizes from 2**low to 2**high."""
    generator = torch.Generator().manual_seed(seed)
    sizes = torch.rand(n, generator=generator).mul_(high - low).add_(low).exp2_()
    return sizes * (torch.randint(2, (n,), generator=generator) * 2 - 1)


def borders(exponents=range(-8, 9)) -> torch.Tensor:
    """Every border of every format, and its neighbours among float32, in many exponents."""
    significands = torch.tensor([edge.significand for edge in EDGES])
    values = torch.cat([significands * 2.0**exponent for exponent in exponents])
    up, down = values.nextafter(torch.tensor(math.inf)), values.nextafter(torch.tensor(0.0))
    return torch.cat([values, -up, down])


# --- the counts ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_as_rounding_each_element(name):
    x = torch.cat([spread(4000, 1), borders(range(-30, 20, 3))])
    histogram = of(x)
    for exponent in range(-40, 70):
        assert histogram.at(name, 2.0**exponent) == elementwise(x, name, 2.0**exponent), exponent


@pytest.mark.parametrize("name", NAMES)
def test_every_border_at_every_exponent_of_the_format(name):
    fmt, x = FORMATS[name], borders(range(-2, 3))
    histogram = of(x)
    limits = (fmt.min_exponent - fmt.significand_bits, fmt.min_exponent, fmt.max_exponent)
    for limit in limits:
        for exponent in range(limit - 5, limit + 6):
            assert histogram.at(name, 2.0**exponent) == elementwise(x, name, 2.0**exponent), exponent


def test_the_ties_of_float16():
    half = 2.0**-25
    x = torch.tensor([half, half, 2.0**-24, 2.0**-14 - 2.0**-25, 2.0**-14, 65519.99, 65520.0])
    x[1] = torch.tensor(half).nextafter(torch.tensor(1.0))
    single = [of(value).at("float16") for value in x]
    kinds = [outcome._fields[outcome.index(1)] for outcome in single]
    assert kinds == ["zero", "subnormal", "subnormal", "normal", "normal", "normal", "infinite"]
    assert of(torch.tensor([464.0])).at("float8_e4m3fn").normal == 1, "a tie that stays: the largest code is even"
    assert of(torch.tensor([464.0]).nextafter(torch.tensor(500.0))).at("float8_e4m3fn").infinite == 1


@pytest.mark.parametrize("name", ["float16", "bfloat16", "float8_e4m3fn"])
def test_gradients_that_are_subnormal_in_float32(name):
    tiny = torch.arange(1, 3000, 7, dtype=torch.int32).view(torch.float32)
    tiny = torch.cat([tiny, torch.tensor([1, 2**22, 2**23 - 1, 2**23, 5000], dtype=torch.int32).view(torch.float32)])
    histogram = of(torch.cat([tiny, torch.zeros(3)]))
    assert (histogram.zeros, histogram.nonzero) == (3, len(tiny))
    assert (min(histogram.exponents), max(histogram.exponents)) == (-149, -126)
    for exponent in (0, 8, 16, 20, 100, 110, 115, 120, 124, 127):
        assert histogram.at(name, 2.0**exponent) == elementwise(tiny, name, 2.0**exponent), exponent


def test_exponents_are_those_of_frexp():
    x = spread(10_000, 3, -140, 120)
    found = of(x).exponents
    wanted = (x.double().frexp().exponent - 1).long()
    assert found == {e: int((wanted == e).sum()) for e in range(int(wanted.min()), int(wanted.max()) + 1)}


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_dtypes(dtype):
    x = torch.cat([spread(2000, 4, -10, 10), torch.tensor([0.0, -0.0, math.inf, -math.inf, math.nan])]).to(dtype)
    histogram = of(x)
    assert (histogram.zeros, histogram.infinite, histogram.nan, histogram.elements) == (2, 2, 1, 2005)
    for exponent in (-30, -20, 0, 10):
        assert histogram.at("float16", 2.0**exponent) == elementwise(x, "float16", 2.0**exponent)


def test_float64_beyond_float32():
    x = torch.tensor([2.0**300, 2.0**-300, 5e-324], dtype=torch.float64)
    histogram = of(x)
    assert [e for e, count in histogram.exponents.items() if count] == [-1074, -300, 300]
    assert histogram.at("float16") == (2, 0, 0, 1)
    assert histogram.largest_safe_scale("bfloat16") is None, "no scale that a float32 holds is small enough"


def test_every_nan_counts_as_one():
    patterns = torch.tensor([0x7F800001, 0x7FC00000, 0x7FFFFFFF, -1, -0x400000], dtype=torch.int32)
    assert of(patterns.view(torch.float32)).nan == 5


def test_complex_counts_both_parts():
    assert of(torch.tensor([1 + 2j, 0 + 4j]).conj()).exponents == {0: 1, 1: 1, 2: 1}
    assert of(torch.tensor([1 + 2j, 0 + 4j]).conj()).zeros == 1


@pytest.mark.parametrize(
    "make",
    [
        lambda x: x.view(20, 50).t(),
        lambda x: x.view(10, 100)[:, 3:60:7],
        lambda x: x.view(2, 5, 10, 10).to(memory_format=torch.channels_last),
        lambda x: x[:1].expand(7, 5),
        lambda x: x[:0].view(0, 3),
        lambda x: x[5],
        lambda x: torch.complex(x, x).conj().imag,
    ],
)
def test_layouts(make):
    x = make(spread(1000, 5))
    histogram = of(x)
    assert histogram.elements == x.numel()
    assert histogram.at("float16") == elementwise(x.reshape(-1), "float16", 1.0)


def test_long_tensors_are_counted_whole():
    x = spread(2**17 + 3, 6)
    assert of(x).nonzero == len(x)
    assert of(x).at("float8_e5m2") == elementwise(x, "float8_e5m2", 1.0)


def test_integers_have_no_gradients():
    with pytest.raises(TypeError, match=r"floating-point elements, not torch\.int64"):
        of(torch.ones(2, dtype=torch.int64))


# --- scales -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NAMES)
def test_the_largest_safe_scale_is_the_last_one(name):
    for seed in range(20):
        x = spread(30, seed, -20, -3)
        scale = of(x).largest_safe_scale(name)
        assert elementwise(x, name, scale)[3] == 0
        assert scale == 2.0**127 or elementwise(x, name, 2 * scale)[3] > 0


def test_the_largest_safe_scale_at_the_border():
    assert of(torch.tensor([65504.0])).largest_safe_scale("float16") == 1
    assert of(torch.tensor([65519.0])).largest_safe_scale("float16") == 1
    assert of(torch.tensor([65520.0])).largest_safe_scale("float16") == 0.5
    assert of(torch.zeros(3)).largest_safe_scale("float16") == 2.0**127
    assert of(torch.tensor([2.0**-40])).largest_safe_scale("bfloat16") == 2.0**127
    for bad in (math.inf, math.nan):
        assert of(torch.tensor([1.0, bad])).largest_safe_scale("float16") is None


@pytest.mark.parametrize("name", ["float16", "float8_e5m2", "float8_e4m3fn"])
def test_the_smallest_scale_flushes_no_more_than_allowed(name):
    x = spread(5000, 7, -40, -5)
    for flushed in (0.0, 0.001, 0.1):
        scale = of(x).smallest_scale(name, flushed)
        assert elementwise(x, name, scale)[0] <= flushed * len(x) < elementwise(x, name, scale / 2)[0]


def test_a_range_may_be_empty():
    wide = of(torch.tensor([2.0**-30, 2.0**15]))
    assert wide.scale_range("float16", 0.0) == (2.0**6, 1.0)
    assert not wide.scale_range("float16", 0.0) and wide.scale_range("bfloat16", 0.0)
    assert not of(torch.tensor([1.0, math.inf])).scale_range("float16")
    assert of(torch.tensor([2.0**-149])).smallest_scale("float16") == 2.0**125, "2**-24 is kept, 2**-25 is not"
    assert of(torch.tensor([2.0**-149])).smallest_scale("float8_e4m3fn") is None
    assert of(torch.tensor([2.0**10])).smallest_scale("bfloat16") == 2.0**-126
    assert of(torch.tensor([5e-324], dtype=torch.float64)).smallest_scale("float16") is None
    assert of(torch.zeros(4)).shares("float16") == (0, 0, 0, 0)


def test_by_scale_and_shares():
    x = spread(1000, 8)
    histogram = of(x)
    table = histogram.by_scale("float16", range(-3, 20))
    assert list(table) == list(range(-3, 20))
    for exponent, shares in table.items():
        assert [round(1000 * share) for share in shares] == list(elementwise(x, "float16", 2.0**exponent))
        assert sum(shares) == pytest.approx(1)


@pytest.mark.parametrize("scale", [0.0, -2.0, 3.0, 1000.0, math.inf, math.nan])
def test_scales_that_are_no_powers_of_two(scale):
    with pytest.raises(ValueError, match=f"scale must be a positive power of two, not {scale}"):
        of(torch.ones(3)).at("float16", scale)


@pytest.mark.parametrize("name", ["float32", "float64", "float8_e8m0fnu"])
def test_formats_that_do_not_fit(name):
    with pytest.raises(ValueError, match=f"{name} is not a signed format with 1 to 11 fraction bits"):
        of(torch.ones(3)).at(name)
    with pytest.raises(ValueError, match="unknown format 'half'"):
        of(torch.ones(3)).largest_safe_scale("half")
    with pytest.raises(ValueError, match="flushed must be a share from 0 to 1, not 2"):
        of(torch.ones(3)).smallest_scale("float16", 2)


def test_merging():
    parts = [spread(300, 9, -20, 0), torch.zeros(4), spread(50, 10, 5, 9), torch.tensor([math.inf, math.nan])]
    merged = GradientHistogram.merged(map(of, parts), "both", "model")
    whole = of(torch.cat(parts), "both", "model")
    assert merged == whole
    assert GradientHistogram.merged([], "none", "model").elements == 0
    with pytest.raises(ValueError, match="both: histograms with different edges"):
        GradientHistogram.merged([whole, whole.with_edges(EDGES[:3])], "both", "model")


# --- models -------------------------------------------------------------------------------------------


@pytest.fixture
def cnn():
    torch.manual_seed(0)
    return SmallCNN(channels=4), torch.randn(16, 1, 8, 8), torch.arange(16) % 10


@pytest.fixture
def gpt():
    torch.manual_seed(0)
    return GPT(GPTConfig(vocabulary=30, context=16, width=16, heads=2, layers=2)), torch.randint(30, (4, 17))


def loss_of(cnn):
    model, x, y = cnn
    return lambda: F.cross_entropy(model(x), y)


def language_loss(gpt):
    model, tokens = gpt
    return lambda: F.cross_entropy(model(tokens[:, :-1]).flatten(0, 1), tokens[:, 1:].flatten())


def hooks(model) -> int:
    """Every hook that a module of the model may carry."""
    return sum(
        len(value) for module in model.modules() for key, value in vars(module).items() if "hooks" in key and value
    )


@pytest.mark.parametrize("kind", ["cnn", "gpt"])
def test_parameters_of_a_model(kind, request):
    case = request.getfixturevalue(kind)
    loss = {"cnn": loss_of, "gpt": language_loss}[kind](case)
    model = case[0]
    found = collect(model, loss)
    assert all(parameter.grad is None for parameter in model.parameters())
    value = loss()
    value.backward()
    assert found.loss == value.item()
    assert [group.name for group in found.groups] == [name for name, _ in model.named_parameters()]
    assert not found.missing and not found.activations
    for name, parameter in model.named_parameters():
        for fmt in EXPORTED:
            for scale in (2.0**-4, 1.0, 2.0**8, 2.0**16, 2.0**24):
                assert found[name].at(fmt, scale) == elementwise(parameter.grad.flatten(), fmt, scale), name
    assert collect(model) == GradientReport(found.model, None, found.groups)  # reads .grad


def test_the_scaled_loss_gives_what_the_histogram_says(cnn):
    """What the whole method rests on: the gradient of 2**k times the loss is 2**k times the gradient."""
    model, x, y = cnn
    found = collect(model, loss_of(cnn))
    scaled = collect(model, lambda: F.cross_entropy(model(x), y) * 2.0**12)
    for before, after in zip(found.groups, scaled.groups, strict=True):
        assert (after.low, after.counts, after.zeros) == (
            before.low + 12 * bool(before.counts),
            before.counts,
            before.zeros,
        )


def test_activations_of_a_model(cnn):
    model, x, y = cnn
    found = collect(model, loss_of(cnn), activations=True)
    leaves = [name for name, module in model.named_modules() if not list(module.children())]
    assert [group.name for group in found.activations] == leaves[::-1], "in the order of the backward pass"
    kept = {}
    handles = [
        model.get_submodule(name).register_forward_hook(
            lambda module, arguments, output, name=name: (output.retain_grad(), kept.update({name: output}))[1]
        )
        for name in leaves
    ]
    F.cross_entropy(model(x), y).backward()
    for handle in handles:
        handle.remove()
    for name in leaves:
        gradient = kept[name].grad
        assert found[name].elements == gradient.numel()
        assert found[name].at("float16", 2.0**3) == elementwise(gradient.flatten(), "float16", 2.0**3), name
    assert found.parameters == collect(model, loss_of(cnn)).parameters


def test_activations_by_name_shared_modules_and_structures():
    class Pair(nn.Module):
        def __init__(self):
            super().__init__()
            self.linear, self.relu = nn.Linear(4, 4), nn.ReLU(inplace=True)

        def forward(self, x):
            y = self.relu(self.linear(x))
            return {"a": (y, [self.relu(self.linear(y))]), "b": None}

    class Whole(nn.Module):
        def __init__(self):
            super().__init__()
            self.pair = Pair()

        def forward(self, x):
            out = self.pair(x)["a"]
            return out[0].sum() + out[1][0].square().sum()

    torch.manual_seed(0)
    model = Whole()
    found = collect(model, lambda: model(torch.randn(3, 4)), activations=["pair", "pair.linear"])
    assert {group.name: group.elements for group in found.activations} == {"pair": 24, "pair.linear": 24}
    assert hooks(model) == 0
    one = collect(model, lambda: model(torch.randn(3, 4)), activations="pair.relu")
    assert [group.name for group in one.activations] == ["pair.relu"]


def test_sparse_gradients():
    model = nn.Embedding(50, 4, sparse=True)
    tokens = torch.tensor([3, 3, 7])
    found = collect(model, lambda: (model(tokens) * torch.tensor([1.0, 2.0, 4.0])[:, None]).sum())
    assert found["weight"].exponents == {1: 4, 2: 4}, "3 twice: 1 + 2 = 3, not two elements"
    assert (found["weight"].zeros, found["weight"].elements) == (192, 200)


def test_missing_and_frozen_parameters(cnn):
    model = cnn[0]
    model.extra = nn.Linear(3, 3)
    model.head.weight.requires_grad_(False)
    found = collect(model, loss_of(cnn))
    assert found.missing == ("extra.weight", "extra.bias")
    assert "head.weight" not in [group.name for group in found.groups]
    assert "No gradient: extra.weight, extra.bias." in str(found.table())
    with pytest.raises(KeyError, match=r"no gradient named 'extra\.weight'; choose from conv1\.0\.weight, "):
        found["extra.weight"]


def test_non_finite_gradients_are_named(cnn):
    model, x, y = cnn
    found = collect(
        model,
        lambda: F.cross_entropy(model(x), y) + (model.head.bias[:2] * torch.tensor([math.inf, math.nan])).sum() * 1,
    )
    assert [(group.name, group.infinite, group.nan) for group in found.non_finite] == [("head.bias", 1, 1)]
    assert "Not finite already: head.bias (1 infinite, 1 NaN)." in found.table().caption
    assert found.largest_safe_scale("float16") is None
    assert found["head.weight"].largest_safe_scale("float16") > 1
    assert found.export()["loss"] is None


def test_a_shared_weight_counts_once(gpt):
    found = collect(gpt[0], language_loss(gpt))
    assert found.total().elements == sum(parameter.numel() for parameter in gpt[0].parameters())


def test_modules_and_totals(cnn):
    model = cnn[0]
    found = collect(model, loss_of(cnn), activations=True)
    assert [group.name for group in found.modules()] == [
        "conv1.0",
        "conv1.1",
        "conv2.0",
        "conv2.1",
        "conv3.0",
        "conv3.1",
        "head",
    ]
    assert sum(group.elements for group in found.modules()) == found.total().elements
    batch_norm = next(group for group in found.modules() if group.name == "conv1.1")
    assert batch_norm.elements == found["conv1.1.weight"].elements + found["conv1.1.bias"].elements
    assert found.largest_safe_scale("float16") == min(group.largest_safe_scale("float16") for group in found.groups)
    assert found.scale_range("float16").largest == found.largest_safe_scale("float16")
    with pytest.raises(ValueError, match="unknown kind 'module'; choose from parameter, activation"):
        found.total("module")


@pytest.mark.parametrize("kind", ["fails forward", "fails backward", "works", "no loss"])
def test_no_hook_and_no_gradient_stays(cnn, kind):
    model, x, y = cnn
    model.head.weight.grad = torch.ones_like(model.head.weight)

    class Fails(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x.clone()

        @staticmethod
        def backward(ctx, gradient):
            raise ZeroDivisionError

    def loss():
        value = F.cross_entropy(model(x), y)
        if kind == "fails forward":
            raise ZeroDivisionError
        return {"fails backward": Fails.apply(value), "works": value, "no loss": 3}[kind]

    if kind == "works":
        collect(model, loss, activations=True)
    else:
        with pytest.raises(ValueError if kind == "no loss" else ZeroDivisionError):
            collect(model, loss, activations=True)
    assert hooks(model) == 0
    assert torch.equal(model.head.weight.grad, torch.ones_like(model.head.weight))
    assert model.conv1[0].weight.grad is None


def test_hooks_of_a_kept_graph_are_gone(cnn):
    model, x, y = cnn
    kept = []

    def loss():
        kept.append(model(x))
        return kept[0].sum() + 0 * F.cross_entropy(kept[0], y)

    before = collect(model, loss, activations=["head"])["head"].elements
    assert before == 160 and kept[0]._backward_hooks in (None, {})


def test_works_under_no_grad(cnn):
    with torch.no_grad():
        assert collect(cnn[0], loss_of(cnn)).groups


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (lambda m, f: (len, f), TypeError, r"model must be a torch\.nn\.Module, not builtin_function"),
        (lambda m, f: (m, torch.ones(())), TypeError, "loss must be a function .* or None, not Tensor"),
        (lambda m, f: (m, lambda: 3), ValueError, "loss must return a scalar tensor, not int"),
        (lambda m, f: (m, lambda: m(torch.ones(2, 1, 8, 8))), ValueError, r"not a tensor of shape \(2, 10\)"),
        (lambda m, f: (m, lambda: f().detach()), ValueError, "the loss requires no gradient"),
        (lambda m, f: (nn.ReLU(), f), ValueError, "ReLU has no parameter that requires a gradient"),
        (lambda m, f: (m, f, ["conv9"]), ValueError, "no module named 'conv9'; choose from conv1, conv1.0, "),
        (lambda m, f: (m, None, True), ValueError, "give the function `loss`"),
    ],
)  # fmt: skip
def test_mistakes(cnn, arguments, error, message):
    model, loss, *activations = arguments(cnn[0], loss_of(cnn))
    with pytest.raises(error, match=message):
        collect(model, loss, activations=activations[0] if activations else False)


# --- tables -------------------------------------------------------------------------------------------


def test_the_table(cnn, capsys):
    model = cnn[0]
    found = report(model, loss_of(cnn), activations=True, fmt="bfloat16", scale=2.0**8)
    printed = capsys.readouterr().out
    assert printed == f"{found.table('bfloat16', 2.0**8)}\n"
    table = found.table("float16")
    assert len(table.rows) == len(found.groups) + 2
    names = [row[0] for row in table.rows]
    assert names[0] == "conv1.0.weight" and names[-2:] == ["all parameters", "all activations"]
    assert "head (output)" in names and "head.bias" in names
    row = dict(zip(table.columns, table.rows[0], strict=True))
    first = found.groups[0]
    assert row["nonzero"] == str(first.nonzero)
    assert row["largest"] == f"2^{int(math.log2(first.largest_safe_scale('float16')))}"
    assert row["exponents"] == f"{min(first.exponents)} to {max(first.exponents)}"
    assert table.caption.startswith("SmallCNN: shares of the nonzero elements in float16 at scale 2^0.")
    modules = found.table("float16", by="module")
    assert [row[0] for row in modules.rows][-2:] == ["head", "all parameters"]
    with pytest.raises(ValueError, match="unknown by 'layer'; choose from gradient, module"):
        found.table(by="layer")


def test_the_table_of_scales():
    x = torch.tensor([2.0**-30] * 3 + [1.0])
    found = GradientReport("made up", None, (of(x, "w"),))
    table = found.scale_table(("float16", "bfloat16"), (1.0, 2.0**10, 2.0**20))
    assert table.rows == [
        ["float16", "2^0", "75.00%", "0%", "0%"],
        ["float16", "2^10", "0%", "75.00%", "0%"],
        ["float16", "2^20", "0%", "0%", "25.00%"],
        *[["bfloat16", f"2^{k}", "0%", "0%", "0%"] for k in (0, 10, 20)],
    ]
    assert table.caption == "made up, all parameters: shares of 4 nonzero elements."


def test_shares_near_the_ends_are_not_rounded_to_them():
    percent = gradients.reporting.percent
    assert [percent(share) for share in (0, 1e-9, 1e-4, 0.5, 1 - 1e-9, 1)] == [
        "0%", "<0.01%", "0.01%", "50.00%", ">99.99%", "100%",
    ]  # fmt: skip


# --- export -------------------------------------------------------------------------------------------


def test_an_export_answers_as_the_original(cnn):
    found = collect(cnn[0], loss_of(cnn), activations=True, name="a small CNN")
    data = json.loads(json.dumps(found.export(), allow_nan=False))
    assert data["model"] == "a small CNN" and len(data["edges"]) == 8
    back = GradientReport.from_export(data)
    assert (back.model, back.loss, back.missing) == (found.model, found.loss, found.missing)
    for before, after in zip(found.groups, back.groups, strict=True):
        assert before.exponents == after.exponents
        for fmt in EXPORTED:
            for exponent in range(-10, 40):
                assert before.at(fmt, 2.0**exponent) == after.at(fmt, 2.0**exponent)
    assert back.export() == data
    with pytest.raises(
        ValueError, match=r"the bins do not answer for float6_e2m3fn; export them with formats=\[\.\.\.\]"
    ):
        GradientReport.from_export(found.export(["float16"])).groups[0].at("float6_e2m3fn")
    with pytest.raises(ValueError, match="float32 is not a signed format"):
        found.export(["float32"])


def test_an_export_of_nothing():
    empty = GradientReport("empty", None, (of(torch.zeros(3), "w"),))
    assert GradientReport.from_export(empty.export()).groups[0].zeros == 3


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "else"}, "must be an object with format 'amp_helpers gradients 1'"),
        ({"edges": [[1, "="]]}, "not an export of gradients: KeyError"),
        ({"edges": [[1, ">"]]}, "a row has more than 2 bins"),
        ({"groups": [{"name": "w"}]}, "KeyError: 'counts'"),
        ({"groups": 3}, "TypeError"),
    ],
)
def test_bad_exports(change, message):
    data = GradientReport("m", 1.0, (of(spread(100, 0), "w"),)).export() | change
    with pytest.raises(ValueError, match=message):
        GradientReport.from_export(data)


@pytest.mark.parametrize("field", ["zeros", "counts"])
def test_counts_are_whole_numbers(field):
    data = GradientReport("m", 1.0, (of(spread(100, 0), "w"),)).export()
    data["groups"][0][field] = -1 if field == "zeros" else [[1.5]]
    with pytest.raises(ValueError, match="w: a count is not a whole number"):
        GradientReport.from_export(data)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA")
def test_on_a_gpu():
    x = torch.cat([spread(200_000, 11), borders(), torch.tensor([math.inf, math.nan, 0.0, 1e-42])])
    assert of(x.cuda()) == of(x)


# --- the benchmark and the recorded files -------------------------------------------------------------


def row(forward, backward, parameters, activations):
    names = ("forward", "backward", "parameters", "activations")
    seconds = (forward, backward, parameters, activations)
    return suite.GradientRow("M", 7, {n: Timing(s, s, s, 5, 1) for n, s in zip(names, seconds, strict=True)})


def test_ratios_and_verdicts():
    measured = row(1.0, 3.0, 6.0, 12.0)
    assert (measured.ratio("parameters"), measured.ratio("parameters", backward_only=True)) == (2.0, 2.5)
    assert suite.gradients_verdicts([measured]) == [
        "met: M, parameters: at most 5 times a plain backward: 2.50",
        "MISSED: M, activations: at most 5 times a plain backward: 5.50",
    ]
    table = suite.gradients_table([measured])
    assert table.rows[2] == ["M parameters", "6000.00 [6000.00 6000.00]", "2.00", "2.50"]
    record = json.loads(json.dumps(suite.gradients_record([measured])))
    assert record["rows"][0]["ratios_to_backward"] == {"parameters": 2.5, "activations": 5.5}


@pytest.mark.parametrize("name", suite.MODELS)
def test_the_variants_do_what_their_names_say(name):
    model, loss = suite.gradient_case(name)
    calls = suite.gradient_variants(model, loss)
    assert calls["forward"]().shape == ()
    calls["backward"]()
    gradients_of = [parameter.grad.clone() for parameter in model.parameters()]
    assert all(gradient.any() for gradient in gradients_of)
    assert len(calls["parameters"]().parameters) == len(gradients_of) and not calls["parameters"]().activations
    assert calls["activations"]().activations


def test_the_command(monkeypatch, capsys):
    quick = suite.benchmark_gradients
    monkeypatch.setattr(suite, "benchmark_gradients", lambda models: quick(models, rounds=5, budget_s=0.01))
    assert main(["bench", "gradients", "--models", "SmallCNN"]) == 0
    printed = capsys.readouterr().out
    assert "SmallCNN activations" in printed and "SmallCNN, parameters: at most 5 times" in printed
    assert main(["bench", "gradients", "--models", "SmallCNN", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["rows"][0]["timings"]["forward"]["samples"] == 5
    assert main(["bench", "gradients", "--models", "CNN"]) == 2
    assert "unknown model 'CNN'; choose from SmallCNN, GPT" in capsys.readouterr().err


RECORDED = ("cnn_start", "cnn_trained", "gpt_start", "gpt_trained")


def test_the_recorded_files():
    files = sorted(export_gradients.FOLDER.glob("*.json"))
    assert [file.stem for file in files] == sorted(RECORDED)
    for file in files:
        text = file.read_text(encoding="utf8")
        assert len(text) < export_gradients.LARGEST
        stored = GradientReport.from_export(json.loads(text))
        assert stored.parameters and stored.activations and not stored.non_finite and not stored.missing
        assert export_gradients.text_of(stored.export()) == text
        assert all(stored.largest_safe_scale(fmt) for fmt in EXPORTED)


@pytest.mark.parametrize("kind", ["cnn", "gpt"])
def test_recording_again_gives_the_same(kind):
    """Up to the last bits, which depend on the machine: the names, the sizes, and nearly every exponent."""
    stored = GradientReport.from_export(json.loads((export_gradients.FOLDER / f"{kind}_start.json").read_text()))
    case = {"cnn": export_gradients.cnn_case, "gpt": export_gradients.gpt_case}[kind]
    label, again = next(export_gradients.record(case))
    assert (label, again.model) == ("start", stored.model)
    assert again.loss == pytest.approx(stored.loss, rel=1e-4)
    for before, after in zip(stored.groups, again.groups, strict=True):
        assert (before.name, before.elements) == (after.name, after.elements)
    before, after = stored.total("activation"), again.total("activation")
    moved = sum(
        abs(before.exponents.get(e, 0) - after.exponents.get(e, 0)) for e in {*before.exponents, *after.exponents}
    )
    assert moved < 0.001 * before.nonzero


def test_a_file_too_large_is_not_written(tmp_path, monkeypatch, capsys):
    empty = GradientReport("m", 1.0, (of(spread(100, 0), "w"),))
    monkeypatch.setattr(export_gradients, "record", lambda case: [("start", empty)])
    assert export_gradients.main([str(tmp_path / "new")]) == 0
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["cnn_start.json", "gpt_start.json"]
    monkeypatch.setattr(export_gradients, "LARGEST", 10)
    assert export_gradients.main([str(tmp_path / "other")]) == 1
    assert not (tmp_path / "other").exists() and "more than 10" in capsys.readouterr().err
