"""Small real data without a network: scikit-learn's bundled digits, and text from Python's own standard library."""

from __future__ import annotations

import hashlib
import sysconfig
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

DIGIT_SIZES = (8, 16, 32)
TRAIN_IMAGES = 1437  # of 1,797; the other 360 test

#: Modules of the standard library that did not change from Python 3.11 to 3.14, all ASCII; the last ones test.
SOURCE_FILES = (
    "email/headerregistry.py", "tracemalloc.py", "stringprep.py", "xml/sax/saxutils.py", "xml/dom/pulldom.py",
    "multiprocessing/heap.py", "email/_encoded_words.py", "asyncio/protocols.py", "multiprocessing/sharedctypes.py",
    "_py_abc.py", "__future__.py", "unittest/util.py", "asyncio/windows_utils.py", "xml/dom/domreg.py",
    "xml/dom/minicompat.py", "_sitebuiltins.py", "importlib/metadata/_functools.py", "unittest/_log.py",
    "asyncio/trsock.py", "unittest/signals.py", "urllib/response.py", "multiprocessing/popen_forkserver.py",
    "importlib/metadata/_text.py", "importlib/metadata/_itertools.py", "asyncio/exceptions.py", "wsgiref/types.py",
    "multiprocessing/dummy/connection.py", "pyclbr.py", "xml/etree/ElementPath.py", "unittest/suite.py",
)  # fmt: skip
#: SHA-256 of these files, one after the other, with "\n" at the end of every line. Compared in Python 3.11.2, 3.11.7,
#: 3.12.1, 3.13.0, 3.13.2 and 3.14.2.
SOURCE_SHA256 = "3c07ed7fedf7d0c5518826ba228644031f65a9e0721ac6bc781e4069caf02d0e"


@dataclass(frozen=True)
class ImageData:
    """Images with labels, in a part to train on and a part to test with.

    Args:
        train_images: (n, 1, size, size), float32, standardised: (pixel - mean) / std.
        train_labels: (n,), int64, from 0.
        test_images: (m, 1, size, size), float32, standardised with the same two numbers.
        test_labels: (m,), int64.
        mean: of all training pixels, which ran from 0 to 1.
        std: their standard deviation.
        classes: number of different labels.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    train_images: Tensor
    train_labels: Tensor
    test_images: Tensor
    test_labels: Tensor
    mean: float
    std: float
    classes: int

    def batches(
        self, batch_size: int, *, steps: int | None = None, split: str = "train", seed: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Draw batches without replacement; every pass has a new order, and leaves out what fills no batch.

        Args:
            batch_size: 1 to the number of images.
            steps: number of batches; None takes one pass.
            split: "train" or "test".
            seed: of the orders.
        Yields: (images, labels).
        Raises: ValueError for an unknown split, a batch size that does not fit or negative steps.
        """
        _check_split(split)
        images, labels = getattr(self, f"{split}_images"), getattr(self, f"{split}_labels")
        _check_range("batch_size", batch_size, 1, len(images))
        whole = len(images) // batch_size
        steps = whole if steps is None else steps
        _check_range("steps", steps, 0)
        return _image_batches(images, labels, batch_size, steps, seed)


def _image_batches(images, labels, batch_size, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    whole = len(images) // batch_size
    for step in range(steps):
        if step % whole == 0:
            order = torch.randperm(len(images), generator=generator).split(batch_size)
        yield images[order[step % whole]], labels[order[step % whole]]


def digits(size: int = 8) -> ImageData:
    """1,797 handwritten digits of 8x8 pixels, which come with scikit-learn: 1,437 to train on, 360 to test with.

    Args:
        size: 8, or 16 or 32: then each pixel is repeated in a square block.
    Returns: `ImageData`; the split is shuffled, the same on every machine.
    Raises: ValueError for another size, ImportError if scikit-learn is missing.
    Source: Alpaydin and Kaynak, "Optical Recognition of Handwritten Digits", UCI Machine Learning Repository, 1998.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    if size not in DIGIT_SIZES:
        raise ValueError(f"size must be one of {', '.join(map(str, DIGIT_SIZES))}, not {size!r}")
    try:
        from sklearn.datasets import load_digits
    except ImportError as error:
        raise ImportError("digits() reads the images that come with scikit-learn: install scikit-learn") from error
    bundled = load_digits()
    order = np.random.RandomState(0).permutation(len(bundled.target))  # NumPy keeps this stream for good
    pixels, labels = bundled.images[order] / 16, torch.from_numpy(bundled.target[order].astype(np.int64))
    mean, std = float(pixels[:TRAIN_IMAGES].mean()), float(pixels[:TRAIN_IMAGES].std())
    images = torch.from_numpy((pixels - mean) / std).float()[:, None]
    repeat = size // 8
    images = images.repeat_interleave(repeat, dim=2).repeat_interleave(repeat, dim=3)
    train, test = slice(None, TRAIN_IMAGES), slice(TRAIN_IMAGES, None)
    return ImageData(images[train], labels[train], images[test], labels[test], mean, std, classes=10)


@dataclass(frozen=True)
class TextData:
    """A text as characters, in a part to train on and a part to test with.

    Args:
        text: all of it, the tests' part last.
        vocabulary: its characters, sorted; a character's place is its token.
        train_tokens: (n,), int64: the first nine tenths of the text.
        test_tokens: (m,), int64: the rest.
        sha256: of the text in UTF-8.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    text: str
    vocabulary: str
    train_tokens: Tensor
    test_tokens: Tensor
    sha256: str

    def encode(self, text: str) -> Tensor:
        """The tokens of `text`, (characters,), int64. Raises: ValueError naming a character that has none."""
        places = {character: place for place, character in enumerate(self.vocabulary)}
        for character in text:
            if character not in places:
                raise ValueError(f"the character {character!r} is not among the {len(places)} of this text")
        return torch.tensor([places[character] for character in text], dtype=torch.int64)

    def decode(self, tokens: Tensor) -> str:
        """The text of (n,) tokens. Raises: ValueError for a token that is not in the vocabulary."""
        tokens = [int(token) for token in tokens]
        for token in tokens:
            _check_range("token", token, 0, len(self.vocabulary) - 1)
        return "".join(self.vocabulary[token] for token in tokens)

    def batches(
        self, batch_size: int, length: int, *, steps: int, split: str = "train", seed: int = 0
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Draw pieces of the text at random places, with replacement.

        Args:
            batch_size: pieces in a batch.
            length: tokens in a piece.
            steps: number of batches.
            split: "train" or "test".
            seed: of the places.
        Yields: (inputs, targets), both (batch_size, length), int64; a target is the token after its input.
        Raises: ValueError for an unknown split, or a number out of range.
        """
        _check_split(split)
        tokens = getattr(self, f"{split}_tokens")
        _check_range("batch_size", batch_size, 1)
        _check_range("length", length, 1, len(tokens) - 1)
        _check_range("steps", steps, 0)
        return _text_batches(tokens, batch_size, length, steps, seed)


def _text_batches(tokens, batch_size, length, steps, seed):
    generator = torch.Generator().manual_seed(seed)
    for _ in range(steps):
        starts = torch.randint(len(tokens) - length, (batch_size, 1), generator=generator)
        places = starts + torch.arange(length)
        yield tokens[places], tokens[places + 1]


def source_text() -> TextData:
    """About 200 kB of Python: modules of the standard library of the interpreter that runs this.

    The modules are the same in Python 3.11 to 3.14, and `SOURCE_SHA256` says which text they make. Another interpreter
    may lack some or have others; then the text is what it has, and a warning gives both checksums.

    Returns: `TextData`.
    Raises: FileNotFoundError if the interpreter has none of the files (some ship without sources).
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """
    folder = Path(sysconfig.get_path("stdlib"))
    files = [folder / name for name in SOURCE_FILES if (folder / name).is_file()]
    if not files:
        raise FileNotFoundError(f"this interpreter has no sources of its standard library, such as {SOURCE_FILES[0]}")
    text = "".join(file.read_text(encoding="utf-8") for file in files)  # "\n" ends every line, on Windows too
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    if sha256 != SOURCE_SHA256:
        warnings.warn(
            f"the standard library of this interpreter differs, so numbers will too: {len(files)} of"
            f" {len(SOURCE_FILES)} files, SHA-256 {sha256}, expected {SOURCE_SHA256}",
            stacklevel=2,
        )
    vocabulary = "".join(sorted(set(text)))
    codes = np.frombuffer(text.encode("utf-32-le"), dtype=np.uint32)
    tokens = torch.from_numpy(np.searchsorted(sorted(map(ord, vocabulary)), codes).astype(np.int64))
    cut = len(tokens) * 9 // 10
    return TextData(text, vocabulary, tokens[:cut], tokens[cut:], sha256)


def _check_split(split):
    if split not in ("train", "test"):
        raise ValueError(f"unknown split {split!r}; choose from train, test")


def _check_range(name, value, low, high=None):
    if value < low or (high is not None and value > high):
        raise ValueError(f"{name} must be {low} {'or more' if high is None else f'to {high}'}, not {value}")
