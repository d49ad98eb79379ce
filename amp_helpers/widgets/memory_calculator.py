"""The memory calculator: bytes of a training step by kind, against the memory of the cards that people have."""

from __future__ import annotations

from html import escape

import traitlets

from amp_helpers.tables import Table

from .base import BookWidget, one_of
from .memory_formula import KINDS, OPTIMIZERS, RECIPES, needed, step_bytes

MODELS = ("gpt", "mlp", "parameters")
ATTENTIONS = ("fused", "plain")
DEVICES = ("cuda", "cpu")
_CHOICES = {
    "model": MODELS,
    "optimizer": tuple(OPTIMIZERS),
    "recipe": tuple(RECIPES),
    "attention": ATTENTIONS,
    "device": DEVICES,
}
#: Trait -> the largest value; the smallest is 1.
LARGEST = {
    "layers": 1000,
    "width": 100_000,
    "heads": 1000,
    "vocabulary": 10_000_000,
    "context": 1_000_000,
    "inputs": 10_000_000,
    "outputs": 10_000_000,
    "parameters": 10**13,
    "batch": 1_000_000,
}
#: Card -> gigabytes, as the vendor prints them.
CARDS = {"T4": 16, "L4": 24, "RTX 4090": 24, "A100 40 GB": 40, "A100 80 GB": 80, "H100": 80, "H200": 141}
GB = 10**9


class MemoryCalculator(BookWidget):
    """How many bytes does a training step need: parameters, gradients, optimizer, cast weights, activations?

    The models are `amp_helpers.models.GPT` and `MLP` with a cross-entropy loss; of any other model the number of
    parameters gives everything but the activations. The numbers are those of `amp_helpers.memory.predict_memory`. The
    comparison with cards also counts the temporary tensors of the loss's backward pass. Not counted: other temporary
    tensors, workspace, what CUDA itself takes, fragmentation.

    Args (all of them traits, shared with the page):
        model: "gpt", "mlp" or "parameters".
        layers, width: of a GPT its blocks and their features; of an MLP its hidden layers and their features.
        heads, vocabulary, context: of a GPT; `width` is a multiple of `heads`, and sequences are `context` long.
        inputs, outputs: features of an MLP's input, and its classes.
        parameters: of any other model, their number.
        optimizer: "sgd", "sgd-momentum", "adam" or "adamw".
        recipe: "32-true", "16-mixed", "bf16-mixed" or "bf16-true".
        batch: examples in a step.
        checkpointing: True recomputes each block of a GPT in the backward pass and keeps only its input.
        attention: "fused" (flash and the like) or "plain" (keeps the probabilities).
        device: "cuda" or "cpu"; under autocast the loss keeps more on CUDA.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Special values: `cards` is read-only: card -> gigabytes of 10**9 bytes.
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/05_memory.ipynb
    """

    _kind = "memory_calculator"

    model = traitlets.Unicode("gpt").tag(sync=True)
    layers = traitlets.Int(12).tag(sync=True)
    width = traitlets.Int(768).tag(sync=True)
    heads = traitlets.Int(12).tag(sync=True)
    vocabulary = traitlets.Int(50304).tag(sync=True)
    context = traitlets.Int(1024).tag(sync=True)
    inputs = traitlets.Int(1024).tag(sync=True)
    outputs = traitlets.Int(10).tag(sync=True)
    parameters = traitlets.Int(7_000_000_000).tag(sync=True)
    optimizer = traitlets.Unicode("adamw").tag(sync=True)
    recipe = traitlets.Unicode("bf16-mixed").tag(sync=True)
    batch = traitlets.Int(16).tag(sync=True)
    checkpointing = traitlets.Bool(False).tag(sync=True)
    attention = traitlets.Unicode("fused").tag(sync=True)
    device = traitlets.Unicode("cuda").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)
    cards = traitlets.Dict(CARDS, read_only=True).tag(sync=True)

    @traitlets.validate("model", "optimizer", "recipe", "attention", "device")
    def _check_choice(self, proposal):
        name, choices = proposal.trait.name, _CHOICES[proposal.trait.name]
        one_of(name, proposal.value, choices)
        if name == "model":
            self._check_heads(model=proposal.value)
        return proposal.value

    @traitlets.validate(*LARGEST)
    def _check_number(self, proposal):
        name, value = proposal.trait.name, proposal.value
        if not 1 <= value <= LARGEST[name]:
            raise traitlets.TraitError(f"{name} must be from 1 to {LARGEST[name]:,}, not {value:,}")
        if name in ("width", "heads"):
            self._check_heads(**{name: value})
        return value

    def _check_heads(self, **changes) -> None:
        now = {"model": self.model, "width": self.width, "heads": self.heads} | changes
        if now["model"] == "gpt" and now["width"] % now["heads"]:
            raise traitlets.TraitError(f"width {now['width']} is not a multiple of {now['heads']} heads")

    def bytes(self, **changes) -> dict[str, int | None]:
        """Bytes by kind; "activations" is None where they are not known.

        "recomputed" (one block of a checkpointed GPT) and "temporary" (the gradients of log-softmax and of the logits;
        None where those are not known) come on top in the backward pass.

        Args:
            **changes: traits that shall have another value, such as `recipe="32-true"`.
        """
        return step_bytes(self.state() | changes)

    @property
    def total(self) -> int:
        """The sum of all kinds."""
        return sum(self.bytes()[kind] or 0 for kind in KINDS)

    @property
    def needed(self) -> int:
        """What a step needs at least: `total`, with "temporary" instead of "gradients" where that is larger."""
        return needed(self.bytes())

    def fallback(self) -> str:
        now, wide = self.bytes(), self.bytes(recipe="32-true")
        rows = [(kind, _gigabytes(now[kind]), _gigabytes(wide[kind])) for kind in KINDS]
        sums = [sum(found[kind] or 0 for kind in KINDS) for found in (now, wide)]
        caption = f"{self._title()}: GB in a step, {self.optimizer}, batch {self.batch:,}, {self.device}"
        rows.append(("sum", *map(_gigabytes, sums)))
        rows.append(("temporary, the loss's backward", _gigabytes(now["temporary"]), _gigabytes(wide["temporary"])))
        rows.append(("needed, at least", _gigabytes(needed(now)), _gigabytes(needed(wide))))
        kinds = Table(["kind", self.recipe, "32-true"], rows, caption)
        fits = "fits before activations" if now["activations"] is None else "fits"
        rows = [
            (
                card,
                str(size),
                f"{100 * needed(now) / (size * GB):.3g} %",
                fits if needed(now) <= size * GB else "too small",
            )
            for card, size in self.cards.items()
        ]
        cards = Table(["card", "GB", "used", ""], rows, "On cards: at least this much; what CUDA takes comes on top")
        return kinds._repr_html_() + cards._repr_html_()

    def _title(self) -> str:
        if self.model == "parameters":
            return f"{self.parameters:,} parameters"
        if self.model == "mlp":
            return f"MLP of {self.layers:,} hidden layers, width {self.width:,}"
        kept = ", blocks recomputed" if self.checkpointing else ""
        return escape(f"GPT of {self.layers:,} blocks, width {self.width:,}{kept}, {self.attention} attention")


def _gigabytes(size: int | None) -> str:
    return "not known" if size is None else f"{size / GB:.3g}"
