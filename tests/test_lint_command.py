"""`python -m amp_helpers lint`: what it prints, its exit codes, and bad input."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from amp_helpers.__main__ import main

ROOT = Path(__file__).parents[1]
WRONG = "import torch\nwith torch.cuda.amp.autocast():\n    pass\n"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_clean_file_prints_nothing(folder, capsys):
    (folder / "clean.py").write_text("import torch\n")
    (folder / "empty.py").write_text("")
    assert main(["lint", "clean.py", "empty.py", "."]) == 0
    assert capsys.readouterr() == ("", "")


def test_a_finding_is_one_line_and_exit_code_1(folder, capsys):
    (folder / "train.py").write_text(WRONG)
    (folder / "deep").mkdir()
    (folder / "deep/other.py").write_text(WRONG)
    assert main(["lint", "."]) == 1
    out, err = capsys.readouterr()
    message = 'AMP106 torch.cuda.amp.autocast is deprecated: write torch.amp.autocast("cuda")'
    assert out.splitlines() == [f"deep/other.py:2:6 {message}", f"train.py:2:6 {message}"] and err == ""


def test_a_file_named_twice_is_reported_once(folder, capsys):
    (folder / "train.py").write_text(WRONG)
    assert main(["lint", "train.py", ".", "train.py"]) == 1
    assert len(capsys.readouterr().out.splitlines()) == 1


def test_hidden_folders_and_environments_are_left_out(folder, capsys):
    for name in (".hidden", "__pycache__", "env", "node_modules"):
        (folder / name).mkdir()
        (folder / name / "a.py").write_text(WRONG)
    (folder / "env/pyvenv.cfg").write_text("")
    (folder / "clean.py").write_text("")
    assert main(["lint", "."]) == 0
    assert main(["lint", ".hidden/a.py"]) == 1
    assert "AMP106" in capsys.readouterr().out


def bad(folder: Path) -> dict[str, str]:
    """Path -> a part of the message."""
    (folder / "syntax.py").write_text("import torch\ndef (:\n")
    (folder / "binary.py").write_bytes(b"\x7fELF\0\0")
    (folder / "latin.py").write_bytes("# é\n".encode("latin-1"))
    (folder / "cookie.py").write_text("# coding: no-such-encoding\n")
    (folder / "nothing").mkdir()
    (folder / "nothing/read.txt").write_text("x")
    (folder / "void").mkdir()
    (folder / "broken.ipynb").write_text("{")
    (folder / "empty.ipynb").write_text("")
    (folder / "list.ipynb").write_text("[]")
    (folder / "cells.ipynb").write_text('{"cells": [1]}')
    (folder / "loop.py").symlink_to("loop.py")
    os.mkfifo(folder / "pipe.py")
    (folder / "branches.py").write_text("if backward: pass\n" + "elif x: pass\n" * 2500)
    return {
        "missing.py": "missing.py: no such file or folder",
        "": "'' is no path",
        "syntax.py": "syntax.py:2:5: no valid Python 3.",
        "binary.py": "binary.py: a binary file",
        "latin.py": "latin.py: no text in UTF-8",
        "cookie.py": "cookie.py: no text in UTF-8",
        "nothing": "nothing: no Python file",
        "void": "void: no Python file",
        "broken.ipynb": "broken.ipynb: no notebook",
        "empty.ipynb": "empty.ipynb: no notebook",
        "list.ipynb": "list.ipynb: no notebook",
        "cells.ipynb": "cells.ipynb: no notebook",
        "loop.py": "loop.py",
        "pipe.py": "pipe.py: neither a file nor a folder",
        "branches.py": "branches.py: nested too deeply",
        "two\nlines.py": "'two\\nlines.py': no such file",
    }


def test_bad_input_is_one_line_and_exit_code_2(folder, capsys):
    cases = bad(folder)
    before = {path: path.lstat().st_mtime_ns for path in folder.rglob("*")}
    for path, message in cases.items():
        assert main(["lint", path]) == 2, path
        out, err = capsys.readouterr()
        assert out == "" and err.count("\n") == 1 and message in err, (path, err)
        assert err.startswith("python -m amp_helpers lint: ")
    assert {path: path.lstat().st_mtime_ns for path in folder.rglob("*")} == before


def test_other_paths_are_still_checked_and_2_wins(folder, capsys):
    (folder / "train.py").write_text(WRONG)
    assert main(["lint", "missing.py", "train.py", *list(bad(folder))[2:4]]) == 2
    out, err = capsys.readouterr()
    assert [line.split()[1] for line in out.splitlines()] == ["AMP106"] and err.count("\n") == 3


def test_an_unreadable_file_is_one_line(folder, capsys, monkeypatch):
    (folder / "locked.py").write_text("")

    def fails(self):
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "read_bytes", fails)  # a test may run as root, whom no mode stops
    assert main(["lint", "locked.py"]) == 2
    assert capsys.readouterr().err == "python -m amp_helpers lint: locked.py: cannot be read: Permission denied\n"


def test_a_locked_folder_does_not_hide_the_others(folder, capsys, monkeypatch):
    for name in ("open", "locked"):
        (folder / name).mkdir()
        (folder / name / "train.py").write_text(WRONG)
    scandir = os.scandir

    def fails(path):
        if str(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", str(path))
        return scandir(path)

    monkeypatch.setattr(os, "scandir", fails)
    assert main(["lint", "."]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("open/train.py:2:6 AMP106") and out.count("\n") == 1
    assert "locked: cannot be opened: Permission denied" in err and err.count("\n") == 1


def test_a_mistake_in_a_rule_does_not_hide_the_others(folder, capsys, monkeypatch):
    from amp_helpers.lint import rules

    def breaks(tree):
        if "first" in tree.text(tree.module):
            raise KeyError("two\nlines")
        return iter(())

    for name in ("first", "second"):
        (folder / f"{name}.py").write_text(f"# {name}\n{WRONG}")
    monkeypatch.setattr(rules, "TREE_RULES", (*rules.TREE_RULES, breaks))
    assert main(["lint", "first.py", "second.py"]) == 2
    out, err = capsys.readouterr()
    assert out.startswith("second.py:3:6 AMP106") and out.count("\n") == 1
    assert err.count("\n") == 1 and "first.py: lint failed here, please report it: KeyError" in err


def test_names_that_a_terminal_cannot_print(folder):
    for name in (b"bad\xff.py", b"new\nline.py", "schön.py".encode()):
        (folder / os.fsdecode(name)).write_text(WRONG)
    command = [sys.executable, "-m", "amp_helpers", "lint", "."]
    environment = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    run = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=folder)
    assert run.returncode == 1 and run.stderr == ""
    paths = [line.split(":")[0] for line in run.stdout.splitlines()]
    assert sorted(paths) == ["'bad\\udcff.py'", "'new\\nline.py'", "sch\\xf6n.py"]


def test_a_reader_that_stops_is_no_error(folder):
    (folder / "train.py").write_text("import torch\n" + "torch.cuda.amp.autocast()\n" * 3000)
    command = f"{sys.executable} -m amp_helpers lint train.py | head -n 1"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, shell=True, capture_output=True, text=True, env=environment, cwd=folder)
    assert run.stdout.startswith("train.py:2:1 AMP106") and run.stderr == ""


def test_deep_nesting_is_no_crash(folder, capsys):
    (folder / "deep.py").write_text("backward = " + "(" * 150 + "1" + ")" * 150 + "\n" + "x = " + "-" * 3000 + "1\n")
    assert main(["lint", "deep.py"]) in (0, 2)
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") <= 1


def test_without_a_path_it_says_what_is_needed(capsys):
    assert main(["lint"]) == 2
    assert "PATH" in capsys.readouterr().err


def test_without_libcst_it_says_how_to_install_it(folder, capsys, monkeypatch):
    (folder / "train.py").write_text(WRONG)
    monkeypatch.setitem(sys.modules, "libcst", None)
    assert main(["lint", "train.py"]) == 2
    out, err = capsys.readouterr()
    assert out == "" and err.count("\n") == 1 and "pip install libcst" in err


def test_the_command_itself_loads_no_torch(folder):
    (folder / "train.py").write_text(WRONG)
    code = "import sys, amp_helpers.__main__ as m; c = m.main(['lint', 'train.py']); print(c, 'torch' in sys.modules)"
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=folder)
    assert run.stdout.splitlines()[-1] == "1 False", run.stderr
