"""`tools/colab_env.py`: which Python it takes, when it makes the environment anew, and what it says when it cannot."""

import sys
from types import SimpleNamespace

import colab_env
import pytest

THIS = f"{sys.version_info[0]}.{sys.version_info[1]}"


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    """Stands in for `.venv-colab`, which these tests must not touch; nothing is installed."""
    monkeypatch.setattr(colab_env, "VENV", tmp_path / "venv")
    monkeypatch.setattr(colab_env, "PYTHON", tmp_path / "venv" / "python")
    monkeypatch.delenv("PYTHON399", raising=False)
    return tmp_path / "venv"


@pytest.fixture
def made(monkeypatch, folder):
    """The names of what `ensure` called."""
    calls = []

    def create(path, python):
        calls.append("create")
        (folder / "lib/python3.99/site-packages").mkdir(parents=True)
        (folder / "python").touch()

    monkeypatch.setattr(colab_env, "create", create)
    monkeypatch.setattr(colab_env, "pip", lambda command, *_, python: calls.append(command))
    monkeypatch.setattr(colab_env, "interpreter", lambda version: f"python{version}")
    return calls


def test_takes_this_python_if_it_is_the_right_one():
    assert colab_env.interpreter(THIS) == sys.executable


def test_takes_the_one_that_is_named(monkeypatch):
    monkeypatch.setenv(f"PYTHON{THIS.replace('.', '')}", sys.executable)
    assert colab_env.interpreter(THIS) == sys.executable


@pytest.mark.parametrize("named", [sys.executable, "nowhere/python"])
def test_refuses_a_named_python_of_another_version(monkeypatch, named):
    monkeypatch.setenv("PYTHON399", named)
    with pytest.raises(SystemExit, match=f"Colab has Python 3.99, and PYTHON399={named} is none; install it, or set"):
        colab_env.interpreter("3.99")


def test_a_python_on_path_that_does_not_run_is_none(monkeypatch, tmp_path):
    shim = tmp_path / "python3.99"
    shim.write_text("#!/bin/sh\necho 'command not found' >&2\nexit 127\n")
    shim.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(SystemExit, match=r"neither this Python nor a python3\.99 on PATH is one; install it, or set"):
        colab_env.interpreter("3.99")


def test_the_environment_is_made_once(made, monkeypatch):
    colab_env.ensure()
    colab_env.ensure()
    assert made == ["create", "install"]
    monkeypatch.setattr(colab_env, "versions", lambda: {"python": "3.99.1", "torch": "1.0"})
    colab_env.ensure()
    assert made == ["create", "install"] * 2, "other versions are wanted"


def test_the_environment_is_made_anew_when_something_was_installed(made, folder):
    colab_env.ensure()
    (folder / "lib/python3.99/site-packages/amp_helpers-0.1.0.dist-info").mkdir()
    colab_env.ensure()
    assert made == ["create", "install"], "the package comes and goes"
    (folder / "lib/python3.99/site-packages/numpy-2.2.dist-info").mkdir()
    colab_env.ensure()
    assert made == ["create", "install"] * 2


def test_a_full_disk_is_reported_before_anything_is_installed(made, monkeypatch):
    monkeypatch.setattr(colab_env.shutil, "disk_usage", lambda path: SimpleNamespace(free=2.5e9))
    with pytest.raises(SystemExit, match=r"need about 8 GB of disk, most of it for torch; 2\.5 GB are free"):
        colab_env.ensure()
    assert made == []
