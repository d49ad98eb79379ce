"""`claims`: test what the web says about mixed precision on this machine, with the versions installed here."""

from __future__ import annotations

import json
import sys


def add(commands) -> None:
    """Add the command to the parser's."""
    claims = commands.add_parser(
        "claims",
        help="test what the web says about mixed precision, on this machine",
        description="Tests the claims of chapter 20 with the versions installed here, a line for each, and says where "
        "the verdict differs from the book's. All take one to three minutes. Exit code 0 also when some differ.",
    )
    claims.add_argument("--id", metavar="N", help="only this claim: 1 to 96, M1 to M12")
    claims.add_argument("--topic", help="only this topic, such as autocast, scaling, memory")
    claims.add_argument("--seen", action="store_true", help="add what was seen to each line")
    claims.add_argument("--json", action="store_true", help="print a JSON object a line")
    claims.set_defaults(run=_run)


def _run(options) -> int:
    from amp_helpers.claims import check, choose

    chosen = choose(options.id, options.topic)
    if not chosen:
        raise ValueError(f"claim {options.id} is not of the topic {options.topic}")
    differing = failed = 0
    for claim in chosen:
        try:
            outcome = check(claim)
        except KeyboardInterrupt:
            print("python -m amp_helpers: interrupted", file=sys.stderr)
            return 130
        differing += outcome.differs
        failed += bool(outcome.error)
        print(json.dumps(outcome.as_dict()) if options.json else outcome.line(options.seen), flush=True)
    counted = "1 claim" if len(chosen) == 1 else f"{len(chosen)} claims"
    print(f"{counted}: {differing} with another verdict here, {failed} could not be tested", file=sys.stderr)
    return 0
