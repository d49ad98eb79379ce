"""The benchmark measures what it says. No time is asserted."""

import platform
import random
import subprocess
import sys

import pytest
import torch

from amp_helpers import benchmark
from amp_helpers.benchmark import Timing


class Clock:
    """A clock that moves only when a variant says so."""

    def __init__(self, monkeypatch):
        self.now, self.calls = 0.0, []
        monkeypatch.setattr("amp_helpers.benchmark.timing.time.perf_counter", lambda: self.now)

    def variant(self, name, seconds):
        durations = iter(seconds) if isinstance(seconds, list) else None

        def call():
            self.calls.append(name)
            self.now += next(durations) if durations else seconds

        return call


@pytest.fixture
def clock(monkeypatch):
    return Clock(monkeypatch)


def test_medians_and_quartiles(clock):
    # The first two calls are the warm-up and the estimate.
    seconds = [9.0, 1.0, 5.0, 1.0, 2.0, 4.0, 3.0]
    timing = benchmark.time_interleaved({"a": clock.variant("a", seconds)}, rounds=5, budget_s=99)["a"]
    assert timing == Timing(3.0, 2.0, 4.0, samples=5, calls=1)


def test_short_calls_are_repeated(clock):
    timing = benchmark.time_interleaved({"a": clock.variant("a", 2.0**-16)}, rounds=5)["a"]
    assert timing == Timing(2.0**-16, 2.0**-16, 2.0**-16, samples=5, calls=14)
    assert len(clock.calls) == 2 + 5 * 14


def test_every_round_has_another_order(clock):
    names = list("abcde")
    benchmark.time_interleaved({name: clock.variant(name, 0.5) for name in names}, rounds=12, budget_s=99)
    rounds = [tuple(clock.calls[10 + 5 * turn :][:5]) for turn in range(12)]
    assert all(sorted(turn) == names for turn in rounds)
    assert len(set(rounds)) > 6


def test_slow_variants_sit_out_evenly(clock):
    variants = {"slow": clock.variant("slow", 1.0), "quick": clock.variant("quick", 0.25)}
    timed = benchmark.time_interleaved(variants, rounds=20, budget_s=5.0)
    assert (timed["slow"].samples, timed["quick"].samples) == (5, 20)
    measured = clock.calls[4:]
    gaps = "".join(name[0] for name in measured).split("s")
    assert max(map(len, gaps)) <= 8, "five samples over twenty rounds: one in four"


def test_a_slow_variant_still_has_five_samples(clock):
    timed = benchmark.time_interleaved({"a": clock.variant("a", 100.0)}, rounds=9, budget_s=1.0)
    assert timed["a"].samples == 5


def test_what_goes_wrong_in_timing():
    with pytest.raises(ValueError, match="rounds must be 5 or more, not 4"):
        benchmark.time_interleaved({}, rounds=4)
    with pytest.raises(ZeroDivisionError):
        benchmark.time_interleaved({"a": lambda: 1 / 0})


def test_one_thread_is_taken_back():
    before = torch.get_num_threads()
    with pytest.raises(KeyError), benchmark.one_thread():
        assert torch.get_num_threads() == 1
        raise KeyError
    assert torch.get_num_threads() == before


def test_machine_line():
    line = benchmark.machine_line()
    assert torch.__version__ in line and f"threads {torch.get_num_threads()}" in line and "\n" not in line


def test_the_order_is_reproducible(clock):
    calls = []
    for _ in range(2):
        clock.calls.clear()
        benchmark.time_interleaved({n: clock.variant(n, 0.5) for n in "abc"}, rounds=6, budget_s=99, seed=3)
        calls.append(list(clock.calls))
        random.seed()  # the module's own generator is not used
    assert calls[0] == calls[1]


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="only glibc can be told")
def test_memory_policies_take_effect():
    """Counted in page faults: a fresh 8 MiB has 2048 pages of 4 KiB (or few huge ones), memory used again has none."""
    code = """
import resource, torch
from amp_helpers.benchmark import set_memory
faults = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_minflt
x = torch.ones(1 << 21)
for policy in ("fresh", "reused"):
    assert set_memory(policy)
    for _ in range(30):  # the heap settles within ten
        x.clone()
    before = faults()
    for _ in range(10):
        x.clone()
    print(faults() - before)
"""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    fresh, reused = map(int, run.stdout.split())
    assert fresh >= 10 * 4 and reused < 10
