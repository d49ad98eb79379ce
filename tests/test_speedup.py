"""Ratios to float32, live and recorded. No ratio is asserted of this machine."""

import pytest

from amp_helpers.benchmark import Record, Timing
from amp_helpers.suites import speedup
from amp_helpers.suites.speedup import live_speedups, recorded_speedups


def test_recorded():
    rows = [
        {"part": "gemm", "dtype": dtype, "n": n, "median_s": seconds}
        for dtype, n, seconds in [
            ("float32", 128, 2.0), ("bfloat16", 128, 4.0), ("float32", 256, 8.0), ("bfloat16", 256, 2.0),
            ("float16", 512, 1.0),
        ]
    ]  # fmt: skip
    rows.append({"part": "gemm", "dtype": "float16", "n": 256, "failed": "too slow"})
    assert recorded_speedups(Record({}, rows)) == {"bfloat16": {128: 0.5, 256: 4.0}}


def test_live_compares_with_float32(monkeypatch):
    def timed(calls, device, **options):
        assert {call().dtype.itemsize for call in calls.values()} == {4, 2}
        return {name: Timing(6.0 if name == "float32" else 2.0, 1.0, 9.0, 5, 1) for name in calls}

    monkeypatch.setattr(speedup, "time_device", timed)
    assert live_speedups("cpu", ["bfloat16", "float16"], [8, 16]) == {
        "bfloat16": {8: 3.0, 16: 3.0},
        "float16": {8: 3.0, 16: 3.0},
    }


@pytest.mark.parametrize("dtypes", [[], ["bfloat16"]])
def test_live_on_this_machine(dtypes):
    found = live_speedups("cpu", dtypes, [8, 16], budget_s=0.01)
    assert list(found) == dtypes and all(list(sizes) == [8, 16] for sizes in found.values())
    assert all(ratio > 0 for sizes in found.values() for ratio in sizes.values())
