"""How many bytes a second the device's memory moves: the slope of the roofline."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from amp_helpers.benchmark import time_device

from .run import Bench, times


def copy(bench: Bench) -> Iterator[dict]:
    """`b.copy_(a)` of float32; each row has "bytes" (of one tensor), "tb_per_s" (read and written) and the times."""
    for mebibytes in bench.size((64, 256, 1024, 4096), (1, 2)):
        count = mebibytes * 2**20 // 4
        a = torch.randn(count, device=bench.device)
        b = torch.empty_like(a)
        timing = time_device({"copy": lambda a=a, b=b: b.copy_(a)}, bench.device, budget_s=bench.size(2.0, 0.1))["copy"]
        yield {"bytes": a.nbytes, "tb_per_s": 2 * a.nbytes / timing.median_s / 1e12, **times(timing)}


PARTS = {"copy": copy}
