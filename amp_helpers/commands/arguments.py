"""What the commands' arguments share: one line for a mistake, lists of words and numbers."""

from __future__ import annotations

import argparse


class UsageError(Exception):
    """A mistake in the arguments; argparse would print its usage too and leave the process."""


class Parser(argparse.ArgumentParser):
    """An `ArgumentParser` that raises `UsageError`."""

    def error(self, message):
        raise UsageError(message)


def words(text: str) -> list[str]:
    """ "a, b" becomes ["a", "b"]."""
    return [word.strip() for word in text.split(",")]


def integers(text: str) -> list[int]:
    """ "10,1e6" becomes [10, 1000000]."""
    try:
        return [int(float(word)) for word in words(text)]
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 10000,1000000") from None
