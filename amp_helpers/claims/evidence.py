"""Evidence is what was seen, and the verdict that follows from it: nobody types a verdict here."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Evidence:
    """What a test of a claim saw. Made by `holds`, `sample`, `outdated` and `halves`.

    Args:
        seen: one sentence with what was observed.
        verdict: what follows from it, one of `VERDICTS`, or two for a claim with two halves.
    Introduced in: notebooks/20_claims_tested.ipynb
    """

    seen: str
    verdict: tuple[str, ...]


def holds(seen: str, *cases: bool) -> Evidence:
    """A claim that was tried in several cases: "true" if it held in all, "false" if in none, else "true with limits".

    Args:
        seen: one sentence with what was observed.
        *cases: for each case whether the claim held there.
    Raises: ValueError if there is no case.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if not cases:
        raise ValueError("a claim is judged by at least one case")
    return Evidence(seen, ("true" if all(cases) else "true with limits" if any(cases) else "false",))


def sample(seen: str, *, found: bool, mended: bool) -> Evidence:
    """A sample of code, run as found and then mended: "broken sample" if only the mended one does what it should.

    Args:
        seen: one sentence with what was observed.
        found: whether the sample as found does what it is meant to do.
        mended: the same of the mended one.
    Raises: ValueError if the mended one fails too: then nothing is shown.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if not mended:
        raise ValueError(f"the mended sample does not work either: {seen}")
    return Evidence(seen, ("true" if found else "broken sample",))


def outdated(seen: str, *, superseded: bool) -> Evidence:
    """What was right once: "outdated" if torch has since removed, deprecated or replaced it, else "true".

    Args:
        seen: one sentence with what was observed.
        superseded: whether it is gone, or warns that it will go, or another thing stands in its place.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return Evidence(seen, ("outdated" if superseded else "true",))


def halves(first: Evidence, second: Evidence) -> Evidence:
    """The evidence of a claim with two halves, each with its verdict.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return Evidence(f"{first.seen} {second.seen}", first.verdict + second.verdict)
