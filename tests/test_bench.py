"""`bench rounding` compares like with like, and the command line says what it cannot do. No time is asserted."""

import json
import subprocess
import sys

import pytest
import torch

from amp_helpers.__main__ import main
from amp_helpers.benchmark import Timing
from amp_helpers.formats import FORMATS
from amp_helpers.suites import rounding as suite
from amp_helpers.suites.rounding import RoundingRow


@pytest.mark.parametrize("name", [name for name in FORMATS if name not in ("float64", "float32")])
def test_the_variants_do_the_same(name):
    """A ratio of times means nothing unless both compute the same numbers."""
    x = torch.randn(1000, generator=torch.Generator().manual_seed(0))
    if name == "float8_e8m0fnu":  # the libraries disagree about zero, negative values and ties
        x = x.abs() + 0.01
    variants = suite.rounding_variants(x, name)
    assert torch.equal(variants["x.clone()"](), x)
    expected = torch.as_tensor(variants["nearest_even"]())
    native, others = FORMATS[name].torch_dtype, {"native", "ml_dtypes", "gfloat"}
    assert variants["native"] == "no dtype" if native is None else callable(variants["native"])
    assert variants["ml_dtypes"] == "no dtype" if name == "tfloat32" else callable(variants["ml_dtypes"])
    for other in others:
        if callable(variants[other]):
            assert torch.equal(torch.as_tensor(variants[other]()).float(), expected), other
    drawn = variants["stochastic"]()
    assert not torch.equal(drawn, expected) and ((drawn - x).abs() <= x.abs() + FORMATS[name].smallest_subnormal).all()


def test_without_the_libraries(monkeypatch):
    monkeypatch.setattr(suite.importlib.util, "find_spec", lambda name: None)
    variants = suite.rounding_variants(torch.ones(3), "float16")
    assert variants["ml_dtypes"] == variants["gfloat"] == "not installed"


@pytest.fixture
def own_memory(monkeypatch):
    """Leave this process's memory alone; tell which policies were asked for."""
    asked = []
    monkeypatch.setattr(suite, "set_memory", lambda policy: asked.append(policy) or True)
    return asked


def test_rows(own_memory):
    rows = list(suite.benchmark_rounding(["float16", "tfloat32"], [10, 20], rounds=5, budget_s=0.01))
    expected = [
        (memory, name, n) for memory in ("fresh", "reused") for n in (10, 20) for name in ("float16", "tfloat32")
    ]
    assert [(row.memory, row.format, row.elements) for row in rows] == expected
    assert own_memory == ["fresh", "reused"]
    for row in rows:
        assert row.ratio("x.clone()") == 1.0
        mine, clone = row.timings["nearest_even"], row.timings["x.clone()"]
        assert row.ratio("nearest_even") == mine.median_s / clone.median_s
        assert 0 < mine.lower_quartile_s <= mine.median_s <= mine.upper_quartile_s and mine.samples == 5
    assert rows[1].timings["native"] == "no dtype" and rows[1].ratio("native") is None


def test_where_memory_cannot_be_chosen(monkeypatch):
    monkeypatch.setattr(suite, "set_memory", lambda policy: False)
    rows = list(suite.benchmark_rounding(["float16"], [10], rounds=5, budget_s=0.01))
    assert [row.memory for row in rows] == ["as the C library chooses"]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: list(suite.benchmark_rounding(["fp16"])), "unknown format 'fp16'"),
        (lambda: list(suite.benchmark_rounding(sizes=[10, 0])), "a size must be 1 or more, not 0"),
        (lambda: suite.set_memory("warm"), "unknown memory policy 'warm'; choose from fresh, reused"),
    ],
)
def test_bad_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def timings(**medians):
    names = ("x.clone()", "nearest_even", "stochastic", "native", "ml_dtypes", "gfloat")
    given = dict(zip(names, medians["s"], strict=True))
    return {name: s if isinstance(s, str) else Timing(s, s * 0.9, s * 1.1, 9, 1) for name, s in given.items()}


def test_table_and_verdicts():
    rows = [
        RoundingRow("fresh", "float8_e4m3fn", 10**6, timings(s=(0.001, 0.004, 0.013, 0.012, 0.1, 0.2))),
        RoundingRow("fresh", "tfloat32", 10**6, timings(s=(0.001, 0.005, 0.012, "no dtype", "no dtype", 0.149))),
    ]
    table = repr(suite.rounding_table(rows))
    assert "4.0 [3.6 4.4]" in table and "1.000 [0.900 1.100]" in table and "no dtype" in table
    lines = suite.rounding_verdicts(rows)
    assert len(lines) == len(suite.TARGETS)
    start = {line.split(":")[0]: [] for line in lines}
    for line in lines:
        start[line.split(":")[0]].append(line)
    assert len(start["not measured"]) == 4, "nothing was measured at 10,000,000 elements"
    assert start["met"] == [
        "met: nearest_even at most 5 times as long as x.clone(), 1,000,000 elements, memory fresh: 5.0 (tfloat32)",
        "met: nearest_even at least 2 times as fast as native, 1,000,000 elements, memory fresh: 3.0 (float8_e4m3fn)",
    ]
    missed = "MISSED: stochastic at most 12 times as long as x.clone(), 1,000,000 elements, memory fresh: 13.0"
    assert start["MISSED"] == [
        f"{missed} (float8_e4m3fn)",
        "MISSED: nearest_even at least 30 times as fast as gfloat, 1,000,000 elements, memory fresh: 29.8 (tfloat32)",
    ]  # fmt: skip
    record = json.loads(json.dumps(suite.rounding_record(rows)))
    assert record["rows"][0]["timings"]["native"]["median_s"] == 0.012
    assert record["rows"][1]["ratios_to_clone"] == {
        **{"x.clone()": 1.0, "nearest_even": 5.0, "stochastic": 12.0},
        **{"native": None, "ml_dtypes": None, "gfloat": pytest.approx(149)},
    }


# --- the command line ---------------------------------------------------------------------------------


def test_no_command_gives_help(capsys):
    assert main([]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("usage: python -m amp_helpers") and "bench" in out and err == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("dance", r"invalid choice: 'dance' (choose from "),
        ("bench", "the following arguments are required: SUITE"),
        ("bench everything", "invalid choice: 'everything'"),
        ("bench rounding --sizes many", "'many' is not a list of whole numbers such as 10000,1000000"),
        ("bench rounding --sizes 0", "a size must be 1 or more, not 0"),
        ("bench rounding --sizes 5 --formats fp16", "unknown format 'fp16'; choose from float64,"),
        ("bench rounding --sizes 5 --memory warm", "unknown memory policy 'warm'; choose from fresh, reused"),
        ("bench rounding --colour", "unrecognized arguments: --colour"),
    ],
)
def test_a_mistake_is_one_line(arguments, message, capsys):
    assert main(arguments.split()) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and err.startswith("python -m amp_helpers: ") and message in err


def test_help_succeeds(capsys):
    with pytest.raises(SystemExit) as done:
        main(["bench", "rounding", "--help"])
    assert done.value.code == 0 and "--json" in capsys.readouterr().out


def test_the_command_prints_a_table(own_memory, capsys):
    assert main(["bench", "rounding", "--sizes", "100,1e2", "--formats", "float8_e4m3fn", "--memory", "reused"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert torch.__version__ in lines[0] and "threads 1" in lines[0]
    assert lines[1].split()[:3] == ["memory", "format", "elements"]
    assert [line.split()[:3] for line in lines[3:5]] == [["reused", "float8_e4m3fn", "100"]] * 2
    assert sum(line.startswith("not measured: ") for line in lines) == len(suite.TARGETS)
    assert own_memory == ["reused"]


def test_the_process_prints_json():
    command = [
        sys.executable,
        "-m",
        "amp_helpers",
        "bench",
        "rounding",
        "--sizes",
        "50",
        "--formats",
        "tfloat32",
        "--json",
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    record = json.loads(run.stdout)
    assert set(record) == {"machine", "targets", "rows"} and record["rows"][0]["format"] == "tfloat32"
    failed = subprocess.run([sys.executable, "-m", "amp_helpers", "dance"], capture_output=True, text=True)
    assert failed.returncode == 2 and failed.stdout == "" and failed.stderr.count("\n") == 1


def test_the_command_line_loads_nothing_heavy():
    code = "import sys, amp_helpers.__main__ as m; m.main([]); print('torch' in sys.modules, 'numpy' in sys.modules)"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.splitlines()[-1] == "False False"
