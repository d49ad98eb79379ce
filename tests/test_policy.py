"""Autocast's policy: against the dispatcher, against torch's own test lists, against the documented lists."""

import contextlib
import importlib.util
import json
import logging
import re
import sys
import types
import unittest
from functools import cache

import export_policy
import pytest
import torch
import torch.nn.functional as F
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode

from amp_helpers import policy
from amp_helpers.policy import autocast_policy, documentation, policies, probe, versions
from amp_helpers.policy.examples import FAMILIES
from amp_helpers.policy.probe import CATEGORIES, KEYS, low_dtype

LOWER, FLOAT32, WIDEST, BANNED, UNKNOWN = CATEGORIES
TORCH = tuple(int(part) for part in torch.__version__.split(".")[:2])


@cache
def torch_lists():
    """torch.testing's module of autocast lists.

    It imports torch's whole test harness, which needs a package nobody else does, for a base class and one flag.
    """
    harness = types.ModuleType("torch.testing._internal.common_utils")
    harness.TestCase, harness.TEST_WITH_ROCM = unittest.TestCase, torch.version.hip is not None
    spec = importlib.util.find_spec("torch.testing._internal.autocast_test_lists")
    module = importlib.util.module_from_spec(spec)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, harness.__name__, harness)
        spec.loader.exec_module(module)
    return module


#: List of torch.testing -> (the namespace its ops live in, the dtype they run in; None: the autocast dtype).
CPU_LISTS = {
    "torch_16": (torch, None),
    "nn_16": (torch._C._nn, None),
    "torch_fp32": (torch, torch.float32),
    "nn_fp32": (torch._C._nn, torch.float32),
    "torch_need_autocast_promote": (torch, torch.float32),
    "torch_expect_builtin_promote": (torch, torch.float32),
    "methods_expect_builtin_promote": (None, torch.float32),
}
CUDA_LISTS = {
    "torch_fp16": (torch, torch.float16),
    "nn_fp16": (torch._C._nn, torch.float16),
    "linalg_fp16": (torch._C._linalg, torch.float16),
    "methods_fp16": (None, torch.float16),
    "torch_fp32": (torch, torch.float32),
    "nn_fp32": (torch._C._nn, torch.float32),
    "methods_fp32": (None, torch.float32),
    "torch_need_autocast_promote": (torch, torch.float32),
    "torch_expect_builtin_promote": (torch, torch.float32),
    "methods_expect_builtin_promote": (None, torch.float32),
    "banned": (torch._C._nn, None),
}
CATEGORY_OF = {
    **dict.fromkeys(("torch_16", "nn_16", "torch_fp16", "nn_fp16", "linalg_fp16", "methods_fp16"), LOWER),
    **dict.fromkeys(("torch_fp32", "nn_fp32", "methods_fp32"), FLOAT32),
    "torch_need_autocast_promote": WIDEST,
    "banned": BANNED,
}


@cache
def cpu_lists():
    return torch_lists().AutocastCPUTestLists("cpu")


@cache
def cuda_lists():
    return torch_lists().AutocastTestLists("cpu")  # to read the names; no CUDA tensor is needed for that


def entries(lists, names):
    return [
        pytest.param(name, index, id=f"{name}-{index}-{entry[0]}")
        for name in names
        for index, entry in enumerate(getattr(lists, name))
    ]


def cast(value, dtype):
    """The floating tensors of a nested argument in another dtype."""
    if isinstance(value, torch.Tensor):
        return value.to(dtype) if value.is_floating_point() else value
    return type(value)(cast(item, dtype) for item in value) if isinstance(value, (tuple, list)) else value


def variants(namespace, op, args, kwargs):
    """The function and the method of that name, as torch's own tests call them."""
    found = []
    if namespace is not None and hasattr(namespace, op):
        found.append(lambda args: getattr(namespace, op)(*args, **kwargs))
    if hasattr(torch.Tensor, op) and isinstance(args[0], torch.Tensor):
        found.append(lambda args: getattr(args[0], op)(*args[1:], **kwargs))
    assert found, f"{op} is neither in {namespace} nor a method"
    return found


def tensors(result):
    return [item for item in (result if isinstance(result, (tuple, list)) else [result]) if torch.is_tensor(item)]


def cpu_entry(name, index, dtype):
    """(op, args, kwargs, dtype it runs in, dtype of its result); some entries hold arguments for each 16-bit dtype."""
    op, args, *rest = getattr(cpu_lists(), name)[index]
    expected = CPU_LISTS[name][1] or dtype
    if name.endswith("promote"):
        other, *out = rest
        return op, args if dtype == torch.bfloat16 else other, {}, expected, out[0] if out else expected
    return op, args, rest[0] if rest else {}, expected, expected


# --- torch's own lists --------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16], ids=str)
@pytest.mark.parametrize("name, index", entries(cpu_lists(), CPU_LISTS))
def test_torchs_cpu_lists_run_as_torch_expects(name, index, dtype):
    """Every op of the lists, for real: the result's dtype, and bit for bit the result of casting by hand."""
    op, args, kwargs, computed, returned = cpu_entry(name, index, dtype)
    for call in variants(CPU_LISTS[name][0], op, args, kwargs):
        with torch.autocast("cpu", dtype):
            results = tensors(call(args))
        by_hand = tensors(call(cast(args, computed)))
        assert results and {result.dtype for result in results} == {returned}
        for result, control in zip(results, by_hand, strict=True):
            torch.testing.assert_close(result, control, rtol=0, atol=0, equal_nan=True)


def test_the_lists_are_whole():
    """No list of torch.testing is left out, here or below."""
    for lists, names in ((cpu_lists(), CPU_LISTS), (cuda_lists(), CUDA_LISTS)):
        assert {name for name, value in vars(lists).items() if isinstance(value, list)} == set(names)


@pytest.mark.parametrize("name, index", entries(cpu_lists(), [name for name in CPU_LISTS if name in CATEGORY_OF]))
def test_cpu_categories_agree_with_torchs_lists(name, index):
    assert autocast_policy("cpu").ops[getattr(cpu_lists(), name)[index][0]].category == CATEGORY_OF[name]


@pytest.mark.parametrize("name, index", entries(cuda_lists(), [name for name in CUDA_LISTS if name in CATEGORY_OF]))
def test_cuda_categories_agree_with_torchs_lists(name, index):
    op = {"__matmul__": "matmul", "__pow__": "pow"}.get(*[getattr(cuda_lists(), name)[index][0]] * 2)
    assert autocast_policy("cuda").ops[op].category == CATEGORY_OF[name]


@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_ops_that_promote_by_themselves_are_not_registered(device_type):
    lists = {"cpu": cpu_lists, "cuda": cuda_lists}[device_type]()
    names = {entry[0] for entry in lists.torch_expect_builtin_promote + lists.methods_expect_builtin_promote}
    assert names and not names & set(autocast_policy(device_type).ops)


def test_an_lstm_on_the_cpu_runs_through_mkldnn():
    """The one autocast test that torch skips without oneDNN ("mkldnn"): its lists do not hold the op."""
    if not torch.backends.mkldnn.is_available():
        pytest.skip("this torch was built without oneDNN, so mkldnn_rnn_layer cannot run")
    lstm, x = torch.nn.LSTM(4, 4), torch.randn(3, 2, 4)
    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):
        out, _ = lstm(x)
    assert out.dtype == torch.bfloat16
    assert autocast_policy("cpu").ops["mkldnn_rnn_layer"].category == LOWER


# --- membership ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("device_type", KEYS)
def test_membership_is_the_dispatchers(device_type):
    """Asked the other way round: of every op that torch knows, does it have a kernel under the key?"""
    has_kernel = torch._C._dispatch_has_kernel_for_dispatch_key
    expected = {name for name in torch._C._dispatch_get_all_op_names() if has_kernel(name, KEYS[device_type])}
    ours = autocast_policy(device_type)
    overloads = [f"aten::{overload}" for op in ours.ops.values() for overload in op.overloads]
    assert len(overloads) == len(set(overloads)) > 90
    assert {name for name in expected if name.startswith("aten::")} == set(overloads)
    assert {name for name in expected if not name.startswith("aten::")} == set(ours.others)
    assert all(overload.split(".")[0] == name for name, op in ours.ops.items() for overload in op.overloads)


def test_other_libraries_and_fallthroughs():
    """An op of a library is named apart, one registered to do nothing does not count; both without a new process."""
    before = autocast_policy("cuda")
    library = torch.library.Library("amp_helpers_test", "DEF")
    try:
        library.define("cast(Tensor x) -> Tensor")
        library.impl("cast", lambda x: x, "AutocastCUDA")
        library.define("nothing(Tensor x) -> Tensor")
        library.impl("nothing", torch.library.fallthrough_kernel, "AutocastCUDA")
        after = autocast_policy("cuda")
        assert set(after.others) - set(before.others) == {"amp_helpers_test::cast"}
        assert after.ops == before.ops
    finally:
        library._destroy()
    assert autocast_policy("cuda") == before


# --- categories ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("device_type", KEYS)
def test_every_op_is_classified(device_type):
    ours = autocast_policy(device_type)
    # In torch 2.8 fake MTIA tensors cannot go through softmax, and the count says so.
    assert ours.counts()[UNKNOWN] == (2 if device_type == "mtia" and TORCH < (2, 9) else 0)
    assert sum(ours.counts().values()) == len(ours.ops)
    # Overloads for named dimensions, which left with torch 2.15; their ops have others.
    for overload in ours.unclassified:
        assert re.search("dimname|names", overload.lower()) or ours.ops[overload.split(".")[0]].category == UNKNOWN
    assert TORCH < (2, 15) or not ours.unclassified


def test_all_five_categories_mean_what_they_say():
    """By hand, without the probe: fake CUDA tensors, results and errors only."""
    with FakeTensorMode():
        wide = torch.empty(8, 8, device="cuda")
        low = wide.half()
        torch.set_autocast_enabled("cuda", True)
        try:
            assert (wide @ wide).dtype == torch.float16
            assert low.exp().dtype == low.softmax(0).dtype == torch.float32
            assert torch.tensordot(wide, low, 1).dtype == torch.float32
            assert torch.tensordot(low, low, 1).dtype == torch.float16
            with pytest.raises(RuntimeError, match="unsafe to autocast"):
                F.binary_cross_entropy(wide, wide)
        finally:
            torch.set_autocast_enabled("cuda", False)
    categories = autocast_policy("cuda").categories()
    names = ("matmul", "exp", "softmax", "tensordot", "binary_cross_entropy")
    assert [categories[name] for name in names] == [LOWER, FLOAT32, FLOAT32, WIDEST, BANNED]
    assert autocast_policy("cpu").ops["binary_cross_entropy"].category == FLOAT32


def test_float16_shares_the_cpu_policy_of_bfloat16(monkeypatch):
    expected = autocast_policy("cpu").categories()
    monkeypatch.setattr(probe, "low_dtype", lambda device_type: torch.float16)
    ops, *_ = policies._classified.__wrapped__("cpu", probe.registrations("cpu"))
    assert {name: op.category for name, op in ops.items()} == expected
    assert "float16" in ops["linear"].evidence and "bfloat16" not in ops["linear"].evidence


def test_an_op_without_an_example_is_counted(monkeypatch):
    original = probe.example
    monkeypatch.setattr(probe, "example", lambda name: None if name in ("linear", "sum") else original(name))
    ops, unclassified, _ = policies._classified.__wrapped__("cuda", probe.registrations("cuda"))
    assert ops["linear"].category == UNKNOWN and ops["linear"].evidence == "no example"
    assert ops["sum"].category == FLOAT32, "another overload of it has an example"
    assert {"linear", "sum"} <= set(unclassified)
    assert policies.Policy("cuda", "2.15.0", ops, unclassified).counts()[UNKNOWN] == 1


def test_overloads_that_disagree_are_not_classified(monkeypatch):
    monkeypatch.setattr(policies, "classify", lambda overload, _: (LOWER if "." in overload else FLOAT32, overload))
    ops, *_ = policies._classified.__wrapped__("cpu", ("aten::prod", "aten::prod.dim_int", "aten::mm"))
    assert ops["prod"].category == UNKNOWN and ops["prod"].evidence == "prod; prod.dim_int"
    assert ops["mm"].category == FLOAT32


def test_an_op_that_autocast_leaves_alone_is_not_classified():
    """Ops without an autocast kernel: were they registered, the probe would see no effect. `to` casts on its own."""
    examples = {
        "relu": lambda t: (t(8),),
        "add.Tensor": lambda t: (t(8), t(8)),
        "to.dtype": lambda t: (t(8), torch.float16),
    }
    with probe.probing(), pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "example", examples.get)
        for op in examples:
            assert probe.classify(op, "cuda") == (UNKNOWN, "no effect seen")


def test_the_examples_name_ops_of_torch_and_belong_to_one_family():
    names = [overload for examples in FAMILIES.values() for overload in examples]
    assert len(names) == len(set(names))
    known = {name for device_type in KEYS for op in autocast_policy(device_type).ops.values() for name in op.overloads}
    other_versions = {"cholesky", "qr", "rms_norm", "linalg_matrix_sqrth"}
    other_builds = set() if torch.version.cuda else {"_cudnn_rnn"}
    assert set(names) - known <= other_versions | other_builds


# --- the documented lists -----------------------------------------------------------------------------


@pytest.mark.parametrize("device_type", ["cpu", "cuda", "xpu"])
def test_documented_lists_and_registrations_differ_only_as_shown(device_type):
    """Every documented name is registered with its category; `differences` holds exactly the rest of the policy."""
    names, ours = policy.documented(device_type), autocast_policy(device_type)
    found = policy.differences(device_type)
    assert found.documented_not_registered == {} and found.category_differs == {}
    calls = json.loads((versions.FOLDER / "documented.json").read_text(encoding="utf-8"))["calls"]
    covered = {op for name in names for op in calls.get(name, [name])} & set(ours.ops)
    assert covered | set(found.registered_not_documented) == set(ours.ops)
    assert not covered & set(found.registered_not_documented)
    rows = found.table().rows
    assert len(rows) == len(found.registered_not_documented) and all(row[1] == "not documented" for row in rows)


def test_the_official_cuda_list_is_incomplete():
    extra = policy.differences("cuda").registered_not_documented
    assert extra["scaled_dot_product_attention"] == extra["einsum"] == LOWER
    assert extra["upsample_bilinear2d"] == extra["huber_loss"] == extra["logsumexp"] == FLOAT32
    assert extra["vdot"] == WIDEST
    assert ("rms_norm" in extra) == ("rms_norm" in autocast_policy("cuda").ops)
    assert "rms_norm" in extra or TORCH < (2, 15)


def test_a_difference_of_each_kind_is_found(monkeypatch):
    page = {
        "source": "",
        "calls": {"soft": ["softmax"]},
        "lists": {"cuda": {LOWER: ["exp", "gone"], FLOAT32: ["soft"]}},
    }
    monkeypatch.setattr(documentation, "_page", lambda: page)
    found = policy.differences("cuda")
    assert found and found.category_differs == {"exp": (LOWER, FLOAT32)}
    assert found.documented_not_registered == {"gone": LOWER}
    assert "softmax" not in found.registered_not_documented and "log" in found.registered_not_documented
    rows = {row[0]: row[1:] for row in found.table().rows}
    assert rows["exp"] == [LOWER, FLOAT32] and rows["gone"] == [LOWER, "-"]
    assert rows["log"] == ["not documented", FLOAT32]


def test_documented_names_that_are_no_ops_behave_as_documented():
    """`softmin`, `__rpow__` and the like reach autocast through other ops; their results on fake tensors say so."""
    with FakeTensorMode():
        wide = torch.empty(8, 8, device="cuda")
        low, labels = wide.half(), torch.empty(8, device="cuda", dtype=torch.int64)
        images, grid = torch.empty(1, 2, 4, 4, device="cuda"), torch.empty(1, 4, 4, 2, device="cuda").half()
        calls = {
            "__matmul__": lambda: wide @ wide,
            "multi_dot": lambda: torch.linalg.multi_dot([wide, wide, wide]),
            "GRUCell": lambda: torch.nn.GRUCell(8, 8, device="cuda")(wide),
            "LSTMCell": lambda: torch.nn.LSTMCell(8, 8, device="cuda")(wide)[0],
            "RNNCell": lambda: torch.nn.RNNCell(8, 8, device="cuda")(wide),
            "__pow__": lambda: low**2,
            "__rpow__": lambda: 2**low,
            "__rdiv__": lambda: low.__rdiv__(1),
            "__rtruediv__": lambda: 1 / low,
            "cross_entropy": lambda: F.cross_entropy(low, labels),
            "nll_loss": lambda: F.nll_loss(low, labels),
            "norm": lambda: torch.norm(low),
            "normalize": lambda: F.normalize(low),
            "softmin": lambda: F.softmin(low, 0),
            "grid_sample": lambda: F.grid_sample(images, grid, align_corners=False),
        }
        # Calls that older versions, or builds without CUDA, cannot make on fake CUDA tensors without a GPU.
        too_new = {"GRUCell", "LSTMCell", "RNNCell"} if TORCH < (2, 15) else set()
        too_new |= {"grid_sample"} if TORCH < (2, 11) or not torch.version.cuda else set()
        for name in too_new:
            del calls[name]
        torch.set_autocast_enabled("cuda", True)
        try:
            seen = {name: call().dtype for name, call in calls.items()}
        finally:
            torch.set_autocast_enabled("cuda", False)
            torch.clear_autocast_cache()
    names = policy.documented("cuda")
    stands_for_others = set(json.loads((versions.FOLDER / "documented.json").read_text(encoding="utf-8"))["calls"])
    assert stands_for_others & set(names) == set(calls) | too_new
    assert seen == {name: torch.float16 if names[name] == LOWER else torch.float32 for name in calls}


# --- the caller's state -------------------------------------------------------------------------------


def state():
    names = ("cpu", "cuda", "xpu", "mps")
    return (
        [(torch.is_autocast_enabled(name), torch.get_autocast_dtype(name)) for name in names],
        torch.is_autocast_cache_enabled(),
        torch.is_grad_enabled(),
        torch.is_inference_mode_enabled(),
        torch.get_rng_state().tolist(),
        logging.getLogger("torch._subclasses.fake_tensor").disabled,
    )


@contextlib.contextmanager
def everything_on():
    with torch.autocast("cpu", torch.float16), torch.inference_mode():
        torch.set_autocast_enabled("cuda", True)
        torch.set_autocast_dtype("cuda", torch.bfloat16)
        try:
            yield
        finally:
            torch.set_autocast_enabled("cuda", False)
            torch.set_autocast_dtype("cuda", torch.float16)


@pytest.mark.parametrize("setting", [contextlib.nullcontext, everything_on], ids=["plain", "everything on"])
@pytest.mark.parametrize("device_type", ["cpu", "cuda"])
def test_the_callers_state_is_untouched_and_has_no_influence(device_type, setting):
    expected = autocast_policy(device_type)
    policies._classified.cache_clear()
    with setting():
        before = state()
        assert autocast_policy(device_type) == expected
        assert state() == before


def test_the_state_is_restored_after_an_exception(monkeypatch):
    def fail(overload, device_type):
        torch.set_autocast_dtype("cuda", torch.bfloat16)
        torch.set_autocast_enabled("cuda", True)
        raise KeyboardInterrupt

    monkeypatch.setattr(policies, "classify", fail)
    policies._classified.cache_clear()
    before = state()
    with pytest.raises(KeyboardInterrupt):
        autocast_policy("cuda")
    assert state() == before
    assert torch.ones(2).sum().item() == 2, "no fake mode is left"


def test_the_callers_cached_casts_stay():
    weight, x = torch.nn.Parameter(torch.ones(2, 2)), torch.ones(2, 2)
    with torch.autocast("cpu", torch.bfloat16):
        first = F.linear(x, weight)
        weight.data.mul_(2)  # the cached cast does not notice
        assert torch.equal(F.linear(x, weight), first)
        policies._classified.cache_clear()
        autocast_policy("cpu")
        assert torch.equal(F.linear(x, weight), first)


def test_the_callers_modes_see_nothing():
    class Log(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            seen.append(func)
            return func(*args, **(kwargs or {}))

    class Functions(torch.overrides.TorchFunctionMode):
        def __torch_function__(self, func, types, args=(), kwargs=None):
            if func not in HARMLESS:
                seen.append(func)
            return func(*args, **(kwargs or {}))

    # Getters and setters of autocast's state pass through function modes in some versions; they are no ops.
    HARMLESS = {getattr(torch, name) for name in dir(torch) if "autocast" in name and callable(getattr(torch, name))}
    HARMLESS |= {getattr(torch._C, name) for name in dir(torch._C) if "autocast" in name}
    seen = []
    policies._classified.cache_clear()
    with Log(), Functions():
        autocast_policy("cpu")
    assert seen == []


def test_a_policy_is_kept_but_not_shared():
    first = autocast_policy("cuda")
    first.ops.clear()
    assert autocast_policy("cuda").ops
    assert policies._classified.cache_info().hits


# --- errors and tables --------------------------------------------------------------------------------


def test_an_unknown_device_type_names_the_choices():
    with pytest.raises(ValueError, match=r"unknown device type 'tpu'; choose from cpu, cuda, xpu, mps, mtia"):
        autocast_policy("tpu")
    with pytest.raises(ValueError, match=r"'cuda:0'.*a device type has no index: 'cuda'"):
        autocast_policy("cuda:0")
    with pytest.raises(TypeError, match="device_type must be a string such as 'cuda', not device"):
        autocast_policy(torch.device("cuda"))
    with pytest.raises(ValueError, match=r"PyTorch documents no op lists for 'mps'; choose from cpu, cuda, xpu"):
        policy.documented("mps")
    with pytest.raises(ValueError, match=r"no policy is stored for torch '1\.0'; choose from 2\.8\.0, "):
        policy.changes("1.0", "2.8.0")
    with pytest.raises(ValueError, match="no policy is stored for 'xpu'; choose from cpu, cuda"):
        policy.changes("2.8.0", "2.11.0", "xpu")
    with pytest.raises(ValueError, match="compare needs at least one policy"):
        policy.compare([])
    with pytest.raises(ValueError, match=r"not in the cuda policy of torch .*: cat, nonsense"):
        autocast_policy("cuda").op_table(["mm", "cat", "nonsense"])


def test_the_table_holds_every_op_once():
    ours = autocast_policy("cuda")
    table = ours.table()
    listed = [(row[0], name) for row in table.rows for name in row[-1].split(", ")]
    assert sorted(name for _, name in listed) == sorted(ours.ops)
    assert all(ours.ops[name].category == category for category, name in listed)
    assert all(int(row[2]) == len(row[3].split(", ")) for row in table.rows)
    text = repr(table)
    assert max(map(len, text.splitlines())) <= 100
    assert [line for line in text.splitlines() if not line.startswith(" ")][:4] == [LOWER, FLOAT32, WIDEST, BANNED]
    assert "<th" in table._repr_html_() and "scaled_<wbr>dot_<wbr>product_<wbr>attention" in table._repr_html_()


def test_op_table_and_compare():
    cpu, cuda = autocast_policy("cpu"), autocast_policy("cuda")
    assert cuda.op_table(["exp", "sum"]).rows == [
        ["exp", FLOAT32, "exp", "float16 inputs are cast to float32"],
        ["sum", FLOAT32, " ".join(cuda.ops["sum"].overloads), "float16 inputs give a float32 result"],
    ]
    table = policy.compare([cpu, cuda], ["linear", "softmax", "cat", "relu"])
    assert table.columns == ["op", "cpu", "cuda"]
    assert table.rows == [
        ["linear", LOWER, LOWER],
        ["softmax", "-", FLOAT32],
        ["cat", WIDEST, "-"],
        ["relu", "-", "-"],
    ]
    whole = policy.compare([cpu, cuda]).rows
    assert [row[0] for row in whole] == sorted({*cpu.ops, *cuda.ops})
    assert policy.compare([cpu, cuda], differing=True).rows == [row for row in whole if row[1] != row[2]]
    older = policies.Policy("cpu", "1.9.0", {})
    assert policy.compare([older, cpu], ["mm"]).columns[1:] == ["cpu, torch 1.9.0", f"cpu, torch {cpu.torch_version}"]


# --- stored versions ----------------------------------------------------------------------------------


def test_the_stored_file_of_this_torch_is_a_fresh_export(tmp_path):
    fresh = export_policy.write(tmp_path)
    assert fresh.name == f"torch-{torch.__version__.split('+')[0]}.json"
    assert fresh.read_text() == export_policy.write(tmp_path).read_text(), "two exports are the same bytes"
    exported = json.loads(fresh.read_text())
    assert exported == policy.export_policies()
    assert list(exported) == sorted(exported) and set(exported["policies"]) == {"cpu", "cuda"}
    assert [path.name for path in tmp_path.iterdir()] == [fresh.name]
    stored = versions.FOLDER / fresh.name
    if stored.exists() and torch.version.cuda:  # the stored files come from builds with CUDA
        assert stored.read_bytes() == fresh.read_bytes(), "run `python tools/export_policy.py`"


def test_the_stored_policies_of_three_versions():
    stored = policy.stored_policies()
    assert list(stored)[:1] == ["2.8.0"] and {"2.8.0", "2.11.0", "2.15.0"} <= set(stored)
    for kinds in stored.values():
        assert set(kinds) == {"cpu", "cuda"}
        assert all(set(ops.values()) <= set(CATEGORIES[:4]) and len(ops) > 100 for ops in kinds.values())


def test_changes_between_versions():
    assert not policy.changes("2.8.0", "2.11.0") and not policy.changes("2.8.0", "2.11.0", "cpu")
    assert repr(policy.changes("2.8.0", "2.11.0").table()).endswith("nothing changed.")
    cuda = policy.changes("2.11.0", "2.15.0")
    assert cuda.added == {"linalg_matrix_sqrth": FLOAT32, "rms_norm": FLOAT32}
    assert cuda.removed == cuda.moved == {}
    cpu = policy.changes("2.11.0", "2.15.0", "cpu")
    assert cpu.added == {"linalg_matrix_sqrth": FLOAT32} and cpu.removed == {"cholesky": FLOAT32, "qr": FLOAT32}
    assert ["rms_norm", "-", FLOAT32] in cuda.table().rows
    assert cpu.table().columns == ["op", "torch 2.11.0", "torch 2.15.0"]


def test_changes_know_the_installed_torch_and_moved_ops(monkeypatch, tmp_path):
    monkeypatch.setattr(versions, "FOLDER", tmp_path)
    stored = {"torch": "1.9.0", "policies": {"cpu": {"mm": FLOAT32, "gone": LOWER}}}
    (tmp_path / "torch-1.9.0.json").write_text(json.dumps(stored))
    found = policy.changes("1.9.0", policies.torch_version(), "cpu")
    assert found.moved == {"mm": (FLOAT32, LOWER)} and found.removed == {"gone": LOWER} and "cat" in found.added
    assert ["mm", FLOAT32, LOWER] in found.table().rows


def test_the_default_dtypes_are_torchs():
    for device_type in KEYS:
        with FakeTensorMode():
            assert low_dtype(device_type) == torch.get_autocast_dtype(device_type)


def test_the_source_of_the_lists_names_its_commit():
    assert re.search(r"amp\.md.*commit [0-9a-f]{40}$", policy.documented_source())
