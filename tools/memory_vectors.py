"""Training steps with their bytes as `predict_memory` finds them: what the memory calculator is held to.

A GPT whose blocks are checkpointed, and CUDA's fused attention on a machine without CUDA, are made here.
"""

from __future__ import annotations

import contextlib
import itertools
from unittest import mock

import torch
from torch.nn import functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.checkpoint import checkpoint

from amp_helpers.memory import KINDS, predict_memory
from amp_helpers.models import GPT, MLP, GPTConfig

RECIPES = ("32-true", "16-mixed", "bf16-mixed", "bf16-true")
GPTS = (
    {"layers": 2, "width": 64, "heads": 4, "vocabulary": 1000, "context": 128, "batch": 3},
    {"layers": 1, "width": 96, "heads": 1, "vocabulary": 64, "context": 32, "batch": 8},
    {"layers": 3, "width": 256, "heads": 8, "vocabulary": 4096, "context": 256, "batch": 2},
    {"layers": 2, "width": 128, "heads": 4, "vocabulary": 300, "context": 48, "batch": 1},
)
MLPS = (
    {"layers": 2, "width": 1024, "inputs": 1024, "outputs": 10, "batch": 256},
    {"layers": 1, "width": 64, "inputs": 3072, "outputs": 1000, "batch": 32},
    {"layers": 5, "width": 256, "inputs": 16, "outputs": 2, "batch": 1},
)
GPT2 = {"layers": 12, "width": 768, "heads": 12, "vocabulary": 50304, "context": 1024, "batch": 16}


class CheckpointedGPT(GPT):
    """A GPT that keeps only its blocks' inputs, and recomputes the rest."""

    def forward(self, tokens):
        x = self.tokens(tokens) + self.positions(torch.arange(tokens.shape[1], device=tokens.device))
        for block in self.blocks:
            x = checkpoint(block, x, use_reentrant=False)
        return self.head(self.norm(x))


def devices() -> list[str]:
    """CUDA's own ops can be looked at wherever torch was built with CUDA."""
    return ["cpu", "cuda"] if torch.version.cuda else ["cpu"]


def steps() -> list[dict]:
    """The configurations, each with every trait of the calculator that matters."""
    grid = [
        {"model": "gpt", "optimizer": "adamw", "recipe": recipe, "checkpointing": kept, "attention": attention} | size
        for size, recipe, kept, attention in itertools.product(GPTS, RECIPES, (False, True), ("fused", "plain"))
        if not kept or size["layers"] > 2
    ]
    grid += [
        {"model": "mlp", "optimizer": "adamw", "recipe": recipe} | size
        for size, recipe in itertools.product(MLPS, RECIPES)
    ]
    plain = {"checkpointing": False, "attention": "fused", "recipe": "bf16-mixed"}
    for optimizer in ("sgd", "sgd-momentum", "adam"):
        grid.append({"model": "mlp", "recipe": "bf16-true", "optimizer": optimizer} | MLPS[0])
        grid.append({"model": "gpt", "optimizer": optimizer} | plain | GPTS[0])
    grid.append({"model": "gpt", "optimizer": "adamw"} | plain | GPT2)
    return [{"device": device} | one for device in devices() for one in grid]


def predicted(config: dict) -> dict[str, int]:
    """Bytes by kind of a configuration of `steps`."""
    with torch.device("meta"):
        if config["model"] == "mlp":
            model = MLP(config["inputs"], *[config["width"]] * config["layers"], config["outputs"])
            example, rows = torch.zeros(config["batch"], config["inputs"]), config["batch"]
        else:
            kind = CheckpointedGPT if config["checkpointing"] else GPT
            names = ("vocabulary", "context", "width", "heads", "layers")
            model = kind(GPTConfig(**{name: config[name] for name in names}))
            example = torch.zeros(config["batch"], config["context"], dtype=torch.int64)
            rows = example.numel()

    def loss(output):
        return F.cross_entropy(output.reshape(rows, -1), torch.zeros(rows, dtype=torch.int64, device=output.device))

    with _attention(config):
        found = predict_memory(
            model,
            example,
            recipe=config["recipe"],
            optimizer=config["optimizer"],
            loss=loss,
            device=config["device"],
        )
    return {kind: getattr(found, kind) for kind in KINDS}


def _attention(config: dict) -> contextlib.AbstractContextManager:
    """Torch chooses the kernel by looking at the GPU; here the configuration does."""
    if config["model"] == "mlp":
        return contextlib.nullcontext()
    if config["attention"] == "plain":
        return sdpa_kernel(SDPBackend.MATH)
    if config["device"] == "cpu":
        return sdpa_kernel(SDPBackend.FLASH_ATTENTION)
    return mock.patch.object(F, "scaled_dot_product_attention", _cuda_fused)


def _cuda_fused(query, key, value, *, is_causal):
    with torch.autocast("cuda", enabled=False):
        if query.dtype == torch.float32:  # flash attention takes 16 bits only
            args = query, key, value, None, True, 0.0, is_causal
            return torch.ops.aten._scaled_dot_product_efficient_attention(*args)[0]
        return torch.ops.aten._scaled_dot_product_flash_attention(query, key, value, 0.0, is_causal)[0]


def memory_vectors() -> list[dict]:
    """Each of `steps` with "bytes"."""
    return [config | {"bytes": predicted(config)} for config in steps()]
