"""Linting finds every planted line, stays silent on correct code, and its reasons hold on the installed torch."""

import json
import re
import sys
import warnings
from pathlib import Path

import pytest
import torch

from amp_helpers.audit import STEP_CODES
from amp_helpers.lint import CODES, Finding, check_paths, check_source
from amp_helpers.lint import rules as lint_rules
from amp_helpers.lint.spellings import PER_DEVICE
from amp_helpers.lint.tree import Tree

ROOT = Path(__file__).parents[1]


def corpus(name: str) -> dict[str, str]:
    """The snippets of a file: `=== name`, then its lines."""
    text = (ROOT / "tests/lint_corpus" / f"{name}.txt").read_text(encoding="utf8")
    parts = re.split(r"^=== (\w+)\n", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def planted(source: str) -> list[tuple[int, str]]:
    """(line, code) of every `# <- CODE, CODE`."""
    marks = ((line, mark) for line, text in enumerate(source.split("\n"), 1) for mark in re.findall(r"# <- (.+)", text))
    return sorted((line, code) for line, mark in marks for code in mark.split(", "))


WRONG, RIGHT = corpus("wrong"), corpus("right")


@pytest.mark.parametrize("name", WRONG)
def test_every_planted_line_is_found_and_nothing_else(name):
    assert sorted((finding.line, finding.code) for finding in check_source(WRONG[name])) == planted(WRONG[name])


@pytest.mark.parametrize("name", RIGHT)
def test_a_correct_snippet_is_clean(name):
    assert check_source(RIGHT[name]) == []


def test_the_corpus_is_large_enough():
    found = [code for source in WRONG.values() for _, code in planted(source)]
    assert len(WRONG) >= 40 and len(RIGHT) >= 12
    assert {code for code in CODES if found.count(code) < 2} == set()
    assert not any(planted(source) for source in RIGHT.values())


@pytest.mark.parametrize("rule", [*lint_rules.TREE_RULES, *lint_rules.LOOP_RULES], ids=lambda rule: rule.__name__)
def test_without_a_rule_the_corpus_is_not_found(rule, monkeypatch):
    for name in ("TREE_RULES", "LOOP_RULES"):
        kept = tuple(other for other in getattr(lint_rules, name) if other is not rule)
        monkeypatch.setattr(lint_rules, name, kept)
    missed = [n for n, s in WRONG.items() if sorted((f.line, f.code) for f in check_source(s)) != planted(s)]
    assert missed


def test_code_names_are_those_of_the_audit():
    names = [code.name for code in CODES.values()]
    assert len(set(names)) == len(names)
    twins = {
        "stale-casts", "backward-under-autocast", "missing-zero-grad", "missing-update", "clip-before-unscale",
        "bypassed-scaler", "unscaled-backward", "mixed-scales", "repeated-unscale", "no-gradients",
        "scaler-with-bfloat16", "float16-without-scaler", "float16-parameters",
    }  # fmt: skip
    assert twins == set(STEP_CODES) & set(names) == set(STEP_CODES)
    for code, entry in CODES.items():
        assert re.fullmatch(r"AMP[1-4]\d\d", code) and all(entry) and not any("\n" in text for text in entry)


def test_a_finding_is_one_line_with_real_names():
    source = "for x in loader:\n    net_opt.zero_grad()\n    gs.scale(f(x)).backward()\n    gs.step(net_opt)\n"
    [finding] = check_source(source, "folder/train.py")
    assert finding == Finding(
        "folder/train.py", 4, 5, "AMP301", "gs.step(net_opt) without gs.update(): call gs.update() after it"
    )
    assert str(finding) == f"folder/train.py:4:5 AMP301 {finding.message}"
    findings = [finding for source in WRONG.values() for finding in check_source(source)]
    assert not any("\n" in str(finding) for finding in findings)


def test_what_a_message_says_to_write_is_clean():
    lines = (
        "scaler = torch.cuda.amp.GradScaler(1024.0, growth_interval=100)",
        "with torch.cuda.amp.autocast(False): pass",
        "torch.cuda.amp.autocast(not torch and device == 'cuda')",
        "torch.get_autocast_gpu_dtype()",
        "torch.autocast(dtype=torch.float16)",
        "torch.GradScaler(2.0**8)",
    )
    for line in lines:
        [finding] = check_source(f"import torch\n{line}")
        advice = finding.message.rpartition("write ")[2]
        assert check_source(f"import torch\nimport torch.amp\n{advice}") == []
        namespace = {"torch": torch, "device": torch.device("cpu")}
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # no GPU here
            warnings.simplefilter("error", FutureWarning)
            warnings.simplefilter("error", DeprecationWarning)
            exec(advice, namespace)


#: Samples of the web as they were found: chapter 20 shows this file, so its mistakes carry no comments for the linter.
BROKEN = "amp_helpers/claims/broken_samples.py"


def test_the_broken_samples_are_found():
    lines = (ROOT / BROKEN).read_text(encoding="utf8").splitlines()

    def function(line: int) -> str:
        return (
            next(text for text in reversed(lines[:line]) if text.startswith("def ")).split("(")[0].removeprefix("def ")
        )

    found = {(function(finding.line), finding.code) for finding in check_paths([str(ROOT / BROKEN)]).findings}
    assert found == {
        ("without_zero_grad", "AMP302"),
        ("without_update", "AMP301"),
        ("with_old_names", "AMP106"),
        ("with_old_names", "AMP107"),
    }


def test_our_own_code_is_clean():
    checked = check_paths([str(ROOT / "amp_helpers"), str(ROOT / "tools")])
    found = [finding for finding in checked.findings if not finding.path.endswith(BROKEN)]
    assert [str(finding) for finding in found] == [] and checked.errors == []
    assert checked.files > 100


def test_the_notebooks_are_clean_but_for_cells_tagged_wrong():
    checked = check_paths([str(ROOT / "notebooks")])
    assert [str(finding) for finding in checked.findings] == [] and checked.errors == []


def notebook(*cells, **options) -> str:
    """JSON of a notebook; a cell is source, or (source, tags), or (source, None) for Markdown."""
    made = []
    for cell in cells:
        source, tags = cell if isinstance(cell, tuple) else (cell, [])
        made.append(
            {"cell_type": "markdown" if tags is None else "code", "metadata": {"tags": tags or []}, "source": source}
        )
    return json.dumps({"cells": made} | options)


def test_a_notebook_is_one_source_with_places_in_its_cells(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text(
        notebook(
            "from torch.cuda import amp",
            ("# amp.GradScaler()", None),
            ["%matplotlib inline\n", "x = !ls\n", "files?\n", "scaler = amp.GradScaler()"],
            ("amp.autocast()", ["wrong"]),
            "%%bash\ntorch.autocast(",
            "%%time\nwith amp.autocast():\n    pass",
        )
    )
    checked = check_paths([str(path)])
    places = [(f.path.removeprefix(str(tmp_path)), f.line, f.column, f.code) for f in checked.findings]
    assert places == [
        ("/n.ipynb:cell 1", 1, 24, "AMP105"),
        ("/n.ipynb:cell 3", 4, 10, "AMP107"),
        ("/n.ipynb:cell 6", 2, 6, "AMP106"),
    ]
    assert checked.errors == [] and checked.exit_code == 1


def test_a_broken_cell_is_named_and_the_others_are_read(tmp_path):
    path = tmp_path / "n.ipynb"
    path.write_text(notebook("import torch", "def (:", "torch.autocast()"))
    checked = check_paths([str(path)])
    assert [f.code for f in checked.findings] == ["AMP112"] and checked.exit_code == 2
    [error] = checked.errors
    assert error.startswith(f"{path}:cell 2:1:") and "no valid Python" in error


def test_a_magic_may_stand_anywhere_in_a_cell(tmp_path):
    path = tmp_path / "n.ipynb"
    cells = [
        "%cd ..\n!ls \\\n  -l | (\nimport torch",
        "  %time x = 1\n  torch.autocast()",  # IPython takes a common indent away
        "x = (7\n     % 3)\nif x:\n    !echo it's\ntorch.autocast()",
        "\n%%bash\nls (",
        ";f a b\n,f a b\n/f a b\nhelp??\nnames = !ls",
        "async with x: pass",
    ]
    path.write_text(notebook(*cells))
    checked = check_paths([str(path)])
    assert checked.errors == []
    assert [str(f).removeprefix(f"{path}:").split()[:3] for f in checked.findings] == [
        ["cell", "2:2:1", "AMP112"],
        ["cell", "3:5:1", "AMP112"],
    ]


def test_a_notebook_in_another_language_is_left_out(tmp_path):
    path = tmp_path / "n.ipynb"
    for metadata, findings in (
        ({"language_info": {"name": "R"}}, 0),
        ({"kernelspec": {"language": "julia"}}, 0),
        ({"kernelspec": {"language": "ipython"}}, 1),
        ({"language_info": 3, "kernelspec": {"language": None}}, 1),
        (None, 1),
    ):
        path.write_text(notebook("import torch", "torch.autocast()", metadata=metadata), encoding="utf-8-sig")
        checked = check_paths([str(path)])
        assert (len(checked.findings), checked.errors) == (findings, []), metadata


@pytest.mark.parametrize("metadata", [None, 3, {"tags": 5}, {"tags": "wrong"}, {"tags": [1, {}]}])
def test_odd_metadata_of_a_cell_is_no_tag(tmp_path, metadata):
    path = tmp_path / "n.ipynb"
    cell = {"cell_type": "code", "metadata": metadata, "source": "import torch\ntorch.autocast()"}
    path.write_text(json.dumps({"cells": [cell, {"cell_type": "code"}, {}]}))
    assert len(check_paths([str(path)]).findings) == 1


def test_linting_never_runs_or_imports_the_file(tmp_path, monkeypatch):
    path = tmp_path / "effects.py"
    mark = tmp_path / "mark"
    path.write_text(
        f"import torch, pathlib, no_such_module\npathlib.Path({str(mark)!r}).touch()\n"
        "torch.autocast()\nraise SystemExit(7)\n"
    )
    before, source = set(sys.modules), path.read_bytes()
    assert [f.code for f in check_paths([str(path)]).findings] == ["AMP112"]
    assert not mark.exists() and path.read_bytes() == source and "effects" not in set(sys.modules) - before
    assert [p.name for p in tmp_path.iterdir()] == ["effects.py"]


def test_a_name_that_is_not_torchs_is_left_alone():
    assert check_source("from .cuda import amp\namp.autocast()\n") == []
    assert check_source("def autocast(): ...\nautocast()\n") == []
    assert check_source('text = "torch.cuda.amp.autocast()"  # torch.cuda.amp.GradScaler()\n') == []


def test_an_ignored_line_names_its_codes():
    line = "torch.cuda.amp.autocast(torch.autocast())"
    codes = {
        "": ["AMP106", "AMP112"],
        "  # amp: ignore": [],
        "  # amp: ignore[AMP106]": ["AMP112"],
        "  # because  # amp: ignore[AMP106, AMP112]": [],
        "  # amp: ignore[AMP999]": ["AMP106", "AMP112"],
    }
    for comment, expected in codes.items():
        assert [f.code for f in check_source(f"import torch\n{line}{comment}\n")] == expected


@pytest.mark.parametrize("source", ["def (:", "x = '", "print 'x'", "\0"])
def test_what_is_no_python_is_one_value_error(source):
    with pytest.raises(ValueError, match=r"^<string>.*no valid Python 3\.\d+: .+$"):
        check_source(source)


def test_wrong_types_are_named():
    with pytest.raises(TypeError, match="source is a str, not bytes"):
        check_source(b"x")
    with pytest.raises(TypeError, match=r"write \['train.py'\]"):
        check_paths("train.py")


def test_a_missing_libcst_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "libcst", None)
    with pytest.raises(ModuleNotFoundError, match="pip install libcst"):
        check_paths([str(ROOT / "tools")])


def test_columns_and_lines_with_windows_ends_and_a_tab(tmp_path):
    path = tmp_path / "w.py"
    path.write_bytes(b"\xef\xbb\xbfimport torch\r\nif True:\r\n\ttorch.autocast()\r\n")
    [finding] = check_paths([str(path)]).findings
    assert (finding.line, finding.column) == (3, 2)


def test_a_module_is_parsed_once_and_names_follow_aliases():
    tree = Tree("import torch as t\nbf = t.bfloat16\nother = unknown\n")
    assert tree.dtype(tree.assigned["bf"][0]) == "bfloat16" and tree.dtype(tree.assigned["other"][0]) == ""


# --- the page ------------------------------------------------------------------------------------------

PAGE = (ROOT / "book/lint.md").read_text(encoding="utf8")
SECTION = re.compile(r"^\((amp\d+)\)=\n### (AMP\d+) (\S+)\n(.*?)(?=^\(amp|^## |\Z)", re.MULTILINE | re.DOTALL)


def test_the_page_explains_every_code_under_a_stable_anchor():
    sections = SECTION.findall(PAGE)
    assert [code for _, code, _, _ in sections] == list(CODES)
    for anchor, code, name, text in sections:
        entry = CODES[code]
        assert anchor == code.lower() and name == entry.name
        plain = text.replace("`", "")
        assert all(part in plain for part in (entry.message, entry.reason, entry.fix)), code


def test_the_pages_table_lists_every_code():
    rows = re.findall(r"^\| \{ref\}`(AMP\d+) <(\w+)>` \| (\S+) \| (.+) \|$", PAGE, re.MULTILINE)
    assert [code for code, _, _, _ in rows] == list(CODES)
    for code, anchor, name, text in rows:
        assert anchor == code.lower() and (name, text.replace("`", "")) == CODES[code][:2]


@pytest.mark.parametrize(("code", "text"), [(code, text) for _, code, _, text in SECTION.findall(PAGE)])
def test_the_pages_wrong_example_is_found_and_its_right_one_is_clean(code, text):
    wrong, right = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    assert {finding.code for finding in check_source(wrong)} >= {code}
    assert check_source(right) == []


def test_the_page_prints_what_the_command_prints():
    source, printed = re.search(r"```python\n(.*?)```.*?```text\n(.*?)```", PAGE, re.DOTALL).groups()
    assert [str(finding) for finding in check_source(source, "train.py")] == printed.splitlines()


# --- the reasons, on the installed torch ---------------------------------------------------------------


def test_old_names_warn_and_new_ones_do_not():
    x = torch.zeros(1)
    old = [torch.cuda.amp.autocast, torch.cpu.amp.autocast, torch.cuda.amp.GradScaler, torch.cpu.amp.GradScaler]
    old += [lambda: torch.cuda.amp.custom_fwd(x.add), lambda: torch.cuda.amp.custom_bwd(x.add)]
    for call in old:
        with pytest.warns(FutureWarning, match="deprecated"):
            call()
    arguments = {"get": (), "is": (), "set": (torch.bfloat16,)}
    for name in PER_DEVICE:
        own = name.removeprefix("torch.")
        if hasattr(torch, own) and not own.startswith("set"):
            with pytest.warns(DeprecationWarning, match="deprecated"):
                getattr(torch, own)(*arguments[own.split("_")[0]])


def test_calls_without_a_device_fail():
    for call in (torch.autocast, torch.amp.autocast, lambda: torch.amp.custom_fwd(len), torch.amp.custom_bwd):
        with pytest.raises(TypeError, match="device_type"):
            call()
    for device in (True, torch.float16, torch.device("cpu")):
        with pytest.raises(ValueError, match="device_type"):
            torch.autocast(device)
    assert torch.amp.GradScaler(1024.0).get_scale() == 65536.0  # amp: ignore[AMP113]


def scaled():
    weight = torch.nn.Parameter(torch.ones(2))
    optimizer = torch.optim.SGD([weight], lr=0.1)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    scaler.scale(weight.sum()).backward()
    return weight, optimizer, scaler


def test_wrong_orders_fail_as_the_reasons_say():
    _, optimizer, scaler = scaled()
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.update()
    scaler.unscale_(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.unscale_(optimizer)
    weight, optimizer, scaler = scaled()
    scaler.unscale_(optimizer)
    scaler.update()
    scaler.step(optimizer)  # divides once more
    assert weight.grad.tolist() == [1 / 8, 1 / 8]
    _, optimizer, scaler = scaled()
    optimizer.zero_grad()
    with pytest.raises(AssertionError, match="No inf checks"):
        scaler.step(optimizer)
    _, optimizer, scaler = scaled()
    scaler.step(optimizer)
    with pytest.raises(RuntimeError, match="already been called"):
        scaler.step(optimizer)
    _, optimizer, _ = scaled()
    with pytest.raises(AssertionError, match="_scale is None"):
        torch.amp.GradScaler("cpu").step(optimizer)
