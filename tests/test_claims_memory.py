"""The claims about memory: the reader of `empty_cache` records, and counts against what is known."""

import pytest
import torch
from torch import nn

from amp_helpers.benchmark import Record
from amp_helpers.claims import memory
from amp_helpers.models import MLP


def record(before, after, device="Some GPU"):
    rows = [
        {"part": "outcomes", "experiment": "unmoved", "case": "on the CPU", "outcome": "three steps", "bytes": None},
        {
            "part": "outcomes",
            "experiment": "empty_cache",
            "case": "before empty_cache()",
            "outcome": "",
            "bytes": before,
        },
        {"part": "outcomes", "experiment": "empty_cache", "case": "after empty_cache()", "outcome": "", "bytes": after},
    ]
    return Record({"device": device, "suite": "web"}, rows)


def test_the_largest_block_decides():
    same, more = record(2**30, 2**30), record(2**29, 2**30)
    assert memory.out_of_memory([same]).verdict == ("true", "false")
    assert memory.out_of_memory([more]).verdict == ("true", "true")
    assert memory.out_of_memory([same, record(1, 2, "Another GPU")]).verdict == ("true", "false")
    assert "Some GPU: 512 MiB before and 1024 MiB after" in memory.out_of_memory([more, same]).seen, "the newest counts"


def test_without_both_blocks_there_is_no_record():
    half = record(1, 1)
    half.rows[2] = {"part": "outcomes", "experiment": "empty_cache", "case": "after empty_cache()", "failed": "no CUDA"}
    assert memory.out_of_memory([]) is None
    assert memory.out_of_memory([half]) is None


def test_parameters_by_their_bytes():
    assert memory.parameters_in(1, 4) == pytest.approx(268.435456)


def test_a_checkpoint_halves_with_its_weights():
    wide = memory.checkpoint(nn.Linear(512, 512))
    assert 0.45 < memory.checkpoint(nn.Linear(512, 512).half()) / wide < 0.55


def test_pure_16_bits_halve_everything_and_a_small_batch_under_autocast_costs_more():
    assert memory.ratio(MLP(784, 128, 10), "16-true", 4) == pytest.approx(0.5, abs=0.01)
    assert memory.ratio(MLP(784, 128, 10), "16-mixed", 1) > 1


def test_if_autocast_halved_weights_the_claim_would_be_true(monkeypatch):
    kept = memory.kept
    monkeypatch.setattr(
        memory, "kept", lambda model, recipe, batch: kept(model, recipe.replace("mixed", "true"), batch)
    )
    assert memory.kinds_of_memory().verdict == ("true",)
    assert memory.half_the_memory().verdict == ("true",)


def test_a_model_saved_in_16_bits_would_be_smaller(monkeypatch):
    sizes = iter([100, 50, 50])
    monkeypatch.setattr(memory, "checkpoint", lambda model: next(sizes))
    assert memory.smaller_model().verdict == ("true",)


def test_a_small_batch_that_finds_no_error_tells_nothing(monkeypatch):
    torch.manual_seed(0)
    monkeypatch.setattr(memory, "wrong_dtype", lambda batch: batch > 1)
    assert memory.small_batches_first().verdict == ("false",)
