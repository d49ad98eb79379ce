"""Evidence about speed: read from records, since no clock runs on the page; what needs no clock runs."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amp_helpers.benchmark import Record
from amp_helpers.datasets import digits
from amp_helpers.memory import predict_memory
from amp_helpers.models import GPT, MLP, GPTConfig, TransformerBlock
from amp_helpers.precision import RECIPES
from amp_helpers.tracing import trace
from amp_helpers.training import train

from .evidence import Evidence, holds
from .recorded_ratios import devices, memory_ratios, newest, product_speedups, span, speedups, times

#: Formats that take as many bytes in memory; TF32 is stored as float32.
_SAME_SIZE = (("bfloat16", "float16"), ("float32", "tfloat32"))
#: Ratios nearer to 1 than this are taken as equal.
_APART = 1.5


def faster_smaller_as_good(records: Sequence[Record]) -> Evidence | None:
    """5: speed and memory from records of training steps; accuracy from two short runs, here."""
    cases, words = [], []
    for record in newest(records):
        speed, memory = (
            speedups(record, "32-true", "bf16-mixed", ["train"]),
            memory_ratios(record, "32-true", "bf16-mixed"),
        )
        if speed and memory:
            cases += [value > 1 for value in speed.values()] + [value < 1 for value in memory.values()]
            words.append(
                f"{record.header['device']}: {span(speed.values())} as fast, {span(memory.values())} the memory"
            )
    if not cases:
        return None
    wide, mixed = (accuracy(recipe) for recipe in ("32-true", "bf16-mixed"))
    near = abs(wide - mixed) <= 0.02
    found = "within two points" if near else "more than two points apart"
    return holds(
        f"By bf16 autocast on {'; '.join(words)}. Accuracies of an MLP on digits, run here: {found}.", *cases, near
    )


def accuracy(recipe: str) -> float:
    """The share of the test digits that a small MLP gets right after 200 steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), MLP(64, 64, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    run = train(model, digits(), optimizer, recipe, steps=200, device="cpu", evaluate_every=200, progress=False)
    return run.accuracy


def smaller_therefore_faster(records: Sequence[Record]) -> Evidence | None:
    """21: products of one size in formats that take as many bytes."""
    apart, words = [], []
    for record in newest(records):
        for one, other in _SAME_SIZE:
            if found := product_speedups(record, one, other):
                n = max(found)
                apart.append(max(found[n], 1 / found[n]))
                slow, fast = (one, other) if found[n] > 1 else (other, one)
                words.append(f"{fast} {times(apart[-1])} as fast as {slow} (n = {n}, {record.header['device']})")
    if not apart:
        return None
    return holds(
        f"Matrix products in formats of the same size in memory: {'; '.join(words)}.",
        all(ratio < _APART for ratio in apart),
    )


def less_memory_therefore_faster(records: Sequence[Record]) -> Evidence | None:
    """56: whether the steps that keep less are the faster ones, workload by workload."""
    together, words = [], []
    for record in newest(records):
        memory = memory_ratios(record, "32-true", "bf16-mixed")
        for key, speed in speedups(record, "32-true", "bf16-mixed", ["train"]).items():
            # "MLP 1024" is the "MLP" of the part "memory"; their batches tell the two MLPs apart.
            workload, batch = key[1:3]
            share = memory.get((str(workload).split()[0], batch))
            if share is not None:
                together.append((share < 1) == (speed > 1))
                words.append(f"{workload} {share:.2f} times the memory, {speed:.1f} times as fast")
    if not together:
        return None
    return holds(f"By bf16 autocast on {devices(records)}: {'; '.join(words)}.", all(together))


def several_times(records: Sequence[Record]) -> Evidence | None:
    """72: float16 products against float32 ones on GPUs with Tensor Cores, by size."""
    cases, words = [], []
    for record in newest(records):
        if found := product_speedups(record, "float32", "float16"):
            cases += [ratio >= 3 for ratio in found.values()]
            small, large = min(found), max(found)
            words.append(
                f"{record.header['device']}: {found[small]:.2g} at n = {small}, {found[large]:.2g} at n = {large}"
            )
    return (
        holds(f"How many times as fast as in float32 a float16 product is: {'; '.join(words)}.", *cases)
        if cases
        else None
    )


def three_times(records: Sequence[Record]) -> Evidence | None:
    """54: AMP in float16 against float32, and against TF32."""
    cases, words = [], []
    for record in newest(records):
        for base, name in (("32-true", "float32"), ("tf32", "TF32")):
            if found := speedups(record, base, "16-mixed", ["train", "eager"]):
                cases += [ratio >= 2.5 for ratio in found.values()]
                words.append(f"{record.header['suite']} {span(found.values())} as fast as {name}")
    return holds(f"AMP in float16 on {devices(records)}: {'; '.join(words)}.", *cases) if cases else None


def volta_or_newer(records: Sequence[Record]) -> Evidence | None:
    """75: whether training in 16 bits runs without such a GPU, and whether 16 bits without a matrix unit are slower."""
    for record in newest(records):
        steps = speedups(record, "32-true", "bf16-mixed", ["train"])
        products = {name: product_speedups(record, "float32", name) for name in ("bfloat16", "float16")}
        largest = {name: found[max(found)] for name, found in products.items() if found}
        if steps and largest:
            words = ", ".join(f"{name} {times(ratio)}" for name, ratio in largest.items())
            return holds(
                f"{record.header['device']}, a CPU, trained {len(steps)} models under autocast. Its matrix products, "
                f"against float32: {words} as fast.",
                record.header["device_type"] == "cuda",
                min(largest.values()) < 1,
            )
    return None


def always_faster(records: Sequence[Record]) -> Evidence | None:
    """M7: training steps under autocast against float32."""
    found = {}
    for record in newest(records):
        recipe = "bf16-mixed" if record.header["device_type"] == "cpu" else "16-mixed"
        for key, ratio in speedups(record, "32-true", recipe, ["train", "small"]).items():
            found[f"{key[1] or 'Linear(1024, 512)'}, batch {key[2]}, {record.header['device']}"] = ratio
    if not found:
        return None
    slow, fast = min(found, key=found.get), max(found, key=found.get)
    return holds(
        f"Under autocast a step is {times(found[slow])} as fast ({slow}), and at best {times(found[fast])} ({fast}).",
        all(ratio > 1 for ratio in found.values()),
    )


def base_sample() -> Evidence:
    """46: the sample, a linear layer from 1024 to 512 features, batch 64: does it train, and how much is it?"""
    model, inputs, targets = nn.Linear(1024, 512), torch.randn(64, 1024), torch.randn(64, 512)
    optimizer, losses = torch.optim.SGD(model.parameters(), lr=0.001), []

    def step():
        loss = F.mse_loss(model(inputs), targets)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())

    for _ in range(99):
        step()
    with trace(model) as traced:
        step()
    flops = sum(record.flops for record in traced.records)
    lower = losses[-1] < losses[0]
    return holds(
        f"The loss {'falls' if lower else 'does not fall'} over {len(losses)} steps. The matrix products of a step "
        f"have {flops / 1e9:.2f} billion operations.",
        lower,
    )


class _VisionTransformer(nn.Sequential):
    """Patches of an image, flattened, through blocks of attention: (batch, patches, 48) -> (batch, patches, 10)."""

    def __init__(self):
        super().__init__(nn.Linear(48, 64), TransformerBlock(64, 4), TransformerBlock(64, 4), nn.Linear(64, 10))


def suits_transformers() -> Evidence:
    """73: the share of operations that autocast runs in 16 bits, and what it does to saved activations."""
    config = GPTConfig(vocabulary=64, context=64, width=64, heads=4, layers=2)
    networks = {
        "a small GPT": (GPT(config), torch.randint(config.vocabulary, (4, config.context))),
        "a small vision transformer": (_VisionTransformer(), torch.randn(4, 64, 48)),
    }
    cases, words = [], []
    for name, (model, example) in networks.items():
        share = low_share(model, example)
        wide, mixed = (predict_memory(model, example, recipe=recipe) for recipe in ("32-true", "bf16-mixed"))
        saved = mixed.activations / wide.activations
        cases += [share > 0.9, saved < 0.75]
        words.append(
            f"{name}: over {math.floor(100 * share)} % of the operations in bfloat16 matrix products, "
            f"{saved:.1f} times the activations"
        )
    return holds(f"Under autocast, {'; '.join(words)}.", *cases)


def low_share(model: nn.Module, example: Tensor) -> float:
    """The share of the operations of a training step that autocast runs as bfloat16 matrix products.

    Those are counted by PyTorch's formulas; an op without one counts as an operation for each element it writes.
    """
    with trace(model) as traced:
        with torch.autocast("cpu", torch.bfloat16):
            loss = model(example).float().square().mean()
        loss.backward()
    low, total = 0, 0
    for record in traced.records:
        if not record.view:
            total += record.flops or sum(map(math.prod, record.output_shapes))
            low += record.flops if record.dtype == torch.bfloat16 else 0
    return low / total


def needs_autocast() -> Evidence:
    """M8: 16-bit products with autocast switched off: of tensors that were cast, and in a model that was."""
    a, b = torch.randn(16, 16), torch.randn(16, 16)
    cast = (a.bfloat16() @ b.bfloat16()).dtype
    recipe = RECIPES["bf16-true"]
    model = recipe.convert(MLP(16, 16, 4))
    with trace(model) as traced:
        model(a.bfloat16()).float().sum().backward()
    products = {record.dtype for record in traced.records if record.flops}
    names = ", ".join(sorted(str(dtype).removeprefix("torch.") for dtype in products))
    return holds(
        f"With autocast {'on' if torch.is_autocast_enabled('cpu') else 'off'}, the product of two tensors that were "
        f"cast is {str(cast).removeprefix('torch.')}, and the products of a model that was cast run in {names}.",
        cast == torch.float32,
        products == {torch.float32},
    )


EVIDENCE = {
    "5": faster_smaller_as_good,
    "21": smaller_therefore_faster,
    "46": base_sample,
    "54": three_times,
    "56": less_memory_therefore_faster,
    "72": several_times,
    "73": suits_transformers,
    "75": volta_or_newer,
    "M7": always_faster,
    "M8": needs_autocast,
}
