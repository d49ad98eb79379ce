"""Make and keep the virtual environment `.venv` (colab_env.py and tensorflow_env.py make those of other targets).

It grows in steps: "book" installs what builds the book (no torch), "test" everything. Requirements come from
pyproject.toml, exact versions from constraints.txt (NEWEST=1 ignores them). A step whose inputs have not changed
since it last succeeded is skipped. Only the standard library is used, since this runs before anything is installed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SCRIPTS, EXE = ("Scripts", ".exe") if os.name == "nt" else ("bin", "")
VENV = ROOT / ".venv"
BIN = VENV / SCRIPTS
PYTHON = BIN / f"python{EXE}"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def fail(message: str) -> None:
    """Stop with one clear line."""
    sys.exit(f"error: {message}")


def requirements(step: str) -> list[str]:
    """Requirement strings of a step, from pyproject.toml."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = project["optional-dependencies"]
    return extras["book"] if step == "book" else [*project["dependencies"], *extras["book"], *extras["test"]]


def ensure(step: str) -> Path:
    """Create `.venv` if needed and install a step ("book" or "test"). Returns its Python."""
    if sys.version_info < (3, 11):  # noqa: UP036 - this is what a reader with an older Python meets
        fail(f"Python >= 3.11 is needed, this is {sys.version.split()[0]}; try: make PYTHON=python3.12 ...")
    newest = os.environ.get("NEWEST") == "1"
    inputs = repr((requirements(step), newest, sys.version_info[:2])).encode()
    inputs += (ROOT / "constraints.txt").read_bytes()
    fingerprint = hashlib.sha256(inputs).hexdigest()
    if not PYTHON.exists():
        create()
    stamp = VENV / f"{step}.installed"
    if not (stamp.exists() and stamp.read_text() == fingerprint):
        print(f"Installing what `{step}` needs into .venv ...", flush=True)
        stamp.unlink(missing_ok=True)
        pip("install", *([] if newest else ["-c", "constraints.txt"]), *requirements(step))
        if step == "test":  # editable, so that commands and kernels find the package from any folder
            pip("install", "--no-deps", "--editable", ".")
        stamp.write_text(fingerprint)
    return PYTHON


def create(folder: Path = VENV, python: str = sys.executable) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    made = subprocess.run([python, "-m", "venv", str(folder)], capture_output=True, text=True)
    if made.returncode:
        shutil.rmtree(folder, ignore_errors=True)
        fail(f"could not make {folder.name} (on Debian: install python3-venv).\n{made.stdout}{made.stderr}".rstrip())


def pip(*args: str, python: Path = PYTHON) -> None:
    command = [str(python), "-m", "pip", *args, "--quiet", "--disable-pip-version-check"]
    if subprocess.run(command, cwd=ROOT).returncode:
        fail(f"pip {args[0]} failed (see above); nothing was marked as installed, so running again retries")


def chromium() -> str:
    """Path of a Chromium. Without one it is installed through apt where that is possible."""
    found = find_chromium()
    if not found and shutil.which("apt-get") and os.geteuid() == 0:
        print("Installing Chromium ...", flush=True)
        apt = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        subprocess.run(["apt-get", "update", "-qq"], env=apt, check=False)
        subprocess.run(["apt-get", "install", "-y", "-qq", "chromium"], env=apt, check=False, stdout=subprocess.DEVNULL)
        found = find_chromium()
    if not found:
        fail("no Chromium found; install one (Debian: apt-get install chromium) or set CHROMIUM to its path")
    return found


def find_chromium() -> str | None:
    named = os.environ.get("CHROMIUM")
    if named and not Path(named).exists():
        fail(f"CHROMIUM={named} does not exist")
    return named or next((path for name in BROWSERS if (path := shutil.which(name))), None)
