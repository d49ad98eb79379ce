"""The command line: `python -m amp_helpers bench rounding`. A command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import json
import sys


def main(arguments: list[str] | None = None) -> int:
    """Run one command.

    Args:
        arguments: as after `python -m amp_helpers`; None takes the process's own.
    Returns: the exit code, 0 for success and 2 for a mistake in the arguments.
    """
    parser = _Parser(prog="python -m amp_helpers", description="Helpers of the book 'Mixed Precision, Measured'.")
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    try:
        options = parser.parse_args(arguments)
        if "run" not in options:
            parser.print_help()
            return 2
        return options.run(options)
    except (_UsageError, ValueError) as error:
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return 2


class _UsageError(Exception):
    """A mistake in the arguments; argparse would print its usage too and leave the process."""


class _Parser(argparse.ArgumentParser):
    def error(self, message):
        raise _UsageError(message)


def _add_bench(commands) -> None:
    bench = commands.add_parser("bench", help="time something on this machine")
    suites = bench.add_subparsers(title="what to time", metavar="SUITE", required=True)
    rounding = suites.add_parser(
        "rounding",
        help="round_to against x.clone(), torch's casts, ml_dtypes and gfloat",
        description="Ratios to x.clone() in one process with one torch thread, variants interleaved, medians.",
    )
    rounding.add_argument("--sizes", type=_integers, metavar="N,N", help="elements (default: 10000,1000000,10000000)")
    rounding.add_argument("--formats", type=_words, metavar="NAME,NAME", help="formats (default: six of them)")
    rounding.add_argument(
        "--memory",
        type=_words,
        metavar="KIND,KIND",
        help="whether large results get fresh pages of the system or memory freed before (default: fresh,reused)",
    )
    rounding.add_argument("--json", action="store_true", help="print JSON instead of a table")
    rounding.set_defaults(run=_bench_rounding)


def _bench_rounding(options) -> int:
    from . import benchmark
    from .suites import rounding

    chosen = {"formats": options.formats, "sizes": options.sizes, "memories": options.memory}
    with benchmark.one_thread():
        machine = benchmark.machine_line()
        rows = list(rounding.benchmark_rounding(**{name: value for name, value in chosen.items() if value}))
        if options.json:
            print(json.dumps({"machine": machine} | rounding.rounding_record(rows), indent=2))
        else:
            print(machine, rounding.rounding_table(rows), *rounding.rounding_verdicts(rows), sep="\n")
    return 0


def _add_doctor(commands) -> None:
    doctor = commands.add_parser(
        "doctor",
        help="what this machine accelerates, and which recipe fits it",
        description="Measures a matrix product per dtype for a few seconds. Exit code 1 if there is a problem.",
    )
    doctor.add_argument("--device", help="cuda, xpu, mps or cpu (default: the first that runs a kernel)")
    doctor.add_argument("--json", action="store_true", help="print one JSON object")
    doctor.set_defaults(run=_doctor)


def _doctor(options) -> int:
    from .doctor import examine

    try:
        found = examine(options.device)
    except RuntimeError as error:
        raise _UsageError(error) from None
    print(json.dumps(found.as_dict(), indent=2) if options.json else found)
    return 1 if found.problems else 0


def _add_record(commands) -> None:
    record = commands.add_parser(
        "record",
        help="measure this machine and store what was found",
        description="Runs suites of benchmarks, about 8 minutes for those of one data-centre GPU and 2 for the CPU's, "
        "and stores each as a JSON file that is never overwritten. Exit code 1 if a suite could measure nothing.",
    )
    record.add_argument(
        "--suite", type=_words, metavar="NAME,NAME", help="gemm, copy, recipe, cnn, gpt, cpu (default: the device's)"
    )
    record.add_argument("--commit", metavar="SHA", help="of the sources, where there is no git checkout of them")
    record.add_argument("--device", help="cuda or cpu (default: the first that runs a kernel)")
    record.add_argument("--smoke", action="store_true", help="rehearse with small sizes; nothing is stored")
    record.add_argument("--folder", metavar="PATH", help="where to store (default: the package's measurements)")
    record.set_defaults(run=_record)


def _record(options) -> int:
    from .suites import record

    code = 0
    chosen = {"device": options.device, "smoke": options.smoke, "commit": options.commit, "folder": options.folder}
    for measured in record.record(options.suite, **chosen):
        print(*record.tables(measured), sep="\n\n")
        where = f"stored in {measured.path}" if measured.path else "a rehearsal: nothing was stored"
        print(f"\n{measured.header['suite']}: {measured.header['seconds']} s, {where}\n", flush=True)
        if measured.header.get("interrupted"):
            return 130
        if len(measured.failures()) == len(measured.rows):
            code = 1
    return code


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _integers(text: str) -> list[int]:
    try:
        return [int(float(word)) for word in _words(text)]  # 1e6 is welcome too
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 10000,1000000") from None


#: Each adds one command to the parser and names the function that runs it.
COMMANDS = (_add_bench, _add_doctor, _add_record)

if __name__ == "__main__":
    sys.exit(main())
