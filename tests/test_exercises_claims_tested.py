"""The checks of chapter 20 accept the right answer, and explain the first mismatch of a wrong one."""

import pytest
import torch

from amp_helpers.claims import Evidence, holds
from amp_helpers.exercises import claims_tested as exercises
from amp_helpers.suites.flaws import FLAWS

FLAWS_BY_LETTER = {
    "A": "no warm-up",
    "B": "process memory",
    "C": "loader",
    "D": "same iterations",
    "E": "item",
    "F": "initialize",
    "G": "none",
}
KINDS_BY_LETTER = {"A": "run", "B": "record", "C": "source", "D": "run", "E": "record"}


def whole_numbers(dtypes, limit):
    numbers = torch.arange(limit + 1, dtype=torch.float64)
    kept = [torch.equal(numbers.to(dtype).double(), numbers) for dtype in dtypes]
    return holds(f"Up to {limit:,}: {sum(kept)}.", *kept)


def test_claim_evidence(capsys):
    exercises.check_claim_evidence(whole_numbers)
    assert "Right" in capsys.readouterr().out


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_the_oracle_is_every_number(dtype):
    for limit in (0, 255, 256, 257, 1000, 2047, 2048, 2049, 70_000):
        assert exercises._survives(dtype, limit) == (whole_numbers([dtype], limit).verdict == ("true",))


@pytest.mark.parametrize(
    "answer, message",
    [
        (
            lambda d, n: holds(f"{n}.", True),
            r"bfloat16 up to 1000: all survive in 1 of 2 dtypes.*'true with limits', not",
        ),
        (lambda d, n: holds(f"{n}.", *(n <= torch.finfo(t).max for t in d)), "up to 1000: all survive in 1 of 2"),
        (lambda d, n: holds(f"{n}.", *(n < 2 / torch.finfo(t).eps for t in d)), r"up to 256: all survive in 2 of 2"),
        (lambda d, n: holds("All survive.", *whole_case(d, n)), "should name the limit and end with a full stop"),
        (lambda d, n: holds(f"Up to {n}", *whole_case(d, n)), "should name the limit and end with a full stop"),
    ],
)
def test_wrong_claim_evidence(answer, message):
    with pytest.raises(AssertionError, match=message):
        exercises.check_claim_evidence(answer)


def whole_case(dtypes, limit):
    return [whole_numbers([dtype], limit).verdict == ("true",) for dtype in dtypes]


def test_no_evidence():
    with pytest.raises(TypeError, match=r"a function of dtypes and limit is expected, not 5"):
        exercises.check_claim_evidence(5)
    with pytest.raises(TypeError, match=r"evidence is expected, as `holds` returns it, not True"):
        exercises.check_claim_evidence(lambda dtypes, limit: True)
    with pytest.raises(AssertionError, match="all survive in 1 of 2 dtypes"):
        exercises.check_claim_evidence(lambda dtypes, limit: Evidence(f"{limit}.", ("true",)))


def test_every_flaw_is_described_once():
    assert sorted(FLAWS_BY_LETTER.values()) == sorted(set(FLAWS) - {"all"})
    assert list(exercises.benchmark_reports()) == list(FLAWS_BY_LETTER)
    assert list(exercises.unsorted_claims()) == list(KINDS_BY_LETTER)


@pytest.mark.parametrize(
    "check, right",
    [(exercises.check_benchmark_flaws, FLAWS_BY_LETTER), (exercises.check_claim_kinds, KINDS_BY_LETTER)],
    ids=["flaws", "kinds"],
)
def test_letters(check, right, capsys):
    check(right)
    assert "Right" in capsys.readouterr().out
    for letter in right:
        with pytest.raises(AssertionError, match=f"^{letter} is missing: "):
            check({key: value for key, value in right.items() if key != letter})
        for other in set(right.values()) - {right[letter]}:
            with pytest.raises(AssertionError, match=f"^{letter} is not '{other}': "):
                check({**right, letter: other})
    with pytest.raises(AssertionError, match="'Z' is none of A, B"):
        check({**right, "Z": "none"})
    with pytest.raises(TypeError, match="a dictionary from letters to words is expected"):
        check(["run"])


def test_words_that_are_no_choice():
    with pytest.raises(AssertionError, match="A: 'slow' is none of none, item, loader"):
        exercises.check_benchmark_flaws({**FLAWS_BY_LETTER, "A": "slow"})
    with pytest.raises(AssertionError, match="A: 'guess' is none of run, record, source"):
        exercises.check_claim_kinds({**KINDS_BY_LETTER, "A": "guess"})
