"""The claims table: every claim of chapter 20, with a search and filters above it."""

from __future__ import annotations

from collections.abc import Iterable

import traitlets

from .base import BookWidget, one_of


class ClaimsTable(BookWidget):
    """All tested claims as a table that can be searched and filtered; without scripts it is a plain table.

    Args (all of them traits, shared with the page):
        search: words that a row must all contain, in any order; up to 200 characters.
        topic: a key of `claims.TOPICS`; "" shows all, as for the next two.
        verdict: one of `claims.VERDICTS`, or "no record yet".
        kind: one of `claims.KINDS`.
        url_state: True keeps the state in the published page's address (for the page's main widget).
        table: the rows, as `claims.page.claims_table` makes them; `ClaimsTable.of(outcomes)` fills it.
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/20_claims_tested.ipynb
    """

    _kind = "claims_table"

    search = traitlets.Unicode("").tag(sync=True)
    topic = traitlets.Unicode("").tag(sync=True)
    verdict = traitlets.Unicode("").tag(sync=True)
    kind = traitlets.Unicode("").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)
    table = traitlets.Unicode("").tag(sync=True)

    @classmethod
    def of(cls, outcomes: Iterable, **traits) -> ClaimsTable:
        """The table of what `claims.check` found.

        Args:
            outcomes: a `claims.Outcome` each, in any order; the table is sorted by topic.
            **traits: such as `search`.
        """
        from amp_helpers.claims.page import claims_table  # the other widgets need no torch

        return cls(table=claims_table(outcomes), **traits)

    @traitlets.validate("search")
    def _check_search(self, proposal):
        if len(proposal.value) > 200:
            raise traitlets.TraitError(f"search has {len(proposal.value)} characters; at most 200")
        return proposal.value

    @traitlets.validate("topic", "verdict", "kind")
    def _check_filter(self, proposal):
        from amp_helpers import claims

        verdicts = (*claims.VERDICTS, claims.NO_RECORD)
        choices = {"topic": tuple(claims.TOPICS), "verdict": verdicts, "kind": claims.KINDS}[proposal.trait.name]
        return one_of(proposal.trait.name, proposal.value, ("", *choices))

    def state(self) -> dict:
        """Without the table, which stands in the page as the fallback."""
        return {name: value for name, value in super().state().items() if name != "table"}

    def fallback(self) -> str:
        return self.table
