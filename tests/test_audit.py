"""`audit` names each planted fault, stays silent on sound models, and leaves the model as it was."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers.audit import CODES, MODEL_CODES, STEP_CODES, audit
from amp_helpers.models import GPT, MLP, GPTConfig, ResNetBlock, SmallCNN, TransformerBlock

BF16, FP16 = torch.bfloat16, torch.float16
both = pytest.mark.parametrize("dtype", [BF16, FP16], ids=["bfloat16", "float16"])


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


class Part(nn.Module):
    """Two sound layers and, between them, whatever a test plants."""

    def __init__(self, planted, width=64):
        super().__init__()
        self.first, self.last, self.planted = nn.Linear(width, width), nn.Linear(width, width), planted

    def forward(self, x):
        return self.last(self.planted(self.first(x)))


class Call(nn.Module):
    """A function as a module."""

    def __init__(self, function, **modules):
        super().__init__()
        self.function = function
        for name, module in modules.items():
            self.add_module(name, module)

    def forward(self, *args):
        return self.function(self, *args)


def rows(width=64, count=256):
    return torch.randn(count, width)


# --- sound models -----------------------------------------------------------------------------------------


class Outputs(nn.Module):
    """Returns a dict that also holds None, an integer and a nested tuple."""

    def __init__(self):
        super().__init__()
        self.layer = nn.Linear(64, 64)

    def forward(self, x, scale=1.0):
        y = self.layer(x) * scale
        return {"y": y, "parts": (y.argmax(-1), None), "count": 3}


SOUND = {
    "MLP": lambda: (MLP(256, 256, 256, 16), rows(256)),
    "ResNetBlock": lambda: (ResNetBlock(64), torch.randn(8, 64, 16, 16)),
    "TransformerBlock": lambda: (TransformerBlock(128, 4), torch.randn(8, 64, 128)),
    "SmallCNN with 10 classes": lambda: (SmallCNN(), torch.randn(16, 1, 8, 8)),
    "GPT": lambda: (GPT(GPTConfig(256, 64, 64, 4, 2)), torch.randint(0, 256, (8, 64))),
    "in eval mode": lambda: (TransformerBlock(128, 4).eval(), torch.randn(8, 64, 128)),
    "LSTM": lambda: (nn.LSTM(64, 64), torch.randn(4, 32, 64)),
    "encoder layer": lambda: (nn.TransformerEncoderLayer(64, 4, 128, batch_first=True), torch.randn(16, 64, 64)),
    "depthwise convolution": lambda: (nn.Conv2d(9, 9, 3, groups=9), torch.randn(2, 9, 8, 8)),
    "a dict of outputs": lambda: (Outputs(), {"x": rows(), "scale": 2.0}),
    "a mean-squared error inside": lambda: (
        Call(lambda self, x, y: F.mse_loss(self.layer(x), y), layer=nn.Linear(64, 64)),
        (rows(), rows()),
    ),
    "a cross entropy inside": lambda: (
        Call(lambda self, x, y: F.cross_entropy(self.layer(x), y), layer=nn.Linear(64, 64)),
        (rows(), torch.randint(0, 64, (256,))),
    ),
    "a loss in float32 after the region": lambda: (
        Call(lambda self, x: F.softmax(self.layer(x).float(), -1), layer=nn.Linear(64, 64)),
        rows(),
    ),
    "frozen 16-bit weights": lambda: (Part(nn.Linear(64, 64).to(BF16).requires_grad_(False)), rows()),
    "a tiny float32 head": lambda: (
        Part(Call(lambda self, x: x + disabled(self.head, x[:1].float()).sum(), head=nn.Linear(64, 8))),
        rows(),
    ),
}


def disabled(layer, x):
    with torch.autocast("cpu", enabled=False):
        return layer(x)


# oneDNN has no float16 LSTM on most CPUs.
CASES = [(case, dtype) for case in SOUND for dtype in (BF16, FP16) if (case, dtype) != ("LSTM", FP16)]


@pytest.mark.parametrize("case, dtype", CASES)
def test_a_sound_model_is_silent(case, dtype):
    model, example = SOUND[case]()
    report = audit(model, example, dtype=dtype)
    assert not report, str(report)


# --- planted faults ---------------------------------------------------------------------------------------


class CastsInputs(torch.autograd.Function):
    @staticmethod
    @torch.amp.custom_fwd(device_type="cpu", cast_inputs=torch.float32)
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    @torch.amp.custom_bwd(device_type="cpu")
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        return grad @ weight.t(), x.t() @ grad


class Unprepared(torch.autograd.Function):
    """Its backward mixes float32 and what autocast made: the documented mistake without custom_bwd."""

    @staticmethod
    def forward(ctx, x, weight):
        ctx.save_for_backward(x, weight)
        return x @ weight

    @staticmethod
    def backward(ctx, grad):
        x, weight = ctx.saved_tensors
        return grad @ weight.t(), x.t() @ grad


def with_out(self, x):
    buffer = torch.empty(x.shape[0], 64)
    with torch.no_grad():
        torch.mm(x.float(), self.layer.weight.detach(), out=buffer)
    return buffer + x


def write_in_place(self, x):
    result = torch.zeros(x.shape)
    result[torch.arange(x.shape[0])] = x
    return result


def on_the_wrong_device(enabled):
    def function(self, x):
        with torch.autocast("cuda", dtype=BF16, enabled=enabled):
            return x * 2

    return function


def weight_call(function):
    return Call(lambda self, x: function(x, self.layer.weight), layer=nn.Linear(64, 64, bias=False))


# case -> (model, example, dtype), code, where, words of what
FAULTY = {
    "autocast switched off": (
        lambda: (Part(Call(lambda self, x: disabled(self.layer, x.float()), layer=nn.Linear(64, 64))), rows(), BF16),
        ("float32-compute", "planted.layer", "addmm computes in float32: autocast is switched off there"),
    ),
    "a float64 model": (
        lambda: (nn.Linear(64, 64).double(), rows().double(), BF16),
        ("float32-compute", "(model)", "addmm computes in float64: autocast leaves float64 alone"),
    ),
    "a Function that casts its inputs": (
        lambda: (Part(weight_call(CastsInputs.apply)), rows(), BF16),
        ("float32-compute", "planted", "mm computes in float32: autocast is switched off there"),
    ),
    "an out= op": (
        lambda: (Part(Call(with_out, layer=nn.Linear(64, 64))), rows(), BF16),
        ("float32-compute", "planted", "autocast does not lower this op or its out= form"),
    ),
    "a batch of four": (
        lambda: (MLP(256, 256, 256), rows(256, 4), BF16),
        ("cast-dominated", "0, 2", "bytes, the products in 16 bits"),
    ),
    "an odd vocabulary": (
        lambda: (GPT(GPTConfig(257, 64, 64, 4, 1)), torch.randint(0, 257, (8, 64)), FP16),
        ("tensor-core-shape", "head", "output size 257 is no multiple of 8; the next one is 264"),
    ),
    "an odd width": (
        lambda: (MLP(64, 100, 64), rows(), BF16),
        ("tensor-core-shape", "0", "output size 100 is no multiple of 8; the next one is 104"),
    ),
    "odd channels": (
        lambda: (nn.Conv2d(16, 12, 3), torch.randn(4, 16, 16, 16), BF16),
        ("tensor-core-shape", "(model)", "output channels 12 is no multiple of 8; the next one is 16"),
    ),
    "an odd head size": (
        lambda: (TransformerBlock(96, 8), torch.randn(8, 64, 96), BF16),
        ("tensor-core-shape", "(model)", "head size 12 is no multiple of 8"),
    ),
    "a loss from probabilities": (
        lambda: (
            Call(lambda self, x: -F.log_softmax(self.layer(x), -1)[:, 0].mean(), layer=nn.Linear(64, 64)),
            rows(),
            BF16,
        ),
        ("low-precision-loss", "(model)", "log_softmax computes from bfloat16 and returns bfloat16"),
    ),
    "a loss where autocast is off": (
        lambda: (
            Call(
                lambda self, x: disabled(lambda y: F.mse_loss(y, torch.ones_like(y)), self.layer(x)),
                layer=nn.Linear(64, 64),
            ),
            rows(),
            BF16,
        ),
        ("low-precision-loss", "(model)", "mse_loss computes from bfloat16 and returns bfloat16"),
    ),
    "a layer norm on a CPU": (
        lambda: (Part(nn.LayerNorm(64)), rows(), BF16),
        ("low-precision-norm", "planted", "layer_norm computes from bfloat16 and returns bfloat16"),
    ),
    "a softmax on a CPU": (
        lambda: (Part(nn.Softmax(-1)), rows(), FP16),
        ("low-precision-norm", "planted", "softmax computes from float16 and returns float16"),
    ),
    "half()": (
        lambda: (MLP(64, 64, 64).half(), rows().half(), FP16),
        ("low-precision-parameters", "0, 2", "trainable parameters in float16"),
    ),
    "one layer in bfloat16": (
        lambda: (Part(nn.Linear(64, 64).to(BF16)), rows(), BF16),
        ("low-precision-parameters", "planted", "trainable parameters in bfloat16"),
    ),
    "an inner region for CUDA": (
        lambda: (Part(Call(on_the_wrong_device(True))), rows(), BF16),
        ("other-device", "planted", "autocast for cuda, tensors on cpu"),
    ),
    "a protecting region for CUDA": (
        lambda: (Part(Call(on_the_wrong_device(False))), rows(), BF16),
        ("other-device", "planted", "autocast for cuda, tensors on cpu"),
    ),
    "BCELoss": (
        lambda: (
            Call(
                lambda self, x: self.loss(self.layer(x).sigmoid(), torch.ones(x.shape)),
                layer=nn.Linear(64, 64),
                loss=nn.BCELoss(),
            ),
            rows(),
            BF16,
        ),
        ("banned-op", "loss", "binary_cross_entropy inside an autocast region"),
    ),
    "activations beyond 65504": (
        lambda: (Part(Call(lambda self, x: x * 1e5)), rows(), FP16),
        ("float16-overflow", "planted", "returns inf or NaN from finite inputs"),
    ),
    "an in-place write": (
        lambda: (Part(Call(write_in_place)), rows(), BF16),
        ("fails-under-autocast", "(model)", "Index put requires the source and destination dtypes match"),
    ),
    "a Function without custom_bwd": (
        lambda: (Part(weight_call(Unprepared.apply)), rows(), BF16),
        ("fails-under-autocast", "(model)", "RuntimeError: "),
    ),
}


@pytest.mark.filterwarnings("ignore:User provided device_type of 'cuda'", "ignore:CUDA is not available")
@pytest.mark.parametrize("case", FAULTY)
def test_a_planted_fault_is_found(case):
    build, (code, where, what) = FAULTY[case]
    model, example, dtype = build()
    report = audit(model, example, dtype=dtype)
    assert set(report.codes) == {code}, str(report)
    finding = report.findings[0]
    assert finding.where == where and what in finding.what, str(report)
    assert (finding.reason, finding.fix) == MODEL_CODES[code]


def test_every_code_is_planted():
    assert {expected[0] for _, expected in FAULTY.values()} == set(MODEL_CODES)
    assert CODES == STEP_CODES | MODEL_CODES and not set(STEP_CODES) & set(MODEL_CODES)


def test_a_region_for_another_device_than_planned():
    report = audit(MLP(64, 64), rows(), device_type="cuda", dtype=BF16)
    assert report.codes == ["other-device"]
    assert report.findings[0].what == "autocast for cuda, tensors on cpu"
    assert "What else is reported is for autocast on cpu." in str(report)


def test_modules_with_one_fault_share_a_finding():
    report = audit(nn.Sequential(*[nn.LayerNorm(64) for _ in range(5)]), rows().to(BF16), dtype=BF16)
    assert [finding.where for finding in report] == ["0, 1, 2 and 2 more"]


def test_the_batch_decides_whether_casts_dominate():
    """The rule of the docstring on both sides: 4 rows do not pay for the casts, 1024 do."""
    model = MLP(256, 256, 256)
    assert audit(model, rows(256, 4)).codes == ["cast-dominated"]
    assert not audit(model, rows(256, 1024))


def test_overflow_is_a_matter_of_float16():
    model = Part(Call(lambda self, x: x * 1e5))
    assert not audit(model, rows(), dtype=BF16)
    # Only the first module is to blame; the ones after it received the inf.
    assert [finding.where for finding in audit(model, rows(), dtype=FP16)] == ["planted"]


def test_the_default_dtype_is_autocasts():
    report = audit(MLP(64, 64), rows())
    assert str(report).startswith("MLP under autocast to bfloat16 on cpu: no findings.\nSeen on a CPU")


# --- the model afterwards -----------------------------------------------------------------------------------


@both
@pytest.mark.parametrize("training", [True, False])
def test_the_model_is_as_before(dtype, training):
    model = nn.Sequential(SmallCNN(), nn.Dropout(0.5)).train(training)
    model[1].train(not training)
    x = torch.randn(4, 1, 8, 8, requires_grad=True)
    model(x).sum().backward()
    waiting = model(x).sum()  # a graph that the caller still needs
    before = copy.deepcopy(model.state_dict())
    grads = [(p, p.grad, p.grad.clone()) for p in [*model.parameters(), x]]
    flags = [module.training for module in model.modules()]
    hooks = [len(module._forward_hooks) for module in model.modules()]
    patched = vars(torch.autocast)["__enter__"]
    random = torch.get_rng_state()
    audit(model, x, dtype=dtype)
    after = model.state_dict()
    assert after.keys() == before.keys() and all(torch.equal(after[name], before[name]) for name in before)
    assert all(p.grad is grad and torch.equal(grad, value) for p, grad, value in grads)
    assert flags == [module.training for module in model.modules()]
    assert hooks == [len(module._forward_hooks) for module in model.modules()]
    assert vars(torch.autocast)["__enter__"] is patched
    assert torch.equal(random, torch.get_rng_state())
    waiting.backward()


class Replaces(nn.Module):
    """Replaces a buffer by a new tensor, writes to a parameter, and may fail at the end."""

    def __init__(self, fail):
        super().__init__()
        self.fail, self.layer = fail, nn.Linear(64, 64)
        self.register_buffer("mean", torch.zeros(64))

    def forward(self, x):
        self.mean = self.mean + x.mean(0)
        self.layer.bias.data.add_(1.0)
        self.eval()
        if self.fail:
            raise KeyError("mine")
        return self.layer(x)


@pytest.mark.parametrize("fail", [False, True])
def test_replaced_buffers_and_errors(fail):
    model = Replaces(fail)
    mean, bias = model.mean, model.layer.bias.detach().clone()
    if fail:
        with pytest.raises(ValueError, match="model\\(example\\) fails without autocast too: KeyError: 'mine'"):
            audit(model, rows())
    else:
        assert not audit(model, rows())
    assert model.mean is mean and not mean.any()
    assert torch.equal(model.layer.bias, bias) and model.training


def test_under_no_grad_only_the_forward_pass_is_judged():
    assert audit(Part(weight_call(Unprepared.apply)), rows(count=1024)).codes == ["fails-under-autocast"]
    with torch.no_grad():
        assert "fails-under-autocast" not in audit(Part(weight_call(Unprepared.apply)), rows(count=1024)).codes
        assert "low-precision-norm" in audit(Part(nn.LayerNorm(64)), rows()).codes


def test_a_model_without_tensors_or_outputs():
    assert not audit(Call(lambda self, x: None), rows())
    with pytest.raises(ValueError, match="neither the model nor the example holds a tensor"):
        audit(Call(lambda self, x: None), (1,))


# --- bad input ----------------------------------------------------------------------------------------------


def test_bad_input():
    model = MLP(64, 64)
    with pytest.raises(TypeError, match=r"model must be a torch.nn.Module, not function"):
        audit(lambda x: x, rows())
    with pytest.raises(TypeError, match=r"example must be a tensor, a tuple of arguments or a dict .*, not int"):
        audit(model, 3)
    with pytest.raises(ValueError, match=r"dtype must be torch.float16 or torch.bfloat16, not torch.float32"):
        audit(model, rows(), dtype=torch.float32)
    with pytest.raises(ValueError, match="autocast knows no device type 'gpu'; choose cpu or cuda"):
        audit(model, rows(), device_type="gpu")
    with pytest.raises(ValueError, match="must be on one device type, not on cpu and meta"):
        audit(model, rows().to("meta"))
    with pytest.raises(ValueError, match=r"model\(example\) fails without autocast too: RuntimeError: .*shapes"):
        audit(model, rows(65))
    with pytest.raises(ValueError, match=r"fails without autocast too: TypeError: "):
        audit(model, {"y": rows()})
