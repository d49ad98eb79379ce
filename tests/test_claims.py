"""The claims: complete, well formed, and every verdict computed from what is seen here."""

import ast
import importlib
import re
import tomllib
from pathlib import Path

import pytest
import torch

from amp_helpers import claims as web
from amp_helpers.claims import Claim, Evidence, catalogue, halves, holds, outdated, sample

ROOT = Path(__file__).parents[1]
TOPIC_FILES = {topic: catalogue.FOLDER / f"{topic}.py" for topic in web.TOPICS}
RUNNING = [claim for claim in web.claims().values() if claim.kind != "source"]
BIBLIOGRAPHY = set(re.findall(r"^@\w+\{([^,]+),", (ROOT / "book" / "references.bib").read_text(encoding="utf8"), re.M))
#: The numbers of the research table are the claims' names for good.
IDS = [str(number) for number in range(1, 97)] + [f"M{number}" for number in range(1, 13)]

FIELDS = {
    "id": "1",
    "claim": "It is so.",
    "source": "000",
    "topic": "formats",
    "kind": "run",
    "verdict": ("true",),
    "statement": "It is.",
    "chapter": "notebooks/01_float_bits",
}


def evidence_of(topic):
    """Topics of kind "source" alone have no file of functions."""
    if not TOPIC_FILES[topic].exists():
        return {}
    return importlib.import_module(f"amp_helpers.claims.{topic}").EVIDENCE


def test_every_claim_is_there_once_and_in_order():
    assert list(web.claims()) == IDS


@pytest.mark.parametrize("claim", web.claims().values(), ids=lambda claim: claim.id)
def test_a_claim_reads_well(claim):
    for text in (claim.claim, claim.statement):
        assert re.match(r"[`A-Z0-9]", text) and text.endswith((".", "?")) and "  " not in text, text
        assert len(text) <= 320
    assert (ROOT / f"{claim.chapter}.ipynb").exists() or (ROOT / f"{claim.chapter}.md").exists(), claim.chapter
    assert set(claim.citations) <= BIBLIOGRAPHY


@pytest.mark.parametrize("topic", web.TOPICS)
def test_functions_and_claims_belong_together(topic):
    assert set(evidence_of(topic)) == {claim.id for claim in RUNNING if claim.topic == topic}


@pytest.mark.parametrize("claim", RUNNING, ids=lambda claim: claim.id)
def test_the_verdict_is_what_is_seen(claim):
    """Change a verdict in the data, or break its evidence, and this fails."""
    outcome = web.check(claim)
    assert not outcome.error
    if claim.kind == "record" and outcome.evidence is None:
        assert outcome.verdict == (web.NO_RECORD,) and not outcome.differs
        return
    assert outcome.evidence.verdict == claim.verdict, outcome.evidence.seen
    assert not outcome.differs
    assert re.match(r"[`A-Z0-9]", outcome.evidence.seen) and outcome.evidence.seen.endswith("."), outcome.evidence.seen
    assert len(outcome.evidence.seen) <= 400


def builders(path):
    """The calls that make evidence in a file."""
    calls = [node for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))) if isinstance(node, ast.Call)]
    return [
        call for call in calls if isinstance(call.func, ast.Name) and call.func.id in ("holds", "sample", "outdated")
    ]


@pytest.mark.parametrize("path", sorted(catalogue.FOLDER.glob("*.py")), ids=lambda path: path.stem)
def test_no_verdict_is_typed_into_an_evidence_function(path):
    if path.stem == "evidence":
        return
    assert "Evidence(" not in path.read_text(encoding="utf8")
    for call in builders(path):
        judged = [*call.args[1:], *(keyword.value for keyword in call.keywords if keyword.arg != "seen")]
        assert judged and not any(isinstance(value, ast.Constant) for value in judged), ast.unparse(call)


def test_claims_leave_the_settings_alone():
    state, threads = torch.random.get_rng_state(), torch.get_num_threads()
    for claim in web.choose(topic="autocast")[:5]:
        web.check(claim)
    assert torch.equal(torch.random.get_rng_state(), state) and torch.get_num_threads() == threads
    assert torch.get_default_dtype() == torch.float32 and not torch.is_autocast_enabled("cpu")


def test_verdicts_follow_from_cases():
    assert holds("Seen.", True, True).verdict == ("true",)
    assert holds("Seen.", True, False).verdict == ("true with limits",)
    assert holds("Seen.", False, False).verdict == ("false",)
    assert sample("Seen.", found=False, mended=True).verdict == ("broken sample",)
    assert sample("Seen.", found=True, mended=True).verdict == ("true",)
    assert outdated("Seen.", superseded=True).verdict == ("outdated",)
    assert outdated("Seen.", superseded=False).verdict == ("true",)
    assert halves(holds("A.", True), holds("B.", False)) == Evidence("A. B.", ("true", "false"))
    with pytest.raises(ValueError, match="mended sample does not work"):
        sample("Seen.", found=False, mended=False)
    with pytest.raises(ValueError, match="at least one case"):
        holds("Seen.")


@pytest.mark.parametrize(
    "change, message",
    [
        ({"verdict": ("maybe",)}, "unknown claim 1: verdict 'maybe'; choose from true"),
        ({"verdict": ()}, "one verdict or two"),
        ({"kind": "guess"}, "unknown claim 1: kind 'guess'; choose from run"),
        ({"topic": "cats"}, "unknown claim 1: topic 'cats'"),
        ({"source": "999"}, "unknown claim 1: source '999'"),
        ({"kind": "source"}, "needs a citation"),
        ({"kind": "record"}, "names the suites"),
        ({"suites": ("gemm",)}, "names the suites"),
    ],
)
def test_a_wrong_entry_is_named(change, message):
    with pytest.raises(ValueError, match=message):
        Claim(**FIELDS | change)


def test_a_wrong_file_is_named(tmp_path, monkeypatch):
    monkeypatch.setattr(catalogue, "FOLDER", tmp_path)
    monkeypatch.setattr(catalogue, "TOPICS", {"formats": "Number formats"})
    entry = "".join(
        f"{key} = {list(value) if isinstance(value, tuple) else value!r}\n" for key, value in FIELDS.items()
    )
    entry = entry.replace("topic = 'formats'\n", "")
    for text, message in [
        (f"[[claim]]\n{entry}[[claim]]\n{entry}", "claim 1 stands in formats.toml and in formats.toml"),
        (f"[[claim]]\n{entry}kindness = 1\n", "claim 1 in formats.toml: .*kindness"),
        ("[[claim]]\nid = '1'\n", "claim 1 in formats.toml: .*missing"),
    ]:
        (tmp_path / "formats.toml").write_text(text)
        with pytest.raises(ValueError, match=message):
            catalogue.claims.__wrapped__()
    (tmp_path / "formats.toml").write_text(f"[[claim]]\n{entry}")
    assert list(catalogue.claims.__wrapped__()) == ["1"]
    assert tomllib.loads(f"[[claim]]\n{entry}")


def test_choosing():
    assert [claim.id for claim in web.choose("21")] == ["21"]
    assert [claim.id for claim in web.choose("m7")] == ["M7"]
    assert {claim.topic for claim in web.choose(topic="keras")} == {"keras"}
    assert len(web.choose()) == len(IDS)
    with pytest.raises(ValueError, match="unknown claim '97'; choose from 1 to 96 and M1 to M12"):
        web.choose("97")
    with pytest.raises(ValueError, match="unknown topic 'cats'; choose from formats"):
        web.choose(topic="cats")


def test_an_error_is_part_of_the_outcome(monkeypatch):
    def breaks():
        raise RuntimeError("no such op\nand more")

    formats = importlib.import_module("amp_helpers.claims.formats")
    claim = next(claim for claim in web.choose(topic="formats") if claim.kind == "run")
    monkeypatch.setitem(formats.EVIDENCE, claim.id, breaks)
    outcome = web.check(claim)
    assert outcome.evidence is None and outcome.error == "RuntimeError: no such op"
    assert outcome.verdict == ("not run",) and not outcome.differs


def test_another_verdict_is_noticed(monkeypatch):
    formats = importlib.import_module("amp_helpers.claims.formats")
    claim = next(c for c in web.choose(topic="formats") if c.kind == "run" and c.verdict == ("true",))
    monkeypatch.setitem(formats.EVIDENCE, claim.id, lambda: holds("Nothing of the kind.", torch.zeros(1).bool().item()))
    assert web.check(claim).differs and web.check(claim).verdict == ("false",)
