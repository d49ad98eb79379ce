"""How many times as fast as float32 a matrix product is, by size: measured now, or taken from a record."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import torch

from amp_helpers.benchmark import Record, time_device
from amp_helpers.precision import RECIPES

from .gemm import product


def live_speedups(
    device: str | torch.device, dtypes: Iterable[str], sizes: Sequence[int], budget_s: float = 1.0
) -> dict[str, dict[int, float]]:
    """Time square products of random matrices against float32 ones on a device.

    Args:
        device: where.
        dtypes: names of 16-bit dtypes; choose those that the device accelerates, since the others can take minutes.
        sizes: rows and columns.
        budget_s: seconds for each size.
    Returns: dtype -> n -> how many times as fast as float32, by the medians.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    device, dtypes = torch.device(device), list(dtypes)
    found: dict[str, dict[int, float]] = {dtype: {} for dtype in dtypes}
    for n in sizes if dtypes else ():
        calls = {dtype: product(dtype, n, device, pairs=2) for dtype in ("float32", *dtypes)}
        with RECIPES["32-true"].float32_settings():
            timed = time_device(calls, device, rounds=15, budget_s=budget_s)
        for dtype in dtypes:
            found[dtype][n] = timed["float32"].median_s / timed[dtype].median_s
    return found


def recorded_speedups(record: Record) -> dict[str, dict[int, float]]:
    """The same from the part "gemm" of a record; sizes without a float32 row are left out.

    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    rows = record.part("gemm")
    wide = {row["n"]: row["median_s"] for row in rows if row["dtype"] == "float32"}
    found: dict[str, dict[int, float]] = {}
    for row in rows:
        if row["dtype"] != "float32" and row["n"] in wide:
            found.setdefault(row["dtype"], {})[row["n"]] = wide[row["n"]] / row["median_s"]
    return found
