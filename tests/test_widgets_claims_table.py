"""The Python side of the claims table: the plain table, its traits, and what is stored in a notebook."""

import json
import re

import pytest
import traitlets
from test_widgets import HOSTILE, Twin

from amp_helpers.claims import Claim, Outcome, halves, holds
from amp_helpers.claims.page import claims_table
from amp_helpers.widgets import ClaimsTable

CLAIM = Claim("7", "It is `so`.", "000", "speed", "run", ("true",), "It *is*.", "notebooks/04_tensor_cores")
SEEN = holds("3 of 4 were `so`.", True)


def claim(**change):
    return Claim(**{**vars(CLAIM), **change})


def outcomes():
    """One claim of each kind and state, in two topics."""
    source = claim(id="37", topic="history", kind="source", verdict=("false",), citations=("ieee754",))
    record = claim(id="40", kind="record", suites=("gemm",), verdict=("true with limits",))
    two = claim(id="M2", verdict=("true", "false"), chapter="book/decision_guide")
    broken = claim(id="9", verdict=("false",))
    return [
        Outcome(source, None, "", 0.0),
        Outcome(CLAIM, SEEN, "", 0.1),
        Outcome(record, None, "", 0.0),
        Outcome(two, halves(SEEN, holds("And not that.", False)), "", 0.1),
        Outcome(broken, None, "ImportError: no <keras>", 0.1),
    ]


def rows(text):
    """id -> (attributes, cells as text)."""
    found = {}
    for match in re.finditer(r'<tr id="([^"]+)" ([^>]*)>(.*?)</tr>', text, re.S):
        cells = re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", match[3], re.S)
        found[match[1]] = match[2], [re.sub(r"<[^>]+>", "", cell) for cell in cells]
    return found


def test_the_table_holds_every_claim_by_topic():
    text = claims_table(outcomes())
    found = rows(text)
    assert list(found) == ["claim-7", "claim-40", "claim-m2", "claim-9", "claim-37"]  # speed comes before history
    assert text.index(">Speed<") < text.index('id="claim-7"') < text.index(">History and systems<")
    assert found["claim-7"][0] == 'data-topic="speed" data-kind="run" data-verdict="true"'
    assert found["claim-m2"][0].endswith('data-verdict="true|false"')
    assert found["claim-40"][0].endswith('data-verdict="no record yet"')
    assert Twin(text).tags.count("tr") == 1 + 2 + 5


def test_each_kind_says_how_one_knows():
    found = rows(claims_table(outcomes()))
    assert found["claim-7"][1][3].endswith("Run for this page: 3 of 4 were so. Chapter 04")
    assert found["claim-40"][1][2] == "no record yet"
    assert "From a record: there is none yet. Expected: true with limits." in found["claim-40"][1][3]
    assert "From sources: ieee754." in found["claim-37"][1][3]
    assert "Could not be tested here: ImportError: no &lt;keras&gt;." in found["claim-9"][1][3]
    assert found["claim-9"][1][2] == "not run"
    assert found["claim-m2"][1][2] == "true / false" and found["claim-m2"][1][3].endswith("Decision guide")


def test_links_lead_to_the_claim_its_chapter_and_its_source():
    text = claims_table(outcomes())
    assert '<a href="#claim-m2">M2</a>' in text and 'href="04_tensor_cores.html"' in text
    assert 'href="../book/decision_guide.html"' in text and 'href="../book/references.html#ref-ieee754"' in text


def test_what_a_claim_says_is_never_markup():
    text = claims_table([Outcome(claim(claim=HOSTILE, statement=HOSTILE), holds(HOSTILE, True), "", 0.0)])
    assert Twin(text).tags.count("img") == Twin(text).tags.count("script") == 0
    assert "<code>so</code>" in claims_table(outcomes())


def test_the_twin_holds_the_table_once():
    widget = ClaimsTable.of(outcomes(), search="so", verdict="true")
    twin = Twin(widget.twin())
    assert json.loads(twin.widget["state"]) == {
        "search": "so", "topic": "", "verdict": "true", "kind": "", "url_state": False,
    }  # fmt: skip
    assert widget.twin().count('id="claim-7"') == 1 and "And not that." in twin.text
    assert repr(widget) == "ClaimsTable(search='so', verdict='true')"
    assert widget.table == claims_table(outcomes()) and "export default" in str(widget._esm)


@pytest.mark.parametrize(
    "traits, message",
    [
        ({"topic": "cats"}, "unknown topic 'cats'; choose from , formats"),
        ({"verdict": "maybe"}, "unknown verdict 'maybe'; choose from , true"),
        ({"kind": "guess"}, "unknown kind 'guess'"),
        ({"search": "x" * 201}, "search has 201 characters; at most 200"),
    ],
)
def test_wrong_traits_are_named(traits, message):
    with pytest.raises(traitlets.TraitError, match=message):
        ClaimsTable(**traits)
    assert ClaimsTable(verdict="no record yet").verdict == "no record yet"
