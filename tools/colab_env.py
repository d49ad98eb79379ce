"""The environment of `make test-colab`, `.venv-colab`: the versions that Colab publishes, on Colab's Python.

It is made anew when tests/colab/versions.txt, the Python or what is installed changes, and kept otherwise. The package
itself is not part of it: the tests install and remove it.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys

from env import EXE, ROOT, SCRIPTS, create, fail, pip

VERSIONS = ROOT / "tests" / "colab" / "versions.txt"
#: Holds a `google.colab` in place of Colab's own; a folder for PYTHONPATH.
STAND_IN = ROOT / "tests" / "colab" / "stand_in"
VENV = ROOT / ".venv-colab"
BIN = VENV / SCRIPTS
PYTHON = BIN / f"python{EXE}"
#: What Colab does not have, and the tests need.
ADDED = ["nbval"]
FREE_GB = 8


def versions() -> dict[str, str]:
    """Name -> version as Colab has them, `python` among them."""
    lines = VERSIONS.read_text(encoding="utf8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def ensure() -> None:
    """Make `.venv-colab`, unless it is there and up to date."""
    wanted = versions()
    python = interpreter(wanted.pop("python").rpartition(".")[0])
    requirements = [*(f"{name}=={version}" for name, version in wanted.items()), *ADDED]
    stamp = VENV / "installed"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == fingerprint(requirements, python):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < FREE_GB:
        fail(f"Colab's versions need about {FREE_GB} GB of disk, most of it for torch; {free:.1f} GB are free")
    print("Installing Colab's versions into .venv-colab ...", flush=True)
    create(VENV, python)
    pip("install", *requirements, python=PYTHON)
    stamp.write_text(fingerprint(requirements, python))


def fingerprint(requirements: list[str], python: str) -> str:
    """Of what was asked for and what is there: a failed test may have installed something."""
    folders = [*VENV.glob("lib/python*/site-packages/*.dist-info"), *VENV.glob("Lib/site-packages/*.dist-info")]
    installed = sorted(folder.name for folder in folders if not folder.name.startswith("amp_helpers-"))
    return hashlib.sha256(repr((requirements, python, installed)).encode()).hexdigest()


def interpreter(version: str) -> str:
    """Path of a Python 3.13 ("3.13"): PYTHON313 if it is set, else this one, else the one on PATH."""
    setting = f"PYTHON{version.replace('.', '')}"
    named = os.environ.get(setting)
    for candidate in [named] if named else [sys.executable, f"python{version}"]:
        code = "import sys; print('%d.%d' % sys.version_info[:2], sys.executable)"
        # pyenv puts a python3.13 on PATH that only runs where that version is chosen.
        environment = {**os.environ, "PYENV_VERSION": version}
        try:
            done = subprocess.run([candidate, "-c", code], env=environment, capture_output=True, text=True)
        except OSError:
            continue
        found, _, path = done.stdout.strip().partition(" ")
        if found == version:
            return path
    reason = f"{setting}={named} is none" if named else f"neither this Python nor a python{version} on PATH is one"
    fail(f"Colab has Python {version}, and {reason}; install it, or set {setting} to its path")
