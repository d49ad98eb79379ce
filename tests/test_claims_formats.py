"""The claims about formats: what reads bits and counts shares, on numbers made by hand."""

import pytest
import torch

from amp_helpers.claims import formats
from amp_helpers.formats import FORMATS


@pytest.mark.parametrize("name", ["float32", "float16", "bfloat16"])
def test_widths_come_from_infinity(name):
    assert formats.widths(getattr(torch, name)) == (FORMATS[name].exponent_bits, FORMATS[name].significand_bits)


def test_lost_are_those_that_become_zero_or_infinite():
    assert formats.lost_share(torch.tensor([1.0, 1e-9, 1e9, 6e-8, 0.0])) == 0.5


def test_moved_are_those_that_a_step_changes():
    weights, gradients = torch.ones(4), torch.tensor([1.0, 0.1, 1e-4, 0.0])
    assert formats.moved_share(weights, gradients, torch.float64) == 1.0
    assert formats.moved_share(weights, gradients, torch.float16) == pytest.approx(1 / 3)
    assert formats.moved_share(weights, gradients, torch.float16, lr=1.0) == pytest.approx(2 / 3)


def test_float32_everywhere_would_make_the_claim_true(monkeypatch):
    monkeypatch.setattr(formats, "moved_share", lambda weights, gradients, dtype: 1.0)
    assert formats.most_weights().verdict == ("true",)


def test_printing_leaves_the_reader_s_options_alone():
    torch.set_printoptions(precision=6)
    try:
        formats.printed_digits()
        assert repr(torch.tensor(1 / 3)) == "tensor(0.333333)"
    finally:
        torch.set_printoptions(profile="default")
