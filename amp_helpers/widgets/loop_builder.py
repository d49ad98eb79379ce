"""The AMP loop builder: choose precision, clipping, accumulation, optimizers, scheduler; get the loop as code."""

from __future__ import annotations

from html import escape

import traitlets

from .base import BookWidget
from .loop_code import ACCUMULATE, OPTIMIZERS, PRECISIONS, Block, blocks, template, text_of

_CHOICES = {"precision": PRECISIONS, "accumulate": ACCUMULATE, "optimizers": OPTIMIZERS}


class LoopBuilder(BookWidget):
    """The training loop for a few choices, as code that runs, with the reason for the place of every line.

    `code` holds the same text as the page. It needs PyTorch only; its device is a variable of the code. Choices that
    gain nothing, such as a `GradScaler` with bfloat16, are not offered, and the page says why.

    Args (all of them traits, shared with the page):
        precision: "32-true", "tf32", "bf16-mixed" (autocast) or "16-mixed" (autocast and `GradScaler`).
        clip: whether gradients are clipped by their norm.
        accumulate: micro-batches per optimizer step: 1, 2, 4 or 8.
        optimizers: 1, or 2 with a loss each.
        scheduler: whether the learning rate follows a schedule, stepped once per optimizer step.
        explain: the block that is explained, such as "unscale"; the first one where the loop has no such block.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/11_training_loop.ipynb
    """

    _kind = "loop_builder"

    precision = traitlets.Unicode("16-mixed").tag(sync=True)
    clip = traitlets.Bool(True).tag(sync=True)
    accumulate = traitlets.Int(1).tag(sync=True)
    optimizers = traitlets.Int(1).tag(sync=True)
    scheduler = traitlets.Bool(False).tag(sync=True)
    explain = traitlets.Unicode("forward").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)

    @traitlets.validate("precision", "accumulate", "optimizers", "explain")
    def _check_choice(self, proposal):
        name = proposal.trait.name
        choices = _CHOICES.get(name) or [block_id for block_id, *_ in template()]
        if proposal.value not in choices:
            shown = repr(proposal.value)[:60]
            raise traitlets.TraitError(f"unknown {name} {shown}; choose from {', '.join(map(str, choices))}")
        return proposal.value

    @property
    def blocks(self) -> list[Block]:
        """The blocks of the loop, in order: id, title, why, lines."""
        return blocks(self.precision, self.clip, self.accumulate, self.optimizers, self.scheduler)

    @property
    def code(self) -> str:
        """The loop as text, as the page shows and copies it."""
        return text_of(self.blocks)

    def fallback(self) -> str:
        reasons = "".join(f"<li><strong>{escape(one.title)}.</strong> {escape(one.why)}</li>" for one in self.blocks)
        return f"<pre>{escape(self.code)}</pre><p>Why the lines stand in this order:</p><ol>{reasons}</ol>"
