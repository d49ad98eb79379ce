"""A claim is data: what was said and where, the verdict, what is right, and how one knows."""

from __future__ import annotations

from dataclasses import dataclass

from amp_helpers.formats import check_choice

VERDICTS = ("true", "true with limits", "outdated", "false", "broken sample", "not testable")
#: How one knows: a function that runs here, a record of a machine, a citation.
KINDS = ("run", "record", "source")
#: Topic, which is also the name of its two files -> heading.
TOPICS = {
    "formats": "Number formats",
    "autocast": "Autocast",
    "scaling": "Loss scaling",
    "half": "Sixteen bits by hand",
    "memory": "Memory",
    "speed": "Speed",
    "accuracy": "Accuracy",
    "samples": "Samples of code",
    "apex": "Apex",
    "keras": "Keras and TensorFlow",
    "benchmark": "A published benchmark",
    "history": "History and systems",
}
#: Where a claim was found. Five pages of the web, kept as text, and what is said in many places.
SOURCES = {
    "000": "text 000_fc8a81618072004c: an introduction to AMP with two samples",
    "001": "text 001_ae72fd0a0962d386: a tutorial on torch.autocast and GradScaler",
    "002": "text 002_d47c1e1add91bf41: a blog post on Apex with a benchmark",
    "003": "text 003_f9a9ade5f7f201c5: a comparison of PyTorch and TensorFlow",
    "004": "text 004_22ea90b815f82cef: a guide to FP16 training, by AMP and by hand",
    "common": "common advice, found in several places",
}


@dataclass(frozen=True)
class Claim:
    """One sentence from the web, and what became of it.

    Args:
        id: "1" to "96", "M1" to "M12"; never changes.
        claim: what is said, in one neutral sentence.
        source: a key of `SOURCES`.
        topic: a key of `TOPICS`.
        kind: one of `KINDS`.
        verdict: one of `VERDICTS`, or two where the claim has two halves.
        statement: what is right, in one or two sentences.
        chapter: the page that explains it, such as "notebooks/06_autocast".
        suites: for kind "record": the suites whose records decide.
        citations: keys of the book's bibliography; for kind "source" at least one.
    Raises: ValueError naming the claim, the value and the choices.
    Introduced in: notebooks/20_claims_tested.ipynb
    """

    id: str
    claim: str
    source: str
    topic: str
    kind: str
    verdict: tuple[str, ...]
    statement: str
    chapter: str
    suites: tuple[str, ...] = ()
    citations: tuple[str, ...] = ()

    def __post_init__(self):
        where = f"claim {self.id}: "
        check_choice(f"{where}source", self.source, SOURCES)
        check_choice(f"{where}topic", self.topic, TOPICS)
        check_choice(f"{where}kind", self.kind, KINDS)
        for verdict in self.verdict:
            check_choice(f"{where}verdict", verdict, VERDICTS)
        if not 1 <= len(self.verdict) <= 2:
            raise ValueError(f"{where}one verdict or two, not {len(self.verdict)}")
        if self.kind == "source" and not self.citations:
            raise ValueError(f"{where}kind 'source' needs a citation")
        if (self.kind == "record") != bool(self.suites):
            raise ValueError(f"{where}kind 'record', and no other, names the suites whose records decide")

    @property
    def anchor(self) -> str:
        """Its place in chapter 20, for a link that stays: "claim-21", "claim-m7"."""
        return f"claim-{self.id.lower()}"
