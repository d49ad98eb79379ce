"""The environment of `make test-tensorflow`, `.venv-tensorflow`: TensorFlow's build for CPUs, and Keras.

It is made anew when tests/with_tensorflow/versions.txt or the Python changes, and kept otherwise. Neither the package
nor the tests are part of it: they run in `.venv`, and start experiments there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import sys
from pathlib import Path

from env import EXE, ROOT, SCRIPTS, create, fail, pip

#: The folder is not called tensorflow: `tests` is on the path of every test, and an import would find it.
VERSIONS = ROOT / "tests" / "with_tensorflow" / "versions.txt"
VENV = ROOT / ".venv-tensorflow"
PYTHON = VENV / SCRIPTS / f"python{EXE}"
#: Pythons for which this version of TensorFlow has wheels, the first and the last.
PYTHONS = ((3, 11), (3, 13))
FREE_GB = 3


def ensure() -> Path:
    """Make `.venv-tensorflow`, unless it is there and up to date. Returns its Python."""
    fingerprint = hashlib.sha256(repr(sys.version_info[:2]).encode() + VERSIONS.read_bytes()).hexdigest()
    stamp = VENV / "installed"
    if PYTHON.exists() and stamp.exists() and stamp.read_text() == fingerprint:
        return PYTHON
    first, last = (".".join(map(str, version)) for version in PYTHONS)
    if not PYTHONS[0] <= sys.version_info[:2] <= PYTHONS[1]:
        fail(f"TensorFlow is there for Python {first} to {last}; try: make PYTHON=python{last} test-tensorflow")
    shutil.rmtree(VENV, ignore_errors=True)
    free = shutil.disk_usage(ROOT).free / 1e9
    if free < FREE_GB:
        fail(f"TensorFlow needs about {FREE_GB} GB of disk; {free:.1f} GB are free")
    print("Installing TensorFlow into .venv-tensorflow ...", flush=True)
    create(VENV)
    pip("install", "--requirement", str(VERSIONS), python=PYTHON)
    stamp.write_text(fingerprint)
    return PYTHON


def notebooks() -> list[str]:
    """The notebooks that have cells tagged `tensorflow`, as paths from the root."""

    def tagged(path: Path) -> bool:
        cells = json.loads(path.read_text(encoding="utf8"))["cells"]
        return any("tensorflow" in cell["metadata"].get("tags", ()) for cell in cells)

    found = [path for path in sorted((ROOT / "notebooks").glob("*.ipynb")) if tagged(path)]
    return [path.relative_to(ROOT).as_posix() for path in found]
