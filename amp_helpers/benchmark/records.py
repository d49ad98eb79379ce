"""What was measured, with everything needed to judge it: written once, never by hand, never over another."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import platform
import re
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch

from amp_helpers.device import cpu_name

SCHEMA = "amp-bench/1"
PACKAGE = Path(__file__).parents[1]
FOLDER = PACKAGE / "measurements"
#: Every header has these; "driver", "cuda" and "cudnn" are None where there is no GPU.
HEADER = (
    *("schema", "suite", "parts", "date", "command", "commit", "dirty", "sources", "smoke", "seconds"),
    *("device_type", "device", "driver", "cuda", "cudnn", "torch", "python", "threads"),
)


@dataclass(frozen=True)
class Record:
    """One run of one suite.

    Args:
        header: what `HEADER` names, and more if the suite adds it.
        rows: dictionaries, each with "part" and either "failed" (the reason) or what was measured, with units in the
            names: "median_s", "lower_quartile_s", "upper_quartile_s", "samples", "peak_bytes", ...
        path: the file it was read from or written to.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    header: dict
    rows: list[dict]
    path: Path | None = None

    def part(self, name: str) -> list[dict]:
        """The rows of a part that were measured; see `failures` for the others."""
        return [row for row in self.rows if row["part"] == name and "failed" not in row]

    def failures(self) -> list[dict]:
        """The rows of parts that failed or were not finished."""
        return [row for row in self.rows if "failed" in row]


def new_header(suite: str, parts: list[str], device: torch.device, command: str, *, smoke=False, commit=None) -> dict:
    """The header of a run that begins now.

    Args:
        suite: its name.
        parts: names of everything that the run is to measure.
        device: where.
        command: as it was typed.
        smoke: whether this is a rehearsal, never to be stored.
        commit: the sources' commit, for a machine that has no git checkout of them.
    Returns: a dictionary with everything in `HEADER` but "seconds", which is known at the end.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    found, dirty = _git()
    cuda = device.type == "cuda"
    return {
        "schema": SCHEMA,
        "suite": suite,
        "parts": list(parts),
        "date": datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "command": command,
        "commit": found or commit,
        # Without git nothing tells whether the sources are the commit's; their hash can be compared later.
        "dirty": dirty if found else commit is None,
        "sources": source_hash(),
        "smoke": smoke,
        "device_type": device.type,
        "device": torch.cuda.get_device_name(device) if cuda else cpu_name(),
        "driver": _driver() if cuda else None,
        "cuda": torch.version.cuda if cuda else None,
        "cudnn": torch.backends.cudnn.version() if cuda else None,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
    }


def source_hash() -> str:
    """SHA-256 over the package's Python files: their paths and contents, in order of the paths."""
    digest = hashlib.sha256()
    for path in sorted(PACKAGE.rglob("*.py")):
        digest.update(path.relative_to(PACKAGE).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()


def check_record(content: dict) -> list[str]:
    """What is wrong with a record, as one sentence each; empty for a sound one.

    Args:
        content: {"header": ..., "rows": ...}, as a file holds it.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    header, rows = content.get("header"), content.get("rows")
    if not isinstance(header, dict) or not isinstance(rows, list):
        return ["a record has a header and rows"]
    wrong = [f"the header lacks {name!r}" for name in HEADER if name not in header]
    if header.get("schema") != SCHEMA:
        wrong.append(f"schema {header.get('schema')!r} is not {SCHEMA!r}")
    if header.get("smoke") is not False:
        wrong.append("a smoke run measures nothing")
    if header.get("dirty") is not False or not header.get("commit"):
        wrong.append("the sources that ran were not committed")
    for part in header.get("parts") or ["(none)"]:
        if not any(row.get("part") == part for row in rows):
            wrong.append(f"part {part!r} has no row")
    for number, row in enumerate(rows):
        if row.get("part") not in (header.get("parts") or ()):
            wrong.append(f"row {number} belongs to no part of the header: {row.get('part')!r}")
        elif "failed" in row and not row["failed"]:
            wrong.append(f"row {number} failed without a reason")
        elif "failed" not in row and len(row) < 3:
            wrong.append(f"row {number} holds no measurement")
        elif "median_s" in row:
            wrong += _check_times(number, row)
    return wrong


def _check_times(number: int, row: dict) -> list[str]:
    names = ("lower_quartile_s", "median_s", "upper_quartile_s")
    if not all(isinstance(row.get(name), float) for name in names) or not row.get("samples"):
        return [f"row {number} has a median without quartiles and the number of samples"]
    lower, median, upper = (row[name] for name in names)
    return [] if 0 < lower <= median <= upper else [f"row {number} has no order in its quartiles"]


def write_record(record: Record, folder: Path | None = None) -> Path:
    """Store a record as UTCTIME-DEVICE-SUITE.json, whole or not at all.

    Args:
        record: of a finished run.
        folder: None takes the package's own measurements.
    Returns: the new file.
    Raises: ValueError saying what is wrong with the record; FileExistsError if the file exists: nothing is overwritten.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    content = {"header": record.header, "rows": record.rows}
    if wrong := check_record(content):
        raise ValueError(f"this cannot be stored as a record: {'; '.join(wrong)}")
    folder = FOLDER if folder is None else Path(folder)
    time = re.sub(r"[-:]", "", record.header["date"])
    device = re.sub(r"[^a-z0-9]+", "-", record.header["device"].lower()).strip("-")
    path = folder / f"{time}-{device}-{record.header['suite']}.json"
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=folder, suffix=".part", delete=False, encoding="utf8") as file:
        json.dump(content, file, indent=1)
        file.write("\n")
    try:
        Path(file.name).chmod(0o644)
        os.link(file.name, path)  # unlike a rename, it refuses to replace
    finally:
        Path(file.name).unlink()
    return path


def read_records(suite: str | None = None, device_type: str | None = None, folder: Path | None = None) -> list[Record]:
    """The stored records, the newest first.

    Args:
        suite: only this one; None takes all.
        device_type: only "cuda" or "cpu".
        folder: None takes the package's own measurements.
    Raises: ValueError naming a file that is no sound record.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    records = []
    for path in sorted((FOLDER if folder is None else Path(folder)).glob("*.json"), reverse=True):
        try:
            content = json.loads(path.read_text(encoding="utf8"))
            wrong = check_record(content)
        except (json.JSONDecodeError, AttributeError, TypeError) as error:
            wrong = [str(error)]
        if wrong:
            raise ValueError(f"{path.name} is no sound record: {'; '.join(wrong)}")
        record = Record(content["header"], content["rows"], path)
        if suite in (None, record.header["suite"]) and device_type in (None, record.header["device_type"]):
            records.append(record)
    return records


def provenance_line(record: Record) -> str:
    """One line that says where and when a record was measured, for the foot of a figure.

    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    header = record.header
    software = f"torch {header['torch']}" + (f", driver {header['driver']}" if header["driver"] else "")
    return f"{header['device']}, {software}, {header['date'][:10]}, sources {header['commit'][:10]}"


def _git() -> tuple[str | None, bool]:
    """(commit, whether the package differs from it); (None, True) where there is no checkout."""

    def git(*arguments):
        run = subprocess.run(["git", *arguments], cwd=PACKAGE, capture_output=True, text=True)
        return run.stdout.strip() if run.returncode == 0 else None

    try:
        # A package installed below some other repository is not that repository's.
        if git("ls-files", "--error-unmatch", "__init__.py") is None:
            return None, True
        return git("rev-parse", "HEAD"), bool(git("status", "--porcelain", "--", "*.py"))
    except OSError:
        return None, True


def _driver() -> str | None:
    try:
        query = ["nvidia-smi", "--query-gpu=driver_version", "--format=csv,noheader"]
        return subprocess.run(query, capture_output=True, text=True, check=True).stdout.split("\n")[0].strip() or None
    except (OSError, subprocess.CalledProcessError):
        return None
