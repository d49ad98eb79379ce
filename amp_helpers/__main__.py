"""The command line: `python -m amp_helpers bench rounding`. A command imports what it needs when it runs."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
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
    trace = suites.add_parser(
        "trace",
        help="a training step of an MLP and of a GPT, traced against plain",
        description="Microseconds per op and ratios in one process with one torch thread, interleaved, medians.",
    )
    trace.add_argument("--json", action="store_true", help="print JSON instead of a table")
    trace.set_defaults(run=_bench_trace)
    gradients = suites.add_parser(
        "gradients",
        help="counting gradients by exponent against a plain backward pass",
        description="Ratios to a plain pass in one process with one torch thread, variants interleaved, medians.",
    )
    gradients.add_argument("--models", type=_words, metavar="NAME,NAME", help="models (default: SmallCNN,GPT)")
    gradients.add_argument("--json", action="store_true", help="print JSON instead of a table")
    gradients.set_defaults(run=_bench_gradients)


def _bench_rounding(options) -> int:
    from . import benchmark

    chosen = {"formats": options.formats, "sizes": options.sizes, "memories": options.memory}
    with benchmark.one_thread():
        machine = benchmark.machine_line()
        rows = list(benchmark.benchmark_rounding(**{name: value for name, value in chosen.items() if value}))
        if options.json:
            print(json.dumps({"machine": machine} | benchmark.rounding_record(rows), indent=2))
        else:
            print(machine, benchmark.rounding_table(rows), *benchmark.rounding_verdicts(rows), sep="\n")
    return 0


def _bench_trace(options) -> int:
    from . import benchmark
    from .suites import trace as suite

    with benchmark.one_thread():
        machine = benchmark.machine_line()
        rows = list(suite.benchmark_trace())
    if options.json:
        print(json.dumps({"machine": machine} | suite.trace_record(rows), indent=2))
    else:
        print(machine, suite.trace_table(rows), suite.trace_verdict(rows), sep="\n")
    return 0


def _add_trace(commands) -> None:
    trace = commands.add_parser(
        "trace",
        help="which op of your model runs in which dtype",
        description="Runs your model once under autocast, and its backward, and prints what ran in which dtype.",
    )
    trace.add_argument("factory", help="package.module:function that returns (model, example)")
    trace.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    trace.add_argument("--dtype", choices=("bfloat16", "float16", "float32"), help="default: autocast's own")
    trace.add_argument("--no-backward", action="store_true", help="forward only")
    trace.add_argument("--view", choices=("calls", "records"), default="calls", help="your calls, or every op")
    trace.add_argument("--json", action="store_true", help="print JSON instead of tables")
    trace.set_defaults(run=_trace)


def _trace(options) -> int:
    import torch

    from . import audit
    from .tracing import factory

    dtype = getattr(torch, options.dtype) if options.dtype else None
    with contextlib.redirect_stdout(sys.stderr):  # what the reader's module prints is no part of the answer
        t, model, example, dtype = factory.run(options.factory, options.device, dtype, not options.no_backward)
        audited = dtype != torch.float32 and not options.no_backward  # the audit is of mixed-precision training
        report = audit.audit(model, example, device_type=options.device, dtype=dtype) if audited else None
    if options.json:
        findings = {"findings": [dataclasses.asdict(finding) for finding in report.findings]} if audited else {}
        print(json.dumps(factory.as_json(t) | findings, indent=2))
    else:
        print(t.table(view=options.view), t.summary(), *([report] if audited else []), sep="\n\n")


def _bench_gradients(options) -> int:
    from . import benchmark
    from .suites import gradients

    with benchmark.one_thread():
        machine = benchmark.machine_line()
        rows = list(gradients.benchmark_gradients(options.models or gradients.MODELS))
    if options.json:
        print(json.dumps({"machine": machine} | gradients.gradients_record(rows), indent=2))
    else:
        print(machine, gradients.gradients_table(rows), *gradients.gradients_verdicts(rows), sep="\n")
    return 0


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",")]


def _integers(text: str) -> list[int]:
    try:
        return [int(float(word)) for word in _words(text)]  # 1e6 is welcome too
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of whole numbers such as 10000,1000000") from None


#: Each adds one command to the parser and names the function that runs it.
COMMANDS = (_add_bench, _add_trace)

if __name__ == "__main__":
    sys.exit(main())
