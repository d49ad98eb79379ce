"""The broken samples: each mended twin differs from the one as found where it should, and nowhere else."""

import ast
import difflib
import inspect

import pytest
import torch
from torch import nn

from amp_helpers.claims import broken_samples, samples

#: As found, mended, and the only lines that the mended one adds.
PAIRS = [
    ("without_zero_grad", "with_zero_grad", ["optimizer.zero_grad()"]),
    ("without_update", "with_update", ["scaler.update()"]),
]
#: Evidence -> the loop as found, and what stands in for it. The verdict must change.
MENDED = {
    "17": ("without_zero_grad", "with_zero_grad"),
    "62": ("without_update", "with_update"),
    "64": ("without_moving", "with_moving"),
    "77": ("without_zero_grad", "with_zero_grad"),
}


def body(name):
    """The statements of a function without its docstring, one string a line."""
    (function,) = ast.parse(inspect.getsource(getattr(broken_samples, name))).body
    return "\n".join(ast.unparse(statement) for statement in function.body[1:]).splitlines()


@pytest.mark.parametrize("found, mended, added", PAIRS)
def test_a_mended_loop_adds_one_line(found, mended, added):
    changes = [line for line in difflib.ndiff(body(found), body(mended)) if line[0] in "+-"]
    assert [line[2:].strip() for line in changes] == added
    assert all(line.startswith("+") for line in changes)


def test_the_moved_sample_differs_in_where_model_and_batch_are():
    changes = [line for line in difflib.ndiff(body("without_moving"), body("with_moving")) if line[0] == "+"]
    assert len(changes) == 2 and "device=device" in changes[0] and "x.to(device)" in changes[1]


def test_lines_fit_a_page():
    assert max(map(len, inspect.getsource(broken_samples).splitlines())) <= 78


@pytest.mark.parametrize("id, names", MENDED.items(), ids=MENDED)
def test_the_loop_as_found_decides(monkeypatch, id, names):
    found, mended = names
    assert samples.EVIDENCE[id]().verdict == ("broken sample",)
    monkeypatch.setattr(broken_samples, found, getattr(broken_samples, mended))
    assert samples.EVIDENCE[id]().verdict == ("true",)


def test_line_breaks_decide(monkeypatch):
    monkeypatch.setattr(broken_samples, "ONE_LINE", broken_samples.LINES)
    assert samples.EVIDENCE["35"]().verdict == ("true",)


def test_new_names_are_not_outdated(monkeypatch):
    def with_new_names(model, loss_fn, optimizer, batches):
        broken_samples.plain_loop(model, loss_fn, optimizer, batches)

    assert samples.EVIDENCE["7"]().verdict == ("outdated",)
    monkeypatch.setattr(broken_samples, "with_old_names", with_new_names)
    assert samples.EVIDENCE["7"]().verdict == ("true",)


def test_a_scale_makes_the_sample_without_scaler_sound(monkeypatch):
    """With losses of an ordinary size only, nothing is lost."""
    monkeypatch.setattr(samples, "_zero_share", lambda dtype, factor: 0.0)
    assert samples.EVIDENCE["27"]().verdict == ("true",)


def test_a_loop_that_forgets_to_step_is_not_sound(monkeypatch):
    monkeypatch.setattr(broken_samples, "plain_loop", lambda *arguments: None)
    assert samples.EVIDENCE["67"]().verdict == ("true with limits",)


def test_missing_zero_grad_counts_gradients_again():
    assert samples._moved(broken_samples.without_zero_grad, 4) == 1 + 2 + 3 + 4
    assert samples._moved(broken_samples.with_zero_grad, 4) == 4


def test_after_an_overflow_the_scale_falls_to_zero_without_an_error():
    model, loss_fn, optimizer = samples._one_weight()
    scaler = torch.amp.GradScaler("cpu", init_scale=samples.TOO_LARGE)
    broken_samples.without_zero_grad(model, loss_fn, optimizer, scaler, [(torch.ones(1, 1), None)] * 200)
    assert scaler.get_scale() == 0 and model.weight.item() == 0 and not model.weight.grad.isfinite().any()


def test_autocast_for_cuda_leaves_no_trace():
    before = torch.is_autocast_enabled("cuda"), torch.is_autocast_cache_enabled()
    samples.EVIDENCE["64"]()
    assert (torch.is_autocast_enabled("cuda"), torch.is_autocast_cache_enabled()) == before
    assert isinstance(nn.Linear(1, 1).weight.sum().item(), float)  # no fake tensor mode is left on
