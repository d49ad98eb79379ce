"""The figure of chapter 06 shows each call's dtypes where they belong."""

import pytest
import torch

from amp_helpers import plots
from amp_helpers.models import MLP
from amp_helpers.tracing import trace


@pytest.fixture
def calls():
    model, x = MLP(4, 4, 4), torch.ones(2, 4)
    with trace() as t, torch.autocast("cpu", dtype=torch.bfloat16):
        model(x).view(-1).float()
    return t.calls


def test_call_dtypes(calls):
    ax = plots.call_dtypes(calls)
    assert [label.get_text() for label in ax.get_xticklabels()] == ["float32", "bfloat16"]
    # The view is left out.
    names = [label.get_text() for label in ax.get_yticklabels()]
    assert names == ["linear", "relu", "linear", "float"]
    ends = [tuple(int(line.get_xdata()[0]) for line in ax.lines[2 * row : 2 * row + 2]) for row in range(len(names))]
    assert ends[0] == (0, 1) and ends[1] == (1, 1) and ends[-1] == (1, 0)
    assert {line.get_marker() for line in ax.lines} == {"o", "s"}
    assert ax.yaxis_inverted()


def test_nothing_to_draw():
    with pytest.raises(ValueError, match="no call received and returned floating-point tensors"):
        plots.call_dtypes([])
