"""What the Makefile calls: `python tools/run.py TARGET`.

Each target first makes sure that its environment holds what it needs (`.venv`, `.venv-colab` for test-colab, and
`.venv-tensorflow` beside `.venv` for test-tensorflow), then runs one or more commands in it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import colab_env
import tensorflow_env
from env import BIN, ROOT, chromium, ensure, fail

HTML = ROOT / "_build" / "html"
#: Strict on the pinned versions; on others (NEWEST=1, Colab's) only the notebooks' own conclusions have to hold.
STRICTNESS = "--nbval-lax" if os.environ.get("NEWEST") == "1" else "--nbval"
NBVAL = ["--nbval-current-env", "--nbval-sanitize-with=tests/nbval_sanitize.cfg"]
NBVAL += ["--nbval-cell-timeout=300", "--nbval-kernel-startup-timeout=120"]
#: Two threads on two contended cores are slower than one, and reductions stay reproducible.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
NO_AMX = {"ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def venv(*command: str, programs: Path = BIN, **env: str) -> None:
    """Run a command of `.venv`, or of the environment with these programs; stop with its exit status if it fails."""
    environment = {**os.environ, "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}", "PYTHONHASHSEED": "0", **env}
    status = subprocess.run([str(programs / command[0]), *command[1:]], cwd=ROOT, env=environment).returncode
    if status:
        sys.exit(status)


def book(step: str = "book") -> None:
    """Build with warnings as errors; an incomplete build never looks like a book."""
    ensure(step)
    started = time.monotonic()
    shutil.rmtree(HTML, ignore_errors=True)  # no page of an earlier table of contents may stay
    venv("jupyter-book", "build", ".", "-n", "-W", "--keep-going", "--quiet")
    page = HTML / "index.html"
    if not page.exists():
        fail(f"the build ended without {page.relative_to(ROOT)}")
    print(f"The book is at {page} (built in {time.monotonic() - started:.0f} s)")


def serve() -> None:
    book()
    venv("python", "-m", "http.server", "--bind", "127.0.0.1", "--directory", str(HTML), "8000")


def lint() -> None:
    ensure("test")
    venv("ruff", "check", ".")
    venv("ruff", "format", "--check", ".")


def unit() -> None:
    book("test")
    venv("pytest", "-m", "not browser and not colab and not tensorflow", **ONE_THREAD)


def browser() -> None:
    book("test")
    venv("pytest", "-m", "browser", CHROMIUM=chromium(), **ONE_THREAD)


def notebooks(**env: str) -> None:
    ensure("test")
    venv("pytest", STRICTNESS, *NBVAL, "notebooks", **ONE_THREAD, **env)


def on_colab() -> None:
    """The tests leave the built wheel installed; the notebooks run with that and not with the checkout."""
    started = time.monotonic()
    colab_env.ensure()
    ready = time.monotonic()
    env = {"programs": colab_env.BIN, "PYTHONPATH": str(colab_env.STAND_IN), **ONE_THREAD}
    env["PYDEVD_DISABLE_FILE_VALIDATION"] = "1"  # the kernel's debugger has warnings for Python 3.13
    venv("pytest", "-m", "colab", "tests/colab", **env)
    venv("pytest", "--nbval-lax", *NBVAL, "notebooks", **env)
    print(
        f"--- on Colab's versions, {time.monotonic() - ready:.0f} s (environment: {ready - started:.0f} s)", flush=True
    )


def with_tensorflow() -> None:
    """The cells that need TensorFlow start it in its own environment; all others run in `.venv` as ever."""
    ensure("test")
    env = {"TENSORFLOW_PYTHON": str(tensorflow_env.ensure()), "NOTEBOOK_TENSORFLOW": "1", **ONE_THREAD}
    venv("pytest", "-m", "tensorflow", "tests/with_tensorflow", **env)
    venv("pytest", STRICTNESS, *NBVAL, *tensorflow_env.notebooks(), **env)


def everything() -> None:
    started = time.monotonic()
    for part in (lint, unit, browser, notebooks):
        part()
        print(f"--- {part.__name__} passed, {time.monotonic() - started:.0f} s after the start", flush=True)


def store() -> None:
    ensure("test")
    venv("python", "tools/store.py", **ONE_THREAD)


def record() -> None:
    """Threads are the command's own business: a GPU's suites need more than one to keep it busy."""
    ensure("test")
    venv("python", "-m", "amp_helpers", "record")


def clean() -> None:
    for path in [ROOT / "_build", ROOT / "dist", ROOT / "build", *ROOT.glob("*.egg-info")]:
        shutil.rmtree(path, ignore_errors=True)


TARGETS = {
    "book": book,
    "serve": serve,
    "lint": lint,
    "test": everything,
    "test-unit": unit,
    "test-browser": browser,
    "test-notebooks": notebooks,
    "test-no-amx": lambda: notebooks(**NO_AMX),
    "test-colab": on_colab,
    "test-tensorflow": with_tensorflow,
    "store": store,
    "record": record,
    "clean": clean,
}

if __name__ == "__main__":
    if len(sys.argv) != 2 or sys.argv[1] not in TARGETS:
        fail(f"unknown target {' '.join(sys.argv[1:]) or '(none)'}; choose from {', '.join(TARGETS)}")
    try:
        TARGETS[sys.argv[1]]()
    except KeyboardInterrupt:
        sys.exit(130)
