"""All claims, read from the topics' files."""

from __future__ import annotations

import functools
import tomllib
from pathlib import Path

from amp_helpers.formats import check_choice

from .claim import TOPICS, Claim

FOLDER = Path(__file__).parent


@functools.cache
def claims() -> dict[str, Claim]:
    """Every claim by its id: "1" to "96", then "M1" to "M12".

    Raises: ValueError naming the claim and the field, for a file that was edited wrongly.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    found: dict[str, Claim] = {}
    for topic in TOPICS:
        for entry in tomllib.loads((FOLDER / f"{topic}.toml").read_text(encoding="utf8"))["claim"]:
            claim = _claim(topic, entry)
            if claim.id in found:
                raise ValueError(f"claim {claim.id} stands in {found[claim.id].topic}.toml and in {topic}.toml")
            found[claim.id] = claim
    return dict(sorted(found.items(), key=lambda item: _order(item[0])))


def _claim(topic: str, entry: dict) -> Claim:
    lists = {name: tuple(entry.get(name, ())) for name in ("verdict", "suites", "citations")}
    try:
        return Claim(**{**entry, "topic": topic, **lists})
    except TypeError as error:  # a field too many or too few
        raise ValueError(f"claim {entry.get('id', '?')} in {topic}.toml: {error}") from None


def _order(id: str) -> tuple[bool, int]:
    return id.startswith("M"), int(id.removeprefix("M"))


def choose(id: str | None = None, topic: str | None = None) -> list[Claim]:
    """The claims with this id or of this topic; all of them if neither is given.

    Args:
        id: "21", "M7" or "m7".
        topic: a key of `TOPICS`.
    Raises: ValueError naming the id or the topic that is not there, and the choices.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if topic is not None:
        check_choice("topic", topic, TOPICS)
    if id is not None and id.upper() not in claims():
        raise ValueError(f"unknown claim {id!r}; choose from 1 to 96 and M1 to M12")
    wanted = [claim for claim in claims().values() if id is None or claim.id == id.upper()]
    return [claim for claim in wanted if topic is None or claim.topic == topic]
