"""`python -m amp_helpers record`: it refuses before it measures, stores what it measured, and a rehearsal nothing."""

import json
import re
import subprocess
import sys

import pytest
import torch

from amp_helpers.__main__ import main
from amp_helpers.benchmark import Record, read_records
from amp_helpers.suites import record, run
from amp_helpers.suites.run import SUITES, parts_of

GIT = "amp_helpers.benchmark.records._git"
COMMIT = "a" * 40


@pytest.fixture
def committed(monkeypatch):
    """Sources that are the commit's."""
    monkeypatch.setattr(GIT, lambda: (COMMIT, False))


@pytest.fixture
def no_measuring(monkeypatch):
    """Fails a test in which a measurement begins."""
    monkeypatch.setattr(record, "run_suite", lambda *_, **__: pytest.fail("it began to measure"))


def quick(bench):
    """A suite of one part that takes no time."""
    for n in (1, 2):
        yield bench.attempt({"dtype": "float32", "n": n}, lambda n=n: columns(n))


def columns(n: int) -> dict:
    return {"tflops": 0.5 * n, "lower_quartile_s": 0.1, "median_s": 0.25, "upper_quartile_s": 0.3, "samples": 5}


@pytest.fixture
def quick_suite(monkeypatch):
    for module in (run, record):
        monkeypatch.setattr(module, "parts_of", lambda suite: {"quick": quick})


def one_line(capsys, message: str) -> None:
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("python -m amp_helpers: ") and message in err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--suite gemn", "unknown suite 'gemn'; choose from gemm, copy, recipe, cnn, gpt, cpu"),
        ("--suite cpu,gemn --smoke", "unknown suite 'gemn'"),
        ("--suite cpu,gpt --device cpu", "suite 'gpt' is for cuda, and this is cpu: choose from cpu, flaws"),
        ("--device cuda:99", "this machine has no cuda device" if not torch.cuda.is_available() else "cuda"),
        ("--device tpu", "'tpu' is no device; choose from cuda, xpu, mps, cpu"),
        ("--device cpu --commit 12345", "commit '12345' is not 40 hexadecimal digits"),
        (f"--device cpu --commit {'b' * 40}", f"this checkout is at commit {COMMIT}, not at {'b' * 40}"),
        ("--colour", "unrecognized arguments: --colour"),
    ],
)
def test_a_mistake_is_one_line_before_any_measuring(arguments, message, committed, no_measuring, capsys):
    assert main(["record", *arguments.split()]) == 2
    one_line(capsys, message)


@pytest.mark.parametrize(
    ("found", "message"),
    [
        ((COMMIT, True), "the sources are not committed, and a record names the commit that was measured: commit them"),
        ((None, True), "this is no git checkout, so name the commit of the sources with --commit SHA"),
    ],
)
def test_uncommitted_sources_are_refused(found, message, monkeypatch, no_measuring, capsys):
    monkeypatch.setattr(GIT, lambda: found)
    assert main(["record", "--device", "cpu"]) == 2
    one_line(capsys, message)


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_folder_that_cannot_be_written_is_refused(place, committed, no_measuring, tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["record", "--device", "cpu", "--folder", str(tmp_path / place)]) == 2
    one_line(capsys, f"no record can be written to the folder '{tmp_path / place}': ")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


def test_what_was_measured_is_stored_and_shown(committed, quick_suite, tmp_path, capsys):
    assert main(["record", "--device", "cpu", "--folder", str(tmp_path)]) == 0
    out, err = capsys.readouterr()
    (path,) = tmp_path.iterdir()
    assert re.fullmatch(r"\d{8}T\d{6}Z-[a-z0-9-]+-cpu\.json", path.name)
    assert f"stored in {path}" in out and "quick" in err and "1/1" in err
    (stored,) = read_records("cpu", "cpu", tmp_path)
    assert stored.rows == [{"part": "quick", "dtype": "float32", "n": n} | columns(n) for n in (1, 2)]
    assert (stored.header["commit"], stored.header["smoke"]) == (COMMIT, False)
    assert stored.header["threads"] == 1 and stored.header["peaks"] is None
    assert stored.header["command"] == "python -m amp_helpers record --device cpu", "and no path of this machine"
    lines = out.splitlines()
    assert lines[0].split() == ["dtype", "n", "median", "ms", "tflops"]
    assert lines[2].split() == ["float32", "1", "250", "0.5"]


def test_without_git_the_commit_is_named(monkeypatch, quick_suite, tmp_path):
    monkeypatch.setattr(GIT, lambda: (None, True))
    arguments = ["--suite", "cpu,cpu", "--device", "cpu", "--commit", "c" * 40, "--folder", str(tmp_path)]
    assert main(["record", *arguments]) == 0
    (stored,) = read_records(folder=tmp_path)
    assert stored.header["commit"] == "c" * 40 and f"--commit {'c' * 40}" in stored.header["command"]


def test_an_interrupted_run_is_stored(committed, monkeypatch, tmp_path, capsys):
    def interrupted(bench):
        yield from quick(bench)
        raise KeyboardInterrupt

    for module in (run, record):
        monkeypatch.setattr(module, "parts_of", lambda suite: {"interrupted": interrupted, "after": quick})
    assert main(["record", "--device", "cpu", "--folder", str(tmp_path)]) == 130
    (stored,) = read_records(folder=tmp_path)
    assert len(stored.part("interrupted")) == 2 and stored.part("after") == [] and stored.header["interrupted"]
    assert "interrupted before it began" in capsys.readouterr().out


def test_a_suite_that_measured_nothing_is_an_error(committed, monkeypatch, tmp_path, capsys):
    def broken(bench):
        raise RuntimeError("no such kernel")
        yield

    for module in (run, record):
        monkeypatch.setattr(module, "parts_of", lambda suite: {"broken": broken})
    assert main(["record", "--device", "cpu", "--folder", str(tmp_path)]) == 1
    assert "RuntimeError: no such kernel" in capsys.readouterr().out
    (stored,) = read_records(folder=tmp_path)
    assert stored.failures() == stored.rows


def test_seconds_left_over_go_to_the_next_suite(committed, monkeypatch, tmp_path):
    budgets = []

    def measured(name, **options):
        budgets.append(options["budget_s"])
        return Record({"seconds": 10.0, "suite": name, "parts": []}, [])

    monkeypatch.setattr(record, "run_suite", measured)
    assert len([*record.record(["gemm", "copy", "gpt"], smoke=True)]) == 3
    gemm, copy, gpt = (SUITES[name].budget_s for name in ("gemm", "copy", "gpt"))
    assert budgets == [gemm, gemm - 10 + copy, gemm + copy - 20 + gpt]


#: Suites that are measured without being named.
ROUTINE = [name for name, suite in SUITES.items() if not suite.by_name]


@pytest.fixture(scope="module")
def rehearsal(tmp_path_factory):
    """The process's output, and the folder that it was told to store in."""
    folder = tmp_path_factory.mktemp("records")
    command = [sys.executable, "-m", "amp_helpers", "record", "--smoke", "--device", "cpu", "--folder", str(folder)]
    return subprocess.run(command, capture_output=True, text=True), folder


def test_a_rehearsal_runs_every_routine_suite_and_stores_nothing(rehearsal):
    run, folder = rehearsal
    assert run.returncode == 0, run.stderr[-2000:]
    for suite in ROUTINE:
        (line,) = re.findall(rf"^{suite}: [\d.]+ s, (.*)$", run.stdout, re.MULTILINE)
        assert line == "a rehearsal: nothing was stored"
    assert [*folder.iterdir()] == [] and "stored in" not in run.stdout


def test_the_progress_bar_reaches_the_end(rehearsal):
    parts = sum(len(parts_of(suite)) for suite in ROUTINE)
    assert f"{parts}/{parts}" in rehearsal[0].stderr and "part/s" in rehearsal[0].stderr


def test_the_table_says_what_failed():
    rows = [
        {"part": "train", "recipe": "32-true", "batch": 4, "failed": "out of memory: 9 GiB"},
        {"part": "train", "recipe": "tf32", "batch": 4, "peak_bytes": 3 * 2**20, "first_s": 9.0, "median_s": 0.5},
    ]
    measured, failed = record.tables(Record({"suite": "cnn", "parts": ["train", "memory"]}, rows))
    assert (measured.columns, measured.rows) == (
        ["recipe", "batch", "median ms", "peak MiB"],
        [["tf32", "4", "500", "3"]],
    )
    assert failed.rows == [["train", "recipe=32-true batch=4", "out of memory: 9 GiB"]]


def test_the_records_hold_plain_values(rehearsal):
    """What a suite yields can be written as JSON that any reader takes: no NaN, no tensor."""
    for suite in ("gemm", "recipe"):
        rows = run.run_suite(suite, device="cpu", smoke=True).rows
        assert json.loads(json.dumps(rows, allow_nan=False)) == rows
