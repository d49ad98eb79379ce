"""`LossScaler` against the installed `torch.amp.GradScaler`: state for state, bit for bit, error for error."""

import ast
import copy
import inspect
import io
import itertools
import json
import math
import pickle
import random
import subprocess
import sys
import warnings
from pathlib import Path

import export_scaler_traces
import numpy as np
import pytest
import torch
from torch import nn

from amp_helpers.scaling import HistoryEntry, LossScaler, ScaleHistory, loss_scaler, next_scale
from amp_helpers.scaling.history import float32

BOTH = [torch.amp.GradScaler, LossScaler]
NUM_SCENARIOS = 1200
both = pytest.mark.parametrize("kind", BOTH, ids=["torch", "ours"])


pytestmark = pytest.mark.usefixtures("one_thread")


def bits(x: torch.Tensor) -> bytes:
    return x.detach().to_dense().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()


def pattern(state: dict) -> dict:
    """A state that can be compared where it holds NaN; the types count too."""
    return {key: (type(value), repr(value)) for key, value in state.items()}


class HalfStep(torch.optim.SGD):
    """Handles the scale itself, as fused optimizers do, and shows what it was given."""

    _step_supports_amp_scaling = True

    def step(self, closure=None):
        self.seen = [self.grad_scale, self.found_inf]
        if not float(self.found_inf):
            for param in self.param_groups[0]["params"]:
                if param.grad is not None:
                    grad = param.grad if self.grad_scale is None else param.grad / self.grad_scale
                    param.data.sub_(0.5 * grad.to(param.dtype).to_dense())


class OldContract(torch.optim.SGD):
    """Takes the scaler as an argument, as some optimizers of other libraries still do."""

    _step_supports_amp_scaling = True

    def step(self, closure=None, *, grad_scaler=None):
        found = grad_scaler._check_inf_per_device(self) if hasattr(grad_scaler, "_check_inf_per_device") else {}
        self.seen = [grad_scaler.get_scale(), len(found)]
        return "stepped"


OPTIMIZERS = {
    "sgd": lambda params: torch.optim.SGD(params, lr=0.1, momentum=0.9),
    "adam": lambda params: torch.optim.Adam(params, lr=0.01),
    "adamw": lambda params: torch.optim.AdamW(params, lr=0.01, weight_decay=0.1),
    # No momentum: a skipped first step leaves fused SGD with a momentum buffer that nobody wrote to.
    "fused_sgd": lambda params: torch.optim.SGD(params, lr=0.1, fused=True),
    "fused_adam": lambda params: torch.optim.Adam(params, lr=0.01, fused=True),
    "own": lambda params: HalfStep(params, lr=0.5),
    "plain_sgd": lambda params: torch.optim.SGD(params, lr=0.1),
}
#: dtypes of an optimizer's parameters; "sparse" is an embedding's weight.
KINDS = ["float32", "float32", "float64", "bfloat16", "scalar", "sparse", "float16", "unused"]


class Run:
    """A scaler with its own parameters, put through a scenario; everything that comes out is collected."""

    def __init__(self, kind, settings, layouts):
        self.outcome = []
        self.scaler = kind("cpu", **settings)
        self.params, self.optimizers = [], []
        for seed, (name, kinds) in enumerate(layouts):
            params = [new_param(which, 10 * seed + i) for i, which in enumerate(kinds)]
            self.params.append(params)
            self.optimizers.append(OPTIMIZERS[name]([param for _, param in params]))

    def attempt(self, what, function):
        """Run, and note what it returned or raised; an error is part of the behaviour."""
        try:
            result = function()
        except Exception as error:
            result = (type(error), str(error).replace("LossScaler", "GradScaler"))
        if isinstance(result, torch.Tensor):
            result = (result.dtype, result.shape, bits(result))
        self.outcome.append((what, result))

    def backward(self, which, factors, poison):
        """The gradient of a sum with fixed factors, so that the scaled gradient is known to the bit."""
        rng = np.random.default_rng(factors)
        terms = []
        for (kind, param), bad in zip(self.params[which], poison, strict=True):
            if kind == "unused":
                continue
            factor = torch.from_numpy(rng.normal(size=param.shape) * 10.0 ** rng.integers(-6, 3)).to(param.dtype)
            if bad is not None and factor.numel():
                factor.reshape(-1)[rng.integers(factor.numel())] = bad
            if kind == "sparse":
                index = torch.tensor([0, 2, 2])
                terms.append((nn.functional.embedding(index, param, sparse=True) * factor[:3]).sum())
            else:
                terms.append((param * factor).sum())
        if terms:
            self.scaler.scale(sum(term.float() for term in terms)).backward()

    def state(self):
        values = [bits(param) for params in self.params for _, param in params]
        grads = [None if p.grad is None else bits(p.grad) for params in self.params for _, p in params]
        extra = [
            [bits(value) for value in state.values() if isinstance(value, torch.Tensor)]
            for optimizer in self.optimizers
            for state in optimizer.state.values()
        ]
        seen = [[float(x) if x is not None else x for x in getattr(o, "seen", [])] for o in self.optimizers]
        left = [hasattr(o, "grad_scale") or hasattr(o, "found_inf") for o in self.optimizers]
        growth = self.scaler._get_growth_tracker()
        return pattern(self.scaler.state_dict()), repr(growth), values, grads, extra, repr(seen), left


def new_param(kind, seed):
    generator = torch.Generator().manual_seed(seed)
    shape = {"scalar": (), "sparse": (4, 3)}.get(kind, (5, 3))
    dtype = {"scalar": "float32", "sparse": "float32", "unused": "float32"}.get(kind, kind)
    values = torch.randn(shape, generator=generator).to(getattr(torch, dtype))
    return kind, nn.Parameter(values)


def random_scenario(seed):
    """Settings, optimizers and a list of operations; legal iterations for the most part, and some misuse."""
    rng = random.Random(seed)
    scales = [2.0**16, 65536, 2.0**10, 1000.0, 0.1, 3.7e38, 2.0**127, 2.0**-120, 2.0**-127, 2.0**-149, 1e-44, 1.0]
    settings = {
        "init_scale": rng.choice(scales),
        "growth_factor": rng.choice([2.0, 2.0, 1.3, 1.0001, 7, 1e30]),
        "backoff_factor": rng.choice([0.5, 0.5, 0.3, 0.999, 0.1, 0.0, 1e-30, -0.5]),
        "growth_interval": rng.choice([1, 2, 3, 5, 2000]),
        "enabled": rng.random() > 0.05,
    }
    if settings["init_scale"] == 3.7e38:
        settings["init_scale"] = 3.4028234663852886e38  # the largest float32: growth stops there
    layouts = []
    for _ in range(rng.choice([1, 1, 2, 3])):
        name = rng.choice(list(OPTIMIZERS))
        kinds = [kind for kind in rng.sample(KINDS, rng.randint(1, 3)) if kind != "float16" or rng.random() < 0.3]
        if name.startswith("fused") or name.startswith("adam"):
            kinds = [kind for kind in kinds if kind not in ("sparse", "float16")]
        layouts.append((name, kinds or ["float32"]))
    bad = rng.choice([0.0, 0.1, 0.5, 1.0])
    operations = []
    for iteration in range(rng.randint(2, 9)):
        for which, (_, kinds) in enumerate(layouts):
            poison = [rng.choice([math.inf, -math.inf, math.nan]) if rng.random() < bad else None for _ in kinds]
            if rng.random() < 0.95:
                operations.append(("backward", which, 100 * iteration + which, poison))
            if rng.random() < 0.1:  # accumulation
                operations.append(("backward", which, 100 * iteration + 50 + which, poison))
            if rng.random() < 0.3:
                operations.append(("unscale_", which))
            if rng.random() < 0.95:
                operations.append(("step", which))
            operations.append(("misuse", rng.randrange(10), which) if rng.random() < 0.08 else ("nothing",))
        operations.append(("update", rng.choice([None] * 12 + [64.0, 0.3, "tensor", math.inf])))
        if rng.random() < 0.9:
            operations.append(("zero_grad",))
        extra = rng.random()
        if extra < 0.08:
            operations.append(("save and load", rng.choice(["same", "new", "pickle"])))
        elif extra < 0.16:
            operations.append(("set", rng.choice(["growth_factor", "backoff_factor"]), rng.choice([1.5, 3.0, 0.25])))
        elif extra < 0.2:
            operations.append(("set", "growth_interval", rng.randint(1, 4)))
    return settings, layouts, operations


def perform(run, operation):
    name, *args = operation
    scaler = run.scaler
    if name == "backward":
        run.attempt(name, lambda: run.backward(*args))
    elif name in ("unscale_", "step"):
        run.attempt(name, lambda: getattr(scaler, name)(run.optimizers[args[0]]))
    elif name == "update":
        given = torch.tensor([12.5]).reshape(()) if args[0] == "tensor" else args[0]
        run.attempt(name, lambda: scaler.update() if given is None else scaler.update(given))
    elif name == "zero_grad":
        for optimizer in run.optimizers:
            optimizer.zero_grad()
    elif name == "set":
        run.attempt(name, lambda: getattr(scaler, f"set_{args[0]}")(args[1]))
        run.attempt("get", lambda: getattr(scaler, f"get_{args[0]}")())
    elif name == "save and load":
        if args[0] == "pickle":
            run.attempt(name, lambda: setattr(run, "scaler", pickle.loads(pickle.dumps(scaler))))
        else:
            state = scaler.state_dict()
            if args[0] == "new":
                run.scaler = type(scaler)("cpu", enabled=scaler.is_enabled())
            run.attempt(name, lambda: run.scaler.load_state_dict(state))
    elif name == "misuse":
        misuse, which = args
        optimizer = run.optimizers[which]
        calls = [
            lambda: scaler.step(optimizer),
            lambda: scaler.unscale_(optimizer),
            lambda: scaler.update(2),
            lambda: scaler.update(torch.ones(2)),
            lambda: scaler.update(torch.ones((), requires_grad=True)),
            lambda: scaler.step(optimizer, closure=lambda: 1),
            lambda: scaler.update(1e300),
            lambda: scaler.load_state_dict({}),
            lambda: scaler.scale(3),
            lambda: scaler.load_state_dict({"scale": 4.0}),
        ]
        run.attempt((name, misuse), calls[misuse])


def check_equal(seed):
    settings, layouts, operations = random_scenario(seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs, ours = (Run(kind, settings, layouts) for kind in BOTH)
        for number, operation in enumerate(operations):
            for run in (theirs, ours):
                perform(run, operation)
            where = f"scenario {seed}, operation {number}: {operation}; {settings}, {layouts}"
            assert repr(theirs.outcome[-1:]) == repr(ours.outcome[-1:]), where
            assert theirs.state() == ours.state(), where
    return ours


@pytest.mark.parametrize("block", range(12))
def test_random_scenarios_give_the_same_states_weights_and_errors(block):
    size = NUM_SCENARIOS // 12
    for seed in range(block * size, (block + 1) * size):
        check_equal(seed)


def test_the_random_scenarios_reach_what_they_are_for():
    """Random tests can pass by doing nothing: count the events."""
    events = dict.fromkeys(
        ["skipped", "grown", "fp16", "no gradient", "zero scale", "disabled", "set", "unpickled", "at the top"], 0
    )
    for seed in range(0, NUM_SCENARIOS, 4):
        settings, layouts, operations = random_scenario(seed)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            run = Run(LossScaler, settings, layouts)
            scales = []
            for operation in operations:
                perform(run, operation)
                scales.append(run.scaler.get_scale())
        text = repr(run.outcome)
        events["skipped"] += any(entry.skipped for entry in run.scaler.history)
        events["grown"] += any(b > a > 0 for a, b in itertools.pairwise(scales))
        events["fp16"] += "FP16" in text
        events["no gradient"] += "No inf checks" in text
        events["zero scale"] += 0.0 in scales
        events["disabled"] += not settings["enabled"]
        events["set"] += any(entry.set_by_user for entry in run.scaler.history)
        events["unpickled"] += ("save and load", "pickle") in operations
        events["at the top"] += any(scale > 2.0**126 and scale < math.inf for scale in scales)
    assert min(events.values()) >= 5, events


# --- the rule -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("interval", [1, 2, 3])
def test_next_scale_equals_torch_s_kernel(interval):
    rng = random.Random(interval)
    scales = [0.0, 1e-45, 2.0**-149, 2.0**-126, 0.1, 1.0, 65536.0, 2.0**127, 3.4028234663852886e38, math.inf, math.nan]
    scales += [2.0 ** rng.uniform(-149, 128) for _ in range(300)]
    for scale, found, tracker in itertools.product(map(float32, scales), (0.0, 1.0, 2.0), (0, 1, 4)):
        growth, backoff = rng.choice([2.0, 1.1, 1.7, 1e300]), rng.choice([0.5, 0.1, 1 / 3, -2.0, 1e-300])
        tensor, count = torch.tensor(scale), torch.tensor(tracker, dtype=torch.int32)
        torch._amp_update_scale_(tensor, count, torch.tensor(found), growth, backoff, interval)
        new, new_tracker = next_scale(scale, tracker, bool(found), growth, backoff, interval)
        assert np.float32(new).tobytes() == tensor.numpy().tobytes() or (math.isnan(new) and tensor.isnan())
        assert new_tracker == count.item()


def test_float32_rounds_as_numpy_does():
    rng = random.Random(0)
    values = [rng.uniform(-1, 1) * 2.0 ** rng.randint(-160, 140) for _ in range(3000)]
    values += [0.0, -0.0, math.inf, -math.inf, 3.4028235677973366e38, -3.4028235677973366e38, 3.4028235677973362e38]
    with np.errstate(all="ignore"):
        for value in values:
            assert repr(float32(value)) == repr(float(np.float32(value))), value
    assert math.isnan(float32(math.nan))


def test_the_interval_is_met_exactly_or_not_at_all():
    """An interval lowered below the tracker stops growth until an infinity: in torch too."""
    states = []
    for kind in BOTH:
        run = Run(kind, {"growth_interval": 5}, [("sgd", ["float32"])])
        for iteration in range(12):
            if iteration == 3:
                run.scaler.set_growth_interval(2)
            for operation in (("backward", 0, iteration, [None]), ("step", 0), ("update", None), ("zero_grad",)):
                perform(run, operation)
        states.append(run.state())
        assert run.scaler.get_scale() == 2.0**16 and run.scaler._get_growth_tracker() == 12
    assert states[0] == states[1]


# --- scripted ------------------------------------------------------------------------------------------


def model_and_optimizer(make=OPTIMIZERS["sgd"], seed=0):
    torch.manual_seed(seed)
    model = nn.Linear(4, 3)
    return model, make(list(model.parameters()))


def iterate(scaler, model, optimizer, bad=False, seed=0):
    x = torch.randn(8, 4, generator=torch.Generator().manual_seed(seed))
    loss = model(x).square().mean() * (math.inf if bad else 1.0)
    optimizer.zero_grad()
    scaler.scale(loss).backward()
    result = scaler.step(optimizer)
    scaler.update()
    return result


@pytest.mark.parametrize("name", OPTIMIZERS)
@pytest.mark.parametrize("num_bad", [143, 144, 150, 151])
def test_the_cliff_is_where_torch_has_it(name, num_bad):
    """After 144 bad steps from 2^16 the reciprocal overflows, and the next good step spoils the weights."""
    ends = []
    for kind in BOTH:
        scaler = kind("cpu")
        model, optimizer = model_and_optimizer(OPTIMIZERS[name])
        for _ in range(num_bad):
            iterate(scaler, model, optimizer, bad=True)
        assert scaler.get_scale() == (2.0 ** (16 - num_bad) if num_bad < 166 - 1 else 0.0)
        assert all(param.isfinite().all() for param in model.parameters())
        iterate(scaler, model, optimizer)
        ends.append([bits(param) for param in model.parameters()] + [pattern(scaler.state_dict())])
        if not name.startswith("fused") and name != "own":
            assert all(param.isfinite().all() for param in model.parameters()) == (num_bad < 144)
    assert ends[0] == ends[1]


@both
def test_the_scale_ends_at_zero(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    for _ in range(166):
        iterate(scaler, model, optimizer, bad=True)
    assert scaler.get_scale() == 0.0


@pytest.mark.parametrize("enabled", [True, False])
def test_what_scale_returns(enabled):
    theirs, ours = (kind("cpu", init_scale=3.0, enabled=enabled) for kind in BOTH)
    inputs = [torch.tensor(1.5), torch.ones(2, dtype=torch.float16), torch.ones((), dtype=torch.float16)]
    inputs += [torch.ones(2, dtype=torch.bfloat16), torch.ones(2, dtype=torch.float64), torch.arange(3)]
    for x in [*inputs, inputs, tuple(inputs), [inputs[:2], (inputs[3],)], [], ()]:
        assert repr(theirs.scale(x)) == repr(ours.scale(x))
        assert type(ours.scale(x)) is type(theirs.scale(x))
    for make in (lambda: iter(inputs), lambda: {inputs[0]: 1}):
        assert type(ours.scale(make())) is type(theirs.scale(make()))
        assert repr(list(theirs.scale(make()))) == repr(list(ours.scale(make())))


@both
def test_a_lazy_iterable_starts_the_scaler_when_it_is_read(kind):
    scaler = kind("cpu")
    scaled = scaler.scale(x for x in [torch.ones(1)])
    assert scaler._scale is None
    assert [x.item() for x in scaled] == [65536.0]


@pytest.mark.parametrize("as_list", [False, True])
def test_backward_after_update(as_list):
    """torch keeps the scale itself for the backward pass of a tensor, and a copy for those of a list."""
    outcomes = []
    for kind in BOTH:
        scaler = kind("cpu")
        model, optimizer = model_and_optimizer()
        late = model(torch.ones(2, 4)).sum()
        late = scaler.scale([late])[0] if as_list else scaler.scale(late)
        iterate(scaler, model, optimizer)
        try:
            late.backward()
            outcomes.append("ran")
        except RuntimeError as error:
            outcomes.append(str(error)[:80])
    assert outcomes[0] == outcomes[1]
    assert (outcomes[0] == "ran") == as_list


MISUSE = {
    "growth factor": lambda kind: kind("cpu", growth_factor=1.0),
    "backoff factor": lambda kind: kind("cpu", backoff_factor=1.0),
    "not a tensor": lambda kind: kind("cpu").scale(1.0),
    "not tensors": lambda kind: kind("cpu").scale([torch.ones(1), None]),
    "a scale beyond float32": lambda kind: kind("cpu", init_scale=1e39).scale(torch.ones(1)),
    "step first": lambda kind: kind("cpu").step(model_and_optimizer()[1]),
    "unscale_ first": lambda kind: kind("cpu").unscale_(model_and_optimizer()[1]),
    "update first": lambda kind: kind("cpu").update(),
    "update first, with a scale": lambda kind: kind("cpu").update(4.0),
    "an empty state": lambda kind: kind("cpu").load_state_dict({}),
    "a state with a hole": lambda kind: kind("cpu").load_state_dict({"scale": 1.0}),
    "a disabled one's factor": lambda kind: kind("cpu", enabled=False).get_growth_factor(),
    "no such argument": lambda kind: kind("cpu", loss_scale=1.0),
}


@pytest.mark.parametrize("name", MISUSE)
def test_misuse_from_the_start(name):
    errors = []
    for kind in BOTH:
        with pytest.raises(Exception) as caught:
            MISUSE[name](kind)
        errors.append((caught.type, str(caught.value).replace("LossScaler", "GradScaler")))
    assert errors[0] == errors[1]


def started(kind):
    scaler = kind("cpu")
    model, optimizer = model_and_optimizer()
    scaler.scale(model(torch.ones(2, 4)).sum()).backward()
    return scaler, model, optimizer


def twice(method):
    def misuse(scaler, model, optimizer):
        getattr(scaler, method)(optimizer)
        getattr(scaler, method)(optimizer)

    return misuse


def replace_grad(scaler, model, optimizer, grad):
    model.weight.grad = None
    model.weight = nn.Parameter(model.weight.detach().to(grad.dtype))
    model.weight.grad = grad
    optimizer.param_groups[0]["params"][0] = model.weight
    scaler.step(optimizer)


def fail_to_step_and_pickle(scaler, optimizer):
    optimizer.zero_grad()
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.step(optimizer)
    pickle.dumps(scaler)


LATER = {
    "unscale_ twice": twice("unscale_"),
    "step twice": twice("step"),
    "unscale_ after step": lambda s, m, o: (s.step(o), s.unscale_(o)),
    "closure": lambda s, m, o: s.step(o, closure=lambda: 1),
    "update without checks": lambda s, m, o: s.update(),
    "update with an int": lambda s, m, o: s.update(2),
    "update with two": lambda s, m, o: s.update(torch.ones(2)),
    "update with a leaf": lambda s, m, o: s.update(torch.ones((), requires_grad=True)),
    "update with one in a row": lambda s, m, o: s.update(torch.ones(1)),
    "update on another device": lambda s, m, o: s.update(torch.ones((), device="meta")),
    "update beyond float32": lambda s, m, o: s.update(1e39),
    "no gradients": lambda s, m, o: (o.zero_grad(), s.step(o)),
    "no gradients, unscaled": lambda s, m, o: (o.zero_grad(), s.unscale_(o), s.step(o)),
    "float16": lambda s, m, o: replace_grad(s, m, o, torch.ones(3, 4).half()),
    "float16, sparse": lambda s, m, o: replace_grad(s, m, o, torch.ones(3, 4).half().to_sparse()),
    "a shared element": lambda s, m, o: replace_grad(s, m, o, torch.ones(1, 1).expand(3, 4)),
    "not a parameter": lambda s, m, o: (o.param_groups[0]["params"].append(3.0), s.step(o)),
    "pickled midway": lambda s, m, o: (s.unscale_(o), pickle.dumps(s)),
    "pickled after a failed step": lambda s, m, o: fail_to_step_and_pickle(s, o),
    "loaded from a bad state": lambda s, m, o: s.load_state_dict({"scale": "x"}),
}


@pytest.mark.parametrize("name", LATER)
def test_misuse_midway_raises_the_same_and_leaves_the_same(name):
    outcomes = []
    for kind in BOTH:
        scaler, model, optimizer = started(kind)
        with pytest.raises(Exception) as caught:
            LATER[name](scaler, model, optimizer)
        grads = [None if p.grad is None else bits(p.grad) for p in model.parameters()]
        weights = [bits(p) for p in model.parameters()]
        state = pattern(scaler.state_dict()), len(scaler._per_optimizer_states)
        outcomes.append((caught.type, str(caught.value), grads, weights, state))
    assert outcomes[0] == outcomes[1]


def test_fp16_is_found_before_anything_is_unscaled():
    for kind in BOTH:
        scaler = kind("cpu")
        first, half = nn.Parameter(torch.ones(2)), nn.Parameter(torch.ones(2).half())
        optimizer = torch.optim.SGD([first, half], lr=0.1)
        scaler.scale((first.sum() + half.sum()).float()).backward()
        with pytest.raises(ValueError, match="Attempting to unscale FP16 gradients"):
            scaler.unscale_(optimizer)
        assert first.grad.tolist() == [65536.0, 65536.0]


def test_unscaling_is_no_part_of_the_graph():
    names = []
    for kind in BOTH:
        scaler, weight = kind("cpu"), nn.Parameter(torch.ones(2))
        scaler.scale(weight.pow(3).sum()).backward(create_graph=True)
        scaler.unscale_(torch.optim.SGD([weight], lr=0.1))
        names.append(weight.grad.grad_fn.name())
        weight.grad = None  # a gradient with a graph keeps its parameter alive
    assert names[0] == names[1]


def test_a_gpu_that_is_missing():
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    messages = []
    for kind in BOTH:
        with pytest.warns(UserWarning) as caught:
            scaler = kind()
        assert not scaler.is_enabled() and scaler.state_dict() == {} and scaler.get_scale() == 1.0
        assert caught[0].filename == __file__
        messages.append(str(caught[0].message))
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            kind("cuda", enabled=False)
    assert messages[0] == messages[1]


def test_the_constructor_and_the_methods_have_torch_s_signatures():
    theirs, ours = (inspect.signature(kind.__init__).parameters for kind in BOTH)
    assert [(p.name, p.default) for p in theirs.values()] == [(p.name, p.default) for p in ours.values()]
    for name in [name for name in vars(torch.amp.GradScaler) if not name.startswith("_")]:
        theirs, ours = (inspect.signature(getattr(kind, name)).parameters for kind in BOTH)
        assert [(p.name, p.default, p.kind) for p in theirs.values()] == [
            (p.name, p.default, p.kind) for p in ours.values()
        ], name


def test_it_uses_nothing_of_torch_s_scaler_and_fits_the_page():
    folder = Path(loss_scaler.__file__).parent
    for path in folder.glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            words = [getattr(node, "attr", ""), getattr(node, "id", ""), getattr(node, "module", None) or ""]
            words += [alias.name for alias in getattr(node, "names", []) if isinstance(alias, ast.alias)]
            assert not [word for word in words if "amp" in word.split(".") or "_amp_" in word or "GradScaler" in word]
    assert max(map(len, inspect.getsource(loss_scaler).splitlines())) <= 78


# --- fused optimizers -----------------------------------------------------------------------------------


@pytest.mark.parametrize("preset", [None, 4.0])
@pytest.mark.parametrize("unscaled", [False, True])
@pytest.mark.parametrize("bad", [False, True])
def test_what_a_fused_optimizer_is_given(preset, unscaled, bad):
    outcomes = []
    for kind in BOTH:
        scaler = kind("cpu", init_scale=8.0)
        model, optimizer = model_and_optimizer(OPTIMIZERS["own"])
        if preset:
            optimizer.grad_scale = torch.tensor(preset)
        scaler.scale(model(torch.ones(2, 4)).sum() * (math.nan if bad else 1.0)).backward()
        if unscaled:
            scaler.unscale_(optimizer)
        scaler.step(optimizer)
        grad_scale, found_inf = optimizer.seen
        scaler.update()
        outcomes.append((repr(grad_scale), repr(found_inf), [bits(p) for p in model.parameters()]))
        assert not hasattr(optimizer, "grad_scale") and not hasattr(optimizer, "found_inf")
    assert outcomes[0] == outcomes[1]


def test_half_gradients_of_a_fused_optimizer_and_their_duplicates():
    """Sparse float16 duplicates are added before the check: 40000 + 40000 is infinite there."""
    for kind in BOTH:
        scaler = kind("cpu", init_scale=1.0)
        weight = nn.Parameter(torch.zeros(4, 1).half())
        optimizer = OPTIMIZERS["own"]([weight])
        scaler.scale(torch.ones(()))
        weight.grad = torch.sparse_coo_tensor(
            [[1, 1]], torch.full((2, 1), 40000.0).half(), (4, 1), check_invariants=True
        )
        scaler.step(optimizer)
        assert float(optimizer.seen[1]) == 1.0
        assert weight.grad.is_coalesced() and not weight.any()
        scaler.update()
        assert scaler.get_scale() == 0.5


def test_the_old_contract():
    messages = []
    for kind in BOTH:
        scaler, model, _ = started(kind)
        optimizer = OldContract(model.parameters(), lr=0.1)
        with pytest.warns(FutureWarning) as caught:
            assert scaler.step(optimizer, grad_scaler="replaced") == "stepped"
        assert optimizer.seen[0] == 65536.0 and caught[0].filename == __file__
        messages.append(str(caught[0].message))
        with pytest.raises(RuntimeError, match="already been called"):
            scaler.step(optimizer)
    assert messages[0] == messages[1]


# --- save, load, history --------------------------------------------------------------------------------


@pytest.mark.parametrize("saver", BOTH)
@pytest.mark.parametrize("loader", BOTH)
@pytest.mark.parametrize("through", ["state_dict", "pickle", "deepcopy"])
def test_resume_is_bit_for_bit(saver, loader, through):
    """Saved in the middle of a growth interval, by either scaler, and loaded by either one."""
    if through != "state_dict" and saver is not loader:
        loader = saver
    flags = [False, True, False, False, False, True, False, False, False, False]
    settings = {"growth_interval": 3, "init_scale": 100.0, "growth_factor": 1.7, "backoff_factor": 0.3}
    straight = saver("cpu", **settings)
    model, optimizer = model_and_optimizer(OPTIMIZERS["adamw"])
    for step, bad in enumerate(flags):
        if step == 4:
            buffer = io.BytesIO()
            torch.save([straight.state_dict(), model.state_dict(), optimizer.state_dict()], buffer)
            copied = pickle.loads(pickle.dumps(straight)) if through == "pickle" else copy.deepcopy(straight)
        iterate(straight, model, optimizer, bad, step)
    buffer.seek(0)
    scaler_state, model_state, optimizer_state = torch.load(buffer, weights_only=True)
    resumed = loader("cpu")
    if through == "state_dict":
        resumed.load_state_dict(scaler_state)
    else:
        resumed = copied
    second, second_optimizer = model_and_optimizer(OPTIMIZERS["adamw"], seed=9)
    second.load_state_dict(model_state)
    second_optimizer.load_state_dict(optimizer_state)
    for step, bad in list(enumerate(flags))[4:]:
        iterate(resumed, second, second_optimizer, bad, step)
    assert [bits(p) for p in model.parameters()] == [bits(p) for p in second.parameters()]
    assert pattern(straight.state_dict()) == pattern(resumed.state_dict())


def test_the_history_is_what_happened():
    scaler = LossScaler("cpu", growth_interval=2)
    model, optimizer = model_and_optimizer()
    for step, bad in enumerate([True, False, False, True]):
        iterate(scaler, model, optimizer, bad, step)
    scaler.update(128.0)
    assert scaler.history == [
        HistoryEntry(0, 2.0**15, True, 1, 0),
        HistoryEntry(1, 2.0**15, False, 0, 1),
        HistoryEntry(2, 2.0**16, False, 0, 0),
        HistoryEntry(3, 2.0**15, True, 1, 0),
        HistoryEntry(4, 128.0, False, 0, 0, set_by_user=True),
    ]
    table = scaler.history_table()
    assert [row[3] for row in table.rows] == ["2^15", "2^15", "2^16", "2^15", "2^7 (set)"]
    assert [row[1] for row in table.rows] == ["yes", "no", "no", "yes", "no"]
    assert table.caption == "5 iterations, 2 optimizer steps skipped."
    assert len(scaler.history_table(2).rows) == 2 and scaler.history_table(2).rows == table.rows[-2:]
    with pytest.raises(ValueError, match="last must be at least 1"):
        scaler.history_table(0)
    scaler.load_state_dict(scaler.state_dict())
    assert scaler.history == []


def test_the_history_counts_optimizers():
    """A check without a step backs off too, but nothing was skipped."""
    scaler = LossScaler("cpu")
    (one, first), (two, second), (three, third) = (model_and_optimizer(seed=seed) for seed in range(3))
    for model, factor in ((one, math.inf), (two, 1.0), (three, math.nan)):
        scaler.scale(model(torch.ones(1, 4)).sum() * factor).backward()
    scaler.step(first)
    scaler.step(second)
    scaler.unscale_(third)
    scaler.update()
    assert scaler.history == [HistoryEntry(0, 2.0**15, True, 1, 0)]
    assert "1 iteration, 1 optimizer step skipped." in repr(scaler.history_table())


def replay(data):
    """The exported form, replayed with plain arithmetic: numpy's float32, and no function of the package."""
    scale = np.float32(data["init_scale"])
    tracker = data.get("init_growth_tracker", 0)
    for step, found_inf in enumerate(data["found_inf"]):
        given = data.get("set_scale", {}).get(str(step))
        if given is not None:
            scale = np.float32(float(given))
        elif found_inf:
            scale, tracker = np.float32(float(scale) * data["backoff_factor"]), 0
        else:
            tracker += 1
            if tracker == data["growth_interval"]:
                grown, tracker = np.float32(float(scale) * data["growth_factor"]), 0
                scale = grown if np.isfinite(grown) else scale
        yield float(scale), tracker


def test_an_exported_history_can_be_replayed():
    for seed in range(200):
        rng = random.Random(seed)
        scaler = LossScaler(
            "cpu",
            init_scale=rng.choice([2.0**16, 0.1, 2.0**126, 2.0**-140]),
            growth_factor=rng.choice([2.0, 1.3]),
            backoff_factor=rng.choice([0.5, 0.3]),
            growth_interval=rng.choice([1, 2, 3]),
        )
        weight = nn.Parameter(torch.ones(1))
        optimizer = torch.optim.SGD([weight], lr=0.0)
        if seed % 3 == 0:
            scaler.load_state_dict({**scaler.state_dict(), "_growth_tracker": 1})
        for _ in range(20):
            scaler.scale(torch.ones(()))
            weight.grad = torch.full((1,), rng.choice([1.0, 1.0, math.nan]))
            scaler.step(optimizer)
            with np.errstate(over="ignore"):
                scaler.update(*rng.choice([(), (), (), (), (math.inf,), (0.7,), (torch.tensor(math.nan),)]))
        data = json.loads(json.dumps(scaler.export(), allow_nan=False))
        assert len({len(data[key]) for key in ("found_inf", "scale", "growth_tracker")}) == 1
        with np.errstate(over="ignore"):
            replayed = list(replay(data))
        exported = zip(map(float, data["scale"]), data["growth_tracker"], strict=True)
        assert repr(replayed) == repr(list(exported))
        assert repr(replayed[-1]) == repr((scaler.get_scale(), scaler._get_growth_tracker()))


def test_the_traces_for_the_player_follow_torch(tmp_path):
    """The same gradients through torch's scaler: its scales and trackers are the ones in the file."""
    file = tmp_path / "traces.json"
    subprocess.run([sys.executable, export_scaler_traces.__file__, str(file)], check=True)
    traces = json.loads(file.read_text(encoding="utf-8"))
    assert len(traces) > 60 and file.stat().st_size < 250_000
    assert traces == json.loads(json.dumps(export_scaler_traces.traces()))
    for trace in traces:
        scaler = torch.amp.GradScaler(
            "cpu",
            **{
                name: trace[name]
                for name in inspect.signature(next_scale).parameters
                if name in trace and name.endswith(("factor", "interval"))
            },
        )
        state = {**scaler.state_dict(), "scale": float(trace["init_scale"])}
        scaler.load_state_dict({**state, "_growth_tracker": trace.get("init_growth_tracker", 0)})
        weight = nn.Parameter(torch.ones(()))
        optimizer = torch.optim.SGD([weight], lr=1e-3)
        for step, found_inf in enumerate(trace["found_inf"]):
            scaler.scale(torch.ones(()))
            weight.grad = torch.tensor(math.nan if found_inf else 1e-30)
            scaler.step(optimizer)
            given = trace.get("set_scale", {}).get(str(step))
            scaler.update(*([] if given is None else [float(given)]))
            assert repr(scaler.get_scale()) == repr(float(trace["scale"][step])), (trace["name"], step)
            assert scaler._get_growth_tracker() == trace["growth_tracker"][step], (trace["name"], step)
            assert weight.isfinite().item() == trace["weights_finite"][step], (trace["name"], step)
    hurt = {trace["name"] for trace in traces if 0 in trace["weights_finite"]}
    assert {"the cliff", "down to zero"} <= hurt and "just before the cliff" not in hurt


def test_a_history_that_cannot_be_exported_says_why():
    scaler = LossScaler("cpu")
    with pytest.raises(ValueError, match="history is empty"):
        scaler.export()
    model, optimizer = model_and_optimizer()
    iterate(scaler, model, optimizer, bad=True)
    scaler.set_backoff_factor(0.25)
    iterate(scaler, model, optimizer, bad=True)
    with pytest.raises(ValueError, match="iteration 1 does not follow"):
        scaler.export()
    assert len(ScaleHistory().table().rows) == 0


# --- on a GPU -------------------------------------------------------------------------------------------


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs CUDA")
@pytest.mark.parametrize("name", ["sgd", "adamw", "fused_adam"])
def test_on_a_gpu_too(name):
    ends = []
    for kind in BOTH:
        scaler = kind("cuda", growth_interval=3)
        torch.manual_seed(0)
        model = nn.Linear(4, 3).cuda()
        optimizer = OPTIMIZERS[name](list(model.parameters()))
        for step in range(20):
            x = torch.randn(8, 4, generator=torch.Generator().manual_seed(step)).cuda()
            optimizer.zero_grad()
            with torch.autocast("cuda", torch.float16):
                loss = model(x).square().mean()
            scaler.scale(loss * (math.inf if step % 5 == 2 else 1.0)).backward()
            scaler.step(optimizer)
            scaler.update()
        ends.append([bits(p.cpu()) for p in model.parameters()] + [pattern(scaler.state_dict())])
    assert ends[0] == ends[1]
