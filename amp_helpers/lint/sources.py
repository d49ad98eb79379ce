"""Finds Python files and notebooks, and reads them as Python source that knows where each line came from."""

from __future__ import annotations

import ast
import io
import json
import os
import re
import sys
import textwrap
import tokenize
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

#: A notebook's cells with this tag show a mistake on purpose, and are not read.
WRONG = "wrong"
SUFFIXES = (".py", ".ipynb")
_FOLDERS = {"__pycache__", "node_modules", "site-packages"}
_MAGIC = re.compile(r"\s*(?:[%!?,;/]|[\w.,\s]+=\s*[%!]|[\w.]+\?{1,2}\s*$)")
_PYTHON_MAGICS = ("%%time", "%%timeit", "%%capture", "%%prun")


#: The version is said, since a newer Python may read what this one cannot.
_NOT_PYTHON = f"no valid Python {sys.version_info[0]}.{sys.version_info[1]}"


class Unreadable(ValueError):
    """One line that says why a file could not be checked.

    Args:
        line: the line of the source with a syntax error, from 1; 0 for any other reason.
    """

    def __init__(self, message: str, line: int = 0):
        super().__init__(message)
        self.line = line


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


def shown(path) -> str:
    """A path in one line that any terminal can print."""
    return str(path) if str(path).isprintable() else ascii(str(path))


def files(path: str) -> tuple[list[Path], list[str]]:
    """The files that a path stands for: itself, or every Python file and notebook below a folder.

    Hidden folders, virtual environments and installed packages are left out.

    Returns: the files, and one line for each folder that cannot be opened.
    Raises: Unreadable if there is neither.
    """
    found, problems = Path(path), []
    if not str(path):
        raise Unreadable("'' is no path")
    try:
        if found.is_dir():
            below = sorted(_below(found, problems))
            if not below and not problems:
                raise Unreadable(f"{shown(path)}: no Python file and no notebook in this folder")
            return below, problems
        if not found.exists():
            raise Unreadable(f"{shown(path)}: no such file or folder")
        if not found.is_file():  # a pipe would wait for ever
            raise Unreadable(f"{shown(path)}: neither a file nor a folder")
    except (OSError, ValueError) as error:
        if isinstance(error, Unreadable):
            raise
        raise Unreadable(f"{shown(path)}: cannot be opened: {_line(error)}") from None
    return [found], problems


def _below(folder: Path, problems: list[str]) -> Iterator[Path]:
    def note(error):
        problems.append(f"{shown(error.filename)}: cannot be opened: {_line(error)}")

    for root, folders, names in os.walk(folder, onerror=note):
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
    name = shown(path)
    try:
        data = path.read_bytes()
    except OSError as error:
        raise Unreadable(f"{name}: cannot be read: {_line(error)}") from None
    if path.suffix == ".ipynb":
        return _notebook(data, name)
    if b"\0" in data:
        raise Unreadable(f"{name}: a binary file, no Python source")
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
        text = data.decode(encoding)
    except (SyntaxError, UnicodeDecodeError, LookupError) as error:
        raise Unreadable(f"{name}: no text in UTF-8 or in an encoding that it declares: {_line(error)}") from None
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return Source(check(text, name), name, [], [])


def check(text: str, path: str) -> str:
    """Return the text if it is Python.

    Raises: Unreadable with the place of the mistake.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an invalid escape in a string is not what we look for
            ast.parse(text)
    except SyntaxError as error:
        line, column = error.lineno or 1, error.offset or 1
        raise Unreadable(f"{path}:{line}:{column}: {_NOT_PYTHON}: {error.msg}", line) from None
    except (RecursionError, MemoryError):
        raise Unreadable(f"{path}: nested too deeply to be read") from None
    except ValueError as error:
        raise Unreadable(f"{path}: {_NOT_PYTHON}: {_line(error)}") from None
    return text


def _notebook(data: bytes, path: str) -> Source:
    try:
        notebook = json.loads(data.decode("utf-8-sig"))
        cells = notebook["cells"]
        if not isinstance(cells, list) or not all(isinstance(cell, dict) for cell in cells):
            raise TypeError
    except (ValueError, KeyError, TypeError, RecursionError):
        raise Unreadable(f"{path}: no notebook: JSON with a list of cells is expected") from None
    parts, lines, problems = [], [], []
    if not _is_python(notebook):
        return Source("", path, lines, problems)
    for number, cell in enumerate(cells, 1):
        metadata = cell.get("metadata")
        tags = metadata.get("tags") if isinstance(metadata, dict) else None
        if cell.get("cell_type") != "code" or (isinstance(tags, list) and WRONG in tags):
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


def _is_python(notebook: dict) -> bool:
    """Whether a notebook names Python as its language, or no language."""
    metadata = notebook.get("metadata")
    for part, key in (("language_info", "name"), ("kernelspec", "language")):
        value = metadata.get(part) if isinstance(metadata, dict) else None
        if isinstance(value, dict) and isinstance(value.get(key), str):
            return "python" in value[key].lower()
    return True


def _cell(source: str, path: str) -> str:
    """A cell as Python: lines for IPython or for the shell become `pass`, a cell in another language is empty."""
    source = source.replace("\r\n", "\n").replace("\r", "\n")
    if source.lstrip().startswith("%%") and not source.lstrip().startswith(_PYTHON_MAGICS):
        return ""
    lines = source.split("\n")
    if all(not line.strip() or line[0].isspace() for line in lines):
        lines = textwrap.dedent(source).split("\n")  # as IPython does
    while True:
        try:
            return check("\n".join(lines), path)
        except Unreadable as error:
            # The line of the mistake, if it is a magic: a line that begins with % may also belong to a sum.
            here = error.line - 1
            while 0 < here <= len(lines) and lines[here - 1].endswith("\\"):
                here -= 1  # to the first line of one that goes on
            if not 0 <= here < len(lines) or not _MAGIC.match(lines[here]):
                raise
            instead, goes_on = re.match(r"\s*", lines[here])[0] + "pass", True
            while goes_on and here < len(lines):
                goes_on = lines[here].endswith("\\")
                lines[here] = instead
                here += 1


def _line(error: BaseException) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(text.split())
