"""`python -m amp_helpers claims`: a line for each claim, what differs here, one clear line for a mistake."""

import json

import pytest

from amp_helpers import claims
from amp_helpers.__main__ import main
from amp_helpers.claims import choose, holds, testing


def lines(capsys):
    out, err = capsys.readouterr()
    return out.splitlines(), err.splitlines()


def a_run_claim():
    return next(claim for claim in choose(topic="formats") if claim.kind == "run")


def test_a_line_for_each_claim_of_a_topic(capsys):
    assert main(["claims", "--topic", "history"]) == 0
    out, err = lines(capsys)
    assert [line.split()[0] for line in out] == [claim.id for claim in choose(topic="history")]
    assert err == [f"{len(out)} claims: 0 with another verdict here, 0 could not be tested"]


def test_one_claim_and_what_was_seen(capsys):
    claim = a_run_claim()
    assert main(["claims", "--id", claim.id, "--seen"]) == 0
    (line,), err = lines(capsys)
    assert claim.claim in line and line.endswith(testing.check(claim).evidence.seen)
    assert err == ["1 claim: 0 with another verdict here, 0 could not be tested"]


@pytest.fixture
def another_verdict(monkeypatch):
    import importlib

    claim = next(c for c in choose(topic="formats") if c.kind == "run" and c.verdict == ("true",))
    topic = importlib.import_module("amp_helpers.claims.formats")
    monkeypatch.setitem(topic.EVIDENCE, claim.id, lambda: holds("Seen otherwise.", not claim.id))
    return claim


def test_a_verdict_that_differs_is_named_and_is_no_failure(capsys, another_verdict):
    assert main(["claims", "--id", another_verdict.id.lower()]) == 0
    (line,), err = lines(capsys)
    assert "false" in line and "DIFFERS (book: true)" in line and "1 with another verdict here" in err[0]


def test_a_claim_that_cannot_be_tested_does_not_stop_the_others(capsys, monkeypatch, another_verdict):
    import importlib

    def breaks():
        raise ImportError("no keras here")

    topic = importlib.import_module("amp_helpers.claims.formats")
    monkeypatch.setitem(topic.EVIDENCE, another_verdict.id, breaks)
    assert main(["claims", "--topic", "formats"]) == 0
    out, err = lines(capsys)
    assert len(out) == len(choose(topic="formats")) and "1 could not be tested" in err[0]
    assert any("not run" in line and line.endswith("(ImportError: no keras here)") for line in out)


def test_json(capsys, another_verdict):
    assert main(["claims", "--id", another_verdict.id, "--json"]) == 0
    (line,), _ = lines(capsys)
    found = json.loads(line)
    assert found["book"] == ["true"] and found["verdict"] == ["false"] and found["differs"] is True
    assert found["seen"] == "Seen otherwise." and found["error"] is None and found["id"] == another_verdict.id


def test_a_claim_without_a_record_says_so(capsys):
    waiting = [c for c in choose() if c.kind == "record" and testing.check(c).verdict == (claims.NO_RECORD,)]
    assert waiting  # until every GPU record is there; then this test goes
    assert main(["claims", "--id", waiting[0].id]) == 0
    assert claims.NO_RECORD in lines(capsys)[0][0]


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--id", "97"], "unknown claim '97'; choose from 1 to 96 and M1 to M12"),
        (["--topic", "cats"], "unknown topic 'cats'; choose from formats"),
        (["--id", "37", "--topic", "keras"], "claim 37 is not of the topic keras"),
        (["--frobnicate"], "unrecognized arguments: --frobnicate"),
    ],
)
def test_a_mistake_is_one_line(capsys, arguments, message):
    assert main(["claims", *arguments]) == 2
    out, err = lines(capsys)
    assert not out and len(err) == 1 and message in err[0]


def test_interrupted(capsys, monkeypatch):
    def interrupted(claim):
        raise KeyboardInterrupt

    monkeypatch.setattr(claims, "check", interrupted)
    assert main(["claims", "--topic", "history"]) == 130
    assert lines(capsys) == ([], ["python -m amp_helpers: interrupted"])
