"""The web's claims for a GPU, rehearsed on a CPU; what needs CUDA's allocator meets one that is simulated."""

import time
import types

import pytest
import torch

from amp_helpers.suites import web
from amp_helpers.suites.run import Bench, run_suite


@pytest.fixture(scope="module")
def rehearsal():
    return run_suite("web", device="cpu", smoke=True)


def test_what_a_cpu_can_rehearse(rehearsal):
    small = [(row["recipe"], row["graphed"]) for row in rehearsal.part("small")]
    assert small == [(name, False) for name in ("32-true", "tf32", "16-mixed", "bf16-mixed")]
    assert [(row["dtype"], row["n"]) for row in rehearsal.part("sizes")] == [
        (dtype, n) for dtype in ("float16", "bfloat16") for n in (15, 16, 17)
    ]
    assert [row["experiment"] for row in rehearsal.part("outcomes")] == ["unmoved", "unmoved"]


def test_what_it_cannot_says_so(rehearsal):
    failed = [(row["part"], row["failed"]) for row in rehearsal.failures()]
    assert failed == [
        *[("small", "RuntimeError: a CUDA graph needs CUDA, and this is cpu")] * 3,
        ("outcomes", "RuntimeError: parallel_apply needs CUDA, and this is cpu"),
        *[("outcomes", "RuntimeError: CUDA's caching allocator is asked, and this is cpu")] * 2,
    ]


def test_the_switch_changes_no_dtype(rehearsal):
    """The rows of chapter 20's verdict: the convolutions' dtype is autocast's business and not cuDNN's."""
    found = {(row["recipe"], row["cudnn"]): row["dtypes"] for row in rehearsal.part("cudnn")}
    assert found == {
        ("32-true", True): "float32",
        ("32-true", False): "float32",
        ("bf16-mixed", True): "bfloat16",
        ("bf16-mixed", False): "bfloat16",
    }


def test_the_switch_comes_back():
    before = torch.backends.cudnn.enabled
    with pytest.raises(KeyError), web.cudnn_switch(not before):
        assert torch.backends.cudnn.enabled is not before
        raise KeyError
    assert torch.backends.cudnn.enabled is before


def test_three_steps_without_update():
    """Without CUDA autocast and scaler are both off, and nothing complains; with one, the second step does."""
    if torch.cuda.is_available():
        assert "RuntimeError in step 2: step() has already been called" in web.three_steps(torch.device("cuda"))
    else:
        said = web.three_steps(torch.device("cpu"))
        assert said == "output float32; scaler enabled: False; three steps"


def test_three_steps_with_a_scaler_that_works(monkeypatch):
    """What a GPU sees, with the CPU's own scaler and autocast in its place."""
    scaler, autocast = torch.amp.GradScaler, torch.autocast
    monkeypatch.setattr(torch.amp, "GradScaler", lambda device: scaler("cpu"))
    monkeypatch.setattr(torch, "autocast", lambda device, dtype: autocast("cpu", dtype=dtype))
    said = web.three_steps(torch.device("cpu"))
    assert said.startswith("output float16; scaler enabled: True; RuntimeError in step 2: step() has already been")


@pytest.mark.parametrize("largest", [0, 1, 7, 12, 64])
def test_the_largest_that_fits(largest):
    asked = []

    def allocate(size):
        asked.append(size)
        if size > largest * 2**20:
            raise torch.OutOfMemoryError

    assert web.largest_fitting(allocate, 64 * 2**20) == largest * 2**20
    assert len(asked) <= 7 and max(asked) <= 64 * 2**20


def test_a_device_that_is_filled(monkeypatch):
    """A driver with 4 GiB behind an allocator that keeps what it is given back, until it is empty or told to."""
    state = types.SimpleNamespace(reserved=0, limit=None, live=0)

    class Block:
        def __init__(self, size):
            free = state.reserved - state.live
            if size > free:
                if state.live + size > state.limit:
                    raise torch.OutOfMemoryError("full")
                state.reserved = max(state.reserved, state.live + size)
            self.size, state.live = size, state.live + size

        def __del__(self):
            if hasattr(self, "size"):
                state.live -= self.size

    def set_fraction(share, device):
        state.limit = share * 2**34

    def empty_cache():
        state.reserved = state.live

    monkeypatch.setattr(web, "release_memory", lambda: None)
    monkeypatch.setattr(torch, "empty", lambda size, dtype, device: Block(size))
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: types.SimpleNamespace(total_memory=2**34))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: state.reserved)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: state.live)
    monkeypatch.setattr(torch.cuda, "set_per_process_memory_fraction", set_fraction)
    monkeypatch.setattr(torch.cuda, "empty_cache", empty_cache)
    bench, held = Bench(torch.device("cuda"), True, time.monotonic() + 60), []
    before, after = (web._largest(bench, held, empty) for empty in (False, True))
    assert len(held) == 512 * 3 // 8 and state.live == 192 * 2**23
    assert before["outcome"] == "allocated 1536 MiB of 4096 MiB reserved; the largest block is 2560 MiB"
    assert after["outcome"] == "allocated 1536 MiB of 1536 MiB reserved; the largest block is 2560 MiB"
    assert before["bytes"] == after["bytes"] == 2560 * 2**20
