"""Records: what is refused, what is never overwritten, and that the stored ones are sound."""

import copy
import hashlib
import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest
import torch

from amp_helpers.benchmark import (
    Record,
    check_record,
    new_header,
    provenance_line,
    read_records,
    source_hash,
    write_record,
)
from amp_helpers.benchmark.records import FOLDER, HEADER

ROOT = Path(__file__).parents[1]


@pytest.fixture
def sound() -> dict:
    header = new_header("gemm", ["gemm", "copy"], torch.device("cpu"), "record --suite gemm")
    header |= {"seconds": 1.5, "commit": "a" * 40, "dirty": False}
    quartiles = {"lower_quartile_s": 0.1, "median_s": 0.2, "upper_quartile_s": 0.3, "samples": 9}
    rows = [{"part": "gemm", "n": 8, **quartiles}, {"part": "copy", "failed": "out of memory"}]
    return {"header": header, "rows": rows}


def record(content: dict) -> Record:
    return Record(content["header"], content["rows"])


def test_a_sound_record_is_written_and_read(sound, tmp_path):
    path = write_record(record(sound), tmp_path)
    date = sound["header"]["date"]
    assert path.name.startswith(date.replace("-", "").replace(":", "")) and path.name.endswith("-gemm.json")
    assert path.name.isascii() and " " not in path.name and [*tmp_path.iterdir()] == [path]
    (read,) = read_records("gemm", "cpu", tmp_path)
    assert (read.header, read.rows, read.path) == (sound["header"], sound["rows"], path)
    assert [row["n"] for row in read.part("gemm")] == [8]
    assert read.part("copy") == [] and read.failures()[0]["failed"] == "out of memory"
    assert read_records("gpt", folder=tmp_path) == read_records(device_type="cuda", folder=tmp_path) == []
    line = provenance_line(read)
    assert torch.__version__ in line and date[:10] in line and "a" * 10 in line


def test_nothing_is_overwritten(sound, tmp_path):
    path = write_record(record(sound), tmp_path)
    before = path.read_bytes()
    sound["rows"][0]["n"] = 9
    with pytest.raises(FileExistsError):
        write_record(record(sound), tmp_path)
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]


def test_a_killed_write_leaves_no_record(sound, tmp_path, monkeypatch):
    def killed(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("amp_helpers.benchmark.records.os.link", killed)
    with pytest.raises(KeyboardInterrupt):
        write_record(record(sound), tmp_path)
    assert [*tmp_path.iterdir()] == []


def without(name):
    return lambda content: content["header"].pop(name)


FAULTS = [
    *((without(name), "lacks" if name != "smoke" else "smoke") for name in HEADER),
    (lambda c: c.pop("header"), "a header and rows"),
    (lambda c: c.pop("rows"), "a header and rows"),
    (lambda c: c["header"].update(schema="amp-bench/0"), "schema 'amp-bench/0'"),
    (lambda c: c["header"].update(smoke=True), "a smoke run"),
    (lambda c: c["header"].update(dirty=True), "not committed"),
    (lambda c: c["header"].update(commit=None), "not committed"),
    (lambda c: c["header"].update(parts=[]), "has no row"),
    (lambda c: c["rows"].pop(), "part 'copy' has no row"),
    (lambda c: c["rows"][1].update(failed=""), "row 1 failed without a reason"),
    (lambda c: c["rows"][0].update(part="fly"), "belongs to no part"),
    (lambda c: c["rows"].append({"part": "gemm", "n": 4}), "row 2 holds no measurement"),
    (lambda c: c["rows"][0].pop("upper_quartile_s"), "without quartiles"),
    (lambda c: c["rows"][0].update(samples=0), "without quartiles"),
    (lambda c: c["rows"][0].update(lower_quartile_s=0.25), "no order"),
    (lambda c: c["rows"][0].update(lower_quartile_s=0.0, median_s=0.0), "no order"),
]


@pytest.mark.parametrize("number", range(len(FAULTS)))
def test_what_is_refused(number, sound, tmp_path):
    assert check_record(sound) == []
    spoil, message = FAULTS[number]
    content = copy.deepcopy(sound)
    spoil(content)
    assert any(message in line for line in check_record(content)), check_record(content)
    if {"header", "rows"} <= set(content):
        with pytest.raises(ValueError, match="cannot be stored as a record"):
            write_record(record(content), tmp_path)
        assert [*tmp_path.iterdir()] == []
    (tmp_path / "x.json").write_text(json.dumps(content))
    with pytest.raises(ValueError, match=r"x\.json is no sound record"):
        read_records(folder=tmp_path)


def test_a_truncated_file_is_named(tmp_path):
    (tmp_path / "x.json").write_text('{"header": {')
    with pytest.raises(ValueError, match=r"x\.json is no sound record"):
        read_records(folder=tmp_path)


def test_the_commit_may_be_given_where_git_is_not(monkeypatch):
    monkeypatch.setattr("amp_helpers.benchmark.records._git", lambda: (None, True))
    cpu = torch.device("cpu")
    given, not_given = (new_header("gemm", [], cpu, "", commit=commit) for commit in ("b" * 40, None))
    assert (given["commit"], given["dirty"]) == ("b" * 40, False)
    assert (not_given["commit"], not_given["dirty"]) == (None, True)


def test_git_is_believed_before_the_command_line():
    header = new_header("gemm", [], torch.device("cpu"), "", commit="b" * 40)
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True).stdout.strip()
    assert header["commit"] == (head or "b" * 40)


def test_the_hash_covers_every_source(tmp_path, monkeypatch):
    monkeypatch.setattr("amp_helpers.benchmark.records.PACKAGE", tmp_path)
    (tmp_path / "a.py").write_text("1")
    first = source_hash()
    (tmp_path / "b.py").write_text("")
    second = source_hash()
    (tmp_path / "a.py").write_text("2")
    assert len({first, second, source_hash()}) == 3


def hash_at(commit: str) -> str | None:
    """The hash of the sources at a commit, None where the checkout does not reach back that far."""
    run = subprocess.run(["git", "archive", commit, "amp_helpers"], cwd=ROOT, capture_output=True)
    if run.returncode:
        return None
    digest = hashlib.sha256()
    with tarfile.open(fileobj=io.BytesIO(run.stdout)) as archive:
        files = {m.name.removeprefix("amp_helpers/"): m for m in archive if m.isfile() and m.name.endswith(".py")}
        for name in sorted(files, key=Path):
            digest.update(name.encode() + b"\0" + archive.extractfile(files[name]).read() + b"\0")
    return digest.hexdigest()


def test_the_stored_records_are_sound_and_of_committed_sources():
    for found in read_records(folder=FOLDER):
        assert found.path.stat().st_size < 250_000
        at_commit = hash_at(found.header["commit"])
        assert at_commit in (None, found.header["sources"]), f"{found.path.name}: these sources were never committed"


def test_the_hash_of_a_commit_is_that_of_its_files():
    status = subprocess.run(["git", "status", "--porcelain", "--", "amp_helpers"], cwd=ROOT, capture_output=True)
    if status.returncode == 0 and not status.stdout:
        assert hash_at("HEAD") == source_hash()
