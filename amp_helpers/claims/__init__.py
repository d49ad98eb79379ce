"""What the web says about mixed precision: every claim as data, with the function that tests it.

`NAME.toml` holds the claims of a topic, `NAME.py` beside it their evidence.
"""

from .catalogue import choose, claims
from .claim import KINDS, SOURCES, TOPICS, VERDICTS, Claim
from .evidence import Evidence, halves, holds, outdated, sample
from .testing import NO_RECORD, Outcome, check

__all__ = [
    "KINDS",
    "NO_RECORD",
    "SOURCES",
    "TOPICS",
    "VERDICTS",
    "Claim",
    "Evidence",
    "Outcome",
    "check",
    "choose",
    "claims",
    "halves",
    "holds",
    "outdated",
    "sample",
]
