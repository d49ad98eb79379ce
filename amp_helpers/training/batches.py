"""Where a run's batches come from: they can be drawn again from any place, and the data has a name to compare."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from amp_helpers.datasets import ImageData, TextData, loader, resident

#: More batches than any run draws.
ENDLESS = 2**62


def token_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """`F.cross_entropy` over all tokens of all sequences: logits (batch, length, vocabulary), targets (batch, length).

    Introduced in: notebooks/11_training_loop.ipynb
    """
    return F.cross_entropy(logits.flatten(0, -2), targets.flatten())


class Source:
    """The batches of a run, on its device, floating-point inputs in the dtype of the recipe's weights.

    Args:
        data: `ImageData`, `TextData` or an iterable of (input, target).
        batch_size: for the first two; else what the iterable gives.
        device: where to.
        dtype: of floating-point inputs if it is not float32.
        seed: of the order.
        length: of the pieces of a text; None asks the model's `config.context`.
        model: for that.
    Raises: TypeError for data that cannot be iterated, ValueError for text without a length.
    """

    def __init__(self, data, batch_size, device, dtype, seed, length=None, model=None):
        self.device, self.dtype, self.seed, self.batch_size = device, dtype, seed, batch_size
        self.known = isinstance(data, ImageData | TextData)
        self.options = {}
        if isinstance(data, TextData):
            length = length or getattr(getattr(model, "config", None), "context", None)
            if length is None:
                raise ValueError("a text needs length=, the tokens in a piece: the model has no config.context")
            self.options["length"] = length
        elif not self.known and not hasattr(data, "__iter__"):
            raise TypeError(
                f"data must be an ImageData, a TextData or an iterable of (input, target), not {type(data).__name__}"
            )
        self.repeatable = self.known or iter(data) is not data
        self.identity = identity(data) | self.options
        if self.known:
            data = resident(data, device)
            loader(data, device, batch_size, steps=0, **self.options)  # a mistake shows here
        self.data = data

    def draw(self, start: int) -> Iterator[tuple[Tensor, Tensor]]:
        """Batches without end, from the one numbered `start` on."""
        if self.known:
            batches = loader(
                self.data, self.device, self.batch_size, steps=ENDLESS, seed=self.seed, start=start, **self.options
            )
        else:
            batches = itertools.islice(self._repeat(), start, None)
        return (self._place(*pair) for pair in batches)

    def check_testable(self):
        """Raise ValueError if there is no test part."""
        if not self.known:
            raise ValueError("evaluate_every needs data with a test part: an ImageData or a TextData")

    def test(self) -> Iterator[tuple[Tensor, Tensor]]:
        """The whole test part, in order; of a text, all whole pieces."""
        size = self.batch_size
        if isinstance(self.data, ImageData):
            parts = zip(self.data.test_images.split(size), self.data.test_labels.split(size), strict=True)
        else:
            tokens, length = self.data.test_tokens, self.options["length"]
            count = (len(tokens) - 1) // length
            inputs = tokens[: count * length].view(count, length).split(size)
            targets = tokens[1 : count * length + 1].view(count, length).split(size)
            parts = zip(inputs, targets, strict=True)
        return (self._place(*pair) for pair in parts)

    def _repeat(self):
        seen = 0
        while True:
            before = seen
            for batch in self.data:
                if not isinstance(batch, tuple | list) or len(batch) != 2:
                    raise TypeError(f"a batch must be (input, target), not a {type(batch).__name__}")
                seen += 1
                yield batch
            if seen == before or not self.repeatable:
                raise ValueError(f"the data ended after {seen} batches, and the run needs more")

    def _place(self, inputs, targets):
        if self.dtype != torch.float32 and inputs.is_floating_point():
            inputs = inputs.to(self.dtype)
        return inputs.to(self.device, non_blocking=True), targets.to(self.device, non_blocking=True)


def identity(data) -> dict:
    """What tells data apart: its name and, where it can be read at once, a checksum of the part to train on."""
    name = getattr(data, "name", None) or type(data).__name__
    if isinstance(data, TextData):
        return {"data": name, "sha256": data.sha256}
    if isinstance(data, ImageData):
        digest = hashlib.sha256(str(tuple(data.train_images.shape)).encode())
        for tensor in (data.train_images, data.train_labels):
            digest.update(tensor.cpu().contiguous().numpy())
        return {"data": name, "sha256": digest.hexdigest()}
    return {"data": name}
