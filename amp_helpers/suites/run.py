"""Run a suite part by part: what fails becomes a row with its reason, what was measured before it is kept."""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import importlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from amp_helpers.benchmark import Record, Timing, new_header, one_thread
from amp_helpers.device import pick_device

from .peaks import find_peaks


@dataclass(frozen=True)
class Suite:
    """What a suite is for.

    Args:
        device_types: it is made for.
        budget_s: seconds that it may take. A configuration that has begun is finished, so it can be a few more; those
            for one GPU add up to less than 8 minutes.
        summary: one line.
        by_name: whether it is measured only when it is asked for by name.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    device_types: tuple[str, ...]
    budget_s: float
    summary: str
    by_name: bool = False


#: The CPU's suite is one file, since its parts are small.
SUITES = {
    "gemm": Suite(("cuda",), 40, "matrix products by dtype and size"),
    "copy": Suite(("cuda",), 10, "bytes a second of the device's memory"),
    "recipe": Suite(("cuda",), 30, "the three linear layers of PyTorch's AMP recipe, predicted and measured"),
    "cnn": Suite(("cuda",), 120, "ResNet-9 by precision, batch size and memory format"),
    "gpt": Suite(("cuda",), 270, "GPT-2 124M by precision, eager and compiled"),
    "cpu": Suite(("cpu",), 120, "matrix products, training steps and memory, with one thread"),
    "apex": Suite(("cuda",), 90, "Apex's levels and today's recipes on ResNet-9", by_name=True),
    "flaws": Suite(("cuda", "cpu"), 360, "a published benchmark without its flaws, then with them", by_name=True),
    "web": Suite(("cuda",), 90, "claims of the web that only a GPU can test", by_name=True),
    "tensorflow": Suite(("cpu",), 120, "Keras policies and loops with TensorFlow, in its environment", by_name=True),
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
        interrupted: whether somebody pressed Ctrl-C; what has not begun then does not begin.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    device: torch.device
    smoke: bool
    deadline: float
    interrupted: bool = False

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

    def attempt(self, row: dict, measure: Callable[[], dict], needs_s: float = 0.0) -> dict:
        """A row of one configuration, whatever comes of it.

        Args:
            row: the columns that tell this configuration from the others.
            measure: gives the measured columns.
            needs_s: seconds that it takes at least; with fewer left it is not begun.
        Returns: `row` and the measured columns, or `row` and "failed" with the reason.
        Raises: `OutOfTime` before it begins, if the suite's time is over.
        """
        self.check_time()
        if needs_s > self.seconds_left():
            return row | {"failed": f"out of time: needs about {needs_s:g} s, {self.seconds_left():.0f} s are left"}
        measured, reason = attempt(measure)
        return row | ({"failed": reason} if reason else measured)


def attempt(function: Callable[[], object]) -> tuple[object, str]:
    """Call a function that may fail.

    Returns: (its result, ""), or (None, the reason) after giving back the device's memory.
    Raises: `OutOfTime` and what is no `Exception`, such as KeyboardInterrupt, pass through.
    """
    try:
        return function(), ""
    except OutOfTime:
        raise
    except Exception as error:  # one configuration must not take the others with it
        reason = describe_failure(error)
    # Only here are the error and the frames gone that held the tensors.
    release_memory()
    return None, reason


def describe_failure(error: Exception) -> str:
    """One line without the paths of this machine, which have no place in a record."""
    text = re.sub(r"(?:/[\w.+-]+)+/", "", " ".join(str(error).split()) or "no message")
    kind = "out of memory" if isinstance(error, torch.OutOfMemoryError) else type(error).__name__
    return f"{kind}: {text[:300]}"


def release_memory() -> None:
    """Give back what nothing refers to, also what the device's allocator keeps for later."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def times(timing: Timing, repeats: int = 1) -> dict:
    """A timing as columns of a row: "median_s", "lower_quartile_s", "upper_quartile_s", "samples".

    Args:
        timing: of a call.
        repeats: how many times that call does what the row is about.
    """
    columns = {name: value / repeats for name, value in dataclasses.asdict(timing).items() if name.endswith("_s")}
    return columns | {"samples": timing.samples}


def parts_of(suite: str) -> dict[str, Callable[[Bench], Iterator[dict]]]:
    """The parts of a suite, in the order in which they run: each yields rows without their "part".

    Raises: ValueError listing the suites.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    check_suite(suite)
    return importlib.import_module(f"amp_helpers.suites.{suite}").PARTS


def header_of(suite: str) -> dict:
    """What a suite adds to a record's header, such as the versions of a library that only it needs.

    Raises: ValueError if something is missing without which the suite cannot begin.
    """
    added = getattr(importlib.import_module(f"amp_helpers.suites.{suite}"), "header", dict)
    return added()


def check_suite(suite: str, device_type: str | None = None) -> None:
    """Raises: ValueError for an unknown suite, or for one that is not made for a type of device."""
    if suite not in SUITES:
        raise ValueError(f"unknown suite {suite!r}; choose from {', '.join(SUITES)}")
    if device_type is not None and device_type not in SUITES[suite].device_types:
        made_for = " and ".join(SUITES[suite].device_types)
        fitting = ", ".join(name for name in SUITES if device_type in SUITES[name].device_types) or "(none)"
        raise ValueError(
            f"suite {suite!r} is for {made_for}, and this is {device_type}: choose from {fitting}, "
            f"or rehearse with --smoke"
        )


def suites_for(device_type: str) -> list[str]:
    """The suites that are made for a type of device and measured without being named.

    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    return [name for name, suite in SUITES.items() if device_type in suite.device_types and not suite.by_name]


def run_suite(
    suite: str,
    *,
    device: str | torch.device | None = None,
    smoke: bool = False,
    commit: str | None = None,
    command: str = "",
    budget_s: float | None = None,
    progress: Callable[[str], None] = lambda text: None,
) -> Record:
    """Measure one suite.

    Args:
        suite: one of `SUITES`.
        device: as in `device.pick_device`.
        smoke: run small, on any device; the record says so and cannot be stored.
        commit: of the sources, where no git tells it.
        command: as it was typed.
        budget_s: seconds; a part that does not finish in them keeps its rows and says that it was stopped. None takes
            the suite's own.
        progress: told at the beginning of each part, and of each row that is there.
    Returns: a `Record`, not yet stored: see `benchmark.write_record`. Its header also has "peaks": what the device's
        vendor states, see `find_peaks`, or None; and "interrupted": True after Ctrl-C, with the rows until then.
    Raises: ValueError for an unknown suite, for one that is not made for the device, or as `header_of`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    parts = parts_of(suite)
    device = pick_device(device)
    if not smoke:
        check_suite(suite, device.type)
    with _on(device):
        started = time.monotonic()
        header = new_header(suite, list(parts), device, command, smoke=smoke, commit=commit) | header_of(suite)
        peaks = find_peaks(header["device"])
        header["peaks"] = None if peaks is None else dataclasses.asdict(peaks)
        bench = Bench(device, smoke, started + (SUITES[suite].budget_s if budget_s is None else budget_s))
        rows = []
        for name, measure in parts.items():
            progress(name)
            rows += _run_part(name, measure, bench, progress)
            release_memory()
    header["seconds"] = round(time.monotonic() - started, 1)
    header |= {"interrupted": True} if bench.interrupted else {}
    return Record(header, rows)


def _on(device: torch.device) -> contextlib.AbstractContextManager:
    """One thread on a CPU; on a GPU, that one is the current one for what asks for no device by name."""
    if device.type == "cpu":
        return one_thread()
    return torch.cuda.device(device) if device.type == "cuda" else contextlib.nullcontext()


def _run_part(name, measure, bench: Bench, progress) -> list[dict]:
    if bench.interrupted:
        return [{"part": name, "failed": "interrupted before it began"}]
    rows = []

    def collect():
        bench.check_time()
        for row in measure(bench):
            rows.append({"part": name, **row})
            progress(" ".join([name, *(str(value) for value in [*row.values()][:4] if not isinstance(value, float))]))

    try:
        _, reason = attempt(collect)
    except OutOfTime:
        reason = "out of time: the rows before this one are complete"
    except KeyboardInterrupt:
        bench.interrupted, reason = True, "interrupted: the rows before this one are complete"
    if not reason and not rows:
        reason = "nothing to measure on this device"
    return [*rows, {"part": name, "failed": reason}] if reason else rows
