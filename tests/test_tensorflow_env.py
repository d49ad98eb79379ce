"""`tools/tensorflow_env.py`: when it makes the environment anew, when it cannot, and which notebooks need it."""

import json
import re
from types import SimpleNamespace

import pytest
import tensorflow_env


@pytest.fixture
def made(monkeypatch, tmp_path):
    """The names of what `ensure` called; nothing is installed, and `.venv-tensorflow` is left alone."""
    folder, calls = tmp_path / "venv", []
    versions = tmp_path / "versions.txt"
    versions.write_text("keras==1.0\n")
    monkeypatch.setattr(tensorflow_env, "VENV", folder)
    monkeypatch.setattr(tensorflow_env, "PYTHON", folder / "python")
    monkeypatch.setattr(tensorflow_env, "VERSIONS", versions)
    monkeypatch.setattr(tensorflow_env.sys, "version_info", (3, 13, 1))

    def create(path):
        calls.append("create")
        path.mkdir()
        (path / "python").touch()

    def pip(*arguments, python):
        assert python == folder / "python" and arguments[1:] == ("--requirement", str(versions))
        calls.append(arguments[0])

    monkeypatch.setattr(tensorflow_env, "create", create)
    monkeypatch.setattr(tensorflow_env, "pip", pip)
    return calls


def test_the_environment_is_made_once(made, monkeypatch):
    assert tensorflow_env.ensure() == tensorflow_env.ensure() == tensorflow_env.PYTHON
    assert made == ["create", "install"]
    tensorflow_env.VERSIONS.write_text("keras==2.0\n")
    tensorflow_env.ensure()
    assert made == ["create", "install"] * 2, "other versions are wanted"
    monkeypatch.setattr(tensorflow_env.sys, "version_info", (3, 12, 0))
    tensorflow_env.ensure()
    assert made == ["create", "install"] * 3, "this Python is another one"


def test_an_installation_that_failed_is_tried_again(made, monkeypatch):
    def fails(*_, python):
        raise SystemExit("error: pip install failed")

    with monkeypatch.context() as context, pytest.raises(SystemExit, match="pip install failed"):
        context.setattr(tensorflow_env, "pip", fails)
        tensorflow_env.ensure()
    (tensorflow_env.VENV / "python").unlink()
    tensorflow_env.ensure()
    assert made == ["create", "create", "install"]


@pytest.mark.parametrize("version", [(3, 10, 9), (3, 14, 0)])
def test_a_python_without_wheels_is_named_before_anything_is_installed(made, monkeypatch, version):
    monkeypatch.setattr(tensorflow_env.sys, "version_info", version)
    with pytest.raises(
        SystemExit, match=r"TensorFlow is there for Python 3\.11 to 3\.13; try: make PYTHON=python3\.13"
    ):
        tensorflow_env.ensure()
    assert made == []


def test_a_full_disk_is_reported_before_anything_is_installed(made, monkeypatch):
    monkeypatch.setattr(tensorflow_env.shutil, "disk_usage", lambda path: SimpleNamespace(free=1.5e9))
    with pytest.raises(SystemExit, match=r"needs about 3 GB of disk; 1\.5 GB are free"):
        tensorflow_env.ensure()
    assert made == []


def test_every_version_is_pinned():
    lines = tensorflow_env.VERSIONS.read_text(encoding="utf8").splitlines()
    pins = [line for line in lines if not line.startswith("#")]
    assert {"keras", "tensorflow", "tensorflow-cpu"} <= {pin.split("==")[0] for pin in pins}
    assert all(re.fullmatch(r"[\w.-]+==[\d.]+( ; sys_platform [!=]= \"darwin\")?", pin) for pin in pins)


def test_keras_is_the_same_in_both_environments():
    constraints = (tensorflow_env.ROOT / "constraints.txt").read_text(encoding="utf8").splitlines()
    (pin,) = [line for line in constraints if line.startswith("keras==")]
    assert pin in tensorflow_env.VERSIONS.read_text(encoding="utf8").splitlines()


def test_the_notebooks_with_such_cells(monkeypatch, tmp_path):
    assert "notebooks/16_keras_and_tensorflow.ipynb" in tensorflow_env.notebooks()
    (tmp_path / "notebooks").mkdir()
    for name, tags in {"a": [["tensorflow"], []], "b": [[], ["gpu"]], "c": [["wrong", "tensorflow"]]}.items():
        cells = [{"metadata": {"tags": tag} if tag else {}} for tag in tags]
        (tmp_path / f"notebooks/{name}.ipynb").write_text(json.dumps({"cells": cells}))
    monkeypatch.setattr(tensorflow_env, "ROOT", tmp_path)
    assert tensorflow_env.notebooks() == ["notebooks/a.ipynb", "notebooks/c.ipynb"]
