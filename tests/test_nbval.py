"""`notebooks/conftest.py`: nbval compares the stored form strictly, and skips only what cannot run here."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
import torch
from nbformat.v4 import new_code_cell, new_notebook, new_output
from stored_form import NO_GPU_RECORD, WIDGET_VIEW, normalise

ROOT = Path(__file__).parents[1]


def stream(text):
    return [new_output("stream", name="stdout", text=text)]


def shown(source="", **data):
    bundle = {mime.replace("_", "/"): value for mime, value in data.items()}
    view = f"{WIDGET_VIEW!r}: {{'model_id': __import__('uuid').uuid4().hex}}, "
    return f"from IPython.display import display\ndisplay({{{view}{str(bundle)[1:-1]}}}, raw=True){source}", bundle


def display(bundle):
    return [new_output("display_data", bundle)]


def error(name, message):
    return [new_output("error", ename=name, evalue=message, traceback=[f"{name}: {message}"])]


TWIN, TWIN_STORED = shown(text_html="<b>twin</b>", text_plain="Twin()")
PLAIN, _ = shown(text_plain="interactive()")
FIGURE, FIGURE_STORED = (
    "display({'image/png': 'AAAA', 'text/plain': 'figure'}, raw=True)",
    {"image/png": "BBBB", "text/plain": "figure"},
)
NOISE = "import sys\nprint('noise', file=sys.stderr)\nprint('text')"

#: name: source, stored outputs, tags, what nbval must say
CELLS = {
    "same": ("print(1)", stream("1\n"), [], "passed"),
    "changed": ("print(2)", stream("1\n"), [], "failed"),
    "missing": ("pass", stream("1\n"), [], "failed"),
    "unexpected": ("print(1)", [], [], "failed"),
    "stderr": (NOISE, stream("text\n"), [], "passed"),
    "stdout beside stderr": (NOISE, stream("other\n"), [], "failed"),
    "history": ("{}; 5;", [], [], "passed"),
    "time": ("print('12.5 ms')", stream("7 ms\n"), [], "passed"),
    "no unit": ("print('12.5')", stream("7\n"), [], "failed"),
    "twin": (TWIN, display(TWIN_STORED), [], "passed"),
    "other twin": (TWIN, display(TWIN_STORED | {"text/html": "<b>old</b>"}), [], "failed"),
    "plain widget with figure": (f"{PLAIN}\n{FIGURE}", display(FIGURE_STORED), [], "passed"),
    "plain widget alone": (PLAIN, [], [], "failed"),
    "error": ("1 / 0", error("ZeroDivisionError", "division by zero"), ["raises-exception"], "passed"),
    "other message": ("1 / 0", error("ZeroDivisionError", "by zero"), ["raises-exception"], "failed"),
    "other error": ("1 / 0", error("ValueError", "division by zero"), ["raises-exception"], "failed"),
    "no error": ("0", error("ZeroDivisionError", "division by zero"), ["raises-exception"], "failed"),
    "unwanted error": ("1 / 0", [], [], "failed"),
    "ignored": ("print(2)", stream("1\n"), ["nbval-ignore-output"], "passed"),
    "ignored error": ("1 / 0", [], ["nbval-ignore-output"], "failed"),
    "gpu": ("print('a GPU')", stream(NO_GPU_RECORD), ["gpu"], "passed" if torch.cuda.is_available() else "skipped"),
    "tensorflow": ("print(1)", stream("1\n"), ["tensorflow"], "skipped"),
}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Each cell's outcome in one run of nbval, in the order of `CELLS`."""
    folder = tmp_path_factory.mktemp("nbval")
    shutil.copy(ROOT / "notebooks" / "conftest.py", folder)
    cells = [new_code_cell(source, outputs=out, metadata={"tags": tags}) for source, out, tags, _ in CELLS.values()]
    notebook = new_notebook(cells=cells)
    normalise(notebook)
    nbformat.write(notebook, folder / "cells.ipynb")
    (folder / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")
    environment = {k: v for k, v in os.environ.items() if k != "NOTEBOOK_TENSORFLOW"} | {
        "PYTHONPATH": str(ROOT / "tools")
    }
    options = ["--nbval", "--nbval-current-env", f"--nbval-sanitize-with={ROOT / 'tests' / 'nbval_sanitize.cfg'}"]
    command = [sys.executable, "-m", "pytest", "-rA", "--tb=no", "-p", "no:cacheprovider", *options, str(folder)]
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    found = re.findall(r"^cells\.ipynb ([.Fs]+)", done.stdout, re.MULTILINE)
    assert found and len(found[0]) == len(CELLS), done.stdout + done.stderr
    words = {".": "passed", "F": "failed", "s": "skipped"}
    return dict(zip(CELLS, (words[letter] for letter in found[0]), strict=True))


@pytest.mark.parametrize("name", CELLS)
def test_nbval_says(outcomes, name):
    assert outcomes[name] == CELLS[name][-1]
