"""Matrix products by dtype and size: how close do they come to the dense peak?"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

from amp_helpers.benchmark import time_device
from amp_helpers.device import describe
from amp_helpers.precision import RECIPES

from .run import Bench, times

SIZES = (256, 512, 1024, 2048, 4096, 8192, 16384)
#: Above this no cache holds three matrices, so they need no rotation.
_ROTATE_BELOW = 8192


def gemm(bench: Bench) -> Iterator[dict]:
    """Square products of random matrices; each row has "dtype", "n", "tflops" and the times.

    Below n = 8,192 the calls take turns over several pairs of matrices, so that a cache does not hold the next one.
    """
    found = describe(bench.device)
    dtypes = [name for name, support in found.dtypes.items() if support.level == "accelerated"]
    for n in bench.size(SIZES, (16, 32)):
        for dtype in dtypes:
            with RECIPES["tf32" if dtype == "tfloat32" else "32-true"].float32_settings():
                call = product(dtype, n, bench.device, pairs=1 if n >= _ROTATE_BELOW else bench.size(8, 2))
                timing = time_device({dtype: call}, bench.device, budget_s=bench.size(2.0, 0.1))[dtype]
            yield {"dtype": dtype, "n": n, "tflops": 2 * n**3 / timing.median_s / 1e12, **times(timing)}


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
