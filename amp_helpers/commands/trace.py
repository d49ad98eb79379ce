"""`trace`: which op of the reader's model runs in which dtype."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import sys


def add(commands) -> None:
    """Add the command to the parser's."""
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
    trace.set_defaults(run=_run)


def _run(options) -> int:
    import torch

    from amp_helpers import audit
    from amp_helpers.tracing import factory

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
    return 0
