"""What `python -m amp_helpers record` does: check everything that can be checked, measure, store, show."""

from __future__ import annotations

import re
import shlex
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tqdm import tqdm

from amp_helpers.benchmark import Record, new_header, write_record
from amp_helpers.benchmark.records import FOLDER
from amp_helpers.device import pick_device
from amp_helpers.tables import Table

from .run import SUITES, check_suite, header_of, parts_of, run_suite, suites_for

#: Columns of a printed table, in this order; what a part lacks is left out.
_SHOWN = (
    *(
        "flaw",
        "dtype",
        "n",
        "bytes",
        "workload",
        "model",
        "recipe",
        "optimizer",
        "batch",
        "fused",
        "channels_last",
        "graphed",
        "cudnn",
        "compiled",
        "steps",
    ),
    *("predicted_s", "median_s", "tflops", "tb_per_s", "images_per_s", "tokens_per_s", "examples_per_s", "mfu"),
    *("first_s", "predicted_total_bytes", "total_bytes", "peak_bytes"),
    *("skipped_steps", "final_loss", "nan_weights", "accuracy"),
)


def record(
    suites: Sequence[str] | None = None,
    *,
    device: str | None = None,
    smoke: bool = False,
    commit: str | None = None,
    folder: Path | None = None,
) -> Iterator[Record]:
    """Measure suites one after the other, and store each as soon as it is finished.

    A suite that ends early leaves its remaining seconds to those after it. A progress bar stands on stderr.

    Args:
        suites: names in `SUITES`; None takes those made for the device, or for a smoke run those made for any, but none
            that is measured only by name.
        device: as in `device.pick_device`.
        smoke: rehearse with small sizes, on any device; nothing is stored.
        commit: of the sources, 40 hexadecimal digits, for a machine that has no git checkout of them.
        folder: where the records go; None takes the package's measurements.
    Yields: the records, each with the path it was stored at, or None for a smoke run; the last one after Ctrl-C too.
    Raises: before anything is measured, ValueError for an unknown suite, a device that is missing or cannot run a
        kernel, a suite that is not made for the device, sources that are not committed, a wrong commit, or a folder
        that cannot be written to.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    for name in suites or ():
        check_suite(name)
    try:
        found = pick_device(device)
    except RuntimeError as error:
        raise ValueError(error) from None
    everything = [name for name, suite in SUITES.items() if not suite.by_name]
    names = list(dict.fromkeys(suites or (everything if smoke else suites_for(found.type))))
    if not names:
        raise ValueError(f"no suite is made for {found.type}; rehearse with --smoke")
    if not smoke:
        for name in names:
            check_suite(name, found.type)
        _check_sources(found, commit)
        _check_folder(FOLDER if folder is None else Path(folder))
    for name in names:
        header_of(name)
    command = command_line(suites, device, smoke, commit)
    left = 0.0
    with tqdm(total=sum(len(parts_of(name)) for name in names), unit="part", file=sys.stderr) as bar:
        for name in names:
            left += SUITES[name].budget_s

            def progress(text, name=name):
                bar.set_description(f"{name}: {text}"[:60])
                bar.update(text in parts_of(name))

            measured = run_suite(
                name, device=found, smoke=smoke, commit=commit, command=command, budget_s=left, progress=progress
            )
            left = max(0.0, left - measured.header["seconds"])
            path = None if smoke else write_record(measured, folder)
            yield Record(measured.header, measured.rows, path)
            if measured.header.get("interrupted"):
                return


def command_line(suites: Sequence[str] | None, device: str | None, smoke: bool, commit: str | None) -> str:
    """The command that measures the same, without the folder: paths of a machine have no place in a record."""
    words = ["python", "-m", "amp_helpers", "record"]
    words += ["--suite", ",".join(suites)] if suites else []
    words += ["--commit", commit] if commit else []
    words += ["--device", str(device)] if device else []
    return shlex.join([*words, "--smoke"] if smoke else words)


def _check_sources(device, commit: str | None) -> None:
    if commit is not None and not re.fullmatch(r"[0-9a-f]{40}", commit):
        raise ValueError(f"commit {commit!r} is not 40 hexadecimal digits: give what `git rev-parse HEAD` prints")
    header = new_header("", [], device, "", commit=commit)
    if header["commit"] is None:
        raise ValueError("this is no git checkout, so name the commit of the sources with --commit SHA")
    if commit not in (None, header["commit"]):
        raise ValueError(f"this checkout is at commit {header['commit']}, not at {commit}")
    if header["dirty"]:
        raise ValueError(
            "the sources are not committed, and a record names the commit that was measured: "
            "commit them, or rehearse with --smoke"
        )


def _check_folder(folder: Path) -> None:
    """Better now than after minutes of measuring."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise ValueError(f"no record can be written to the folder {str(folder)!r}: {error.strerror}") from None


def tables(measured: Record) -> list[Table]:
    """A table for each part with the most telling columns, and one of what failed.

    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    found = []
    for part in measured.header["parts"]:
        rows = measured.part(part)
        if not rows:
            continue
        columns = [name for name in _SHOWN if any(row.get(name) is not None for row in rows)]
        if not any(name.endswith(("_s", "bytes")) for name in columns):  # outcomes, not times: all of them tell
            columns = [name for name in rows[0] if name != "part"]
        if "compiled" not in columns and "first_s" in columns:
            columns.remove("first_s")
        body = [[_shown(name, row.get(name)) for name in columns] for row in rows]
        found.append(Table([_heading(name) for name in columns], body, f"{measured.header['suite']}: {part}"))
    if failures := measured.failures():
        body = [
            [row["part"], " ".join(f"{key}={row[key]}" for key in _SHOWN if key in row) or "-", row["failed"]]
            for row in failures
        ]
        found.append(Table(["part", "configuration", "why there is no measurement"], body))
    return found


def _heading(name: str) -> str:
    if name.endswith("_per_s"):
        return name.removesuffix("_per_s") + "/s"
    return name.removesuffix("_s").removesuffix("_bytes") + (
        " ms" if name.endswith("_s") else " MiB" if name.endswith("bytes") else ""
    )


def _shown(name: str, value) -> str:
    if value is None:
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name.endswith("bytes"):
        return f"{value / 2**20:,.4g}"
    if name.endswith("_s") and not name.endswith("_per_s"):
        return f"{value * 1e3:.4g}"
    return f"{value:.4g}" if isinstance(value, float) else str(value)
