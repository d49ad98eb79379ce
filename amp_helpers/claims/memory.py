"""Evidence about memory: what 16 bits halve, and what they do not."""

from __future__ import annotations

import io
from collections.abc import Sequence

import torch
from torch import nn

from amp_helpers.benchmark import Record
from amp_helpers.memory import Breakdown, predict_memory
from amp_helpers.models import MLP, ResNet9
from amp_helpers.precision import RECIPES
from amp_helpers.tracing import trace

from .evidence import Evidence, halves, holds

#: "Half" is taken generously: up to this share of what float32 takes.
_HALF = 0.6


def classifier() -> nn.Module:
    """The network of text 003: two linear layers for images of 28x28 pixels."""
    return MLP(784, 128, 10)


def network() -> nn.Module:
    """A residual network, most of whose memory is activations."""
    return ResNet9(channels=16)


def kept(model: nn.Module, recipe: str, batch: int) -> Breakdown:
    """What a training step with AdamW keeps, predicted for the CPU's autocast on tensors without data."""
    shape = (784,) if isinstance(model, MLP) else (3, 32, 32)
    return predict_memory(model, torch.empty(batch, *shape, device="meta"), recipe=recipe, device="cpu")


def ratio(model: nn.Module, recipe: str, batch: int) -> float:
    """Bytes that a step keeps in a recipe, over those in float32."""
    return kept(model, recipe, batch).total / kept(model, "32-true", batch).total


def moved_bytes(recipe: str, batch: int) -> int:
    """Bytes that the ops of a forward and a backward pass of `classifier` read and write."""
    chosen = RECIPES[recipe]
    model, x = chosen.convert(classifier()), torch.randn(batch, 784).to(chosen.weights)
    with trace(model) as traced:
        with chosen.autocast_context("cpu"):
            loss = model(x).float().square().mean()
        loss.backward()
    return sum(record.bytes for record in traced.records)


def less_memory_and_traffic() -> Evidence:
    """39: a tensor; then a training step, its memory and its traffic, in pure 16 bits and under autocast."""
    wide, narrow = torch.ones(1000), torch.ones(1000, dtype=torch.float16)
    memory = {name: ratio(classifier(), name, 32) for name in ("16-true", "16-mixed")}
    base = moved_bytes("32-true", 32)
    traffic = {name: moved_bytes(name, 32) / base for name in ("bf16-true", "bf16-mixed")}
    return holds(
        f"A thousand numbers take {wide.nbytes} bytes, in float16 {narrow.nbytes}. A step of an MLP, batch 32, keeps "
        f"{memory['16-true']:.2f} times as much in pure float16 and {memory['16-mixed']:.2f} times under autocast; it "
        f"moves {traffic['bf16-true']:.1f} times as many bytes in pure bfloat16, {traffic['bf16-mixed']:.1f} times "
        "under autocast.",
        narrow.nbytes < wide.nbytes,
        *(found < 1 for found in (*memory.values(), *traffic.values())),
    )


def half_the_memory() -> Evidence:
    """57: the whole of a step by network, batch and way of using 16 bits."""
    found = {
        "an MLP that is float16 throughout": ratio(classifier(), "16-true", 32),
        "a ResNet-9 under autocast with batch 512": ratio(network(), "16-mixed", 512),
        "the same with batch 1": ratio(network(), "16-mixed", 1),
        "the text's own MLP under autocast with batch 32": ratio(classifier(), "16-mixed", 32),
    }
    parts = ", ".join(f"{share:.2f} times for {name}" for name, share in found.items())
    return holds(
        f"What a step with AdamW keeps, against float32: {parts}.", *(share < _HALF for share in found.values())
    )


def checkpoint(model: nn.Module) -> int:
    """Bytes of a model's `state_dict` as `torch.save` writes it."""
    file = io.BytesIO()
    torch.save(model.state_dict(), file)
    return file.tell()


def smaller_model() -> Evidence:
    """65: the file of a model after a step in float32, after one under autocast, and of a float16 copy."""
    sizes = {}
    for name in ("32-true", "bf16-mixed"):
        recipe, model = RECIPES[name], classifier()
        optimizer = torch.optim.Adam(model.parameters())
        with recipe.autocast_context("cpu"):
            loss = model(torch.randn(8, 784)).float().square().mean()
        loss.backward()
        optimizer.step()
        sizes[name] = checkpoint(model)
    copy = checkpoint(model.half())
    return holds(
        f"After autocast the file has {sizes['bf16-mixed'] / sizes['32-true']:.2f} times the bytes of one trained in "
        f"float32. A `.half()` copy has {copy / sizes['32-true']:.2f} times.",
        sizes["bf16-mixed"] < 0.95 * sizes["32-true"],
    )


def parameters_in(gibibytes: float, bytes_each: float) -> float:
    """How many parameters fit, in millions."""
    return gibibytes * 2**30 / bytes_each / 1e6


def parameters_per_gibibyte() -> Evidence:
    """70: bytes of a parameter: as a weight, and with its gradient and Adam's state."""
    model = nn.Linear(1024, 1024)
    count = sum(parameter.numel() for parameter in model.parameters())
    step = predict_memory(model, torch.empty(1, 1024, device="meta"), optimizer="adam", device="cpu")
    trained = (step.parameters + step.gradients + step.optimizer) / count
    single, half = (
        parameters_in(1, torch.empty((), dtype=dtype).element_size()) for dtype in (torch.float32, torch.half)
    )
    with_adam = parameters_in(1, trained)
    return holds(
        f"1024 MiB hold {single:.0f} million weights in float32 and {half:.0f} million in float16. With gradients and "
        f"Adam's state a float32 parameter takes {trained:.0f} bytes: {with_adam:.0f} million.",
        *(abs(found - said) < 0.5 * said for found, said in ((single, 20), (half, 40), (with_adam, 20))),
    )


def kinds_of_memory() -> Evidence:
    """71: each kind of memory by itself, under autocast."""
    wide, mixed = kept(network(), "32-true", 64), kept(network(), "16-mixed", 64)
    found = {
        kind: getattr(mixed, kind) / getattr(wide, kind)
        for kind in ("parameters", "gradients", "optimizer", "activations")
    }
    shares = ", ".join(f"{kind} {share:.2f} times" for kind, share in found.items())
    return holds(
        f"A step of ResNet-9 with AdamW and batch 64, under autocast against float32: {shares}; cached casts are new "
        f"and {mixed.casts / wide.parameters:.2f} times the parameters.",
        *(share < _HALF for share in found.values()),
    )


def out_of_memory(records: Sequence[Record]) -> Evidence | None:
    """91: a step's memory by batch, predicted; the largest free block before and after `empty_cache`, recorded."""
    found = {}
    for record in records:
        rows = {
            row["case"].split()[0]: row["bytes"]
            for row in record.part("outcomes")
            if row["experiment"] == "empty_cache"
        }
        if rows.keys() == {"before", "after"}:
            found.setdefault(record.header["device"], (rows["before"], rows["after"]))
    if not found:
        return None
    small, large = (kept(network(), "16-mixed", batch).total for batch in (16, 64))
    blocks = "; ".join(
        f"{device}: {before / 2**20:.0f} MiB before and {after / 2**20:.0f} MiB after"
        for device, (before, after) in found.items()
    )
    return halves(
        holds(
            f"With a quarter of the batch a step of ResNet-9 keeps {small / large:.2f} times as much.", small < large
        ),
        holds(
            f"The largest block that a full GPU still gives, around `empty_cache()`: {blocks}.",
            all(after > before for before, after in found.values()),
        ),
    )


def wrong_dtype(batch: int) -> bool:
    """Whether a model in 16 bits refuses float32 input, with a batch of this size."""
    try:
        classifier().bfloat16()(torch.randn(batch, 784))
    except RuntimeError:
        return True
    return False


def small_batches_first() -> Evidence:
    """96: what a small batch tells about a large one: errors, and memory."""
    small, large = 1, 64
    errors = wrong_dtype(small), wrong_dtype(large)
    memory = ratio(network(), "16-mixed", small), ratio(network(), "16-mixed", large)
    found = "the same error" if errors == (True, True) else "not the same error"
    return holds(
        f"Float32 input to a 16-bit model: batches of {small} and {large} give {found}. What ResNet-9 keeps under "
        f"autocast, against float32: {memory[0]:.2f} times with batch {small}, {memory[1]:.2f} with batch {large}.",
        errors == (True, True),
        (memory[0] < 1) == (memory[1] < 1),
    )


EVIDENCE = {
    "39": less_memory_and_traffic,
    "57": half_the_memory,
    "65": smaller_model,
    "70": parameters_per_gibibyte,
    "71": kinds_of_memory,
    "91": out_of_memory,
    "96": small_batches_first,
}
