"""Test a claim here and now: run its evidence, or read the records it rests on."""

from __future__ import annotations

import contextlib
import importlib
import io
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import torch

from amp_helpers.benchmark import one_thread, read_records

from .claim import Claim
from .evidence import Evidence

#: Stands in a verdict's place where a claim waits for a measurement.
NO_RECORD = "no record yet"


@dataclass(frozen=True)
class Outcome:
    """What testing a claim gave.

    Args:
        claim: the claim.
        evidence: what was seen, or None: for kind "source", without a record, or after an error.
        error: why nothing was seen, in one line; "" otherwise.
        seconds: how long it took.
    Introduced in: notebooks/20_claims_tested.ipynb
    """

    claim: Claim
    evidence: Evidence | None
    error: str
    seconds: float

    @property
    def verdict(self) -> tuple[str, ...]:
        """What was found here; the typed verdict for kind "source"; `NO_RECORD`; "not run" after an error."""
        if self.evidence:
            return self.evidence.verdict
        if self.error:
            return ("not run",)
        return self.claim.verdict if self.claim.kind == "source" else (NO_RECORD,)

    @property
    def differs(self) -> bool:
        """Whether what was seen here leads to another verdict than the book's."""
        return self.evidence is not None and self.evidence.verdict != self.claim.verdict

    def line(self, seen: bool = False) -> str:
        """One line: the id, the verdict, the book's if it differs, the claim; with `seen`, what was seen too."""
        book = f"  DIFFERS (book: {' / '.join(self.claim.verdict)})" if self.differs else ""
        text = f"{self.claim.id:>3}  {' / '.join(self.verdict):16}{book}  {self.claim.claim}"
        if self.error:
            return f"{text}  ({self.error})"
        return f"{text}  {self.evidence.seen}" if seen and self.evidence else text

    def as_dict(self) -> dict:
        """For JSON: "id", "kind", "verdict", "book" (its verdict), "differs", "claim", "seen", "error", "seconds"."""
        return {
            "id": self.claim.id,
            "kind": self.claim.kind,
            "verdict": list(self.verdict),
            "book": list(self.claim.verdict),
            "differs": self.differs,
            "claim": self.claim.claim,
            "seen": self.evidence.seen if self.evidence else None,
            "error": self.error or None,
            "seconds": round(self.seconds, 2),
        }


def check(claim: Claim) -> Outcome:
    """Test one claim on this machine, with the versions that are installed.

    Random numbers, threads, warnings, default dtype and precision switches are as before afterwards.

    Args:
        claim: of `claims()` or `choose(...)`.
    Returns: an `Outcome`; an error inside the evidence is part of it and is not raised.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    started = time.perf_counter()
    evidence, error = None, ""
    if claim.kind != "source":
        function = importlib.import_module(f"{__package__}.{claim.topic}").EVIDENCE[claim.id]
        try:
            with _same_start():
                evidence = function() if claim.kind == "run" else function(_records(claim))
        except Exception as problem:  # a claim that cannot be tested here must not hide the others
            error = f"{type(problem).__name__}: {problem}".splitlines()[0]
    return Outcome(claim, evidence, error, time.perf_counter() - started)


def _records(claim: Claim) -> list:
    """The records of the claim's suites, the newest first."""
    return [record for suite in claim.suites for record in read_records(suite)]


@contextlib.contextmanager
def _same_start() -> Iterator[None]:
    """The same random numbers and settings for every claim; what was set before returns."""
    dtype, precision = torch.get_default_dtype(), torch.get_float32_matmul_precision()
    with (
        torch.random.fork_rng(devices=[]),
        one_thread(),
        warnings.catch_warnings(),
        torch.enable_grad(),
        contextlib.redirect_stdout(io.StringIO()),
    ):
        warnings.simplefilter("ignore")
        torch.manual_seed(0)
        try:
            yield
        finally:
            torch.clear_autocast_cache()
            torch.set_default_dtype(dtype)
            torch.set_float32_matmul_precision(precision)
