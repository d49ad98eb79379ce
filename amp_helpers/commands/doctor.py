"""`doctor`: what this machine accelerates, and which recipe fits it."""

from __future__ import annotations

import json

from .arguments import UsageError


def add(commands) -> None:
    """Add the command to the parser's."""
    doctor = commands.add_parser(
        "doctor",
        help="what this machine accelerates, and which recipe fits it",
        description="Measures a matrix product per dtype for a few seconds. Exit code 1 if there is a problem.",
    )
    doctor.add_argument("--device", help="cuda, xpu, mps or cpu (default: the first that runs a kernel)")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.set_defaults(run=_run)


def _run(options) -> int:
    from amp_helpers.doctor import examine

    try:
        found = examine(options.device)
    except RuntimeError as error:
        raise UsageError(error) from None
    print(json.dumps(found.as_dict(), indent=2) if options.json else found)
    return 1 if found.problems else 0
