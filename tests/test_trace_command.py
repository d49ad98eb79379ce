"""`python -m amp_helpers trace` and `bench trace`: one answer on stdout, or one line that says what is wrong."""

import json
import sys
import textwrap

import pytest
import torch

from amp_helpers.__main__ import main
from amp_helpers.benchmark import Timing
from amp_helpers.suites import trace as suite
from amp_helpers.tracing import trace

SOURCE = """
    import sys
    import torch
    from torch import nn

    print("noise from the reader's module")

    class Keywords(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(4, 4)

        def forward(self, *, x, scale=None):
            return {"y": self.layer(x), "none": None}

    def good():
        print("noise from the factory")
        return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 8)), torch.randn(4, 16)

    def several():
        return nn.Bilinear(4, 3, 2), (torch.randn(5, 4), torch.randn(5, 3))

    def keywords():
        return Keywords(), {"x": torch.randn(2, 4)}

    def frozen():
        return nn.Linear(4, 4).requires_grad_(False), torch.randn(2, 4)

    def fails():
        raise KeyError("no data\\nand a second line")

    def leaves():
        sys.exit(3)

    def number():
        return 3

    def alone():
        return nn.Linear(2, 2)

    def listed():
        return nn.Linear(2, 2), [1, 2]

    def misfit():
        return nn.Linear(16, 8), torch.randn(4, 15)

    constant = 7
"""


@pytest.fixture(autouse=True)
def reader(tmp_path, monkeypatch):
    """A module of the reader's own in the current folder."""
    before, path = torch.get_num_threads(), list(sys.path)
    torch.set_num_threads(1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "models.py").write_text(textwrap.dedent(SOURCE), encoding="utf8")
    (tmp_path / "mine" / "broken.py").write_text("import torch\nraise OSError('no file')\n", encoding="utf8")
    monkeypatch.chdir(tmp_path)
    yield
    torch.set_num_threads(before)
    assert sys.path == path
    for name in [name for name in sys.modules if name == "mine" or name.startswith("mine.")]:
        del sys.modules[name]


def test_tables(capsys):
    assert main(["trace", "mine.models:good"]) == 0
    out, err = capsys.readouterr()
    assert "noise" in err and "noise" not in out
    (row,) = (line for line in out.splitlines() if line.startswith("2  ") and "linear" in line)
    assert row.split()[:5] == ["2", "linear", "bfloat16,", "float32", "bfloat16"]
    assert "casts" in out and "26 of 26 backward ops" in out and "under autocast to bfloat16 on cpu" in out


def test_view_and_dtype(capsys):
    assert main(["trace", "mine.models:good", "--view", "records", "--dtype", "float16", "--no-backward"]) == 0
    out = capsys.readouterr().out
    assert "addmm" in out and "float16" in out and "bfloat16" not in out
    assert "threshold_backward" not in out and "backward ops" not in out


def test_float32_switches_autocast_off(capsys):
    assert main(["trace", "mine.models:good", "--dtype", "float32", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert set(answer["flops"]) == {"float32"} and answer["cast_bytes"] == 0
    assert {call["region"] for call in answer["calls"]} == {None}


def test_json_is_all_there_is_on_stdout(capsys):
    assert main(["trace", "mine.models:good", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert answer["torch"] == torch.__version__
    forward = 2 * (4 * 16 * 32 + 4 * 32 * 8)
    assert answer["flops"] == {"bfloat16": forward + 2 * 4 * 16 * 32 + 2 * 2 * 4 * 32 * 8}
    assert sum(answer["bytes"].values()) == sum(record["bytes"] for record in answer["records"])
    assert answer["calls"][0]["inputs"] == ["float32"] * 3 and answer["calls"][0]["outputs"] == ["bfloat16"]
    assert answer["records"][0]["cast"] == "autocast"
    assert all(set(finding) == {"code", "where", "what", "reason", "fix"} for finding in answer["findings"])


@pytest.mark.parametrize("name, op", [("several", "bilinear"), ("keywords", "linear")])
def test_examples_of_each_kind(name, op, capsys):
    assert main(["trace", f"mine.models:{name}", "--json"]) == 0
    assert op in {call["name"] for call in json.loads(capsys.readouterr().out)["calls"]}


@pytest.mark.parametrize(
    "name, words",
    [
        ("mine.models", "'mine.models' names no factory; expected package.module:function"),
        (":good", "':good' names no factory"),
        ("absent_package.models:good", "cannot import 'absent_package.models': ModuleNotFoundError"),
        ("mine.broken:good", "cannot import 'mine.broken': OSError: no file"),
        ("mine.models:absent", "'mine.models' has no 'absent'; expected a function that returns (model, example)"),
        ("mine.models:constant", "'mine.models' cannot call its 'constant'"),
        ("mine.models:fails", "the factory 'mine.models:fails' failed: KeyError: 'no data"),
        ("mine.models:leaves", "the factory 'mine.models:leaves' failed: SystemExit: 3"),
        ("mine.models:number", "'mine.models:number' returned a value of type int; expected (model, example)"),
        ("mine.models:alone", "returned a value of type Linear; expected"),
        ("mine.models:listed", "as its example a value of type list; expected"),
        ("mine.models:misfit", "the model of 'mine.models:misfit' failed on its example: RuntimeError"),
        ("mine.models:frozen", "--no-backward traces the forward alone"),
    ],
)
def test_one_line_and_exit_code_2(name, words, capsys):
    assert main(["trace", name]) == 2
    out, err = capsys.readouterr()
    (line,) = (line for line in err.splitlines() if "noise" not in line)
    assert words in line and not out and "Traceback" not in err


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["--dtype", "int8"], "choose from"),
        (["--device", "tpu"], "choose from"),
        (["--view", "rows"], "choose from"),
        pytest.param(
            ["--device", "cuda"],
            "no CUDA device here",
            marks=pytest.mark.skipif(torch.cuda.is_available(), reason="CUDA is here"),
        ),
    ],
)
def test_wrong_options(arguments, words, capsys):
    assert main(["trace", "mine.models:good", *arguments]) == 2
    assert words in capsys.readouterr().err


# --- what a trace costs ---------------------------------------------------------------------------------


def row(plain: float, traced: float, model: str = "GPT width 256", ops: int = 100) -> suite.TraceRow:
    return suite.TraceRow(model, ops, Timing(plain, plain, plain, 5, 1), Timing(traced, traced, traced, 5, 1))


def test_ratio_and_microseconds_per_op():
    assert row(1e-3, 2e-3).ratio == pytest.approx(2.0)
    assert row(1e-3, 2e-3).us_per_op == pytest.approx(10.0)
    assert suite.trace_verdict([row(1.0, 1.25)]).startswith("met") and "1.25" in suite.trace_verdict([row(1.0, 1.25)])
    assert suite.trace_verdict([row(1.0, 1.31)]).startswith("MISSED")


def test_both_variants_train_the_same_and_one_is_traced():
    for model, x, target in suite.models().values():
        step = suite.training_step(model, x, target)
        with trace(model) as t:
            step()
        assert {record.direction for record in t.records} == {"forward", "backward"}
        assert {record.cast for record in t.records} >= {"autocast", "backward"}
        assert all(parameter.grad is None for parameter in model.parameters())


def test_bench_trace_prints_what_it_measured(capsys, monkeypatch):
    seen = []

    def timed(variants, **how):
        seen.append(list(variants))
        times = {name: Timing(seconds, seconds, seconds, 5, 1) for name, seconds in (("plain", 1.0), ("traced", 1.5))}
        for call in variants.values():
            call()
        return times

    monkeypatch.setattr(suite, "time_interleaved", timed)
    assert main(["bench", "trace"]) == 0
    out = capsys.readouterr().out
    assert seen == [["plain", "traced"]] * 2 and out.count("1.50 [1.50 1.50]") == 2 and "MISSED" in out
    assert main(["bench", "trace", "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert [r["ratio"] for r in answer["rows"]] == [1.5, 1.5] and "MISSED" in answer["targets"][0]
    assert all(r["ops"] > 40 and r["us_per_op"] == pytest.approx(0.5e6 / r["ops"]) for r in answer["rows"])
