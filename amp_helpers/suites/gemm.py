"""Matrix products by dtype and size: how close do they come to the dense peak?"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import torch

from amp_helpers.benchmark import time_device
from amp_helpers.device import describe
from amp_helpers.precision import RECIPES

from .run import Bench, times

SIZES = (256, 512, 1024, 2048, 4096, 8192, 16384)
#: Pairs of matrices take turns over this many bytes, more than any cache holds.
_ROTATED_BYTES = 2**28
#: A sample repeats short products until it has this many operations, or 200 products: asking for one takes longer
#: than a small one runs.
_SAMPLE_FLOPS = 2e12


def gemm(bench: Bench) -> Iterator[dict]:
    """Square products of random matrices in the dtypes that the device accelerates.

    Each row has "dtype", "n", "tflops" and the times of one product. Products of one sample are queued without a
    pause and take turns over several pairs of matrices, so that a cache does not hold the next one.
    """
    found = describe(bench.device)
    for n in bench.size(SIZES, (16, 32)):
        for dtype in found.accelerated():
            yield bench.attempt({"dtype": dtype, "n": n}, lambda dtype=dtype, n=n: _measured(dtype, n, bench))


def _measured(dtype: str, n: int, bench: Bench) -> dict:
    pairs = bench.size(max(2, min(1024, math.ceil(_ROTATED_BYTES / (2 * n * n)))), 2)
    repeats = bench.size(max(1, min(200, math.ceil(_SAMPLE_FLOPS / (2 * n**3)))), 1)
    with RECIPES["tf32" if dtype == "tfloat32" else "32-true"].float32_settings():
        call = product(dtype, n, bench.device, pairs)

        def sample():
            for _ in range(repeats):
                call()

        timing = time_device({dtype: sample}, bench.device, budget_s=bench.size(1.5, 0.05))[dtype]
    return {"tflops": 2 * n**3 * repeats / timing.median_s / 1e12, **times(timing, repeats)}


def product(dtype: str, n: int, device: torch.device, pairs: int = 1) -> Callable[[], torch.Tensor]:
    """A call that multiplies the next of several pairs of random n x n matrices.

    Args:
        dtype: one of `device.DTYPES`; "tfloat32" multiplies float32 tensors, in TF32 if the settings allow it.
        n: rows and columns.
        device: where.
        pairs: how many pairs take turns.
    """
    generator = torch.Generator(device).manual_seed(0)
    stored = getattr(torch, "float32" if dtype == "tfloat32" else dtype)
    # Random numbers, not zeros: those need less power, and a GPU multiplies them faster than any real data.
    matrices = [torch.randn(n, n, device=device, generator=generator).to(stored) for _ in range(pairs + 1)]
    one, turn = torch.ones((), device=device), 0

    def call():
        nonlocal turn
        turn = (turn + 1) % pairs
        a, b = matrices[turn], matrices[turn + 1]
        if dtype == "float8_e4m3fn":  # its second operand has to be in column-major order
            return torch._scaled_mm(a, b.t(), one, one, out_dtype=torch.bfloat16, use_fast_accum=True)
        return a @ b

    return call


PARTS = {"gemm": gemm}
