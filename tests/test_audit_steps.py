"""`audit_steps` names each planted fault, stays silent on correct loops, and leaves nothing patched."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils import clip_grad, clip_grad_norm_, clip_grad_value_
from torch.optim import optimizer as optim_module
from torch.utils.checkpoint import checkpoint

from amp_helpers.audit import STEP_CODES, Report, audit_steps

BF16, FP16 = torch.bfloat16, torch.float16


pytestmark = pytest.mark.usefixtures("one_thread")


class Loop:
    """The parts of a small training loop; each test puts them together rightly or wrongly."""

    def __init__(self, dtype=FP16, optimizer=torch.optim.SGD, init_scale=1024.0, **options):
        torch.manual_seed(0)
        self.dtype = dtype
        self.model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 4))
        self.optimizer = optimizer(self.model.parameters(), lr=0.1, **options)
        self.scaler = torch.amp.GradScaler("cpu", init_scale=init_scale)
        self.x, self.y = torch.randn(32, 8), torch.randint(0, 4, (32,))

    def autocast(self, **options):
        return torch.autocast("cpu", self.dtype, **options)

    def loss(self):
        return F.cross_entropy(self.model(self.x), self.y)

    def forward(self):
        with self.autocast():
            return self.loss()

    def step_and_update(self):
        self.scaler.step(self.optimizer)
        self.scaler.update()


# --- correct loops -------------------------------------------------------------------------------------


def plain_float32():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.loss().backward()
        loop.optimizer.step()

    return step


def amp_float16(**options):
    loop = Loop(**options)

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.step_and_update()

    return step


def every_step_skipped():
    return amp_float16(init_scale=2.0**40)


def fused():
    return amp_float16(optimizer=torch.optim.Adam, fused=True)


def bfloat16_without_scaler():
    loop = Loop(BF16)

    def step():
        loop.forward().backward()
        loop.optimizer.step()
        loop.optimizer.zero_grad(set_to_none=False)

    return step


def disabled_scaler():
    loop = Loop(BF16)
    loop.scaler = torch.amp.GradScaler("cpu", enabled=False)

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.unscale_(loop.optimizer)
        clip_grad_norm_(loop.model.parameters(), 1.0)
        loop.step_and_update()

    return step


def zeroed_through_data():
    loop = Loop(BF16)

    def step():
        for parameter in loop.model.parameters():
            if parameter.grad is not None:
                parameter.grad.data.zero_()
        loop.forward().backward()
        loop.optimizer.step()

    return step


def accumulation():
    loop = Loop()

    def step():
        for _ in range(4):
            loop.scaler.scale(loop.forward() / 4).backward()
        loop.step_and_update()
        loop.optimizer.zero_grad()

    return step


def accumulation_divided_after_scaling():
    loop = Loop()

    def step():
        for _ in range(2):
            (loop.scaler.scale(loop.forward()) / 2).backward()
        loop.step_and_update()
        loop.optimizer.zero_grad()

    return step


def one_micro_batch_per_call():
    loop = Loop()
    calls = []

    def step():
        calls.append(loop.scaler.scale(loop.forward()).backward())
        if len(calls) % 2 == 0:
            loop.step_and_update()
            loop.optimizer.zero_grad()

    return step


def clip_after_unscale(clip=lambda parameters: clip_grad_norm_(parameters, 1.0)):
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.unscale_(loop.optimizer)
        clip(loop.model.parameters())
        loop.step_and_update()

    return step


def clamp_after_unscale():
    return clip_after_unscale(lambda parameters: clip_grad_value_(parameters, 0.1))


def norm_measured_before_unscale():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        clip_grad_norm_(loop.model.parameters(), float("inf"))
        loop.step_and_update()

    return step


def clip_in_float32():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.loss().backward()
        clip_grad_norm_(loop.model.parameters(), 1.0)
        clip_grad_value_(loop.model.parameters(), 0.1)
        loop.optimizer.step()

    return step


def two_optimizers():
    loop = Loop()
    first = torch.optim.SGD(loop.model[0].parameters(), lr=0.1)
    second = torch.optim.Adam(loop.model[2].parameters(), lr=0.1)

    def step():
        first.zero_grad()
        second.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.unscale_(first)
        clip_grad_norm_(loop.model[0].parameters(), 1.0)
        loop.scaler.step(first)
        loop.scaler.step(second)
        loop.scaler.update()

    return step


def closure():
    loop = Loop(optimizer=torch.optim.LBFGS)

    def evaluate():
        loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        return loss

    return lambda: loop.optimizer.step(evaluate)


def gan():
    """The generator's backward pass also fills the discriminator's gradients; they are zeroed before they count."""
    torch.manual_seed(0)
    generator, discriminator = nn.Linear(4, 8), nn.Linear(8, 1)
    g = torch.optim.Adam(generator.parameters())
    d = torch.optim.Adam(discriminator.parameters())
    scaler = torch.amp.GradScaler("cpu", init_scale=256.0)
    noise, real = torch.randn(16, 4), torch.randn(16, 8)

    def judge(x, label):
        with torch.autocast("cpu", FP16):
            scores = discriminator(x)
            return F.binary_cross_entropy_with_logits(scores, torch.full_like(scores, label))

    def fake():
        with torch.autocast("cpu", FP16):
            return generator(noise)

    def step():
        d.zero_grad()
        scaler.scale(judge(real, 1.0) + judge(fake().detach(), 0.0)).backward()
        scaler.step(d)
        g.zero_grad()
        scaler.scale(judge(fake(), 1.0)).backward()
        scaler.step(g)
        scaler.update()

    return step


def two_losses():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        with loop.autocast():
            hidden = loop.model(loop.x)
            first, second = F.cross_entropy(hidden, loop.y), hidden.float().square().mean()
        loop.scaler.scale(first).backward(retain_graph=True)
        loop.scaler.scale(second).backward()
        loop.step_and_update()

    return step


def checkpointed(use_reentrant):
    loop = Loop()
    loop.x.requires_grad_()

    def step():
        loop.optimizer.zero_grad()
        with loop.autocast():
            loss = F.cross_entropy(checkpoint(loop.model, loop.x, use_reentrant=use_reentrant), loop.y)
        loop.scaler.scale(loss).backward()
        loop.scaler.unscale_(loop.optimizer)
        clip_grad_norm_(loop.model.parameters(), 1.0)
        loop.step_and_update()

    return step


def optimizer_in_backward():
    """Each parameter has an optimizer that runs as soon as its gradient is complete."""
    loop = Loop(BF16)
    optimizers = {p: torch.optim.SGD([p], lr=0.1) for p in loop.model.parameters()}

    def apply(parameter):
        optimizers[parameter].step()
        optimizers[parameter].zero_grad()

    for parameter in loop.model.parameters():
        parameter.register_post_accumulate_grad_hook(apply)
    return lambda: loop.forward().backward()


def gradient_penalty():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loss = loop.forward()
        scaled = torch.autograd.grad(loop.scaler.scale(loss), list(loop.model.parameters()), create_graph=True)
        with loop.autocast():
            penalty = sum((grad / loop.scaler.get_scale()).square().sum() for grad in scaled)
        loop.scaler.scale(loss + penalty).backward()
        loop.step_and_update()

    return step


def validation_between():
    """A validation pass under no_grad, and an inference copy in float16, beside bfloat16 training."""
    loop = Loop(BF16)
    teacher = copy.deepcopy(loop.model).requires_grad_(False)

    def step():
        loop.optimizer.zero_grad()
        loop.forward().backward()
        loop.optimizer.step()
        with torch.no_grad(), torch.autocast("cpu", FP16):
            loop.model(loop.x), teacher(loop.x)

    return step


def several_steps_per_call():
    inner = amp_float16()
    return lambda: [inner() for _ in range(3)]


def scheduler_and_average():
    loop = Loop()
    scheduler = torch.optim.lr_scheduler.StepLR(loop.optimizer, 1)
    average = torch.optim.swa_utils.AveragedModel(loop.model)

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.step_and_update()
        scheduler.step()
        average.update_parameters(loop.model)

    return step


CORRECT = {
    factory.__name__: factory
    for factory in (
        plain_float32,
        amp_float16,
        every_step_skipped,
        fused,
        bfloat16_without_scaler,
        disabled_scaler,
        zeroed_through_data,
        accumulation,
        accumulation_divided_after_scaling,
        one_micro_batch_per_call,
        clip_after_unscale,
        clamp_after_unscale,
        norm_measured_before_unscale,
        clip_in_float32,
        two_optimizers,
        closure,
        gan,
        two_losses,
        optimizer_in_backward,
        gradient_penalty,
        validation_between,
        several_steps_per_call,
        scheduler_and_average,
    )
} | {f"checkpointed, reentrant {value}": lambda value=value: checkpointed(value) for value in (True, False)}


@pytest.mark.parametrize("factory", CORRECT.values(), ids=CORRECT)
@pytest.mark.parametrize("n", [2, 5])
def test_a_correct_loop_is_silent(factory, n):
    report = audit_steps(factory(), n)
    assert not report and report.findings == [], str(report)


# --- planted faults ------------------------------------------------------------------------------------


def bfloat16_body(loop):
    """Forward, backward and step with no region of its own."""

    def step():
        loop.optimizer.zero_grad()
        loss = loop.loss()
        loss.backward()
        loop.optimizer.step()
        return loss.item()

    return step


def several_steps_in_one_region():
    loop = Loop(BF16)

    def step():
        with loop.autocast():
            for _ in range(3):
                bfloat16_body(loop)()

    return step


def outer_disabled_region():
    loop = Loop(BF16)

    def step():
        with loop.autocast(enabled=False):
            for _ in range(2):
                loop.optimizer.zero_grad()
                loop.forward().backward()
                loop.optimizer.step()

    return step


def optimizer_that_writes_through_data():
    loop = Loop(BF16)

    class Old(torch.optim.Optimizer):
        def __init__(self, parameters):
            super().__init__(parameters, {})

        def step(self):
            for parameter in self.param_groups[0]["params"]:
                parameter.data = parameter.data - 0.1 * parameter.grad

    class Older(Old):
        def step(self):
            for parameter in self.param_groups[0]["params"]:
                parameter.data.sub_(parameter.grad, alpha=0.1)

    loop.optimizer = Older(loop.model.parameters())

    def step():
        with loop.autocast(enabled=False):
            for _ in range(2):
                loop.optimizer.zero_grad()
                loop.forward().backward()
                loop.optimizer.step()

    return step


def decorated_step():
    loop = Loop(BF16)
    return torch.autocast("cpu", BF16)(bfloat16_body(loop))


def region_around_the_whole_step():
    loop = Loop(BF16)

    def step():
        with loop.autocast(cache_enabled=False):
            bfloat16_body(loop)()

    return step


def no_zero_grad():
    loop = Loop()

    def step():
        loop.scaler.scale(loop.forward()).backward()
        loop.step_and_update()

    return step


def no_zero_grad_float32():
    loop = Loop()

    def step():
        loop.loss().backward()
        loop.optimizer.step()

    return step


def no_zero_grad_while_skipping():
    loop = Loop(init_scale=2.0**40)

    def step():
        loop.scaler.scale(loop.forward()).backward()
        loop.step_and_update()

    return step


def zero_grad_of_another_optimizer():
    loop = Loop(BF16)
    other = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=0.1)

    def step():
        other.zero_grad()
        loop.forward().backward()
        loop.optimizer.step()

    return step


def no_update(**options):
    loop = Loop(**options)

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.step(loop.optimizer)

    return step


def no_update_fused():
    return no_update(optimizer=torch.optim.Adam, fused=True)


def no_update_with_unscale():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.unscale_(loop.optimizer)
        loop.scaler.step(loop.optimizer)

    return step


def clip_first(clip=lambda parameters: clip_grad_norm_(parameters, 1.0)):
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        clip(loop.model.parameters())
        loop.step_and_update()

    return step


def clip_first_by_value():
    return clip_first(lambda parameters: clip_grad_value_(parameters, 0.1))


def clip_first_through_the_module():
    return clip_first(lambda parameters: torch.nn.utils.clip_grad_norm_(list(parameters), 1.0, foreach=False))


def clamp_first():
    return clip_first(lambda parameters: [p.grad.data.clamp_(-0.1, 0.1) for p in parameters])


def clip_with_one_of_two_unscaled():
    loop = Loop()
    first = torch.optim.SGD(loop.model[0].parameters(), lr=0.1)
    second = torch.optim.SGD(loop.model[2].parameters(), lr=0.1)

    def step():
        loop.model.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.unscale_(first)
        clip_grad_norm_(loop.model.parameters(), 1.0)
        loop.scaler.step(first)
        loop.scaler.step(second)
        loop.scaler.update()

    return step


def clip_between_scaler_step_of_a_subclass():
    class Mine(torch.amp.GradScaler):
        def scale(self, outputs):
            return super().scale(outputs)

        def step(self, optimizer):
            return super().step(optimizer)

    loop = Loop()
    loop.scaler = Mine("cpu", init_scale=1024.0)

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        clip_grad_norm_(loop.model.parameters(), 1.0)
        loop.step_and_update()

    return step


def optimizer_step_on_scaled_gradients():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.optimizer.step()
        loop.scaler.update()

    return step


def optimizer_step_after_unscale():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.unscale_(loop.optimizer)
        loop.optimizer.step()
        loop.scaler.update()

    return step


def backward_without_scale():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.forward().backward()
        loop.step_and_update()

    return step


def scaled_loss_thrown_away():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loss = loop.forward()
        loop.scaler.scale(loss)
        loss.backward()
        loop.step_and_update()

    return step


def one_of_two_losses_scaled():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.forward().backward()
        loop.step_and_update()

    return step


def update_after_every_micro_batch():
    loop = Loop()

    def step():
        for _ in range(4):
            loop.scaler.scale(loop.forward() / 4).backward()
            loop.scaler.unscale_(loop.optimizer)
            loop.scaler.update()
        loop.step_and_update()
        loop.optimizer.zero_grad()

    return step


def unscale_after_every_micro_batch():
    loop = Loop()

    def step():
        for _ in range(4):
            loop.scaler.scale(loop.forward() / 4).backward()
            loop.scaler.unscale_(loop.optimizer)
        loop.step_and_update()
        loop.optimizer.zero_grad()

    return step


def update_between_backward_and_step():
    """Two optimizers, and an update after the first of them: the second collects gradients under two scales."""
    loop = Loop()
    first = torch.optim.SGD(loop.model[0].parameters(), lr=0.1)
    second = torch.optim.SGD(loop.model[2].parameters(), lr=0.1)

    def step():
        loop.model.zero_grad()
        for _ in range(2):
            first.zero_grad()
            loop.scaler.scale(loop.forward()).backward()
            loop.scaler.step(first)
            loop.scaler.update()
        loop.scaler.step(second)
        loop.scaler.update()

    return step


def zero_grad_after_backward():
    loop = Loop(BF16)

    def step():
        loop.forward().backward()
        loop.optimizer.zero_grad()
        loop.optimizer.step()

    return step


def zero_grad_after_scaled_backward():
    loop = Loop()

    def step():
        loop.scaler.scale(loop.forward()).backward()
        loop.optimizer.zero_grad()
        loop.step_and_update()

    return step


def scaler_for_bfloat16():
    return amp_float16(dtype=BF16)


def float16_alone():
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.forward().backward()
        loop.optimizer.step()

    return step


def float16_with_disabled_scaler():
    loop = Loop()
    loop.scaler = torch.amp.GradScaler("cpu", enabled=False)

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.step_and_update()

    return step


def half_model():
    loop = Loop()
    loop.model.half()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        loop.step_and_update()

    return step


FAULTY = {
    several_steps_in_one_region: ["backward-under-autocast", "stale-casts"],
    outer_disabled_region: ["stale-casts"],
    optimizer_that_writes_through_data: ["stale-casts"],
    decorated_step: ["backward-under-autocast"],
    region_around_the_whole_step: ["backward-under-autocast"],
    no_zero_grad: ["missing-zero-grad"],
    no_zero_grad_float32: ["missing-zero-grad"],
    no_zero_grad_while_skipping: ["missing-zero-grad"],
    zero_grad_of_another_optimizer: ["missing-zero-grad"],
    no_update: ["missing-update"],
    no_update_fused: ["missing-update"],
    no_update_with_unscale: ["missing-update"],
    clip_first: ["clip-before-unscale"],
    clip_first_by_value: ["clip-before-unscale"],
    clip_first_through_the_module: ["clip-before-unscale"],
    clamp_first: ["clip-before-unscale"],
    clip_with_one_of_two_unscaled: ["clip-before-unscale"],
    clip_between_scaler_step_of_a_subclass: ["clip-before-unscale"],
    optimizer_step_on_scaled_gradients: ["bypassed-scaler"],
    optimizer_step_after_unscale: ["bypassed-scaler"],
    backward_without_scale: ["unscaled-backward"],
    scaled_loss_thrown_away: ["unscaled-backward"],
    one_of_two_losses_scaled: ["mixed-scales"],
    update_after_every_micro_batch: ["mixed-scales"],
    update_between_backward_and_step: ["mixed-scales"],
    unscale_after_every_micro_batch: ["repeated-unscale"],
    zero_grad_after_backward: ["no-gradients"],
    zero_grad_after_scaled_backward: ["no-gradients"],
    scaler_for_bfloat16: ["scaler-with-bfloat16"],
    float16_alone: ["float16-without-scaler"],
    float16_with_disabled_scaler: ["float16-without-scaler"],
    half_model: ["float16-parameters"],
}


@pytest.mark.parametrize("factory", FAULTY, ids=lambda factory: factory.__name__)
def test_a_planted_fault_is_found(factory):
    report = audit_steps(factory())
    assert report and report.codes == FAULTY[factory], str(report)
    for finding in report:
        assert "call " in finding.where and finding.what
        assert (finding.reason, finding.fix) == STEP_CODES[finding.code]


def test_the_two_ways_around_a_scaler_read_differently():
    assert "multiplied by the loss scale" in audit_steps(optimizer_step_on_scaled_gradients()).findings[0].what
    assert "after unscale_()" in audit_steps(optimizer_step_after_unscale()).findings[0].what


def test_every_code_is_planted():
    assert {code for codes in FAULTY.values() for code in codes} == set(STEP_CODES)


def test_the_audit_called_inside_a_region():
    """With n=1 nothing has read the old copies yet, but the region still holds them."""
    for n in (1, 2):
        loop = Loop(BF16)
        with loop.autocast():
            loop.loss()  # the region holds casts from before the audit
            report = audit_steps(bfloat16_body(loop), n)
        assert report.codes == ["backward-under-autocast", "stale-casts"]
    loop = Loop(BF16)
    with loop.autocast(cache_enabled=False):
        assert audit_steps(bfloat16_body(loop)).codes == ["backward-under-autocast"]


def test_stale_casts_are_real():
    """What the finding says happens: the loss stays constant in the loop that it names, and falls in the right one."""
    loop = Loop(BF16)
    with loop.autocast():
        step = bfloat16_body(loop)
        assert len({step() for _ in range(5)}) == 1
    step = bfloat16_body(Loop(BF16))
    assert len({step() for _ in range(5)}) == 5


def test_clearing_the_cache_by_hand_is_right():
    loop = Loop(BF16)

    def step():
        with loop.autocast(enabled=False):
            for _ in range(2):
                loop.optimizer.zero_grad()
                loop.forward().backward()
                loop.optimizer.step()
                torch.clear_autocast_cache()

    assert not audit_steps(step)


def test_missing_update_with_one_call():
    assert audit_steps(no_update(), 1).codes == ["missing-update"]
    assert audit_steps(no_zero_grad(), 1).codes == []


def test_where_names_the_line():
    finding = audit_steps(clip_first()).findings[0]
    assert finding.where.startswith("test_audit_steps.py:") and finding.where.endswith("call 1")
    assert "4 parameters" in finding.what
    source = {}
    code = "def step():\n    loop.optimizer.zero_grad()\n    with loop.autocast():\n        loop.loss().backward()\n"
    code += "    loop.optimizer.step()\n"
    exec(compile(code, "<ipython-input-1>", "exec"), {"loop": Loop(BF16)}, source)
    assert audit_steps(source["step"]).findings[0].where == "line 4 in step(), call 1"


# --- the audit itself ------------------------------------------------------------------------------------


def state() -> list:
    scaler = torch.amp.GradScaler
    return [
        torch.autograd.backward,
        torch.clear_autocast_cache,
        *vars(clip_grad).values(),
        *vars(scaler).values(),
        torch.Tensor.backward,
        torch.optim.Optimizer.zero_grad,
        list(optim_module._global_optimizer_pre_hooks),
        list(optim_module._global_optimizer_post_hooks),
        torch._C._len_torch_dispatch_stack(),
        torch.is_autocast_enabled("cpu"),
    ]


def same(before: list, after: list) -> bool:
    return len(before) == len(after) and all(a is b or a == b for a, b in zip(before, after, strict=True))


def test_nothing_stays_patched():
    before = state()
    audit_steps(amp_float16())
    assert same(before, state())
    audit_steps(no_update())  # ended by an exception of torch
    assert same(before, state())

    def fail():
        amp_float16()()
        assert not same(before, state())  # the comparison can fail
        raise KeyError("mine")

    for error in (KeyError("mine"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            audit_steps(lambda error=error: (_ for _ in ()).throw(error))
        assert same(before, state())
    with pytest.raises(KeyError, match="mine"):
        audit_steps(fail)
    assert same(before, state())


def test_a_nested_audit():
    def step():
        assert audit_steps(clip_first()).codes == ["clip-before-unscale"]
        inner()

    inner = amp_float16()
    before = state()
    audit_steps(step)
    assert same(before, state())


def test_other_errors_pass_through_unchanged():
    error = ValueError("shapes")

    def step():
        raise error

    with pytest.raises(ValueError) as caught:
        audit_steps(step)
    assert caught.value is error
    loop = Loop()

    def scaled_closure():
        loop.scaler.scale(loop.forward()).backward()
        loop.scaler.step(loop.optimizer, closure=lambda: None)

    with pytest.raises(RuntimeError, match="Closure use"):
        audit_steps(scaled_closure)


def test_a_refused_call_that_the_step_handles():
    """An exception that the step catches itself is its own affair; the finding stays."""
    loop = Loop()

    def step():
        loop.optimizer.zero_grad()
        loop.scaler.scale(loop.forward()).backward()
        try:
            loop.scaler.step(loop.optimizer)
        except RuntimeError:
            loop.scaler.update()

    assert audit_steps(step, 3).codes == ["missing-update"]


def test_it_trains_exactly_as_the_step_alone():
    runs = []
    for watched in (True, False):
        loop = Loop()

        def step(loop=loop):
            loop.optimizer.zero_grad()
            loop.scaler.scale(loop.forward()).backward()
            loop.step_and_update()

        if watched:
            audit_steps(step, 3)
        else:
            for _ in range(3):
                step()
        runs.append([*loop.model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(*runs, strict=True))


def test_bad_input():
    step = amp_float16()
    with pytest.raises(TypeError, match="step must be a function without arguments, not Tensor"):
        audit_steps(torch.zeros(1))
    for n in (1.5, True, "2"):
        with pytest.raises(TypeError, match="n must be an integer"):
            audit_steps(step, n)
    for n in (0, -1):
        with pytest.raises(ValueError, match=f"n must be at least 1, not {n}"):
            audit_steps(step, n)
    with pytest.raises(ValueError, match=r"step\(\) ran no optimizer in 3 calls"):
        audit_steps(lambda: None, 3)


def test_a_report_reads_well():
    report = audit_steps(clip_first())
    assert isinstance(report, Report) and len(report) == 1
    assert str(report).startswith("2 calls of step(): 1 finding.\nclip-before-unscale (test_audit_steps.py:")
    assert "fix: call scaler.unscale_(optimizer)" in str(report)
    html = report._repr_html_()
    assert "<li><b>clip-before-unscale</b> (test_audit_steps.py:" in html and "<br>Fix: call scaler.unscale_" in html
    assert html.count("<li>") == len(report) and "<table" in report.table()._repr_html_()
    silent = audit_steps(amp_float16())
    assert str(silent) == "2 calls of step(): no findings." and silent._repr_html_().startswith("<p>2 calls")
