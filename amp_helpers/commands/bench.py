"""`bench`: time something on this machine, variants interleaved in one process with one torch thread."""

from __future__ import annotations

import json

from .arguments import integers, words


def add(commands) -> None:
    """Add the command to the parser's."""
    bench = commands.add_parser("bench", help="time something on this machine")
    suites = bench.add_subparsers(title="what to time", metavar="SUITE", required=True)
    for add_suite in (_add_rounding, _add_trace, _add_gradients):
        suite = add_suite(suites)
        suite.add_argument("--json", action="store_true", help="print JSON instead of a table")


def _add_rounding(suites):
    rounding = suites.add_parser(
        "rounding",
        help="round_to against x.clone(), torch's casts, ml_dtypes and gfloat",
        description="Ratios to x.clone() in one process with one torch thread, variants interleaved, medians.",
    )
    rounding.add_argument("--sizes", type=integers, metavar="N,N", help="elements (default: 10000,1000000,10000000)")
    rounding.add_argument("--formats", type=words, metavar="NAME,NAME", help="formats (default: six of them)")
    rounding.add_argument(
        "--memory",
        type=words,
        metavar="KIND,KIND",
        help="whether large results get fresh pages of the system or memory freed before (default: fresh,reused)",
    )
    rounding.set_defaults(run=_rounding)
    return rounding


def _rounding(options) -> int:
    from amp_helpers.suites import rounding

    chosen = {"formats": options.formats, "sizes": options.sizes, "memories": options.memory}
    machine, rows = _measure(rounding.benchmark_rounding, **{name: value for name, value in chosen.items() if value})
    if options.json:
        return _print_json(machine, rounding.rounding_record(rows))
    print(machine, rounding.rounding_table(rows), *rounding.rounding_verdicts(rows), sep="\n")
    return 0


def _add_trace(suites):
    trace = suites.add_parser(
        "trace",
        help="a training step of an MLP and of a GPT, traced against plain",
        description="Microseconds per op and ratios in one process with one torch thread, interleaved, medians.",
    )
    trace.set_defaults(run=_trace)
    return trace


def _trace(options) -> int:
    from amp_helpers.suites import trace

    machine, rows = _measure(trace.benchmark_trace)
    if options.json:
        return _print_json(machine, trace.trace_record(rows))
    print(machine, trace.trace_table(rows), trace.trace_verdict(rows), sep="\n")
    return 0


def _add_gradients(suites):
    gradients = suites.add_parser(
        "gradients",
        help="counting gradients by exponent against a plain backward pass",
        description="Ratios to a plain pass in one process with one torch thread, variants interleaved, medians.",
    )
    gradients.add_argument("--models", type=words, metavar="NAME,NAME", help="models (default: SmallCNN,GPT)")
    gradients.set_defaults(run=_gradients)
    return gradients


def _gradients(options) -> int:
    from amp_helpers.suites import gradients

    machine, rows = _measure(gradients.benchmark_gradients, options.models or gradients.MODELS)
    if options.json:
        return _print_json(machine, gradients.gradients_record(rows))
    print(machine, gradients.gradients_table(rows), *gradients.gradients_verdicts(rows), sep="\n")
    return 0


def _measure(suite, *arguments, **options) -> tuple[str, list]:
    from amp_helpers.benchmark import machine_line, one_thread

    with one_thread():
        return machine_line(), list(suite(*arguments, **options))


def _print_json(machine: str, record: dict) -> int:
    print(json.dumps({"machine": machine} | record, indent=2))
    return 0
