"""GPT-2 124M: tokens a second and the share of the dense peak, by precision, eager and compiled."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor
from torch.nn import functional as F

from amp_helpers.models import GPT, GPTConfig
from amp_helpers.precision import RECIPES

from .breakdown import breakdown_rows
from .peaks import find_peaks
from .run import Bench
from .steps import time_variants, training_step

EAGER = ("32-true", "tf32", "16-mixed", "bf16-mixed")
#: The largest question first, so that it is answered if the time runs out.
COMPILED = ("bf16-mixed", "tf32")
#: Seconds below which a compilation is not begun.
_COMPILE_S = 60.0
_TINY = GPTConfig(vocabulary=64, context=16, width=16, heads=2, layers=1)


def eager(bench: Bench) -> Iterator[dict]:
    """Steps of AdamW, fused, on random tokens in full context.

    Each row has "recipe", "batch", "compiled", "tokens_per_s", "flops_per_token", "mfu" (see
    `model_flops_utilization`), "mfu_peak_tflops" (its denominator: the dense 16-bit peak for every recipe), and
    what `time_variants` gives. "mfu" is None for a GPU without a stated peak.
    """
    for batch in bench.size((16, 64), (2,)):
        yield from _rows(bench, batch, EAGER, compiled=False)


def compiled(bench: Bench) -> Iterator[dict]:
    """The same with `torch.compile`; the columns are those of `eager`, and "first_s" holds the compilation."""
    for batch in bench.size((64, 16), (2,)):
        yield from _rows(bench, batch, COMPILED, compiled=True)


def memory(bench: Bench) -> Iterator[dict]:
    """What a step keeps, predicted and measured, by recipe: see `breakdown_rows`; and "batch"."""
    config, batch = bench.size(GPTConfig(), _TINY), bench.size(16, 2)
    model = GPT(config).to(bench.device)
    tokens = torch.randint(config.vocabulary, (batch, config.context), device=bench.device)
    names = bench.size(EAGER, ("32-true", "bf16-mixed"))
    yield from breakdown_rows(bench, {"batch": batch}, model, tokens, names, "adamw")


def flops_per_token(parameters: int, config: GPTConfig) -> int:
    """Operations of training on one token: 6 per parameter and 12 layers width context for the attention's products.

    Source: Chowdhery et al., "PaLM", 2022, appendix B; the attention is counted as if no token were masked.
    """
    return 6 * parameters + 12 * config.layers * config.width * config.context


def model_flops_utilization(tokens_per_s: float, flops: float, peak_tflops: float | None) -> float | None:
    """The share of a dense peak that the model's own operations take; None without a stated peak.

    Args:
        tokens_per_s: of training.
        flops: for one token.
        peak_tflops: the denominator, 10^12 operations a second.
    """
    return None if peak_tflops is None else tokens_per_s * flops / (peak_tflops * 1e12)


def _rows(bench: Bench, batch: int, names: tuple[str, ...], compiled: bool) -> Iterator[dict]:
    config = bench.size(GPTConfig(), _TINY)
    flops = flops_per_token(_parameters(config), config)
    found = find_peaks(torch.cuda.get_device_name(bench.device)) if bench.device.type == "cuda" else None
    peak = found.tflops.get("bfloat16", found.tflops.get("float16")) if found else None

    def finish(row, seconds):
        rate = batch * config.context / seconds
        mfu = model_flops_utilization(rate, flops, peak)
        return {"tokens_per_s": rate, "flops_per_token": flops, "mfu": mfu, "mfu_peak_tflops": peak}

    variants = [
        ({"recipe": name, "batch": batch, "compiled": compiled}, _builder(bench, name, batch, config, compiled))
        for name in names
    ]
    needs_s = bench.size(_COMPILE_S, 0.0) if compiled else 0.0
    yield from time_variants(bench, variants, finish, budget_s=10.0, needs_s=needs_s)


def _parameters(config: GPTConfig) -> int:
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in GPT(config).parameters())


def _builder(bench: Bench, name: str, batch: int, config: GPTConfig, compiled: bool) -> Callable:
    def build():
        torch.manual_seed(0)
        recipe = RECIPES[name]
        model = recipe.convert(GPT(config).to(bench.device))
        shape = (batch, config.context + 1)
        tokens = [torch.randint(config.vocabulary, shape, device=bench.device) for _ in range(4)]
        batches = [(each[:, :-1].contiguous(), each[:, 1:].contiguous()) for each in tokens]
        optimizer = torch.optim.AdamW(model.parameters(), lr=3e-4, fused=True)
        # Without a C compiler or Triton there is still something to rehearse: the capture of the graph.
        options = {"dynamic": False, "backend": bench.size("inductor", "eager")} if compiled else None
        return training_step(model, batches, _loss, optimizer, recipe, compile_options=options)

    return build


def _loss(logits: Tensor, tokens: Tensor) -> Tensor:
    return F.cross_entropy(logits.flatten(0, 1).float(), tokens.flatten())


PARTS = {"memory": memory, "eager": eager, "compiled": compiled}
