"""`record`: measure this machine and store what was found."""

from __future__ import annotations

from .arguments import words


def add(commands) -> None:
    """Add the command to the parser's."""
    record = commands.add_parser(
        "record",
        help="measure this machine and store what was found",
        description="Runs suites of benchmarks, about 8 minutes for those of one data-centre GPU and 2 for the CPU's, "
        "and stores each as a JSON file that is never overwritten. Exit code 1 if a suite could measure nothing.",
    )
    record.add_argument(
        "--suite",
        type=words,
        metavar="NAME,NAME",
        help="gemm, copy, recipe, cnn, gpt, cpu (default: the device's), or by name alone apex, flaws, web, tensorflow",
    )
    record.add_argument("--commit", metavar="SHA", help="of the sources, where there is no git checkout of them")
    record.add_argument("--device", help="cuda or cpu (default: the first that runs a kernel)")
    record.add_argument("--smoke", action="store_true", help="rehearse with small sizes; nothing is stored")
    record.add_argument("--folder", metavar="PATH", help="where to store (default: the package's measurements)")
    record.set_defaults(run=_run)


def _run(options) -> int:
    from amp_helpers.suites import record

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
