"""What a reader without a GPU can check: memory, training steps that gain and lose, products, copies; one thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amp_helpers.benchmark import time_interleaved
from amp_helpers.models import GPT, MLP, GPTConfig, ResNet9
from amp_helpers.precision import RECIPES

from .breakdown import breakdown_rows
from .copy import copy
from .gemm import product
from .run import Bench, times
from .steps import time_variants, training_step

DTYPES = ("float32", "bfloat16", "float16")
SIZES = (128, 256, 512, 1024, 2048)
#: Without the hardware these take a hundred times as long as float32, so they are not tried where that is minutes.
_LARGEST = {"float16": 256}
_TOO_LONG_S = 1.5
RECIPE_NAMES = ("32-true", "bf16-mixed")


def gemm(bench: Bench) -> Iterator[dict]:
    """Square products of random matrices: "dtype", "n", "tflops" and the times. Float16 up to n = 256 only.

    A dtype that one size shows to need too long for the next is a row with that reason.
    """
    last = {}
    for n in bench.size(SIZES, (16, 32)):
        for dtype in DTYPES:
            if n > _LARGEST.get(dtype, n):
                continue
            row = {"dtype": dtype, "n": n}
            if last.get(dtype, 0.0) * 8 > _TOO_LONG_S:
                yield row | {"failed": f"too slow: half the size took {last[dtype]:.2g} s"}
                last[dtype] *= 8
                continue
            row = bench.attempt(row, lambda dtype=dtype, n=n: _product_columns(dtype, n, bench))
            last[dtype] = row.get("median_s", 0.0)
            yield row


def _product_columns(dtype: str, n: int, bench: Bench) -> dict:
    call = product(dtype, n, bench.device, pairs=4)
    timing = time_interleaved({dtype: call}, rounds=bench.size(25, 5), budget_s=bench.size(1.5, 0.01))[dtype]
    return {"tflops": 2 * n**3 / timing.median_s / 1e12, **times(timing)}


def train(bench: Bench) -> Iterator[dict]:
    """Steps of fused SGD with momentum, the recipes in turns: "workload", "recipe", "batch", "examples_per_s".

    The workloads: an MLP too narrow to gain, a wide one, a small GPT, and ResNet-9 with 32 channels in channels_last.
    """
    for workload, (batch, _) in WORKLOADS.items():
        batch = bench.size(batch, 2)
        variants = [
            ({"workload": workload, "recipe": name, "batch": batch}, _builder(bench, workload, name, batch))
            for name in RECIPE_NAMES
        ]
        yield from time_variants(
            bench, variants, lambda row, seconds: {"examples_per_s": row["batch"] / seconds}, budget_s=16.0
        )


def memory(bench: Bench) -> Iterator[dict]:
    """What a step of AdamW keeps, predicted and measured: see `breakdown_rows`; and "model", "batch"."""
    width, channels = bench.size(1024, 16), bench.size(32, 4)
    config = _gpt_config(bench)
    batch, images = bench.size(256, 2), bench.size((64, 3, 32, 32), (2, 3, 8, 8))
    examples = {
        "MLP": (MLP(width, width, width, 10), torch.randn(batch, width)),
        "ResNet9": (
            ResNet9(channels=channels).to(memory_format=torch.channels_last),
            torch.randn(images).contiguous(memory_format=torch.channels_last),
        ),
        "GPT": (GPT(config), torch.randint(config.vocabulary, (bench.size(16, 2), config.context))),
    }
    for name, (model, example) in examples.items():
        row = {"model": name, "batch": len(example)}
        yield from breakdown_rows(bench, row, model, example, RECIPE_NAMES, "adamw")


def _mlp(width: int) -> tuple[nn.Module, Callable]:
    return MLP(width, width, width, 10), lambda batch: (torch.randn(batch, width), torch.randint(10, (batch,)))


def _resnet9(bench: Bench) -> tuple[nn.Module, Callable]:
    channels, size = bench.size((32, 32), (4, 8))

    def batch_of(batch):
        images = torch.randn(batch, 3, size, size).contiguous(memory_format=torch.channels_last)
        return images, torch.randint(10, (batch,))

    return ResNet9(channels=channels).to(memory_format=torch.channels_last), batch_of


def _gpt_config(bench: Bench) -> GPTConfig:
    return bench.size(
        GPTConfig(vocabulary=512, context=128, width=256, heads=4, layers=4),
        GPTConfig(vocabulary=64, context=16, width=16, heads=2, layers=1),
    )


def _gpt(bench: Bench) -> tuple[nn.Module, Callable]:
    config = _gpt_config(bench)

    def batch_of(batch):
        tokens = torch.randint(config.vocabulary, (batch, config.context + 1))
        return tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    return GPT(config), batch_of


#: Name -> (batch, a function from `bench` to the model and to what makes a batch of a size).
WORKLOADS = {
    "MLP 64": (64, lambda bench: _mlp(64)),
    "MLP 1024": (256, lambda bench: _mlp(bench.size(1024, 64))),
    "GPT 256": (16, _gpt),
    "ResNet9 32": (64, _resnet9),
}


def _loss(output: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(output.flatten(0, -2), target.flatten())


def _builder(bench: Bench, workload: str, name: str, batch: int) -> Callable:
    def build():
        torch.manual_seed(0)
        recipe = RECIPES[name]
        model, batch_of = WORKLOADS[workload][1](bench)
        batches = [batch_of(batch) for _ in range(4)]
        optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)
        return training_step(recipe.convert(model), batches, _loss, optimizer, recipe)

    return build


PARTS = {"memory": memory, "train": train, "gemm": gemm, "copy": copy}
