"""Runs every rule on a source, and sorts what they find."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .findings import Checked, Finding
from .sources import Source, Unreadable, check, files, read, shown

#: A file without any of these holds nothing to report, and is not parsed into a tree.
_WORDS = re.compile(r"\bamp\b|autocast|scaler|backward|fp16_utils|fp32_precision|custom_[fb]wd", re.IGNORECASE)
_IGNORE = re.compile(r"#\s*amp:\s*ignore\b(?:\[([^\]]*)\])?")


def check_source(source: str, path: str = "<string>") -> list[Finding]:
    """Find deprecated AMP spellings and wrong training loops in Python source, without running it.

    A line that ends in `# amp: ignore[AMP301]` (or `# amp: ignore` for every code) is left out.

    Args:
        source: Python source.
        path: what the findings name as the file.
    Returns: the findings in the order of their lines.
    Raises: ValueError if the source is no valid Python; ModuleNotFoundError, with a word on how to install it, if
        LibCST is missing.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    if not isinstance(source, str):
        raise TypeError(f"source is a str, not {type(source).__name__}")
    return _check(Source(check(source, path), path, [], []))


def check_paths(paths: Iterable[str]) -> Checked:
    """Find deprecated AMP spellings and wrong training loops in files, folders and notebooks.

    Of a folder it reads every `*.py` and `*.ipynb` below it, except in hidden folders, virtual environments and
    installed packages. The code cells of a notebook are read as one source; cells tagged `wrong` are left out, and
    so is a notebook in another language.

    Args:
        paths: files and folders. What cannot be read becomes an error, and the others are still checked.
    Returns: a `Checked` with findings, errors and an exit code.
    Raises: TypeError if `paths` is one string; ModuleNotFoundError if LibCST is missing.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    if isinstance(paths, str):
        raise TypeError(f"paths is a list of paths, not the string {paths!r}: write [{paths!r}]")
    _rules()
    checked, seen = Checked(), set()
    for path in paths:
        try:
            found, problems = files(path)
        except Unreadable as error:
            checked.errors.append(str(error))
            continue
        checked.errors += problems
        for file in found:
            if file in seen:
                continue
            seen.add(file)
            try:
                source = read(file)
                checked.errors += source.problems
                checked.findings += _check(source)
                checked.files += 1
            except Unreadable as error:
                checked.errors.append(str(error))
            except Exception as error:  # a mistake of ours: the other files are checked all the same
                reason = " ".join(f"{type(error).__name__}: {error}".split())
                checked.errors.append(f"{shown(file)}: lint failed here, please report it: {reason}")
    return checked


def _check(source: Source) -> list[Finding]:
    tree_of, rules = _rules()
    if not _WORDS.search(source.text):
        return []
    tree = tree_of(source)
    lines = source.text.split("\n")
    found = set()
    try:
        for node, code, message in rules(tree):
            line, column = tree.place(node)
            if not _ignored(lines[line - 1], code):
                found.add(((line, column), code, message))
    except RecursionError:
        raise Unreadable(f"{source.path}: nested too deeply to be read") from None
    return [Finding(*source.place(line), column, code, message) for (line, column), code, message in sorted(found)]


def _ignored(line: str, code: str) -> bool:
    match = _IGNORE.search(line)
    return match is not None and (match[1] is None or code in re.split(r"[\s,]+", match[1].strip()))


def _rules():
    """What needs LibCST, imported when it is needed: the book builds and the package loads without it."""
    try:
        import libcst
    except ModuleNotFoundError as error:
        if error.name != "libcst":
            raise
        raise ModuleNotFoundError(
            "lint needs LibCST: install it with `pip install libcst` (the extra `lint` of amp-helpers)", name="libcst"
        ) from None
    from .rules import all_findings
    from .tree import Tree

    def tree_of(source: Source) -> Tree:
        try:
            return Tree(source.text)
        except libcst.ParserSyntaxError as error:
            path, line = source.place(min(error.raw_line, source.text.count("\n") + 1))
            reason = " ".join(error.message.split())
            raise Unreadable(f"{path}:{line}:{error.raw_column + 1}: LibCST cannot read this: {reason}") from None
        except RecursionError:
            raise Unreadable(f"{source.path}: nested too deeply to be read") from None

    return tree_of, all_findings
