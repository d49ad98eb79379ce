"""Run a suite part by part: what fails becomes a row with its reason, what was measured before it is kept."""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from amp_helpers.benchmark import Record, Timing, new_header, one_thread
from amp_helpers.device import pick_device

#: Suite -> device types it is for. The CPU's suite is one file, since its parts are small.
SUITES = {
    "gemm": ("cuda",),
    "copy": ("cuda",),
    "recipe": ("cuda",),
    "cnn": ("cuda",),
    "gpt": ("cuda",),
    "cpu": ("cpu",),
}


class OutOfTime(Exception):
    """Raised by `Bench.check_time` when a suite has used up its seconds."""


@dataclass
class Bench:
    """What a part gets: where to measure, how large, and until when.

    Args:
        device: where.
        smoke: run the same code on sizes so small that the numbers mean nothing.
        deadline: on `time.monotonic`'s clock.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    device: torch.device
    smoke: bool
    deadline: float

    def size(self, real, smoke):
        """One of two sizes: the real one, or the one for a rehearsal."""
        return smoke if self.smoke else real

    def check_time(self) -> None:
        """Stop here if the suite's time is over. Raises: `OutOfTime`."""
        if time.monotonic() > self.deadline:
            raise OutOfTime

    def seconds_left(self) -> float:
        """Until the deadline; not below zero."""
        return max(0.0, self.deadline - time.monotonic())


def times(timing: Timing) -> dict:
    """A timing as columns of a row: "median_s", "lower_quartile_s", "upper_quartile_s", "samples"."""
    columns = dataclasses.asdict(timing)
    columns.pop("calls")
    return columns


def parts_of(suite: str) -> dict[str, Callable[[Bench], Iterator[dict]]]:
    """The parts of a suite, in the order in which they run: each yields rows without their "part".

    Raises: ValueError listing the suites.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if suite not in SUITES:
        raise ValueError(f"unknown suite {suite!r}; choose from {', '.join(SUITES)}")
    return importlib.import_module(f"amp_helpers.suites.{suite}").PARTS


def run_suite(
    suite: str,
    *,
    device: str | torch.device | None = None,
    smoke: bool = False,
    commit: str | None = None,
    command: str = "",
    budget_s: float = 480.0,
    progress: Callable[[str], None] = lambda text: None,
) -> Record:
    """Measure one suite.

    Args:
        suite: one of `SUITES`.
        device: as in `device.pick_device`.
        smoke: run small, on any device; the record says so and cannot be stored.
        commit: of the sources, where no git tells it.
        command: as it was typed.
        budget_s: seconds; a part that does not finish in them keeps its rows and says that it was stopped.
        progress: told, before each row, what comes next.
    Returns: a `Record`, not yet stored: see `benchmark.write_record`.
    Raises: ValueError for an unknown suite, or for one that is not made for the device.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    parts = parts_of(suite)
    device = pick_device(device)
    with one_thread() if device.type == "cpu" else contextlib.nullcontext():
        return _run(suite, parts, device, smoke, commit, command, budget_s, progress)


def _run(suite, parts, device, smoke, commit, command, budget_s, progress) -> Record:
    if not smoke and device.type not in SUITES[suite]:
        fitting = [name for name, types in SUITES.items() if device.type in types]
        raise ValueError(
            f"suite {suite!r} is for {' and '.join(SUITES[suite])}, and this is {device.type}: "
            f"choose from {', '.join(fitting) or '(none)'}, or rehearse with --smoke"
        )
    started = time.monotonic()
    header = new_header(suite, list(parts), device, command, smoke=smoke, commit=commit)
    bench = Bench(device, smoke, started + budget_s)
    rows = []
    for name, measure in parts.items():
        progress(name)
        rows += _run_part(name, measure, bench, progress)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    header["seconds"] = round(time.monotonic() - started, 1)
    return Record(header, rows)


def _run_part(name, measure, bench: Bench, progress) -> list[dict]:
    rows = []
    try:
        bench.check_time()
        for row in measure(bench):
            rows.append({"part": name, **row})
            progress(" ".join([name, *(str(value) for value in list(row.values())[:3])]))
            bench.check_time()
    except OutOfTime:
        rows.append({"part": name, "failed": "out of time: the rows before this one are complete"})
    except torch.OutOfMemoryError as error:
        rows.append({"part": name, "failed": f"out of memory: {_first_line(error)}"})
    except Exception as error:  # one part must not take the others with it
        rows.append({"part": name, "failed": f"{type(error).__name__}: {_first_line(error)}"})
    return rows


def _first_line(error: Exception) -> str:
    return (str(error).strip() or "no message").splitlines()[0]
