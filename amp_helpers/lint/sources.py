"""Finds Python files and notebooks, and reads them as Python source that knows where each line came from."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: A notebook's cells with this tag show a mistake on purpose, and are not read.
WRONG = "wrong"
SUFFIXES = (".py", ".ipynb")
_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
_MAGIC = re.compile(r"^(\s*)(?:[%!?]|[\w.,\s]+=\s*[%!]|[\w.]+\?{1,2}\s*$)")
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")


class Unreadable(ValueError):
    """One line that says why a file could not be checked."""


@dataclass
class Source:
    """Python source, and where it came from.

    Args:
        text: the source; the cells of a notebook one after the other.
        path: the file as it was given.
        lines: for each line of `text` its path (with the cell, in a notebook) and its number there; empty if the two
            are the same.
        problems: cells that are no Python, one line each; they are left out of `text`.
    """

    text: str
    path: str
    lines: list[tuple[str, int]]
    problems: list[str]

    def place(self, line: int) -> tuple[str, int]:
        """Path and line to report for a line of `text`, from 1."""
        return self.lines[line - 1] if self.lines else (self.path, line)


def files(path: str) -> list[Path]:
    """The files that a path stands for: itself, or every Python file and notebook below a folder.

    Hidden folders, virtual environments and installed packages are left out.

    Raises: Unreadable if there is none.
    """
    found, shown = Path(path), str(path) if str(path).isprintable() else repr(str(path))
    if not str(path):
        raise Unreadable("'' is no path")
    try:
        if found.is_dir():
            below = sorted(_below(found))
            if not below:
                raise Unreadable(f"{shown}: no Python file and no notebook in this folder")
            return below
        if not found.exists():
            raise Unreadable(f"{shown}: no such file or folder")
    except (OSError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"{shown}: cannot be opened: {_line(error)}") from None
    return [found]


def _below(folder: Path) -> Iterator[Path]:
    def fail(error):
        raise error

    for root, folders, names in os.walk(folder, onerror=fail):
        here = Path(root)
        keep = [
            n for n in folders if not n.startswith(".") and n not in _FOLDERS and not (here / n / "pyvenv.cfg").exists()
        ]
        folders[:] = keep
        yield from (here / name for name in names if name.endswith(SUFFIXES) and (here / name).is_file())


def read(path: Path) -> Source:
    """Read a Python file or a notebook.

    Raises: Unreadable for what is neither.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{path}: cannot be read: {_line(error)}") from None
    if path.suffix == ".ipynb":
        return _notebook(data, str(path))
    if b"\0" in data:
        raise Unreadable(f"{path}: a binary file, no Python source")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise Unreadable(f"{path}: no text in UTF-8 or in an encoding that it declares: {_line(error)}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Source(check(text, str(path)), str(path), [], [])


def check(text: str, path: str) -> str:
    """Return the text if it is Python.

    Raises: Unreadable with the place of the mistake.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a string is not what we look for
            ast.parse(text)
    except SyntaxError as error:
        where = f"{path}:{error.lineno or 1}:{error.offset or 1}"
        raise Unreadable(f"{where}: no valid Python: {error.msg}") from None
    except (ValueError, RecursionError, MemoryError) as error:
        raise Unreadable(f"{path}: no valid Python: {_line(error) or type(error).__name__}") from None
    return text


def _notebook(data: bytes, path: str) -> Source:
    try:
        notebook = json.loads(data.decode("utf8"))
        cells = notebook["cells"]
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable(f"{path}: no notebook: JSON with a list of cells is expected") from None
    parts, lines, problems = [], [], []
    for number, cell in enumerate(cells, 1):
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if cell.get("cell_type") != "code" or WRONG in (tags or []):
            continue
        source = cell.get("source", "")
        source = "".join(map(str, source)) if isinstance(source, list) else str(source)
        try:
            part = _cell(source, f"{path}:cell {number}")
        except Unreadable as error:
            problems.append(str(error))
            continue
        parts.append(part)
        lines += [(f"{path}:cell {number}", line) for line in range(1, part.count("\n") + 2)]
    return Source("\n".join(parts), path, lines, problems)


def _cell(source: str, path: str) -> str:
    """A cell as Python: lines for IPython or for the shell become `pass`, a cell in another language is empty."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if source.lstrip().startswith("%%") and not source.lstrip().startswith(_PYTHON_MAGICS):
        return ""
    try:
        return check(source, path)
    except Unreadable:
        python = "\n".join(
            _MAGIC.match(line)[1] + "pass" if _MAGIC.match(line) else line for line in source.split("\n")
        )
        return check(python, path)


def _line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())
