"""The levels of Apex in today's PyTorch: equal to hand-written loops, and every mistake refused; and their suite."""

import copy
import functools
import math
from pathlib import Path

import nbformat
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from amp_helpers.benchmark import check_record
from amp_helpers.precision import OPT_LEVELS, RECIPES, ApexLevel, cast_weights, opt_level
from amp_helpers.suites import apex
from amp_helpers.suites.run import run_suite

HALF, FULL = torch.float16, torch.float32
NAMES = list(OPT_LEVELS)


def network(seed=0, width=16):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(8, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(),
        nn.Linear(width, width, bias=False), nn.BatchNorm1d(width), nn.ReLU(), nn.Linear(width, 4),
    )  # fmt: skip


def batches(steps, seed=1):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        yield torch.randn(32, 8, generator=generator), torch.randint(4, (32,), generator=generator)


def momentum(parameters, lr=0.05):
    return torch.optim.SGD(parameters, lr=lr, momentum=0.9)


def ready(name, model=None, make=momentum):
    level, model = ApexLevel(name), network() if model is None else model
    return (level, *level.initialize(model, make(model.parameters())))


def unscaled(level):
    """So that no first step overflows, where a test is about something else."""
    level.scaler = torch.amp.GradScaler("cpu", init_scale=1.0, enabled=level.scaler.is_enabled())


def one_step(level, model, optimizer, x, y):
    with level.autocast():
        loss = F.cross_entropy(model(x), y)
    optimizer.zero_grad()
    with level.scale_loss(loss, optimizer) as scaled_loss:
        scaled_loss.backward()
    level.step(optimizer)
    return loss.item()


def trained(name, steps=30, make=momentum):
    level, model, optimizer = ready(name, make=make)
    losses = [one_step(level, model, optimizer, x, y) for x, y in batches(steps)]
    return level, model, optimizer, losses


def same(a, b):
    return all(torch.equal(x.nan_to_num(7.0), y.nan_to_num(7.0)) for x, y in zip(a, b, strict=True))


# The table


def test_the_table_is_apexs():
    """Typed from apex/amp/frontend.py, tag 25.05: the same five settings, as Apex named them."""
    table = {
        "O0": (FULL, False, None, False, 1.0),
        "O1": (None, True, None, None, "dynamic"),
        "O2": (HALF, False, True, True, "dynamic"),
        "O3": (HALF, False, False, False, 1.0),
    }
    settings = ("cast_model_type", "patch_torch_functions", "keep_batchnorm_fp32", "master_weights", "loss_scale")
    assert {name: tuple(getattr(found, key) for key in settings) for name, found in OPT_LEVELS.items()} == table
    assert opt_level("O2") is opt_level(OPT_LEVELS["O2"]) is OPT_LEVELS["O2"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("O4", r"unknown level 'O4'; choose from O0, O1, O2, O3$"),
        ("02", r"unknown level '02' \(the letter O, not a zero\); choose"),
        (2, r"unknown level 2; choose"),
        ("16-mixed", r"unknown level '16-mixed'; choose"),
    ],
)
def test_an_unknown_level(name, message):
    with pytest.raises(ValueError, match=message):
        ApexLevel(name)


# What each does


@pytest.mark.parametrize(
    ("name", "weight", "batchnorm", "stepped", "scaled"),
    [("O0", FULL, FULL, FULL, False), ("O1", FULL, FULL, FULL, True), ("O2", HALF, FULL, FULL, True),
     ("O3", HALF, HALF, HALF, False)],
)  # fmt: skip
def test_dtypes(name, weight, batchnorm, stepped, scaled):
    level, model, optimizer, losses = trained(name, steps=2)
    assert model[0].weight.dtype == weight
    assert model[1].weight.dtype == model[1].running_mean.dtype == batchnorm
    assert model[1].num_batches_tracked.dtype == torch.int64
    [group] = optimizer.param_groups
    assert group["params"][0].dtype == stepped == optimizer.state[group["params"][0]]["momentum_buffer"].dtype
    assert group["params"][0].grad.dtype == stepped
    assert level.scaler.is_enabled() == scaled and level.scaler.get_scale() == (2.0**16 if scaled else 1.0)
    seen = {}
    model[3].register_forward_hook(lambda module, inputs, output: seen.update(inside=output.dtype))
    with level.autocast():
        output = model(torch.ones(3, 8))
    assert seen["inside"] == (FULL if name == "O0" else HALF)
    assert output.dtype == (HALF if name == "O1" else FULL)
    assert all(math.isfinite(loss) for loss in losses)


def test_bytes_of_weights_masters_and_momentum():
    """The network and the sums of the sketch: 20,744 cast weights, 512 of BatchNorm, 8 biases; four bytes or two."""
    wide = functools.partial(nn.Linear, bias=False)
    model = nn.Sequential(
        wide(32, 128), nn.BatchNorm1d(128), nn.ReLU(), wide(128, 128), nn.BatchNorm1d(128), nn.ReLU(), nn.Linear(128, 8)
    )
    found = {}
    for name in NAMES:
        level, net, optimizer = ready(name, copy.deepcopy(model))
        unscaled(level)
        one_step(level, net, optimizer, torch.randn(4, 32), torch.tensor([0, 1, 2, 3]))
        kept = {id(p): p.nbytes for p in (*net.parameters(), *level.masters.values())}
        states = (value for state in optimizer.state.values() for value in state.values())
        found[name] = sum(kept.values()) + sum(value.nbytes for value in states)
    cast, batchnorm = 32 * 128 + 128 * 128 + 128 * 8 + 8, 4 * 128
    assert found == {
        "O0": 8 * (cast + batchnorm), "O1": 8 * (cast + batchnorm),
        "O2": 10 * cast + 8 * batchnorm, "O3": 4 * (cast + batchnorm),
    }  # fmt: skip
    assert [round(value / 1e6, 3) for value in found.values()] == [0.176, 0.176, 0.219, 0.088]


@pytest.mark.parametrize("make", [momentum, lambda p: torch.optim.Adam(p, lr=1e-2)])
@pytest.mark.parametrize("name", ["O0", "O1", "O3"])
def test_three_levels_are_recipes_of_today_bit_for_bit(name, make):
    recipe = RECIPES[OPT_LEVELS[name].today]
    model = recipe.convert(network())
    optimizer, scaler = make(model.parameters()), recipe.grad_scaler("cpu")
    for x, y in batches(30):
        with recipe.autocast_context("cpu"):
            loss = F.cross_entropy(model(x.to(recipe.weights)).float(), y)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
    assert same(model.parameters(), trained(name, make=make)[1].parameters())


def test_o2_is_the_loop_written_by_hand():
    """Casts by module name, masters, unscaling and copying back, without a hook or a GradScaler."""
    model = network()
    for place in (0, 3, 6):
        model[place].to(HALF)
    weights = list(model.parameters())
    masters = [p.detach().clone().float() for p in weights]
    optimizer = momentum(masters)
    for x, y in batches(30):
        hidden = model[:6](x.to(HALF))
        loss = F.cross_entropy(model[6](hidden).float(), y)
        for grad, master in zip(torch.autograd.grad(loss * 2.0**16, weights), masters, strict=True):
            master.grad = grad.float() / 2.0**16
        assert all(master.grad.isfinite().all() for master in masters)
        optimizer.step()
        with torch.no_grad():
            for weight, master in zip(weights, masters, strict=True):
                weight.copy_(master)
    level, found, given, _ = trained("O2")
    assert same(found.parameters(), weights) and same(given.param_groups[0]["params"], masters)
    assert len(level.masters) == 4, "BatchNorm's weights are stepped on directly"


def test_a_step_that_overflows_is_skipped_and_the_scale_halved():
    for name in ("O1", "O2"):
        level, model, optimizer = ready(name)
        x, y = next(batches(1))
        before = [p.clone() for p in (*model.parameters(), *level.masters.values())]
        with level.autocast():
            loss = F.cross_entropy(model(x), y) * 1e6
        with level.scale_loss(loss, optimizer) as scaled_loss:
            scaled_loss.backward()
        level.step(optimizer)
        assert same(before, (*model.parameters(), *level.masters.values()))
        assert level.scaler.get_scale() == 2.0**15


def test_static_levels_do_not_skip():
    level, model, optimizer = ready("O3")
    x, y = next(batches(1))
    with level.scale_loss(F.cross_entropy(model(x), y) * math.inf, optimizer) as scaled_loss:
        scaled_loss.backward()
    level.step(optimizer)
    assert not all(p.isfinite().all() for p in model.parameters())


def test_small_updates_need_masters():
    """Ten updates of an eighth of an ulp: the masters add them up, the float16 weight stays where it is."""
    for name, moved in (("O2", True), ("O3", False)):
        model = nn.Linear(1, 1, bias=False)
        nn.init.ones_(model.weight)
        level, model, optimizer = ready(name, model, make=lambda p: torch.optim.SGD(p, lr=2.0**-13))
        for _ in range(10):
            optimizer.zero_grad()
            with level.scale_loss(model(torch.ones(1, 1)).sum(), optimizer) as scaled_loss:
                scaled_loss.backward()
            level.step(optimizer)
        assert (model.weight.item() != 1) is moved


def test_micro_batches_add_up_in_float32():
    """2,049 gradients of one: float16 cannot count beyond 2,048 in steps of one."""
    model = nn.Linear(1, 1, bias=False)
    level, model, optimizer = ready("O2", model, make=lambda p: torch.optim.SGD(p, lr=1.0))
    unscaled(level)
    for _ in range(2049):
        with level.scale_loss(model(torch.ones(1, 1)).sum(), optimizer) as scaled_loss:
            scaled_loss.backward()
    [master] = level.masters.values()
    assert master.grad.item() == 2049 and torch.tensor(2049.0).half().item() == 2048
    assert model.weight.grad is None


def test_clipping_on_the_masters():
    level, model, optimizer = ready("O2")
    x, y = next(batches(1))
    with level.scale_loss(F.cross_entropy(model(x), y), optimizer) as scaled_loss:
        scaled_loss.backward()
    level.scaler.unscale_(optimizer)
    stepped = [p for group in optimizer.param_groups for p in group["params"]]
    before = nn.utils.clip_grad_norm_(stepped, 1e-3)
    assert 0.01 < before < 100, "unscaled"
    assert nn.utils.get_total_norm([p.grad for p in stepped]).item() == pytest.approx(1e-3, rel=1e-3)
    level.step(optimizer)


def test_adam_at_o3_turns_to_nan_and_at_o2_does_not():
    def adam(parameters):
        return torch.optim.Adam(parameters, lr=1e-3)

    assert trained("O3", steps=3, make=adam)[1][0].weight.isnan().any()
    assert trained("O2", steps=3, make=adam)[1][0].weight.isfinite().all()


# What models may contain


class Odd(nn.Module):
    """Two inputs of which one is an index, keyword arguments, nested outputs, tied weights, a frozen layer, buffers."""

    def __init__(self):
        super().__init__()
        self.embedding, self.output = nn.Embedding(5, 6), nn.Linear(6, 5, bias=False)
        self.output.weight = self.embedding.weight
        self.frozen = nn.Linear(6, 6).requires_grad_(False)
        self.norm = nn.BatchNorm2d(2, affine=False)
        self.conv, self.affine = nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2)
        self.register_buffer("table", torch.arange(4))
        self.register_buffer("offset", torch.zeros(6))
        self.seen = {}

    def forward(self, tokens, *, image, flag="x"):
        image = self.affine(self.norm(self.conv(image)))
        self.seen |= {"tokens": tokens.dtype, "image": image.dtype, "flag": flag}
        hidden = self.frozen(self.embedding(tokens)) + self.offset
        return {"logits": self.output(hidden), "more": [image.mean(), tokens]}


@pytest.mark.parametrize("name", ["O2", "O3"])
def test_an_odd_model(name):
    torch.manual_seed(0)
    model = Odd()
    groups = [{"params": [model.embedding.weight], "lr": 0.5}, {"params": [*model.conv.parameters()], "lr": 0.0},
              {"params": [*model.affine.parameters(), *model.frozen.parameters()]}]  # fmt: skip
    level = ApexLevel(name)
    model, optimizer = level.initialize(model, torch.optim.SGD(groups, lr=0.25))
    unscaled(level)
    assert [group["lr"] for group in optimizer.param_groups] == [0.5, 0.0, 0.25]
    assert model.output.weight is model.embedding.weight and model.embedding.weight.dtype == HALF
    assert model.table.dtype == torch.int64 and model.offset.dtype == HALF == model.norm.running_var.dtype
    assert model.affine.weight.dtype == (FULL if name == "O2" else HALF)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    tokens = torch.tensor([[0, 1, 2]])
    output = model(tokens, image=torch.randn(2, 1, 6, 6, dtype=torch.float64), flag="y")
    assert output["logits"].dtype == output["more"][0].dtype == FULL and output["more"][1].dtype == torch.int64
    assert model.seen["tokens"] == torch.int64 and model.seen["flag"] == "y" and model.seen["image"] == HALF
    loss = F.cross_entropy(output["logits"].flatten(0, 1), tokens.flatten()) + output["more"][0]
    with level.scale_loss(loss, optimizer) as scaled_loss:
        scaled_loss.backward()
    level.step(optimizer)
    after = model.state_dict()
    moved = {key for key in after if not torch.equal(after[key], before[key])}
    assert {"embedding.weight", "output.weight", "affine.bias"} <= moved
    assert not {key for key in moved if key.startswith(("frozen", "conv"))}
    assert torch.equal(after["embedding.weight"], after["output.weight"])


def test_cast_weights_alone():
    model = cast = nn.Sequential(nn.LSTM(3, 4), nn.BatchNorm1d(4), nn.SyncBatchNorm(4))
    cast_weights(cast, torch.bfloat16, keep_batchnorm_fp32=True)
    assert {p.dtype for p in model[0].parameters()} == {torch.bfloat16}
    assert {p.dtype for p in (*model[1].parameters(), *model[2].parameters())} == {FULL}
    cast_weights(cast, torch.bfloat16)
    assert model[2].running_var.dtype == torch.bfloat16
    assert model[0](torch.ones(2, 3, dtype=torch.bfloat16))[0].dtype == torch.bfloat16


# Checkpoints


@pytest.mark.parametrize("name", NAMES)
def test_a_checkpoint_is_float32_and_resumes_bit_for_bit(name):
    level, model, optimizer, _ = trained(name, steps=5)
    state = copy.deepcopy((model.state_dict(), optimizer.state_dict(), level.scaler.state_dict()))
    assert {value.dtype for value in state[0].values()} == {FULL, torch.int64}
    if level.masters:
        weight = model[0].weight
        assert torch.equal(state[0]["0.weight"], level.masters[weight])
        assert not torch.equal(state[0]["0.weight"], weight.float()), "the masters know more"
    again, other, second = ready(name, network(seed=9))
    other.load_state_dict(state[0])
    second.load_state_dict(state[1])
    again.scaler.load_state_dict(state[2])
    for x, y in batches(5, seed=4):
        assert one_step(level, model, optimizer, x, y) == one_step(again, other, second, x, y)
    assert same(model.state_dict().values(), other.state_dict().values())
    network().load_state_dict(model.state_dict())


def test_a_wrong_checkpoint_does_not_reach_the_masters():
    level, model, _ = ready("O2")
    before = [master.clone() for master in level.masters.values()]
    wrong = network(seed=3, width=8).state_dict()
    with pytest.raises(RuntimeError, match="size mismatch"):
        model.load_state_dict({"0.weight": wrong["0.weight"]}, strict=False)
    assert same(before, level.masters.values())


def test_a_copy_of_the_model_has_its_own_weights():
    _, model, _ = ready("O2")
    shadow = copy.deepcopy(model)
    with torch.no_grad():
        shadow[0].weight.zero_()
    assert shadow.state_dict()["0.weight"].count_nonzero() == 0
    wrapped = nn.ModuleDict({"inner": model}).state_dict()
    assert wrapped["inner.0.weight"].dtype == FULL


# Mistakes


def lazy():
    model = nn.Sequential(nn.LazyLinear(3))
    return model, torch.optim.SGD(model.parameters(), lr=0.1)


def with_gradient():
    model = network()
    model(torch.ones(2, 8)).sum().backward()
    return model, momentum(model.parameters())


def with_state():
    model = network()
    optimizer = momentum(model.parameters())
    model(torch.ones(2, 8)).sum().backward()
    optimizer.step()
    optimizer.zero_grad()
    return model, optimizer


def built(change):
    def build():
        model = change(network())
        return model, momentum(model.parameters())

    return build


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(
    ("build", "error", "message"),
    [
        (built(lambda m: m.half()), ValueError, r"0.weight is torch.float16: give the model in float32"),
        (built(lambda m: m.double()), ValueError, r"0.weight is torch.float64: give"),
        (built(nn.DataParallel), ValueError, r"initialize the model first, then wrap it in DataParallel"),
        (built(lambda m: m.to("meta")), ValueError, r"must be on one type of device, not on meta"),
        (lambda: (nn.ReLU(), momentum([nn.Parameter(torch.ones(1).half())])), ValueError, "a parameter of the optim"),
        (lambda: (nn.Linear(1, 1), momentum(network().to("meta").parameters())), ValueError, "not on cpu, meta"),
        (lazy, ValueError, r"uninitialised parameters: run it once"),
        (with_gradient, ValueError, r"0.weight has a gradient already"),
        (with_state, ValueError, r"the optimizer has state already: initialize first"),
        (lambda: ([network()], momentum(network().parameters())), TypeError, r"one torch.nn.Module .*not a list"),
        (lambda: (network(), None), TypeError, r"one torch.optim.Optimizer is expected, not a NoneType"),
    ],
)
def test_what_initialize_refuses(name, build, error, message):
    model, optimizer = build()
    level = ApexLevel(name)
    dtypes = [p.dtype for p in model.parameters()] if isinstance(model, nn.Module) else []
    with pytest.raises(error, match=message):
        level.initialize(model, optimizer)
    assert level.optimizer is None and not level.masters
    assert not dtypes or dtypes == [p.dtype for p in model.parameters()], "nothing was changed"


@pytest.mark.parametrize("name", NAMES)
def test_the_order_of_calls(name):
    fresh = ApexLevel(name)
    with pytest.raises(RuntimeError, match=r"call initialize\(model, optimizer\) first"):
        fresh.step(momentum(network().parameters()))
    with pytest.raises(RuntimeError, match="first"), fresh.scale_loss(torch.ones(()), None):
        pass
    level, model, optimizer = ready(name)
    with pytest.raises(RuntimeError, match="initialize was called before"):
        level.initialize(network(), momentum(network().parameters()))
    with pytest.raises(ValueError, match="not the optimizer that initialize was given"):
        level.step(momentum(network().parameters()))
    with pytest.raises(RuntimeError, match=r"call step\(optimizer\) of the level, not optimizer.step\(\)"):
        optimizer.step()
    one_step(level, model, optimizer, *next(batches(1)))


@pytest.mark.parametrize("name", ["O1", "O2"])
def test_a_step_that_fails_does_not_allow_a_plain_one(name):
    level, _, optimizer = ready(name)
    with pytest.raises(AssertionError):
        level.step(optimizer)
    with pytest.raises(RuntimeError, match=r"not optimizer.step\(\)"):
        optimizer.step()


def test_a_group_without_masters():
    model = network()
    late = {"params": [*model[6].parameters()]}
    level = ApexLevel("O2")
    model, optimizer = level.initialize(model, momentum(model[0].parameters()))
    optimizer.add_param_group(late)
    loss = model(torch.ones(2, 8)).sum()
    with pytest.raises(ValueError, match="16-bit parameters after initialize"), level.scale_loss(loss, optimizer):
        pytest.fail("it was let in")
    with pytest.raises(ValueError, match="give it all its groups before"):
        level.step(optimizer)


def test_gradients_that_were_not_cleared():
    level, model, optimizer = ready("O2")
    one_step(level, model, optimizer, *next(batches(1)))
    model.zero_grad()
    loss = model(torch.ones(2, 8)).sum()
    with pytest.raises(RuntimeError, match=r"optimizer.zero_grad\(\) after"), level.scale_loss(loss, optimizer):
        pytest.fail("it was let in")
    optimizer.zero_grad(set_to_none=False)
    with level.scale_loss(model(torch.ones(2, 8)).sum(), optimizer) as scaled_loss:
        scaled_loss.backward()
    level.step(optimizer)


# The suite


def test_the_suite_rehearses_every_level_and_recipe():
    found = run_suite("apex", device="cpu", smoke=True)
    assert not found.failures()
    learned = found.part("learn")
    assert [(row["recipe"], row["optimizer"]) for row in learned] == [
        (name, optimizer) for optimizer in ("sgd", "adam") for name in apex.NAMES
    ]
    columns = {
        "part",
        "recipe",
        "optimizer",
        "batch",
        "steps",
        "skipped_steps",
        "final_loss",
        "nan_weights",
        "accuracy",
    }
    assert all(set(row) == columns and 0 <= row["accuracy"] <= 1 for row in learned)
    nan = {row["recipe"] for row in learned if row["nan_weights"]}
    assert nan == {"O3"}
    timed = found.part("train")
    assert [row["recipe"] for row in timed] == list(apex.NAMES)
    assert all({"median_s", "images_per_s", "peak_bytes", "batch"} <= set(row) for row in timed)
    found.header.update(commit="a" * 40, dirty=False)
    assert check_record({"header": found.header, "rows": found.rows}) == ["a smoke run measures nothing"]


def test_the_suite_counts_skipped_steps(monkeypatch):
    monkeypatch.setattr(ApexLevel, "step", skipping(ApexLevel.step))
    rows = run_suite("apex", device="cpu", smoke=True).part("learn")
    found = {(row["recipe"], row["optimizer"]): row["skipped_steps"] for row in rows}
    assert all(found[name, optimizer] == 2 for name in ("O1", "O2") for optimizer in ("sgd", "adam"))
    assert all(found[name, "sgd"] == 0 for name in ("O0", "O3", "32-true", "bf16-mixed"))


def skipping(step):
    """A step that overflows where a scaler looks for it."""

    def spoiled(self, optimizer):
        if self.scaler.is_enabled():
            optimizer.param_groups[0]["params"][0].grad.fill_(math.inf)
        step(self, optimizer)

    return spoiled


# The chapter


@pytest.fixture(scope="module")
def cells():
    chapter = Path(__file__).parents[1] / "notebooks" / "15_from_apex.ipynb"
    return [cell.source for cell in nbformat.read(chapter, 4).cells if cell.cell_type == "code"]


def table(cells):
    [source] = [source for source in cells if "migration = [" in source]
    found = {}
    exec(source, found)
    return found["migration"]


def test_every_new_line_of_the_table_runs_and_together_they_train_like_o1(cells):
    x, y = next(batches(1))
    model = network()
    names = {"m": model, "o": momentum(model.parameters()), "x": x, "y": y, "device": "cpu"}
    names |= {"loss_fn": F.cross_entropy, "clip_grad_norm_": nn.utils.clip_grad_norm_}
    for old, new in table(cells):
        assert not new.startswith(" ") and "apex" not in new and " amp." not in new, old
        exec(new + " pass" if new.endswith(":") else new, names)
    level, other, optimizer = ready("O1")
    with level.autocast():
        loss = F.cross_entropy(other(x), y)
    with level.scale_loss(loss, optimizer) as scaled_loss:
        scaled_loss.backward()
    level.scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(other.parameters(), 1.0)
    level.step(optimizer)
    assert same(model.parameters(), other.parameters()) and not same(model.parameters(), network().parameters())
    assert names["state"]["scale"] == 2.0**16 and names["scaler"].is_enabled()


def test_the_old_lines_of_the_table_are_recognised(cells):
    """Apex's own names are on the left; the rest of the left side is plain PyTorch."""
    pytest.importorskip("libcst")
    from amp_helpers import lint

    script = "\n".join(old + " pass" if old.startswith("with amp.dis") else old for old, _ in table(cells) if old)
    flagged = {finding.line for finding in lint.check_source(script)}
    apexs = {number for number, line in enumerate(script.splitlines(), 1) if "amp" in line and "clip" not in line}
    assert apexs <= flagged


def test_the_chapter_prints_a_record(cells, capsys):
    found = run_suite("apex", device="cpu", smoke=True)
    for row in found.rows:
        row.update({"peak_bytes": 2**30} if row["part"] == "train" else {})
    [timed] = [source for source in cells if 'part("train")' in source]
    [learned] = [source for source in cells if 'part("learn")' in source]
    names = {"recorded": [found]}
    exec(timed[timed.index("for record in") :].replace("provenance_line(record)", "'line'"), names)
    exec(learned, names)
    told = capsys.readouterr().out
    assert all(told.count(name) >= 3 for name in apex.NAMES) and "peak 1,024 MiB" in told and "no record" not in told
