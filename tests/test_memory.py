"""The prediction agrees with hooks and with the allocator, on an MLP, a CNN and a transformer."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from amp_helpers.memory import KINDS, measure_memory, predict_memory
from amp_helpers.models import GPT, MLP, GPTConfig, ResNet9

RECIPES = ["32-true", "bf16-mixed", "bf16-true"]


def make(name):
    torch.manual_seed(0)
    if name == "mlp":
        return MLP(256, 256, 256, 10), torch.randn(64, 256)
    if name == "cnn":
        return ResNet9(channels=8), torch.randn(8, 3, 32, 32)
    return GPT(GPTConfig(vocabulary=256, context=64, width=64, heads=4, layers=3)), torch.randint(256, (8, 64))


def kinds(found) -> dict[str, int]:
    return {kind: getattr(found, kind) for kind in KINDS}


@pytest.mark.parametrize("recipe", RECIPES)
@pytest.mark.parametrize("name", ["mlp", "cnn", "gpt"])
def test_prediction_and_measurement_agree(name, recipe):
    model, example = make(name)
    predicted, measured = (function(model, example, recipe=recipe) for function in (predict_memory, measure_memory))
    assert kinds(predicted) == pytest.approx(kinds(measured), rel=0.05)
    # The allocator knows nothing of hooks: this is another witness.
    assert predicted.casts + predicted.activations == pytest.approx(measured.allocated, rel=0.05)
    assert predicted.allocated is None and measured.peak is None, "no peak on a CPU"


@pytest.mark.parametrize("recipe", RECIPES)
def test_an_mlp_by_hand(recipe):
    model = MLP(32, 64, 10)
    found = predict_memory(model, torch.zeros(5, 32), recipe=recipe)
    numbers = 32 * 64 + 64 + 64 * 10 + 10
    wide = 2 if recipe == "bf16-true" else 4
    assert found.parameters == found.gradients == wide * numbers
    # AdamW: two moments in the dtype of the weights, and a step count in float32 for each of four tensors.
    assert found.optimizer == 2 * wide * numbers + 4 * 4
    low = 4 if recipe == "32-true" else 2
    hidden = 5 * 64 * low  # what relu saves is what the second layer saves: one storage
    casts = 2 * numbers if recipe == "bf16-mixed" else 0
    # Autocast's copy of the input is saved; an input that was not cast is the step's own.
    given = 5 * 32 * 2 if recipe == "bf16-mixed" else 0
    assert (found.casts, found.activations) == (casts, hidden + given)


def test_modules_add_up():
    found = predict_memory(*make("gpt"), recipe="bf16-mixed")
    for kind in KINDS:
        assert sum(row.get(kind, 0) for row in found.by_module.values()) == getattr(found, kind), kind
    assert found.total == sum(kinds(found).values())
    assert found.by_module["tokens"]["parameters"] == 256 * 64 * 4, "a shared weight counts once"
    assert found.by_module["blocks.0.qkv"]["casts"] == (64 + 1) * 3 * 64 * 2
    text = repr(found.table())
    assert [line.split()[0] for line in text.splitlines()[2:]] == [
        "tokens",
        "positions",
        "blocks",
        "norm",
        "head",
        "sum",
    ]
    assert len(found.table(depth=0).rows) == 1 and len(found.table(depth=2).rows) > 6


def test_a_loss_belongs_to_no_module():
    model, example = make("mlp")
    labels = torch.zeros(64, dtype=torch.int64)
    with_loss = predict_memory(model, example, loss=lambda out: out.exp().sum())
    assert with_loss.by_module[""]["activations"] == 64 * 10 * 4
    measured = measure_memory(model, example, recipe="bf16-mixed", loss=lambda out: F.cross_entropy(out, labels))
    assert measured.by_module[""]["activations"] >= 64 * 10 * 4, "log-softmax in float32"


class Blocks(nn.Module):
    def __init__(self, checkpointed):
        super().__init__()
        self.blocks = nn.ModuleList(MLP(64, 256, 64) for _ in range(4))
        self.checkpointed = checkpointed

    def forward(self, x):
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return x


@pytest.mark.parametrize("recipe", ["32-true", "bf16-mixed"])
def test_checkpointing_keeps_the_blocks_inputs_only(recipe):
    x = torch.randn(32, 64)
    plain, kept = (predict_memory(Blocks(checkpointed), x, recipe=recipe) for checkpointed in (False, True))
    assert kept.activations < 0.35 * plain.activations
    measured = measure_memory(Blocks(True), x, recipe=recipe)
    assert kept.activations == pytest.approx(measured.activations, rel=0.05)


def test_frozen_parameters_have_neither_gradient_nor_state():
    model = MLP(16, 16, 16)
    model[0].requires_grad_(False)
    found = predict_memory(model, torch.zeros(4, 16))
    assert found.gradients == (16 * 16 + 16) * 4 == found.parameters // 2
    assert "optimizer" not in found.by_module["0"] or found.by_module["0"]["optimizer"] == 0


@pytest.mark.parametrize(
    ("optimizer", "states"),
    [("sgd", 0), ("sgd-momentum", 1), ("adam", 2), (None, 0), (lambda p: torch.optim.RMSprop(p), 1)],
)
def test_optimizers(optimizer, states):
    for function in (predict_memory, measure_memory):
        found = function(MLP(64, 64), torch.zeros(2, 64), optimizer=optimizer)
        assert found.optimizer == pytest.approx(states * found.parameters, abs=8)


def test_inputs_of_every_kind():
    class Model(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(8, 8)

        def forward(self, x, scale=1.0, *, flag=None):
            return {"out": self.layer(x) * scale, "flag": flag}

    x = torch.zeros(2, 8)
    expected = predict_memory(Model(), x)
    assert predict_memory(Model(), (x, 1.0)) == predict_memory(Model(), {"x": x, "flag": 3}) == expected


def test_nothing_is_left_behind():
    model, example = make("cnn")
    before = copy.deepcopy(model.state_dict())
    hooks = nn.modules.module._global_forward_hooks, nn.modules.module._global_forward_pre_hooks
    for function in (predict_memory, measure_memory):
        function(model, example, recipe="bf16-true")
        with pytest.raises(ZeroDivisionError):
            function(model, example, loss=lambda out: 1 / 0)
    assert all(torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert model.prepare[0].weight.dtype == torch.float32 and model.prepare[0].weight.grad is None
    assert not any(hooks) and not torch.is_autocast_enabled("cpu")


def test_a_model_without_memory():
    """GPT-2's 124 million parameters, predicted without allocating one."""
    with torch.device("meta"):
        model = GPT(GPTConfig(context=64, layers=2))
        tokens = torch.zeros(1, 64, dtype=torch.int64)
    found = predict_memory(model, tokens, recipe="bf16-mixed", device="cpu")
    assert found.parameters == sum(p.nbytes for p in model.parameters())
    assert found.casts > 0 and found.activations > 0


@pytest.mark.skipif(torch.version.cuda is None, reason="this torch was built without CUDA")
def test_cuda_without_a_gpu():
    model, example = make("mlp")
    wide, low = (predict_memory(model, example, recipe=recipe, device="cuda") for recipe in ("32-true", "16-mixed"))
    assert wide.casts == 0 < low.casts
    assert low.activations < wide.activations + example.nbytes
    assert low.gradients == low.parameters
    assert not torch.is_autocast_enabled("cuda")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("recipe", ["32-true", "16-mixed", "bf16-mixed"])
@pytest.mark.parametrize("name", ["mlp", "cnn", "gpt"])
def test_on_cuda(name, recipe):
    model, example = make(name)
    model, example = model.cuda(), example.cuda()
    predicted, measured = (function(model, example, recipe=recipe) for function in (predict_memory, measure_memory))
    assert kinds(predicted) == pytest.approx(kinds(measured), rel=0.05)
    # The caching allocator rounds each block up to 512 bytes.
    assert predicted.casts + predicted.activations == pytest.approx(measured.allocated, rel=0.05, abs=1 << 18)


def test_mistakes_are_named():
    x = torch.zeros(2, 4)
    with pytest.raises(ValueError, match="unknown optimizer 'lion'; choose from sgd, sgd-momentum, adam, adamw"):
        predict_memory(MLP(4, 4), x, optimizer="lion")
    with pytest.raises(ValueError, match="unknown recipe 'fp8'"):
        measure_memory(MLP(4, 4), x, recipe="fp8")
    with pytest.raises(ValueError, match="on the meta device: name the device to predict for"):
        predict_memory(MLP(4, 4).to("meta"), x.to("meta"))
    with pytest.raises(TypeError, match=r"a torch\.nn\.Module is expected, not a function"):
        predict_memory(test_mistakes_are_named, x)

    class Nothing(nn.Module):
        def forward(self, x):
            return None

    with pytest.raises(ValueError, match="no floating-point tensor: give a loss"):
        predict_memory(Nothing(), x)
