"""What linting hands back: findings, each with its place in a file."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, order=True)
class Finding:
    """One line of a file that has to change.

    Args:
        path: the file as it was given; of a notebook `name.ipynb:cell 4`, where cells of every kind count, from 1.
        line: the line in the file, or in the cell, from 1.
        column: the character in the line, from 1.
        code: a key of `CODES`, such as "AMP301".
        message: what is wrong and what to write instead, one line, with the names that the file uses.
    Introduced in: notebooks/15_from_apex.ipynb
    """

    path: str
    line: int
    column: int
    code: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column} {self.code} {self.message}"


@dataclass
class Checked:
    """What `check_paths` found.

    Args:
        findings: every `Finding`, by file in the order given, and by place within a file.
        errors: one line for each path that could not be read; the other paths were checked all the same.
        files: how many files were checked.
    Introduced in: notebooks/15_from_apex.ipynb
    """

    findings: list[Finding] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    files: int = 0

    @property
    def exit_code(self) -> int:
        """2 if a path could not be read, else 1 if there are findings, else 0."""
        return 2 if self.errors else int(bool(self.findings))
