"""`lint`: deprecated AMP spellings and wrong training loops in the reader's files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from .arguments import UsageError


def add(commands) -> None:
    """Add the command to the parser's."""
    lint = commands.add_parser(
        "lint",
        help="find deprecated AMP spellings and wrong training loops in your files",
        description="Reads Python files and notebooks, never runs them, and prints one line per finding: "
        "path:line:col CODE message. Exit code 0 without findings, 1 with findings, 2 if a path cannot be read.",
        epilog="A line that ends in `# amp: ignore[AMP301]` is left out, and so is a notebook cell tagged `wrong`.",
    )
    lint.add_argument("paths", nargs="+", metavar="PATH", help="a file, a notebook, or a folder with some below it")
    lint.set_defaults(run=_run)


def _run(options) -> int:
    from amp_helpers.lint import check_paths

    try:
        checked = check_paths(options.paths)
    except ModuleNotFoundError as error:
        raise UsageError(str(error)) from None
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(errors="backslashreplace")  # a name that the terminal cannot print is no reason to stop
    try:
        for finding in checked.findings:
            print(finding)
        sys.stdout.flush()
    except BrokenPipeError:  # `| head` has read enough; nothing more may be written there, not even at the end
        sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115
    for error in checked.errors:
        print(f"python -m amp_helpers lint: {error}", file=sys.stderr)
    return checked.exit_code
