"""The training loop of the loop builder in Python, from the template that the page reads too."""

from __future__ import annotations

import functools
import re
from typing import NamedTuple

from amp_helpers.javascript import WIDGETS

#: Names of `amp_helpers.precision.RECIPES`.
PRECISIONS = ("32-true", "tf32", "bf16-mixed", "16-mixed")
ACCUMULATE = (1, 2, 4, 8)
OPTIMIZERS = (1, 2)
_DTYPES = {"bf16-mixed": "bfloat16", "16-mixed": "float16"}
_LINE = re.compile(r"(?:\{(.*?)\})?([@>|]) ?(.*)")


class Block(NamedTuple):
    """Lines that belong together, with a title and the reason why they stand there."""

    id: str
    title: str
    why: str
    lines: tuple[str, ...]


@functools.cache
def template() -> list[tuple[str, str, list, list]]:
    """(id, title, reasons, lines) of every block; a reason and a line are (flags, text), as the file explains."""
    source = (WIDGETS / "loop_builder_template.js").read_text(encoding="utf-8")
    blocks: list[tuple[str, str, list, list]] = []
    for line in re.search(r"TEMPLATE = `\n(.*?)\n`;", source, re.DOTALL)[1].split("\n"):
        flags, kind, text = _LINE.fullmatch(line).groups()
        if kind == "@":
            name, title = text.split(" | ")
            blocks.append((name, title, [], []))
            continue
        if kind == ">":
            flags, text = re.fullmatch(r"(?:\{(.*?)\} )?(.*)", text).groups()
        blocks[-1][2 if kind == ">" else 3].append(((flags or "").split(), text))
    return blocks


def blocks(precision: str, clip: bool, accumulate: int, optimizers: int, scheduler: bool) -> list[Block]:
    """The blocks of the loop, in order.

    Args:
        precision: one of `PRECISIONS`.
        clip: whether gradients are clipped by their norm.
        accumulate: micro-batches per optimizer step, one of `ACCUMULATE`.
        optimizers: 1, or 2 with a loss and a model of its own.
        scheduler: whether the learning rate follows a schedule.
    Raises: ValueError naming the argument and the choices.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    given = {"precision": precision, "accumulate": accumulate, "optimizers": optimizers}
    for (name, value), choices in zip(given.items(), (PRECISIONS, ACCUMULATE, OPTIMIZERS), strict=True):
        if value not in choices:
            raise ValueError(f"unknown {name} {value!r}; choose from {', '.join(map(str, choices))}")
    flags = {
        "tf32": precision == "tf32",
        "fp16": precision == "16-mixed",
        "autocast": precision in _DTYPES,
        "clip": clip,
        "accumulate": accumulate > 1,
        "two": optimizers == 2,
        "scheduler": scheduler,
    }

    def holds(wanted):
        return all(flags[name.removeprefix("!")] != name.startswith("!") for name in wanted)

    def fill(text):
        return text.replace("N_MICRO", str(accumulate)).replace("DTYPE", _DTYPES.get(precision, ""))

    def code(text):
        for mark, name in (("^", "autocast"), ("~", "accumulate")):
            text = re.sub(rf"^( *)\{mark}", rf"\1 {' ' * 4 * flags[name]}", text)
        return fill(text).replace("RETAIN", "retain_graph=True" if flags["two"] else "")

    built = []
    for name, title, reasons, lines in template():
        chosen = tuple(code(text) for wanted, text in lines if holds(wanted))
        if chosen:
            built.append(Block(name, title, " ".join(fill(text) for wanted, text in reasons if holds(wanted)), chosen))
    return built


def text_of(built: list[Block]) -> str:
    """The code of blocks, as it is copied in the page."""
    return "".join(f"{line}\n" for block in built for line in block.lines)
