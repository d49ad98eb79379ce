"""The claims about autocast: their helpers, and that another fact leads to another verdict."""

import ast
import contextlib
import importlib
import inspect
import tomllib

import pytest
import torch
from torch import nn

from amp_helpers.claims import (
    VERDICTS,
    autocast_calls,
    autocast_casts,
    autocast_names,
    autocast_regions,
    autocast_steps,
    catalogue,
)
from amp_helpers.claims.autocast import EVIDENCE
from amp_helpers.claims.testing import _same_start
from amp_helpers.tracing import trace

LOW = (torch.float16, torch.bfloat16)
#: The book's verdicts, read from the topic's file alone.
BOOK = {
    entry["id"]: entry["verdict"]
    for entry in tomllib.loads((catalogue.FOLDER / "autocast.toml").read_text(encoding="utf8"))["claim"]
}
MODULES = [autocast_casts, autocast_names, autocast_regions, autocast_steps]


def no_region(*_, **__):
    return contextlib.nullcontext()


class Idle(contextlib.ContextDecorator):
    """A context manager and decorator that does nothing."""

    def __enter__(self):
        return self

    def __exit__(self, *error):
        return None


def always_on(device_type, dtype, enabled=True, autocast=torch.autocast):
    return autocast(device_type, dtype)


def no_cache(**options):
    return torch.autocast("cpu", torch.bfloat16, cache_enabled=False, **options)


def gives(**dtypes):
    """In place of `results`: the same for every device, whatever the cuDNN switch says."""
    found = dict.fromkeys(autocast_calls.CALLS, torch.float32) | dtypes

    def results(device_type, dtype=None):
        return dict(found)

    results.__wrapped__ = results
    return results


def follows_cudnn(device_type, dtype=None):
    return {"conv2d": torch.float16 if torch.backends.cudnn.enabled else torch.float32}


follows_cudnn.__wrapped__ = follows_cudnn


def half_model():
    return nn.Linear(8, 4).half(), torch.randn(2, 8).half(), None


#: Id, module, what is replaced there, by what, and the verdict that must follow.
OTHER_FACTS = [
    ("1", torch, "autocast", no_region, "true with limits"),
    ("2", autocast_casts, "results", gives(linear=torch.float16, cross_entropy=torch.float16), "true with limits"),
    ("6", autocast_regions, "bfloat16_region", no_region, "true"),
    ("8", torch, "get_autocast_dtype", lambda device: torch.float16, "true"),
    ("11", autocast_casts, "results", gives(), "true"),
    ("12", autocast_steps, "float16_region", no_region, "true with limits"),
    ("14", autocast_steps, "two_layers", half_model, "true"),
    ("15", torch, "autocast", no_region, "true with limits"),
    ("16", autocast_casts, "results", gives(**dict.fromkeys(("cross_entropy", "mse_loss"), LOW[0])), "true"),
    ("20", autocast_casts, "results", gives(**dict.fromkeys(("linear", "conv2d", "relu", "mse_loss"), LOW[0])), "true"),
    ("25", autocast_regions, "bfloat16_region", Idle, "false"),
    ("26", autocast_regions, "bfloat16_region", no_region, "true with limits"),
    ("28", autocast_regions, "error_of", lambda call: "", "true with limits"),
    ("29", autocast_regions, "bfloat16_region", no_region, "true with limits"),
    ("30", autocast_steps, "float16_region", no_region, "false"),
    ("34", autocast_names, "error_of", lambda call: "", "true"),
    ("44", autocast_casts, "results", gives(conv2d=torch.float16), "true"),
    ("55", autocast_casts, "results", gives(linear=torch.float16), "true"),
    ("63", torch, "autocast", always_on, "true"),
    ("74", torch, "autocast", no_region, "true"),
    ("76", torch.Tensor, "half", lambda tensor: tensor, "true"),
    ("82", autocast_casts, "results", follows_cudnn, "true"),
    ("93", autocast_names, "error_of", lambda call: "InvalidArgumentError", "true with limits"),
    ("M1", autocast_regions, "bfloat16_region", no_cache, "true"),
    ("M2", autocast_regions, "bfloat16_region", no_cache, "true"),
    ("M9", autocast_casts, "results", gives(binary_cross_entropy="RuntimeError"), "false"),
    ("M10", autocast_names, "error_of", lambda call: "RuntimeError", "true"),
    ("M11", autocast_regions, "error_of", lambda call: "RuntimeError", "true"),
]


def test_every_claim_has_another_fact():
    assert [id for id, *_ in OTHER_FACTS] == list(EVIDENCE) == list(BOOK)


@pytest.mark.parametrize("id, where, name, replacement, verdict", OTHER_FACTS, ids=[id for id, *_ in OTHER_FACTS])
def test_another_fact_gives_another_verdict(monkeypatch, id, where, name, replacement, verdict):
    monkeypatch.setattr(where, name, replacement)
    with _same_start():
        assert EVIDENCE[id]().verdict == (verdict,)
    assert verdict in VERDICTS and [verdict] != BOOK[id]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__.rpartition(".")[2])
def test_no_verdict_is_typed(module):
    """As test_claims.py has it for the files named after a topic."""
    source = inspect.getsource(module)
    assert "Evidence(" not in source
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    built = [call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("holds", "outdated")]
    assert built
    for call in built:
        judged = [*call.args[1:], *(keyword.value for keyword in call.keywords)]
        assert judged and not any(isinstance(value, ast.Constant) for value in judged), ast.unparse(call)


def test_evidence_stands_in_the_files_beside():
    functions = list(EVIDENCE.values())
    assert len(set(functions)) == len(functions)
    for id, function in EVIDENCE.items():
        assert importlib.import_module(function.__module__) in MODULES
        assert function.__doc__.startswith(f"{id}: ")


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_a_region_restores_what_was(device_type):
    before = torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)
    other = torch.bfloat16 if before[1] == torch.float16 else torch.float16
    with pytest.raises(KeyError), autocast_calls.region(device_type, other):
        assert torch.is_autocast_enabled(device_type) and torch.get_autocast_dtype(device_type) == other
        raise KeyError
    assert (torch.is_autocast_enabled(device_type), torch.get_autocast_dtype(device_type)) == before


def test_a_region_keeps_no_cast():
    layer, inputs = nn.Linear(2, 1), torch.ones(1, 2)
    with autocast_calls.region("cpu", torch.bfloat16):
        before = layer(inputs)
    with torch.no_grad():
        layer.weight.add_(1)
    with autocast_calls.region("cpu", torch.bfloat16):
        assert not torch.equal(layer(inputs), before)


def test_results_follow_the_dtype_and_the_device():
    cpu, cuda = (autocast_calls.results(device, torch.float16) for device in ("cpu", "cuda"))
    assert set(cpu) == set(cuda) == set(autocast_calls.CALLS)
    assert cpu["linear"] == cuda["linear"] == torch.float16
    assert (cpu["softmax"], cuda["softmax"]) == (torch.float16, torch.float32)
    assert (cpu["binary_cross_entropy"], cuda["binary_cross_entropy"]) == (torch.float32, "RuntimeError")
    assert autocast_calls.results("cuda", torch.bfloat16)["linear"] == torch.bfloat16
    assert autocast_calls.results("cpu") is autocast_calls.results("cpu")  # computed once


def test_what_a_trace_computed_in():
    model, inputs, labels = autocast_calls.two_layers()
    with trace(model) as run:
        with torch.autocast("cpu", torch.bfloat16):
            loss = nn.functional.cross_entropy(model(inputs), labels)
        loss.backward()
    assert autocast_calls.computed_in(run, products=True) == {torch.bfloat16}
    assert autocast_calls.computed_in(run) == {torch.bfloat16, torch.float32}  # the loss
    assert autocast_calls.computed_in(run, "backward", products=True) == {torch.bfloat16}


def test_words():
    assert autocast_calls.short([torch.float32, torch.float16, torch.float32]) == "float16, float32"
    assert autocast_calls.error_of(lambda: torch.ones(1).half() @ torch.ones(1)) == "RuntimeError"
    assert autocast_calls.error_of(lambda: None) == ""


def test_a_warning_is_named_and_the_result_kept():
    kinds, region = autocast_names.warned(lambda: torch.cuda.amp.autocast(enabled=False))
    assert kinds == ["FutureWarning"] and isinstance(region, torch.autocast)
    assert autocast_names.warned(lambda: 7) == ([], 7)
