"""The cheat sheet: its loops run and are sound, its numbers are the formats', every message is really raised."""

import re
import warnings
from pathlib import Path

import pytest
import torch
from torch import nn
from torch._subclasses.fake_tensor import FakeTensorMode

from amp_helpers.audit import audit_steps
from amp_helpers.formats import FORMATS

PAGE = (Path(__file__).parents[1] / "book" / "cheat_sheet.md").read_text(encoding="utf8")
LOOPS = re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)


def rows(heading: str) -> list[list[str]]:
    part = PAGE.split(f"## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[2:]]


def world(dtype=torch.float32) -> dict:
    torch.manual_seed(0)
    model = nn.Linear(4, 2).to(dtype)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    return {
        "torch": torch,
        "device": torch.device("cpu"),
        "model": model,
        "optimizer": optimizer,
        "scheduler": torch.optim.lr_scheduler.StepLR(optimizer, 1),
        "loss_function": nn.functional.cross_entropy,
        "batches": [(torch.randn(8, 4), torch.randint(2, (8,)))],
    }


@pytest.mark.parametrize("loop", LOOPS, ids=["bf16", "fp16"])
def test_the_loops_are_sound(loop):
    names = world()
    before = names["model"].weight.detach().clone()
    setup, body = loop.split("for x, y", 1)
    exec(setup, names)
    report = audit_steps(lambda: exec(f"for x, y{body}", names), n=3)
    assert not report, report
    assert not torch.equal(names["model"].weight, before)
    assert names["scheduler"].last_epoch == 3, "no step was skipped, so the scheduler took each"


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ("exponent, fraction bits", lambda f: f"{f.exponent_bits}, {f.significand_bits}"),
        ("largest", lambda f: "65504" if f.max == 65504 else f"{f.max:.2e}".replace("e+", "e")),
        ("smallest normal", lambda f: f"{f.smallest_normal:.2e}"),
        ("gap above 1", lambda f: f"{f.eps:.2e}"),
    ],
)
def test_the_numbers(row, value):
    cells = {cells[0]: cells[1:] for cells in rows("The numbers")}[row]
    assert cells == [value(FORMATS[name]) for name in ("float16", "bfloat16", "tfloat32", "float32")]


def scaled(names, scaler):
    loss = names["model"](torch.ones(1, 4, dtype=names["model"].weight.dtype)).sum()
    scaler.scale(loss).backward()


def no_gradients():
    names, scaler = world(), torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    scaler.step(names["optimizer"])


def update_alone():
    scaler = torch.amp.GradScaler("cpu")
    scaler.scale(torch.ones(()))
    scaler.update()


def half_weights():
    names, scaler = world(torch.float16), torch.amp.GradScaler("cpu")
    scaled(names, scaler)
    scaler.unscale_(names["optimizer"])


def unscale_twice():
    names, scaler = world(), torch.amp.GradScaler("cpu")
    scaled(names, scaler)
    scaler.unscale_(names["optimizer"])
    scaler.unscale_(names["optimizer"])


def no_update():
    names, scaler = world(), torch.amp.GradScaler("cpu")
    for _ in range(2):
        scaled(names, scaler)
        scaler.step(names["optimizer"])


def never_scaled():
    names = world()
    names["model"](torch.ones(1, 4)).sum().backward()
    torch.amp.GradScaler("cpu").step(names["optimizer"])


def scheduler_first():
    names, scaler = world(), torch.amp.GradScaler("cpu")
    scaled(names, scaler)
    names["model"].weight.grad.fill_(float("inf"))
    scaler.step(names["optimizer"])
    scaler.update()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        names["scheduler"].step()


def left_the_region():
    with torch.autocast("cpu", dtype=torch.float16):
        h = nn.functional.linear(torch.ones(2, 4), torch.ones(4, 4))
    world()["model"](h)


def large_constant():
    torch.zeros(2).half().masked_fill(torch.tensor([True, False]), -1e9)


def banned():
    with FakeTensorMode():
        probability = torch.empty(4, device="cuda")
        torch.set_autocast_enabled("cuda", True)
        try:
            nn.functional.binary_cross_entropy(probability, probability)
        finally:
            torch.set_autocast_enabled("cuda", False)


RAISED = [
    *(no_gradients, update_alone, half_weights, unscale_twice, no_update),
    *(never_scaled, scheduler_first, left_the_region, large_constant, banned),
]


def test_there_are_ten():
    assert len(rows("Ten messages")) == len(RAISED) == 10
    assert all(len(row) == 3 and all(row) for row in rows("Ten messages"))


@pytest.mark.parametrize("number", range(10), ids=[call.__name__ for call in RAISED])
def test_each_message_is_raised(number):
    if RAISED[number] is banned and torch.version.cuda is None:
        pytest.skip("this torch was built without CUDA")
    message = rows("Ten messages")[number][0].strip("`")
    with pytest.raises((AssertionError, RuntimeError, ValueError, UserWarning)) as raised:
        RAISED[number]()
    assert message in str(raised.value).replace("\n", " ")
