"""The loop builder: every loop that the page can give is taken from the page's own JavaScript, run, and found right."""

import ast
import copy
import itertools
import json
import math
import subprocess
import warnings

import pytest
import torch
import torch.nn.functional as F
import traitlets
from test_javascript import node  # noqa: F401
from test_widgets import HOSTILE, Twin

from amp_helpers.audit import audit_steps
from amp_helpers.javascript import WIDGETS
from amp_helpers.precision import RECIPES, float32_precision
from amp_helpers.widgets import LoopBuilder
from amp_helpers.widgets.loop_code import ACCUMULATE, OPTIMIZERS, PRECISIONS, blocks, template, text_of

NAMES = ("precision", "clip", "accumulate", "optimizers", "scheduler")
ALL = list(itertools.product(PRECISIONS, (False, True), ACCUMULATE, OPTIMIZERS, (False, True)))
FP16 = [choices for choices in ALL if choices[0] == "16-mixed"]


def spell(choices):
    return "-".join(str(value) for value in choices)


def of(**fixed):
    """The combinations that agree with `fixed`."""
    return [one for one in ALL if all(one[NAMES.index(name)] == value for name, value in fixed.items())]


@pytest.fixture(scope="module")
def from_the_page(node):  # noqa: F811
    """Every combination's blocks and code as the page's JavaScript makes them."""
    script = (
        f"const {{ build, codeOf }} = await import({(WIDGETS / 'loop_builder_code.js').as_uri()!r});"
        "const text = await new Response(process.stdin).text();"
        f"const named = (all) => Object.fromEntries({json.dumps(NAMES)}.map((name, i) => [name, all[i]]));"
        "const built = JSON.parse(text).map((all) => build(named(all)));"
        "console.log(JSON.stringify(built.map((blocks) => ({ blocks, code: codeOf(blocks) }))))"
    )
    command = [node, "--input-type=module", "-e", script]
    done = subprocess.run(command, input=json.dumps(ALL), capture_output=True, text=True, check=True)
    return dict(zip(ALL, json.loads(done.stdout), strict=True))


@pytest.fixture(autouse=True)
def quiet_machine(monkeypatch):
    """No GPU, one thread, and the float32 switches as they were."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    with RECIPES["32-true"].float32_settings():
        yield
    torch.set_num_threads(threads)


class Loop:
    """The copied code, cut where the loop begins: what stands before it, and one turn of it as a function.

    Nothing of the code is changed, so what a test does in between is what a reader would do with own data.
    """

    def __init__(self, code, magnify=1.0):
        tree = ast.parse(code)
        place = next(i for i, part in enumerate(tree.body) if isinstance(part, ast.For))
        self.loop = tree.body[place]
        self._body = compile(ast.Module(self.loop.body, []), "loop", "exec")
        bind = ast.Assign([self.loop.target], ast.Name("_turn", ast.Load()))
        self._bind = compile(ast.fix_missing_locations(ast.Module([bind], [])), "bind", "exec")
        self._end = compile(ast.Module(tree.body[place + 1 :], []), "end", "exec")
        self.names = {}
        exec(compile(ast.Module(tree.body[:place], []), "before", "exec"), self.names)
        self.names["batches"] = [(inputs * magnify, targets) for inputs, targets in self.names["batches"]]
        self._turns = iter(eval(compile(ast.Expression(self.loop.iter), "turns", "eval"), self.names))
        self.optimizers = [self.names[name] for name in ("optimizer", "decoder_optimizer") if name in self.names]
        self.schedulers = [self.names[name] for name in ("scheduler", "decoder_scheduler") if name in self.names]
        self.models = [self.names[name] for name in ("model", "decoder") if name in self.names]
        self.steps = [0] * len(self.optimizers)
        self.grads = [[] for _ in self.optimizers]  # of every step, what each optimizer is given
        for number, optimizer in enumerate(self.optimizers):
            optimizer.register_step_pre_hook(lambda *_, number=number: self._stepped(number))

    def _stepped(self, number):
        self.steps[number] += 1
        self.grads[number].append([p.grad.clone() for p in self.models[number].parameters()])

    def turn(self):
        self.names["_turn"] = next(self._turns)
        exec(self._bind, self.names)
        exec(self._body, self.names)

    def run(self):
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            for _ in self.names["batches"]:
                self.turn()
        return self

    def parameters(self):
        return [p.detach().clone() for model in self.models for p in model.parameters()]

    def set_scale(self, scale):
        scaler = self.names["scaler"]
        scaler.load_state_dict({**scaler.state_dict(), "scale": scale})


def norm(grads):
    return torch.linalg.vector_norm(torch.stack([grad.norm() for grad in grads])).item()


def large_batch_gradients(loop, first, count):
    """What one float32 backward over the first `count` batches gives, written without any of the loop's lines."""
    models = copy.deepcopy(first)
    inputs = torch.cat([pair[0] for pair in loop.names["batches"][:count]])
    targets = torch.cat([pair[1] for pair in loop.names["batches"][:count]])
    outputs = models[0](inputs)
    loss = -torch.log_softmax(outputs, 1)[torch.arange(len(targets)), targets].mean()
    if len(models) == 2:
        loss = loss + (models[1](outputs) - inputs).square().mean()
    grads = torch.autograd.grad(loss, [p for model in models for p in model.parameters()])
    split = len(list(models[0].parameters()))
    return [list(grads[:split]), list(grads[split:])][: len(models)]


# --- one generator, two languages ------------------------------------------------------------------------------------


def test_python_and_the_page_give_the_same_loops(from_the_page):
    assert len(ALL) == 4 * 2 * 4 * 2 * 2 and len({one["code"] for one in from_the_page.values()}) == len(ALL)
    for choices, made in from_the_page.items():
        built = blocks(*choices)
        assert [block._asdict() | {"lines": list(block.lines)} for block in built] == made["blocks"], choices
        assert text_of(built) == made["code"] == LoopBuilder(**dict(zip(NAMES, choices, strict=True))).code


def test_every_block_and_every_reason_is_used_and_filled_in(from_the_page):
    used, said = set(), set()
    for choices, made in from_the_page.items():
        for block in made["blocks"]:
            assert block["why"] and block["lines"], (choices, block["id"])
            used.add(block["id"])
            said.add(block["why"])
            text = block["why"] + "".join(block["lines"])
            assert not set("^~") & set(text) and "N_MICRO" not in text and "RETAIN" not in text, text
            assert "DTYPE" not in text and "{" not in block["why"]
    assert used == {name for name, *_ in template()}
    for name, _, reasons, _ in template():
        for _, text in reasons:
            start = text.split("N_MICRO")[0].split("DTYPE")[0]
            assert any(start in why for why in said), (name, text)


def test_the_code_fits_the_book_and_starts_from_a_file_that_is_shared(from_the_page):
    for made in from_the_page.values():
        assert max(map(len, made["code"].splitlines())) <= 78
        assert made["code"].count("torch.device(") == 1 and ".half()" not in made["code"]
        assert "\n\n\n" not in made["code"] and made["code"].endswith(")\n") and "set_to_none" not in made["code"]


def test_the_order_of_the_blocks(from_the_page):
    full = [block["id"] for block in from_the_page["16-mixed", True, 4, 2, True]["blocks"]]
    order = ["forward", "backward", "boundary", "unscale", "clip", "step", "update", "schedule-step", "zero", "end"]
    assert full[-len(order) :] == order
    code = from_the_page["16-mixed", False, 1, 2, False]["code"]
    assert code.count("scaler.update()") == 1 and code.count("scaler.step(") == 2 and "unscale_" not in code
    for choices, made in from_the_page.items():
        assert ("GradScaler" in made["code"]) == (choices[0] == "16-mixed")
        assert ("autocast" in made["code"]) == (choices[0] in ("16-mixed", "bf16-mixed"))


# --- every combination, run -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("choices", ALL, ids=spell)
def test_the_copied_code_runs_as_it_is(from_the_page, choices, capsys):
    names = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        exec(compile(from_the_page[choices]["code"], "copied", "exec"), names)
    assert names["device"] == torch.device("cpu")
    assert math.isfinite(float(capsys.readouterr().out.removeprefix("last loss ")))
    untrained = Loop(from_the_page[choices]["code"]).parameters()
    for model in [names["model"], *([names["decoder"]] if choices[3] == 2 else [])]:
        for p in model.parameters():
            start = untrained.pop(0)
            assert p.dtype == torch.float32 and p.isfinite().all() and not torch.equal(p, start)
            assert p.grad is None


@pytest.mark.parametrize("choices", ALL, ids=spell)
def test_steps_gradients_and_schedule_are_right(from_the_page, choices):
    precision, clip, accumulate, optimizers, scheduler = choices
    loop = Loop(from_the_page[choices]["code"], magnify=12.0)  # so that clipping bites
    if precision == "16-mixed":
        loop.set_scale(2.0**10)  # no skip: every step can be compared
    first = copy.deepcopy(loop.models)
    loop.run()
    assert loop.steps == [24 // accumulate] * optimizers
    assert [one.last_epoch for one in loop.schedulers] == (loop.steps if scheduler else [])
    if scheduler:
        assert all(one.get_last_lr()[0] < 1e-8 for one in loop.schedulers)  # the cosine's end, reached with the data

    expected = large_batch_gradients(loop, first, accumulate)
    tolerance = {"16-mixed": 2e-3, "bf16-mixed": 2e-2}.get(precision, 1e-5)
    for got, wanted in zip([grads[0] for grads in loop.grads], expected, strict=True):
        length = norm(wanted)
        assert length > 1.2, "clipping would change nothing"
        if clip:
            wanted = [grad / length for grad in wanted]
            assert norm(got) == pytest.approx(1.0, rel=1e-3)
        difference = [a - b for a, b in zip(got, wanted, strict=True)]
        assert norm(difference[-2:]) <= tolerance * norm(wanted[-2:])
        # Before the ReLU, 16 bits may round an activation to the other side of zero; a wrong factor would be 0.5 off.
        assert norm(difference) <= max(tolerance, 0.1 * (tolerance > 1e-4)) * norm(wanted)
        assert all(grad.dtype == torch.float32 for grad in got)


@pytest.mark.parametrize("choices", ALL, ids=spell)
def test_the_audit_finds_nothing(from_the_page, choices):
    loop = Loop(from_the_page[choices]["code"])
    report = audit_steps(loop.turn, 2 * choices[2])
    assert not report, str(report)
    assert loop.steps == [2] * choices[3]


@pytest.mark.parametrize("choices", FP16, ids=spell)
def test_a_skipped_step_moves_neither_weights_nor_schedule(from_the_page, choices):
    accumulate = choices[2]
    loop = Loop(from_the_page[choices]["code"])
    loop.set_scale(2.0**40)
    before = loop.parameters()
    for _ in range(accumulate):
        loop.turn()
    assert loop.steps == [0] * choices[3] and loop.names["scaler"].get_scale() == 2.0**39
    assert all(map(torch.equal, before, loop.parameters()))
    assert [one.last_epoch for one in loop.schedulers] == [0] * len(loop.schedulers)
    assert all(p.grad is None for model in loop.models for p in model.parameters())
    loop.set_scale(2.0**10)
    for _ in range(accumulate):
        loop.turn()
    assert loop.steps == [1] * choices[3]
    assert [one.last_epoch for one in loop.schedulers] == [1] * len(loop.schedulers)


def test_the_checks_notice_a_wrong_order(from_the_page):
    """What the tests above rely on: with its lines in another order, a loop is found wrong."""
    code = from_the_page["16-mixed", True, 1, 1, True]["code"]
    late = code.replace("    scaler.unscale_(optimizer)\n", "")
    assert [finding.code for finding in audit_steps(Loop(late).turn).findings] == ["clip-before-unscale"]
    loop = Loop(late, magnify=3.0)
    loop.set_scale(2.0**10)
    assert norm(loop.run().grads[0][0]) < 0.01
    assert audit_steps(Loop(code.replace("    optimizer.zero_grad()\n", "")).turn)
    always = Loop(code.replace("if scaler.get_scale() >= scale:", "if True:"))
    always.set_scale(2.0**40)
    with pytest.warns(UserWarning, match="lr_scheduler.step"):
        always.turn()
    assert always.steps == [0] and always.schedulers[0].last_epoch == 1


@pytest.mark.parametrize("choices", of(precision="tf32", accumulate=1, optimizers=1, clip=False), ids=spell)
def test_tf32_is_switched_by_the_name_that_torch_has(from_the_page, choices, monkeypatch):
    code = from_the_page[choices]["code"]
    switch = next(name for name in float32_precision() if name.startswith("cuda.matmul."))
    assert float32_precision()[switch] in ("ieee", False)
    Loop(code)
    assert float32_precision()[switch] in ("tf32", True)

    class Older:
        allow_tf32 = False

    monkeypatch.setattr(torch.backends.cuda, "matmul", Older())
    Loop(code)
    assert torch.backends.cuda.matmul.allow_tf32 is True


# --- traits and the twin ----------------------------------------------------------------------------------------------


def test_the_precisions_are_recipes_of_the_package(from_the_page):
    for name in PRECISIONS:
        recipe, code = RECIPES[name], from_the_page[name, False, 1, 1, False]["code"]
        assert recipe.scales_loss == ("GradScaler" in code) and recipe.tf32 == ("allow_tf32" in code)
        assert (f"dtype={recipe.autocast}" in code) == (recipe.autocast is not None)


def test_repr_bundle_and_fallback():
    widget = LoopBuilder(precision="bf16-mixed", accumulate=4, scheduler=True)
    assert repr(widget) == "LoopBuilder(accumulate=4, precision='bf16-mixed', scheduler=True)"
    assert repr(eval(repr(widget))) == repr(widget) and repr(LoopBuilder()) == "LoopBuilder()"
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "loop_builder" and json.loads(twin.widget["state"]) == widget.state()
    assert set(widget.state()) == {*NAMES, "explain", "url_state"}
    assert widget.code in twin.text and all(block.why in twin.text for block in widget.blocks)
    assert set(twin.tags) == {"amp-widget", "pre", "p", "ol", "li", "strong"}
    assert "scaler.unscale_(optimizer)" in Twin(LoopBuilder().twin()).text  # the default loop


@pytest.mark.parametrize(
    ("trait", "value", "message"),
    [
        ("precision", "fp16", "unknown precision 'fp16'; choose from 32-true, tf32, bf16-mixed, 16-mixed"),
        ("precision", HOSTILE, "unknown precision "),
        ("accumulate", 3, "unknown accumulate 3; choose from 1, 2, 4, 8"),
        ("optimizers", 0, "unknown optimizers 0; choose from 1, 2"),
        ("explain", "why", "unknown explain 'why'; choose from imports, device, "),
        ("clip", "norm", "'clip' trait"),
    ],
)
def test_a_bad_value_is_refused_and_changes_nothing(trait, value, message):
    widget = LoopBuilder()
    with pytest.raises(traitlets.TraitError, match=message):
        setattr(widget, trait, value)
    assert repr(widget) == "LoopBuilder()"
    with pytest.raises(traitlets.TraitError, match=message):
        LoopBuilder(**{trait: value})


def test_the_function_refuses_what_the_page_does_not_offer():
    for name, value in (("precision", "fp8"), ("accumulate", 0), ("optimizers", 3)):
        with pytest.raises(ValueError, match=f"unknown {name} {value!r}; choose from"):
            blocks(**{**dict(zip(NAMES, ALL[0], strict=True)), name: value})


def test_the_page_sends_what_changed():
    widget = LoopBuilder()
    widget.set_state({"precision": "tf32", "clip": False, "accumulate": 8, "optimizers": 2, "explain": "zero"})
    assert "decoder_optimizer" in widget.code and "accumulate = 8" in widget.code and "scaler" not in widget.code


# --- the cross-check of one step, with torch's own words --------------------------------------------------------------


def test_one_full_step_equals_the_same_step_written_out(from_the_page):
    """FP16, clipping, 4 micro-batches: the update is AdamW's on the clipped mean gradient, unscaled by hand."""
    loop = Loop(from_the_page["16-mixed", True, 4, 1, False]["code"], magnify=3.0)
    loop.set_scale(2.0**10)
    model = copy.deepcopy(loop.models[0])
    for inputs, targets in loop.names["batches"][:4]:
        with torch.autocast("cpu", dtype=torch.float16):
            loss = F.cross_entropy(model(inputs), targets)
        (loss * 256.0).backward()  # 2**10 / 4
    for p in model.parameters():
        p.grad /= 2.0**10
    length = norm([p.grad for p in model.parameters()])
    for p in model.parameters():
        p.grad *= 1.0 / (length + 1e-6)
    torch.optim.AdamW(model.parameters(), lr=1e-3).step()
    for _ in range(4):
        loop.turn()
    for p, own in zip(model.parameters(), loop.parameters(), strict=True):
        torch.testing.assert_close(own, p.detach(), rtol=0, atol=1e-6)
