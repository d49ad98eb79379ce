"""How many bytes a second the device's memory moves: the slope of the roofline."""

from __future__ import annotations

from collections.abc import Iterator

import torch

from amp_helpers.benchmark import time_device

from .run import Bench, times

#: MiB of one tensor, by device type: more than any cache holds, and on a CPU little enough to leave others theirs.
_SIZES = {"cuda": (64, 256, 1024, 4096), "cpu": (64, 256)}
#: A sample repeats short copies until it has moved this many bytes.
_SAMPLE_BYTES = {"cuda": 2**33, "cpu": 2**30}


def copy(bench: Bench) -> Iterator[dict]:
    """`b.copy_(a)` of float32; each row has "bytes" (of one tensor), "tb_per_s" (read and written) and the times."""
    for mebibytes in bench.size(_SIZES[bench.device.type], (1, 2)):
        size = mebibytes * 2**20
        yield bench.attempt({"bytes": size}, lambda size=size: _measured(size, bench))


def _measured(size: int, bench: Bench) -> dict:
    a = torch.randn(size // 4, device=bench.device)
    b = torch.empty_like(a)
    repeats = bench.size(max(1, _SAMPLE_BYTES[bench.device.type] // (2 * size)), 1)

    def sample():
        for _ in range(repeats):
            b.copy_(a)

    timing = time_device({"copy": sample}, bench.device, budget_s=bench.size(1.0, 0.05))["copy"]
    return {"tb_per_s": 2 * size * repeats / timing.median_s / 1e12, **times(timing, repeats)}


PARTS = {"copy": copy}
