"""`amp_helpers.suites.tensorflow` without TensorFlow: which Python it takes, and what it makes of what that says."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from amp_helpers.__main__ import main
from amp_helpers.benchmark import Record
from amp_helpers.suites import record, tensorflow, tensorflow_experiments
from amp_helpers.suites.run import SUITES, run_suite, suites_for

ROWS = [
    {"policy": "float32", "loss": 2.51317, "zero_gradients": 0.0468, "warned": True},
    {"policy": "mixed_float16", "loss": 2.3046, "zero_gradients": 1.0, "warned": False},
]
VERSIONS = [{"tensorflow": "9.9", "keras": "8.8", "backend": "tensorflow"}]


@pytest.fixture(autouse=True)
def nowhere(monkeypatch, tmp_path):
    """No environment is there: neither a variable nor a folder, nor TensorFlow beside torch."""
    monkeypatch.delenv(tensorflow.VARIABLE, raising=False)
    monkeypatch.setattr(tensorflow, "FOLDER", tmp_path / "none")
    monkeypatch.setattr(tensorflow.importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def stand_in(monkeypatch, tmp_path):
    """A function that makes a Python that prints what it is given and keeps how it was called."""

    def made(rows=None, code="", status=0):
        script, call = tmp_path / "python", tmp_path / "call.json"
        source = [
            f"#!{sys.executable}",
            "import json, os, sys",
            f"json.dump([sys.argv, dict(os.environ)], open({str(call)!r}, 'w'))",
            code,
            f"rows = {VERSIONS!r} if sys.argv[-1] == 'versions' else {rows!r}",
            "print('some library greets you')",
            "print(json.dumps(rows))",
            f"sys.exit({status})",
        ]
        script.write_text("\n".join(source), encoding="utf8")
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv(tensorflow.VARIABLE, str(script))
        return lambda: json.loads(call.read_text(encoding="utf8"))

    return made


def test_without_an_environment_one_line_says_what_to_do(capsys):
    with pytest.raises(ValueError, match="no TensorFlow here: in a checkout `make test-tensorflow` makes") as caught:
        tensorflow.tensorflow_python()
    assert "\n" not in str(caught.value)
    assert tensorflow.show_experiment("policy_order") is None
    assert capsys.readouterr().out == f"Not run: {caught.value}.\n"


def test_the_variable_comes_first(monkeypatch, stand_in):
    stand_in()
    assert tensorflow.tensorflow_python() == Path(os.environ[tensorflow.VARIABLE])
    monkeypatch.setenv(tensorflow.VARIABLE, "nowhere/python")
    with pytest.raises(ValueError, match="TENSORFLOW_PYTHON=nowhere/python is no file: name a Python that has"):
        tensorflow.tensorflow_python()


@pytest.mark.parametrize("name", ["bin/python", "Scripts/python.exe"])
def test_then_the_checkouts_environment(monkeypatch, tmp_path, name):
    python = tmp_path / "venv" / name
    python.parent.mkdir(parents=True)
    python.touch()
    monkeypatch.setattr(tensorflow, "FOLDER", tmp_path / "venv")
    assert tensorflow.tensorflow_python() == python


def test_then_this_python_as_on_colab(monkeypatch):
    spec = type("Spec", (), {"origin": "somewhere/tensorflow/__init__.py"})
    monkeypatch.setattr(tensorflow.importlib.util, "find_spec", lambda name: spec if name == "tensorflow" else None)
    assert tensorflow.tensorflow_python() == Path(sys.executable)
    spec.origin = None  # a folder that happens to have the name
    with pytest.raises(ValueError, match="no TensorFlow here"):
        tensorflow.tensorflow_python()


def test_the_experiment_runs_alone_on_the_cpu(stand_in, monkeypatch):
    monkeypatch.setenv("PYTHONPATH", "somewhere")
    monkeypatch.setenv("KERAS_BACKEND", "torch")
    call = stand_in(ROWS)
    assert tensorflow.run_experiment("double_softmax") == ROWS
    (_, *arguments), environment = call()
    assert arguments == ["-P", tensorflow_experiments.__file__, "double_softmax"]
    assert environment["KERAS_BACKEND"] == "tensorflow" and environment["CUDA_VISIBLE_DEVICES"] == "-1"
    assert "PYTHONPATH" not in environment


def test_the_table_is_for_readers(stand_in):
    stand_in(ROWS)
    table = tensorflow.show_experiment("double_softmax")
    assert table.columns == ["policy", "loss", "zero gradients", "warned"]
    assert table.rows == [["float32", "2.5132", "4.7%", "yes"], ["mixed_float16", "2.3046", "100.0%", "no"]]


def test_an_unknown_experiment():
    with pytest.raises(ValueError, match=r"unknown experiment 'softmax'; choose from policy_order, .*, versions"):
        tensorflow.run_experiment("softmax")


def test_what_went_wrong_is_the_last_line(stand_in):
    stand_in(code="raise ModuleNotFoundError(\"No module named 'tensorflow'\")")
    with pytest.raises(
        RuntimeError, match=r"^experiment fit with TensorFlow failed: ModuleNotFoundError: No module na"
    ):
        tensorflow.run_experiment("fit")
    with pytest.raises(ValueError, match="experiment versions with TensorFlow failed: ModuleNotFoundError"):
        tensorflow.header()
    stand_in(status=3)
    with pytest.raises(RuntimeError, match=r"failed: exit status 3$"):
        tensorflow.run_experiment("fit")


def test_a_file_that_is_no_program(monkeypatch, tmp_path):
    (tmp_path / "python").write_text("no program")
    monkeypatch.setenv(tensorflow.VARIABLE, str(tmp_path / "python"))
    with pytest.raises(ValueError, match="cannot be run: Permission denied"):
        tensorflow.run_experiment("fit")


def test_an_endless_experiment_is_stopped(stand_in, monkeypatch):
    stand_in(code="import time; time.sleep(60)")
    monkeypatch.setattr(tensorflow, "TIMEOUT_S", 0.5)
    with pytest.raises(RuntimeError, match=r"took more than 0\.5 s"):
        tensorflow.run_experiment("fit")


def test_the_suite_records_every_experiment(stand_in):
    stand_in(ROWS)
    found = run_suite("tensorflow", device="cpu")
    assert isinstance(found, Record) and found.header["tensorflow"] == "9.9" and found.header["keras"] == "8.8"
    parts = [function.__name__ for function in tensorflow_experiments.EXPERIMENTS]
    assert found.header["parts"] == parts == list(tensorflow.PARTS)
    assert found.part("custom_loop") == [{"part": "custom_loop", **row} for row in ROWS]
    shown = record.tables(found)
    assert shown[0].columns == ["policy", "loss", "zero_gradients", "warned"] and len(shown) == len(parts)


def test_a_part_that_fails_leaves_the_others(stand_in):
    stand_in(ROWS, code="if sys.argv[-1] == 'fit': sys.exit('ValueError: no fit')")
    found = run_suite("tensorflow", device="cpu")
    assert [(row["part"], row["failed"]) for row in found.failures()] == [
        ("fit", "RuntimeError: experiment fit with TensorFlow failed: ValueError: no fit")
    ]


def test_the_command_stops_before_it_measures(capsys):
    assert main(["record", "--suite", "tensorflow", "--smoke", "--device", "cpu"]) == 2
    error = capsys.readouterr().err
    assert error.startswith("python -m amp_helpers: no TensorFlow here: ") and error.count("\n") == 1


def test_nobody_gets_the_suite_unasked():
    assert SUITES["tensorflow"].by_name and "tensorflow" not in suites_for("cpu")


def test_the_script_imports_nothing_of_ours_and_nothing_heavy():
    """It runs where neither torch nor this package is; TensorFlow and Keras are imported inside the experiments."""
    code = f"import runpy, sys; runpy.run_path({tensorflow_experiments.__file__!r}); "
    code += "print({'torch', 'numpy', 'keras', 'tensorflow', 'amp_helpers'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
