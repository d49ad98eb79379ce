"""The set-up cell installs or stops; the stamp changes its address and nothing else."""

import base64
import hashlib
import json
import os
import subprocess
import sys
import zipfile

import nbformat
import pytest
import stamp
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from setup_cell import SETUP_CELL

ADDRESS = "https://github.com/octocat/hello-world/archive/v1.0.0.zip"


@pytest.fixture
def notebook(tmp_path):
    path = tmp_path / "chapter.ipynb"
    cells = [new_markdown_cell("# Größe"), new_code_cell(SETUP_CELL), new_code_cell('PUBLISHED = ""')]
    nbformat.write(new_notebook(cells=cells), path)
    return path


def run(*arguments, **env):
    environment = {k: v for k, v in os.environ.items() if k != "REPOSITORY"} | env
    command = [sys.executable, stamp.__file__, *map(str, arguments)]
    return subprocess.run(command, env=environment, capture_output=True, text=True)


def test_changes_the_address_and_no_other_byte(notebook):
    before = notebook.read_bytes()
    assert stamp.main(["--repository", "octocat/hello-world", "--ref", "v1.0.0", str(notebook)]) == 0
    after = notebook.read_bytes()
    assert after == before.replace(b'PUBLISHED_SOURCE = \\"\\"', b'PUBLISHED_SOURCE = \\"' + ADDRESS.encode() + b'\\"')
    source = json.loads(after)["cells"][1]["source"]
    assert f'PUBLISHED_SOURCE = "{ADDRESS}"  # filled in when the book is published\n' in source
    compile("".join(source), "cell", "exec")


def test_stamping_twice_changes_nothing_and_another_ref_replaces(notebook):
    arguments = ["--repository", "octocat/hello-world", str(notebook), "--ref"]
    stamp.main([*arguments, "v1.0.0"])
    once = notebook.read_bytes()
    stamp.main([*arguments, "v1.0.0"])
    assert notebook.read_bytes() == once
    stamp.main([*arguments, "release/2"])
    assert notebook.read_bytes() == once.replace(b"v1.0.0.zip", b"release/2.zip")


def test_reads_the_environment_and_writes_to_a_folder(notebook, tmp_path):
    before = notebook.read_bytes()
    done = run("--ref", "v1.0.0", "--output", tmp_path / "out", notebook, REPOSITORY="octocat/hello-world")
    assert done.returncode == 0, done.stderr
    assert notebook.read_bytes() == before
    assert ADDRESS.encode() in (tmp_path / "out" / "chapter.ipynb").read_bytes()


@pytest.mark.parametrize(
    "repository",
    ["", "hello-world", "https://github.com/o/n", "o/n/x", "-o/n", "o--x/n", "o/..", "o/n.git", 'o/n"', "o/n\n"],
)
def test_refuses_a_malformed_repository(notebook, repository):
    before = notebook.read_bytes()
    done = run("--ref", "v1", f"--repository={repository}", notebook)
    assert done.returncode == 1
    assert done.stderr.startswith(f"REPOSITORY must be owner/name, for example octocat/hello-world, not {repository!r}")
    assert notebook.read_bytes() == before


@pytest.mark.parametrize("ref", ["", "../x", "a b", 'v1"', "/v1", "v1\n"])
def test_refuses_a_malformed_reference(notebook, ref):
    done = run("--repository", "o/n", f"--ref={ref}", notebook)
    assert (done.returncode, done.stderr) == (1, f"--ref must be a tag, branch or commit, not {ref!r}\n")


def test_refuses_a_notebook_without_set_up_cell_and_writes_none(notebook, tmp_path):
    before = notebook.read_bytes()
    other = tmp_path / "other.ipynb"
    nbformat.write(new_notebook(cells=[new_code_cell("1")]), other)
    done = run("--repository", "o/n", "--ref", "v1", notebook, other)
    assert done.returncode == 1
    assert done.stderr == f"{other}: expected one line 'PUBLISHED_SOURCE =', found 0\n"
    assert notebook.read_bytes() == before


# --- the set-up cell itself -------------------------------------------------------------------------


def run_cell(python, cell, *options, cwd, source=""):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"} | {"AMP_HELPERS_SOURCE": str(source)}
    return subprocess.run([python, *options, "-c", cell], cwd=cwd, env=environment, capture_output=True, text=True)


def test_does_nothing_where_the_package_is_installed(tmp_path):
    (tmp_path / "amp_helpers.py").touch()
    cell = SETUP_CELL + "\nassert 'amp_helpers' not in sys.modules\nassert 'source' not in globals()"
    done = run_cell(sys.executable, cell, cwd=tmp_path, source="nowhere.whl")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


# -I and -S hide this environment's packages from the cell.
def test_says_what_to_install_when_it_does_not_know_where(tmp_path):
    done = run_cell(sys.executable, SETUP_CELL, "-I", "-S", cwd=tmp_path)
    assert done.returncode == 1
    assert "amp_helpers is not installed" in done.stderr and "pip install ." in done.stderr
    assert "Traceback" not in done.stderr


def test_gives_pips_reason_when_the_installation_fails(tmp_path):
    done = run_cell(sys.executable, SETUP_CELL, "-I", "-S", cwd=tmp_path, source=tmp_path / "missing.whl")
    assert done.returncode == 1
    assert f"could not be installed from {tmp_path / 'missing.whl'}" in done.stderr
    assert "ERROR" in done.stderr and "Traceback" not in done.stderr


def test_stops_run_all_without_a_traceback():
    cells = [new_code_cell(SETUP_CELL.replace('"amp_helpers"', '"amp_helpers_is_missing"')), new_code_cell("ran = 1")]
    client = NotebookClient(new_notebook(cells=cells), extra_arguments=["--IPKernelApp.log_level=ERROR"])
    with pytest.raises(CellExecutionError) as error:
        client.execute(env={**os.environ, "AMP_HELPERS_SOURCE": ""})
    assert error.value.ename == "SystemExit"
    assert cells[1].execution_count is None
    assert "Traceback" not in "".join(o.get("text", "") + "".join(o.get("traceback", ())) for o in cells[0].outputs)


def tiny_wheel(folder):
    """A wheel of a package `amp_helpers` that requires a package that cannot be had."""
    requires = "Requires-Dist: amp-helpers-needs-no-such-thing"
    info = "amp_helpers-0.0.1.dist-info"
    files = {
        "amp_helpers/__init__.py": "answer = 42\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: amp-helpers\nVersion: 0.0.1\n{requires}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digest = lambda text: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()  # noqa: E731
    files[f"{info}/RECORD"] = (
        "".join(f"{n},sha256={digest(t)},{len(t)}\n" for n, t in files.items()) + f"{info}/RECORD,,\n"
    )
    path = folder / "amp_helpers-0.0.1-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for name, text in files.items():
            wheel.writestr(name, text)
    return path


@pytest.mark.slow
def test_installs_from_a_wheel_without_dependencies_or_restart(tmp_path):
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / ("Scripts" if os.name == "nt" else "bin") / "python"
    cell = SETUP_CELL + "\nimport amp_helpers\nprint(amp_helpers.answer)"
    done = run_cell(python, cell, cwd=tmp_path, source=tiny_wheel(tmp_path))
    assert (done.returncode, done.stdout, done.stderr) == (0, "42\n", "")
    listed = subprocess.run([python, "-m", "pip", "list", "--format=json"], capture_output=True, text=True, check=True)
    assert {p["name"].replace("_", "-") for p in json.loads(listed.stdout)} <= {"amp-helpers", "pip", "setuptools"}
    published = cell.replace('PUBLISHED_SOURCE = ""', f'PUBLISHED_SOURCE = "{tiny_wheel(tmp_path)}"')
    subprocess.run([python, "-m", "pip", "uninstall", "-qy", "amp-helpers"], check=True)
    assert run_cell(python, published, cwd=tmp_path).stdout == "42\n"
