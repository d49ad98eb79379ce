"""The command line: `python -m amp_helpers COMMAND`. Each command stands in `commands` and imports what it needs."""

from __future__ import annotations

import sys

from .commands import bench, claims, doctor, lint, record, trace, train
from .commands.arguments import Parser, UsageError

#: Each adds its command to the parser and names the function that runs it.
COMMANDS = (doctor, trace, bench, record, train, lint, claims)


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: as after `python -m amp_helpers`; None takes the process's own.
    Returns: the exit code, 0 for success and 2 for a mistake in the arguments.
    """
    parser = Parser(prog="python -m amp_helpers", description="Helpers of the book 'Mixed Precision, Measured'.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in COMMANDS:
        command.add(commands)
    try:
        options = parser.parse_args(arguments)
        if "run" not in options:
            parser.print_help()
            return 2
        return options.run(options)
    except (UsageError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
