"""Every wrong loop of chapter 10 is wrong: the chapter's own cells run here against float32 or a plain count.

Each test runs the right loop and the wrong one through the same check, so a wrong cell that becomes right fails here.
"""

import ast
import contextlib
import io
import warnings
from pathlib import Path

import nbformat
import pytest
import torch
import torch.nn.functional as F
from torch.nn.utils import clip_grad_norm_

from amp_helpers.models import MLP
from amp_helpers.scaling import ScalerError

CHAPTER = Path(__file__).parents[1] / "notebooks" / "10_gradscaler_in_practice.ipynb"
BATCHES = [
    (torch.randn(16, 16, generator=torch.Generator().manual_seed(seed)), torch.arange(16) % 4) for seed in range(4)
]

#: Message by mistake: loud ones, collected in the last section of the chapter.
MESSAGES = {
    "no_gradients": "AssertionError: No inf checks were recorded for this optimizer.",
    "update_alone": "AssertionError: No inf checks were recorded prior to update.",
    "half_weights": "ValueError: Attempting to unscale FP16 gradients.",
    "unscale_twice": "RuntimeError: unscale_() has already been called on this optimizer since the last update().",
    "unscale_late": "RuntimeError: unscale_() is being called after step().",
    "update_missing": "RuntimeError: step() has already been called since the last update().",
    "never_scaled": "AssertionError: Attempted step but _scale is None.",
    "closure_by_name": "RuntimeError: Closure use is not currently supported if GradScaler is enabled.",
}

#: The wrong functions that a test of this file is about.
PROVEN = set(MESSAGES)


def proves(*names):
    PROVEN.update(names)
    return lambda test: test


def code_cells():
    cells = [cell for cell in nbformat.read(CHAPTER, as_version=4).cells if cell.cell_type == "code"]
    # Without the set-up cell, which may install, and without what the reader does.
    return [c for c in cells if not {"hide-cell", "exercise", "solution"} & set(c.metadata.get("tags", []))]


def functions_of(cell):
    return {node.name for node in ast.parse(cell.source).body if isinstance(node, ast.FunctionDef)}


@pytest.fixture(scope="module")
def chapter():
    """The chapter's names, after its cells have run."""
    names, threads = {}, torch.get_num_threads()
    with contextlib.redirect_stdout(io.StringIO()):
        for cell in code_cells():
            exec(cell.source, names)
    torch.set_num_threads(threads)
    return names


def start(**options):
    torch.manual_seed(1)
    model = MLP(16, 32, 4)
    return model, torch.optim.SGD(model.parameters(), lr=0.1), torch.amp.GradScaler("cpu", **options)


def float32_loss(model, batch):
    return F.cross_entropy(model(batch[0]), batch[1])


def updates(step):
    """What a step adds to each parameter."""
    model, optimizer, scaler = start()
    before = [p.detach().clone() for p in model.parameters()]
    step(model, optimizer, scaler)
    return [p.detach() - b for p, b in zip(model.parameters(), before, strict=True)]


def follows_float32(step, reference):
    """Whether a step under autocast and a scaler adds what one in plain float32 does, up to FP16's rounding."""

    def plain(model, optimizer, scaler):
        reference(model)
        optimizer.step()

    pairs = list(zip(updates(step), updates(plain), strict=True))
    assert all(wanted.norm() > 0 for _, wanted in pairs)
    return all((got - wanted).norm() <= 0.02 * wanted.norm() for got, wanted in pairs)


def test_every_wrong_cell_is_proven_wrong():
    wrong = [functions_of(cell) for cell in code_cells() if "wrong" in cell.metadata.get("tags", [])]
    assert all(wrong), "a cell tagged wrong defines no function that a test could call"
    assert set().union(*wrong) == PROVEN


@proves("clip_scaled")
def test_clipping(chapter):
    def reference(model):
        float32_loss(model, BATCHES[0]).backward()
        clip_grad_norm_(model.parameters(), 0.1)

    def follows(name):
        return follows_float32(lambda *tools: chapter[name](*tools, BATCHES[0]), reference)

    assert follows("clip_unscaled")
    assert not follows("clip_scaled")


@proves("penalty_scaled")
def test_penalty(chapter):
    def reference(model):
        loss = float32_loss(model, BATCHES[0])
        grads = torch.autograd.grad(loss, list(model.parameters()), create_graph=True)
        (loss + torch.cat([g.flatten() for g in grads]).norm()).backward()

    def follows(name):
        return follows_float32(lambda *tools: chapter[name](*tools, BATCHES[0]), reference)

    assert follows("penalty_unscaled")
    assert not follows("penalty_scaled")


@proves("accumulate_mixed")
def test_accumulation(chapter):
    def reference(model):
        torch.stack([float32_loss(model, batch) for batch in BATCHES]).mean().backward()

    def follows(name):
        return follows_float32(lambda *tools: chapter[name](*tools, BATCHES), reference)

    assert follows("accumulate")
    assert not follows("accumulate_mixed")


@proves("one_loss_scaled")
def test_two_losses(chapter):
    def reference(model):
        (float32_loss(model, BATCHES[0]) + float32_loss(model, BATCHES[1])).backward()

    def follows(name):
        return follows_float32(lambda *tools: chapter[name](*tools, *BATCHES[:2]), reference)

    assert follows("two_losses")
    assert not follows("one_loss_scaled")


@proves("update_each")
@pytest.mark.parametrize("overflow", [False, True])
def test_two_optimizers(chapter, overflow):
    """Where the scale changes, by growth or by an overflow, the second optimizer's step has to be that of float32."""

    def second_layer(name):
        model, _, scaler = start(growth_interval=1)
        if overflow:
            model[0].weight.register_hook(lambda grad: grad * float("inf"))
        optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (model[0], model[2])]
        before = model[2].weight.detach().clone()
        chapter[name](model, optimizers, scaler, BATCHES[0])
        return model[2].weight.detach() - before

    def reference(model, optimizer, scaler):
        float32_loss(model, BATCHES[0]).backward()
        optimizer.step()

    wanted = updates(reference)[2]
    ratios = [(second_layer(name).norm() / wanted.norm()).item() for name in ("two_optimizers", "update_each")]
    assert ratios == pytest.approx([1, 2 if overflow else 0.5], rel=0.02)


@proves("step_frozen")
def test_frozen_parameters(chapter):
    with pytest.raises(AssertionError, match="No inf checks were recorded for this optimizer"):
        chapter["step_frozen"](*start(), BATCHES[0])
    model, _, scaler = start()
    model[0].requires_grad_(False)
    before = [layer.weight.detach().clone() for layer in (model[0], model[2])]
    optimizers = [torch.optim.SGD(layer.parameters(), lr=0.1) for layer in (model[0], model[2])]
    chapter["step_used"](model, optimizers, scaler, BATCHES[0])
    assert [torch.equal(b, layer.weight) for b, layer in zip(before, (model[0], model[2]), strict=True)] == [
        True,
        False,
    ]


@proves("schedule_always")
@pytest.mark.parametrize("fused", [False, True])
def test_schedule(chapter, fused):
    """A scheduler makes as many steps as the weights did."""

    def counts(name):
        model, _, scaler = start(init_scale=2.0**24)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
        scheduler = torch.optim.lr_scheduler.StepLR(optimizer, 1, gamma=0.9)
        num_moved = 0
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            for batch in BATCHES * 4:
                before = model[0].weight.detach().clone()
                chapter[name](model, optimizer, scaler, scheduler, batch)
                num_moved += not torch.equal(before, model[0].weight)
        assert 0 < num_moved < 16
        return num_moved, scheduler.last_epoch

    moved, scheduled = counts("schedule_by_scale")
    assert moved == scheduled
    moved, scheduled = counts("schedule_always")
    assert moved < scheduled == 16


def test_the_warning_about_schedulers_is_hidden_by_a_fused_optimizer(chapter):
    assert [len(chapter["ten_skips"](chapter["schedule_always"], fused=fused)[1]) for fused in (False, True)] == [1, 0]
    assert "before `optimizer.step()`" in str(chapter["ten_skips"](chapter["schedule_always"])[1][0].message)


@proves("train_unwatched")
def test_collapse(chapter):
    sick = (torch.full((16, 16), 1e9), BATCHES[0][1])

    def finite_after(run):
        model, optimizer, scaler = start()
        run(model, optimizer, scaler, [sick] * 144 + BATCHES[:1])
        return all(p.isfinite().all() for p in model.parameters())

    def watched(*arguments):
        with pytest.raises(ScalerError, match="10 iterations in a row"):
            chapter["train_watched"](*arguments, on="raise")

    assert finite_after(watched)
    assert not finite_after(chapter["train_unwatched"])


@proves("count_calls")
def test_calls_are_not_steps(chapter):
    """The number of calls is the number of steps that were not skipped: true for plain optimizers, not for fused."""

    def calls(fused):
        model, _, scaler = start(init_scale=2.0**40)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.1, fused=fused)
        with chapter["ScalerMonitor"](scaler) as monitor:
            num_calls = chapter["count_calls"](model, optimizer, scaler, BATCHES[0])
        assert monitor.num_skipped == 1
        assert all(torch.equal(a, b) for a, b in zip(model.parameters(), start()[0].parameters(), strict=True))
        return num_calls

    assert calls(fused=False) == 0
    assert calls(fused=True) == 1


@proves("fused_momentum")
def test_momentum_of_a_skipped_first_step(chapter):
    """A skipped step leaves no trace: the next one has to be that of an optimizer which is not fused."""

    def plain(model):
        return torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)

    wanted = chapter["after_a_skip"](plain)
    assert not torch.equal(wanted, torch.nn.utils.parameters_to_vector(chapter["start"]()[0].parameters()))
    assert torch.allclose(chapter["after_a_skip"](chapter["fused_momentum_zeroed"]), wanted, rtol=1e-6, atol=1e-7)
    assert not torch.allclose(chapter["after_a_skip"](chapter["fused_momentum"]), wanted, rtol=1e-6, atol=1e-7)
    assert not torch.are_deterministic_algorithms_enabled()  # the chapter turns them on for a moment


@proves("resume_without_scaler")
def test_resume(chapter):
    whole = chapter["build"]()
    chapter["train"](whole, BATCHES * 4)

    def same(resume):
        run = chapter["build"]()
        chapter["train"](run, BATCHES * 2)
        run = resume(chapter["save"](run))
        chapter["train"](run, BATCHES * 2)
        return (
            all(torch.equal(a, b) for a, b in zip(whole["model"].parameters(), run["model"].parameters(), strict=True))
            and whole["scaler"].state_dict() == run["scaler"].state_dict()
        )

    assert same(chapter["resume"])
    assert not same(chapter["resume_without_scaler"])


@proves("load_disabled")
def test_a_disabled_scaler_saves_nothing(chapter):
    with pytest.raises(RuntimeError, match="The source state dict is empty"):
        chapter["load_disabled"]()
    run = chapter["build"]()
    run["scaler"] = torch.amp.GradScaler("cpu", enabled=False)
    assert chapter["resume"](chapter["save"](run))["scaler"].is_enabled()


@pytest.mark.parametrize("name", MESSAGES)
def test_messages(chapter, name):
    assert chapter["message_of"](chapter[name]).startswith(MESSAGES[name])
    assert (
        chapter["message_of"](chapter[name], enabled=False) is None
    )  # the mistake is only seen by a scaler that works
    assert chapter["message_of"](lambda *tools: chapter["accumulate"](*tools, BATCHES)) is None


def test_the_list_holds_every_message(chapter):
    assert {f.__name__ for f in chapter["MISTAKES"]} == set(MESSAGES)
    assert all(row[0].startswith(tuple(MESSAGES.values())) and row[1] and row[2] for row in chapter["rows"])


@proves("scaler_without_device")
def test_scaler_without_device(chapter):
    with pytest.warns(UserWarning, match="CUDA is not available"):
        assert not chapter["scaler_without_device"]().is_enabled()
    assert torch.amp.GradScaler("cpu").is_enabled()


@proves("bfloat16_weights")
def test_bfloat16_weights(chapter):
    """A CPU accepts them and steps; the scaler has nothing to do, for the step is the same without it."""

    def step(**options):
        model, optimizer, scaler = start(**options)
        chapter["bfloat16_weights"](model, optimizer, scaler)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert not torch.equal(step(), torch.nn.utils.parameters_to_vector(start()[0].bfloat16().parameters()))
    assert torch.equal(step(), step(enabled=False))


@proves("closure_by_position")
def test_closure_by_position(chapter):
    def reference(model):
        float32_loss(model, BATCHES[0]).backward()

    assert follows_float32(lambda *tools: chapter["accumulate"](*tools, BATCHES[:1]), reference)
    assert not follows_float32(lambda *tools: chapter["closure_by_position"](*tools, BATCHES[0]), reference)


@proves("float16_loss")
def test_float16_loss(chapter):
    """The first step is skipped without need: with the loss in float32 the same gradients fit."""

    def loss(model):
        return model(BATCHES[0][0]).square().mean()

    assert follows_float32(
        lambda *tools: chapter["float32_loss"](*tools, BATCHES[0]), lambda model: loss(model).backward()
    )
    assert [chapter[name](*start(), BATCHES[0]) for name in ("float32_loss", "float16_loss")] == [2.0**16, 2.0**15]


def test_only_the_unfused_step_waits(chapter):
    def items(**options):
        return chapter["items"](lambda parameters: torch.optim.SGD(parameters, lr=0.1, **options))

    assert [items(), items(foreach=True), items(fused=True)] == [1, 1, 0]


def test_a_scaler_changes_no_bit_in_bfloat16(chapter):
    without = chapter["bfloat16_run"](enabled=False)
    assert not torch.equal(without, torch.nn.utils.parameters_to_vector(chapter["start"]()[0].parameters()))
    for exponent in (0, 16, 60):
        assert torch.equal(without, chapter["bfloat16_run"](init_scale=2.0**exponent))
