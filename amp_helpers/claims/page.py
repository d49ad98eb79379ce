"""All claims as one HTML table, which is complete without any script; `widgets.ClaimsTable` adds a search to it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from html import escape

from amp_helpers.javascript import STATIC

from .claim import SOURCES, TOPICS
from .testing import Outcome

COLUMNS = ("claim", "what is said", "verdict", "what is right, and how one knows")
#: How one knows, in a reader's words.
KIND_WORDS = {"run": "Run for this page", "record": "From a record", "source": "From sources"}


def claims_table(outcomes: Iterable[Outcome]) -> str:
    """A table with a row for each claim, sorted by topic; each row can be linked to by the claim's anchor.

    Args:
        outcomes: of `check`, in any order.
    Returns: HTML. Each row carries `data-topic`, `data-kind` and `data-verdict` (verdicts joined by "|").
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    outcomes = list(outcomes)
    bodies = []
    for topic, heading in TOPICS.items():
        rows = [_row(outcome) for outcome in outcomes if outcome.claim.topic == topic]
        if rows:
            group = f'<tr class="topic"><th scope="rowgroup" colspan="{len(COLUMNS)}">{escape(heading)}</th></tr>'
            bodies.append(f"<tbody>\n{group}\n" + "\n".join(rows) + "\n</tbody>")
    head = "".join(f'<th scope="col">{name}</th>' for name in COLUMNS)
    style = (STATIC / "book" / "claims_table.css").read_text(encoding="utf8")
    table = f'<table class="amp-claims"><thead><tr>{head}</tr></thead>\n' + "\n".join(bodies) + "\n</table>"
    return f"<style>\n{style}</style>\n{table}"


def _row(outcome: Outcome) -> str:
    claim = outcome.claim
    verdict, values = " / ".join(outcome.verdict), escape("|".join(outcome.verdict))
    attributes = f'data-topic="{claim.topic}" data-kind="{claim.kind}" data-verdict="{values}"'
    link = f'<a href="#{claim.anchor}">{claim.id}</a>'
    said = f"{_code(claim.claim)} <small>Source: {_source(claim.source)}.</small>"
    return (
        f'<tr id="{claim.anchor}" {attributes}><th scope="row">{link}</th><td>{said}</td>'
        f"<td><strong>{escape(verdict)}</strong></td>"
        f"<td>{_code(claim.statement)} <small>{_known(outcome)} {_chapter(claim.chapter)}</small></td></tr>"
    )


def _source(name: str) -> str:
    """The text's number and what it is; the rest of its file name helps no reader."""
    return escape(re.sub(r"^text (\d+)_\w+: ", r"text \1, ", SOURCES[name]))


def _known(outcome: Outcome) -> str:
    """How one knows, and what was seen."""
    words = KIND_WORDS[outcome.claim.kind]
    if outcome.evidence:
        return f"{words}: {_code(outcome.evidence.seen)}"
    if outcome.claim.kind == "source":
        return f"{words}: {', '.join(_reference(key) for key in outcome.claim.citations)}."
    if outcome.error:
        return f"Could not be tested here: {_code(outcome.error)}."
    return f"{words}: there is none yet. Expected: {escape(' / '.join(outcome.claim.verdict))}."


def _reference(key: str) -> str:
    return f'<a href="../book/references.html#ref-{escape(key)}">{escape(key)}</a>'


def _chapter(page: str) -> str:
    folder, name = page.split("/")
    number = re.match(r"(\d\d)_", name)
    words = f"Chapter {number[1]}" if number else name.replace("_", " ").capitalize()
    return f'<a href="{"" if folder == "notebooks" else "../book/"}{name}.html">{words}</a>'


def _code(text: str) -> str:
    """Escaped, with what stands in backticks as code."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))
