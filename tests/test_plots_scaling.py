"""The figure of chapter 09 holds what it was given."""

import math

import matplotlib
import pytest
import torch

from amp_helpers import plots
from amp_helpers.scaling import LossScaler

pytestmark = pytest.mark.usefixtures("book_style")


def run(pattern, **settings):
    scaler = LossScaler("cpu", **settings)
    weight = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([weight], lr=1.0)
    for bad in pattern:
        scaler.scale(weight.sum())
        weight.grad = torch.full((1,), math.inf if bad == "i" else 1.0)
        scaler.step(optimizer)
        scaler.update()
    return scaler.history


def test_scale_history():
    ax = plots.scale_history(run("iigggi", init_scale=64.0, growth_interval=2))
    scale, skipped = ax.lines
    assert list(scale.get_xdata()) == [0, 1, 2, 3, 4, 5]
    assert list(scale.get_ydata()) == [64, 32, 16, 16, 32, 32]
    assert list(skipped.get_xdata()) == [0, 1, 5]
    assert list(skipped.get_ydata()) == [64, 32, 32]
    assert skipped.get_marker() == "x" and scale.get_color() != skipped.get_color()
    assert ax.get_yscale() == "log"
    low, high = ax.get_ylim()
    assert low < 16 and high > 64
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["scale", "skipped"]


def test_a_scale_that_never_moves_and_no_skipped_step():
    ax = plots.scale_history(run("ggg"))
    scale, skipped = ax.lines
    assert list(scale.get_ydata()) == [2.0**16] * 3 and len(skipped.get_xdata()) == 0
    low, high = ax.get_ylim()
    assert low < 2.0**16 < high


def test_scales_that_no_logarithm_has():
    history = run("iii", init_scale=2.0**-148)
    assert history[-1].scale == 0.0
    scale, _ = plots.scale_history(history).lines
    assert scale.get_ydata()[0] == 2.0**-148 and math.isnan(scale.get_ydata()[2])
    plots.to_png(plots.scale_history(history))


def test_own_axes_and_an_empty_history():
    _, ax = matplotlib.pyplot.subplots()
    assert plots.scale_history(run("g"), ax) is ax
    with pytest.raises(ValueError, match="history is empty"):
        plots.scale_history(LossScaler("cpu").history)
