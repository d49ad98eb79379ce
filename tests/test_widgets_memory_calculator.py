"""The Python side of the memory calculator: traits, the twin, and its bytes against predict_memory."""

import itertools
import json

import memory_vectors
import pytest
import torch
import traitlets
from memory_vectors import CheckpointedGPT
from test_widgets import HOSTILE, Twin
from torch.profiler import ProfilerActivity, profile

from amp_helpers import memory
from amp_helpers.models import GPT, GPTConfig
from amp_helpers.precision import RECIPES
from amp_helpers.widgets import MemoryCalculator
from amp_helpers.widgets import memory_formula as formula
from amp_helpers.widgets.memory_calculator import CARDS, GB


def test_repr_and_bundle():
    widget = MemoryCalculator(recipe="32-true", batch=4, checkpointing=True)
    assert repr(widget) == "MemoryCalculator(batch=4, checkpointing=True, recipe='32-true')"
    assert repr(eval(repr(widget))) == repr(widget) and repr(MemoryCalculator()) == "MemoryCalculator()"
    assert MemoryCalculator().twin() == MemoryCalculator().twin()
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "memory_calculator" and json.loads(twin.widget["state"]) == widget.state()
    assert len(widget.twin()) < 30_000 and "script" not in twin.tags
    assert "export default" in str(MemoryCalculator._esm)


def test_names_are_those_of_memory_and_precision():
    assert formula.KINDS == memory.KINDS and set(formula.OPTIMIZERS) == set(memory.OPTIMIZERS)
    for name, (weight, low) in formula.RECIPES.items():
        recipe = RECIPES[name]
        assert (weight, low) == (recipe.weights.itemsize, (recipe.autocast or recipe.weights).itemsize)


@pytest.fixture(scope="module")
def vectors():
    torch.set_num_threads(1)
    return memory_vectors.memory_vectors()


def test_bytes_are_those_of_predict_memory(vectors):
    """Exactly; on CUDA the fused kernels keep a few bytes for random numbers, and round the length of a row up."""
    assert len(vectors) >= 69
    for row in vectors:
        traits = {name: value for name, value in row.items() if name != "bytes"}
        found = MemoryCalculator(**traits).bytes()
        fused = traits["device"] == "cuda" and traits.get("attention") == "fused"
        for kind, expected in row["bytes"].items():
            rel = 1e-3 if fused and kind == "activations" else 0
            assert found[kind] == pytest.approx(expected, rel=rel, abs=0), (kind, traits)


def test_bytes_are_those_of_a_real_step():
    """Measured with hooks on the CPU: the prediction's own witness, once more at the end of the chain."""
    torch.manual_seed(0)
    sizes = {"vocabulary": 256, "context": 64, "width": 64, "heads": 4, "layers": 3}
    tokens = torch.randint(256, (8, 64))

    def loss(logits):
        return torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens.flatten())

    for kind, kept in ((GPT, False), (CheckpointedGPT, True)):
        for recipe in ("32-true", "bf16-mixed"):
            measured = memory.measure_memory(kind(GPTConfig(**sizes)), tokens, recipe=recipe, loss=loss)
            widget = MemoryCalculator(**sizes, batch=8, recipe=recipe, checkpointing=kept, device="cpu")
            found = widget.bytes()
            for name in formula.KINDS:
                assert found[name] == pytest.approx(getattr(measured, name), rel=0.05), (name, recipe, kept)


def _most_held(step):
    """Bytes that a step holds at most beyond what was there, by the profiler: every allocation and release."""
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as found:
        step()
    events = [event for event in found.profiler.kineto_results.events() if event.name() == "[memory]"]
    events.sort(key=lambda event: event.start_ns())
    return max(itertools.accumulate(event.nbytes() for event in events))


@pytest.mark.parametrize("kind", [GPT, CheckpointedGPT])
@pytest.mark.parametrize("recipe", ["32-true", "bf16-mixed", "bf16-true"])
def test_the_peak_of_a_small_gpt_with_a_large_vocabulary(kind, recipe):
    """Measured on the CPU, after a first step; gradients are made anew, and the optimizer takes no step."""
    sizes = {"vocabulary": 20_000, "context": 64, "width": 32, "heads": 2, "layers": 2}
    tokens = torch.randint(20_000, (4, 64))
    model = RECIPES[recipe].convert(kind(GPTConfig(**sizes)))

    def step():
        model.zero_grad()
        with RECIPES[recipe].autocast_context("cpu"):
            loss = torch.nn.functional.cross_entropy(model(tokens).flatten(0, 1), tokens.flatten())
        loss.backward()

    step()
    model.zero_grad()
    kept = kind is CheckpointedGPT
    widget = MemoryCalculator(
        **sizes, batch=4, recipe=recipe, checkpointing=kept, optimizer="sgd", attention="fused", device="cpu"
    )
    found = widget.bytes()
    assert _most_held(step) == pytest.approx(widget.needed - found["parameters"], rel=0.1)
    assert found["temporary"] > found["gradients"] and widget.needed > 1.5 * widget.total


def test_the_peak_where_log_softmax_is_kept_twice():
    """CUDA's chain under autocast, made by hand: log-softmax in 16 bits, its copy in float32, the loss of that."""
    rows, classes = 128, 5000
    low = torch.randn(rows, classes).bfloat16().requires_grad_()
    target = torch.zeros(rows, dtype=torch.int64)
    keeping = MemoryCalculator(vocabulary=classes, context=rows, batch=1, recipe="bf16-mixed")
    saved = rows * classes * (2 + 4)
    # Without a use beyond the graph, so that each copy goes as soon as autograd is done with it.
    held = _most_held(lambda: torch.nn.functional.nll_loss(torch.log_softmax(low, -1).float(), target).backward())
    assert held == pytest.approx(saved + keeping.bytes()["temporary"], rel=0.1)


def test_of_a_number_of_parameters_everything_but_the_activations_is_known():
    found = MemoryCalculator(model="parameters", parameters=1000).bytes()
    assert found == {
        "parameters": 4000,
        "gradients": 4000,
        "optimizer": 8000,
        "casts": 2000,
        "activations": None,
        "recomputed": 0,
        "temporary": None,
    }
    widget = MemoryCalculator(model="parameters", parameters=1000)
    assert widget.total == widget.needed == 18_000


def test_checkpointing_trades_activations_for_a_block_at_a_time():
    plain, kept = (MemoryCalculator(checkpointing=on).bytes() for on in (False, True))
    assert kept["activations"] < plain["activations"]
    rows = 16 * 1024 * 768 * 4
    assert plain["activations"] - kept["activations"] == 12 * (kept["recomputed"] - rows)


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"model": "resnet"}, "unknown model 'resnet'; choose from gpt, mlp, parameters"),
        ({"recipe": HOSTILE}, "unknown recipe"),
        ({"optimizer": "lion"}, "unknown optimizer 'lion'; choose from sgd, sgd-momentum, adam, adamw"),
        ({"attention": "sparse"}, "unknown attention 'sparse'; choose from fused, plain"),
        ({"device": "tpu"}, "unknown device 'tpu'; choose from cuda, cpu"),
        ({"width": 100}, "width 100 is not a multiple of 12 heads"),
        ({"heads": 7}, "width 768 is not a multiple of 7 heads"),
        ({"batch": 0}, "batch must be from 1 to 1,000,000, not 0"),
        ({"parameters": 10**13 + 1}, "parameters must be from 1 to 10,000,000,000,000"),
        ({"cards": {}}, "read-only"),
    ],
)
def test_a_bad_value_is_refused(traits, message):
    with pytest.raises(traitlets.TraitError, match=message):
        MemoryCalculator(**traits)


def test_traits_that_belong_together_may_come_together():
    widget = MemoryCalculator()
    widget.set_state({"width": 1600, "heads": 25, "layers": 48})
    assert (widget.width, widget.heads) == (1600, 25)
    with pytest.raises(traitlets.TraitError, match="not a multiple"):
        widget.width = 768
    assert widget.width == 1600
    assert MemoryCalculator(model="mlp", width=100).width == 100
    with pytest.raises(traitlets.TraitError, match="not a multiple"):
        MemoryCalculator(model="mlp", width=100).model = "gpt"


@pytest.mark.parametrize("model", ["gpt", "mlp", "parameters"])
def test_the_fallback_tells_the_same(model):
    widget = MemoryCalculator(model=model, recipe="16-mixed")
    text = Twin(widget.twin()).text
    assert f"{widget.total / GB:.3g}" in text and f"{widget.bytes()['parameters'] / GB:.3g}" in text
    assert all(card in text for card in CARDS) and "32-true" in text
    assert ("not known" in text) == (model == "parameters")
    assert f"{widget.needed / GB:.3g}" in text and "needed, at least" in text
    assert ("too small" in text) == any(widget.needed > size * GB for size in CARDS.values())
