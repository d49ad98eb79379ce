"""What an audit hands back: findings, each with its place, its reason and its fix."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import escape

from ..tables import Table
from .codes import CODES


@dataclass(frozen=True)
class Finding:
    """One fault.

    Args:
        code: a key of `CODES`; stable, so that a test or a script may rely on it.
        where: the module, or the line and the call of `step`.
        what: what was seen there.
        reason: why it matters.
        fix: what to write instead.
    Introduced in: notebooks/06_autocast.ipynb
    """

    code: str
    where: str
    what: str
    reason: str
    fix: str

    def __str__(self) -> str:
        return f"{self.code} ({self.where}): {self.what}\n  why: {self.reason}\n  fix: {self.fix}"

    def _html(self) -> str:
        where, what, reason, fix = map(escape, (self.where, self.what, self.reason, self.fix))
        return f"<li><b>{escape(self.code)}</b> ({where}): {what}<br>Why: {reason}<br>Fix: {fix}</li>"


@dataclass
class Report:
    """The findings of one audit, in the order in which they were seen; falsy when there are none.

    Args:
        subject: what was audited, in a few words.
        findings: the list of `Finding`.
        notes: what the audit could not judge here, for example tensor cores without a GPU.
    Introduced in: notebooks/06_autocast.ipynb
    """

    subject: str
    findings: list[Finding] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.findings)

    def __len__(self) -> int:
        return len(self.findings)

    def __iter__(self):
        return iter(self.findings)

    @property
    def codes(self) -> list[str]:
        """The code of every finding."""
        return [finding.code for finding in self.findings]

    def add(self, code: str, where: str, what: str) -> None:
        """Append a finding; its reason and fix come from `CODES`."""
        self.findings.append(Finding(code, where, what, CODES[code].reason, CODES[code].fix))

    def table(self) -> Table:
        """One row per finding: code, where, what, reason, fix."""
        rows = [[f.code, f.where, f.what, f.reason, f.fix] for f in self.findings]
        return Table(["code", "where", "what", "reason", "fix"], rows, " ".join([self.headline(), *self.notes]))

    def headline(self) -> str:
        """The subject and the number of findings, in one line."""
        count = {0: "no findings", 1: "1 finding"}.get(len(self), f"{len(self)} findings")
        return f"{self.subject}: {count}."

    def __str__(self) -> str:
        return "\n".join([self.headline(), *map(str, self.findings), *self.notes])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        text = f"<p>{escape(' '.join([self.headline(), *self.notes]))}</p>"
        return "\n".join([text, *(["<ol>", *(f._html() for f in self), "</ol>"] if self else [])])
