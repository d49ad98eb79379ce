"""What a chapter needs from its notebook: the same numbers on every run, real source code, an error as one line."""

from __future__ import annotations

import importlib.util
import inspect
import random
import textwrap
from collections.abc import Iterator
from contextlib import contextmanager

from IPython.display import display


def set_up(seed: int = 0, threads: int | None = 1) -> None:
    """Seed every random generator a chapter uses, and fix how many threads torch computes with.

    Args:
        seed: 0 to 2**32 - 1, for `random`, NumPy and torch (CPU and CUDA).
        threads: a floating-point sum depends on how it is split, hence on the number of threads; with one, a chapter
            prints the same digits on every machine. None leaves torch's choice, for cells that need the speed.
    Raises: ValueError if `seed` or `threads` is out of range.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    if not 0 <= seed < 2**32:
        raise ValueError(f"seed must be from 0 to 2**32 - 1, not {seed!r}")
    if threads is not None and threads < 1:
        raise ValueError(f"threads must be at least 1, or None, not {threads!r}")
    random.seed(seed)
    # Imported whether or not the chapter has done so yet: seeding must not depend on the order of its imports.
    if importlib.util.find_spec("numpy"):
        import numpy

        numpy.random.seed(seed)
    if importlib.util.find_spec("torch"):
        import torch

        torch.manual_seed(seed)
        if threads is not None:
            torch.set_num_threads(threads)


def needs(package: str, extra: str) -> None:
    """Stop a chapter at its imports, in one clear line, if a package is missing that not every chapter needs.

    Args:
        package: as it is imported.
        extra: of `amp-helpers`, which installs it.
    Raises: ModuleNotFoundError saying what to install.
    Introduced in: notebooks/16_keras_and_tensorflow.ipynb
    """
    if importlib.util.find_spec(package) is None:
        raise ModuleNotFoundError(f"this chapter needs {package}: install {package}, or amp-helpers[{extra}]")


def show_source(obj: object) -> None:
    """Display the source of a function, class, method or module, highlighted and complete.

    The output is Markdown (with the plain text beside it), so that the page that shows it, and not the notebook,
    chooses the colours: light and dark both work.

    Args:
        obj: anything whose source Python can find; a decorated function shows the function inside.
    Raises: TypeError if `obj` has no Python source, as built-in functions have none.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    try:
        source = inspect.getsource(inspect.unwrap(obj) if callable(obj) else obj)
    except (OSError, TypeError):
        raise TypeError(
            f"no Python source for {obj!r}; give a function, class, method or module written in Python"
        ) from None
    source = textwrap.dedent(source).rstrip()
    fence = "```"
    while fence in source:  # a docstring may hold a fence of its own
        fence += "`"
    display({"text/markdown": f"{fence}python\n{source}\n{fence}", "text/plain": source}, raw=True)


@contextmanager
def expected_error(*types: type[BaseException]) -> Iterator[None]:
    """Run a block that must fail, and print its error as one line, `Name: message`.

    Unlike a cell that ends in a traceback, it lets "Run all" go on in every front end.

    Args:
        types: the exceptions that are expected, any `Exception` if none is given; others pass through.
    Raises: AssertionError if the block raises nothing.
    Introduced in: notebooks/01_float_bits.ipynb
    """
    types = types or (Exception,)
    try:
        yield
    except types as error:
        print(f"{type(error).__name__}: {error}")
    else:
        raise AssertionError(f"expected {' or '.join(t.__name__ for t in types)}, but nothing was raised")
