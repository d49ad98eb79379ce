"""Ratios from records: how many times as fast, and how many times the memory, one thing against another."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from amp_helpers.benchmark import Record

#: What tells one timed configuration from another, beside the recipe.
_CONFIGURATION = ("part", "workload", "batch", "channels_last", "graphed", "compiled", "fused")


def newest(records: Sequence[Record]) -> Iterator[Record]:
    """Of each device and suite the newest record; `records` are sorted like that."""
    seen = set()
    for record in records:
        key = record.header["device"], record.header["suite"]
        if key not in seen:
            seen.add(key)
            yield record


def speedups(record: Record, base: str, other: str, parts: Iterable[str]) -> dict[tuple, float]:
    """Configuration -> how many times as fast as `base` the recipe `other` trains, by the medians."""
    found: dict[str, dict[tuple, float]] = {base: {}, other: {}}
    for part in parts:
        for row in record.part(part):
            if row.get("recipe") in found:
                found[row["recipe"]][tuple(row.get(name) for name in _CONFIGURATION)] = row["median_s"]
    return {key: found[base][key] / found[other][key] for key in found[base] if key in found[other]}


def memory_ratios(record: Record, base: str, other: str) -> dict[tuple, float]:
    """(model, batch) -> bytes that a step keeps in `other`, over those in `base`."""
    found: dict[str, dict[tuple, int]] = {base: {}, other: {}}
    for row in record.part("memory"):
        if row["recipe"] in found:
            found[row["recipe"]][row["model"], row["batch"]] = row["total_bytes"]
    return {key: found[other][key] / found[base][key] for key in found[base] if key in found[other]}


def product_speedups(record: Record, base: str, other: str) -> dict[int, float]:
    """n -> how many times as fast as `base` a product of n x n matrices is in the dtype `other`."""
    found = {(row["dtype"], row["n"]): row["median_s"] for row in record.part("gemm")}
    return {n: wide / found[other, n] for (dtype, n), wide in found.items() if dtype == base and (other, n) in found}


def times(ratio: float) -> str:
    """A ratio in two digits: "0.025 times", "3.1 times", "155 times"."""
    return f"{ratio:.0f} times" if ratio >= 10 else f"{ratio:.2g} times"


def span(ratios: Iterable[float]) -> str:
    """The smallest and the largest of some ratios: "0.6 to 3.1 times"."""
    low, *_, high = (times(ratio) for ratio in sorted([*ratios] * 2))
    return high if low == high else f"{low.removesuffix(' times')} to {high}"


def devices(records: Sequence[Record]) -> str:
    """Their names, each once."""
    return ", ".join(dict.fromkeys(record.header["device"] for record in records))
