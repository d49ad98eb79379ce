"""Chapter 20: how a sentence is tested, and how a benchmark is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from .answers import expect_function, unanswered

#: Letter -> (description, its flaw, what gives it away).
_REPORTS = {
    "A": (
        "A fresh process trains five times, with the first step already timed. The mean of the five times is given.",
        "no warm-up",
        "the first run, slower than the others, is in the mean",
    ),
    "B": (
        "The driver's tool shows how much memory of the card is in use before the training and at its end. The "
        "difference is given as the memory of the method.",
        "process memory",
        "seen from outside, the libraries and the allocator's reserve count too",
    ),
    "C": (
        "After a warm-up the methods take turns. In every timed step the main process crops and normalises 512 images, "
        "one after the other.",
        "loader",
        "no precision makes the preparation of the images faster, and it is inside the clock",
    ),
    "D": (
        "Each of five batch sizes trains for 100 steps. A figure shows the accuracy over the batch size.",
        "same iterations",
        "a large batch has seen more images by then",
    ),
    "E": (
        "After a warm-up the methods take turns, with the data on the card. Every step adds its loss to a Python "
        "float, for the mean of the epoch.",
        "item",
        "for a Python number the processor waits for the card in every step",
    ),
    "F": (
        "One process runs the method five times. Each run builds a model and hands it to the library, which patches "
        "PyTorch's functions.",
        "initialize",
        "each run patches the patched functions, on top of the runs before",
    ),
    "G": (
        "After ten untimed steps the methods take turns, with the data on the card. The median of a hundred steps is "
        "given with its quartiles, and the peak that PyTorch's allocator counted.",
        "none",
        "there is a warm-up, turns, a median, and the allocator's own count",
    ),
}

#: Letter -> (sentence, its kind, why).
_CLAIMS = {
    "A": (
        "Under autocast on a CPU a linear layer returns bfloat16 by default.",
        "run",
        "any machine with PyTorch can ask for the dtype of an output",
    ),
    "B": (
        "A training step of ResNet-18 under autocast takes half the time.",
        "record",
        "a time belongs to a machine, so it has to be stored with its device",
    ),
    "C": (
        "Loss scaling was published before PyTorch had autocast.",
        "source",
        "the past cannot be run; it needs a citation",
    ),
    "D": (
        "`scaler.step` leaves the weights alone if a gradient is infinite.",
        "run",
        "a gradient can be set to infinity, and the weights compared, on any machine",
    ),
    "E": (
        "After `empty_cache()` a full GPU can give a larger block of memory.",
        "record",
        "it needs a GPU, which not every machine has",
    ),
}


def check_claim_evidence(answer: Callable) -> None:
    """Exercise: evidence for "every whole number up to a limit survives a cast", as a function of (dtypes, limit).

    Raises: AssertionError naming the first case whose verdict is wrong, or what its sentence lacks; TypeError if the
        answer is not a function or returns no `Evidence`.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of dtypes and limit")
    import torch

    from amp_helpers.claims import Evidence

    half, brain = torch.float16, torch.bfloat16
    for dtypes, limit in (
        ([half, brain], 256),
        ([half, brain], 1000),
        ([half], 2048),
        ([half], 2049),
        ([brain], 257),
        ([brain, half], 70_000),
    ):
        names = " and ".join(str(dtype).removeprefix("torch.") for dtype in dtypes)
        given = f"{names} up to {limit}"
        found = answer(list(dtypes), limit)
        if not isinstance(found, Evidence):
            raise TypeError(f"{given}: evidence is expected, as `holds` returns it, not {found!r}")
        kept = [_survives(dtype, limit) for dtype in dtypes]
        wanted = "true" if all(kept) else "true with limits" if any(kept) else "false"
        if found.verdict != (wanted,):
            counts = f"all survive in {sum(kept)} of {len(kept)} dtypes"
            raise AssertionError(f"{given}: {counts}, so it is {wanted!r}, not {' / '.join(found.verdict)!r}")
        if str(limit) not in found.seen.replace(",", "") or not found.seen.endswith("."):
            raise AssertionError(
                f"{given}: what was seen should name the limit and end with a full stop: {found.seen!r}"
            )
    print("Right: the verdict follows from the cases, for six of them.")


def _survives(dtype, limit: int) -> bool:
    """Whether every whole number up to the limit has its digits in the dtype's significand."""
    import torch

    exact = 2 * round(1 / torch.finfo(dtype).eps)  # from here on, the next number is 2 away
    return limit <= exact


def benchmark_reports() -> dict[str, str]:
    """Seven made-up descriptions of benchmarks for `check_benchmark_flaws`: letter -> description.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return {letter: text for letter, (text, _, _) in _REPORTS.items()}


def check_benchmark_flaws(answer: Mapping[str, str]) -> None:
    """Exercise: the flaw of each of `benchmark_reports`, as a dictionary from letters to names in `suites.flaws.FLAWS`.

    Raises: AssertionError naming the first letter that is missing or wrong; TypeError if it is no such dictionary.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if unanswered(answer):
        return
    from amp_helpers.suites.flaws import FLAWS

    _check_letters(answer, _REPORTS, [name for name in FLAWS if name != "all"])
    print("Right. Each of them could be read off the description, before any number.")


def unsorted_claims() -> dict[str, str]:
    """Five sentences for `check_claim_kinds`: letter -> sentence.

    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return {letter: text for letter, (text, _, _) in _CLAIMS.items()}


def check_claim_kinds(answer: Mapping[str, str]) -> None:
    """Exercise: how one would know each of `unsorted_claims`, as a dictionary from letters to kinds.

    Raises: AssertionError naming the first letter that is missing or wrong; TypeError if it is no such dictionary.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    if unanswered(answer):
        return
    from amp_helpers.claims import KINDS

    _check_letters(answer, _CLAIMS, KINDS)
    print("Right. The kind says what would have to be shown.")


def _check_letters(answer: Mapping[str, str], wanted: Mapping, choices) -> None:
    if not isinstance(answer, Mapping):
        raise TypeError(f"a dictionary from letters to words is expected, not {answer!r}")
    if unknown := sorted(map(str, set(answer) - set(wanted))):
        raise AssertionError(f"{unknown[0]!r} is none of {', '.join(wanted)}")
    for letter, (text, right, why) in wanted.items():
        if letter not in answer:
            raise AssertionError(f"{letter} is missing: {text}")
        given = answer[letter]
        if given not in choices:
            raise AssertionError(f"{letter}: {given!r} is none of {', '.join(choices)}")
        if given != right:
            raise AssertionError(f"{letter} is not {given!r}: {why}")
