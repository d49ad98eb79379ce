"""Storing runs a notebook, keeps what two runs have in common, and writes all or nothing."""

from pathlib import Path

import nbformat
import pytest
import store
import stored_form
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from stored_form import NO_GPU_RECORD, WIDGET_VIEW, StoreError, fingerprint, normalise, stored_outputs

# A widget as amp_helpers.widgets makes it: a live view and a twin in the same bundle.
TWIN = "from IPython.display import display\ndisplay({%r: {'model_id': __import__('uuid').uuid4().hex}, %s}, raw=True)"


def code(source, *tags, outputs=(), **metadata):
    return new_code_cell(source, outputs=list(outputs), metadata={"tags": list(tags), **metadata})


def stream(text):
    return new_output("stream", name="stdout", text=text)


@pytest.fixture
def save(tmp_path):
    def write(*cells):
        path = tmp_path / "chapter.ipynb"
        nbformat.write(new_notebook(cells=list(cells)), path)
        return path

    return write


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch):
    monkeypatch.setattr(store, "tags_not_run_here", lambda: {"gpu", "tensorflow"})


def run(path, *options):
    return store.main([*options, str(path)])


def read(path):
    return nbformat.read(path, as_version=4)


def texts(path):
    return [
        o.get("text") or o.get("data", {}).get("text/plain") for c in read(path).cells for o in c.get("outputs", [])
    ]


def test_stores_twice_the_same_bytes_and_nothing_volatile(save, capsys):
    path = save(
        new_markdown_cell("# A title"),
        code("import sys, uuid\nprint('one'); print('noise', file=sys.stderr); print('two')"),
        new_markdown_cell("## A question?\n"),
        code("1 / 0", "raises-exception"),
        code("import matplotlib.pyplot as plt\nplt.plot([1, 2]);", mystnb={"image": {"alt": "a line"}}, collapsed=True),
        code(TWIN % (WIDGET_VIEW, "'text/html': '<b>twin</b>', 'text/plain': 'Twin()'")),
        code("40 + 2", "solution"),
        code("uuid.uuid4().hex", "nbval-ignore-output"),
    )
    path.chmod(0o640)
    assert run(path) == 0
    first = path.read_bytes()
    assert run(path) == 0
    assert path.read_bytes() == first
    assert path.stat().st_mode & 0o777 == 0o640
    assert [line.rpartition(": ")[2] for line in capsys.readouterr().out.splitlines()] == ["stored", "unchanged"]
    assert [child.name for child in path.parent.iterdir()] == ["chapter.ipynb"]

    notebook = read(path)
    assert notebook.metadata == stored_form.NOTEBOOK_METADATA
    ids = ["a-title-1", "a-title-2", *[f"a-question-{n}" for n in range(1, 7)]]
    assert [cell.id for cell in notebook.cells] == ids
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == [1, 2, 3, 4, 5, 6]
    prints, error, figure, widget, solution, random = cells
    assert prints.outputs == [stream("one\ntwo\n")]
    assert prints.metadata == {}
    assert error.outputs[0].traceback == ["ZeroDivisionError: division by zero"]
    assert set(figure.outputs[0].data) == {"image/png", "text/plain"} and len(figure.outputs) == 1
    assert figure.metadata == {"mystnb": {"image": {"alt": "a line"}}}
    assert widget.outputs[0].data == {"text/html": "<b>twin</b>", "text/plain": "Twin()"}
    hidden = {"source_hidden": True, "outputs_hidden": True}
    assert solution.metadata == {"cellView": "form", "jupyter": hidden, "tags": ["solution"]}
    assert solution.outputs[0].execution_count == 5
    assert random.metadata.stored_source == fingerprint("uuid.uuid4().hex")


def test_kept_outputs_follow_the_source(save):
    path = save(code("import uuid"), code("print(uuid.uuid4().hex)", "nbval-ignore-output"))
    run(path)
    kept = texts(path)
    run(path)
    assert texts(path) == kept
    run(path, "--refresh")
    refreshed = texts(path)
    assert refreshed != kept
    notebook = read(path)
    notebook.cells[1].source += "  # edited"
    nbformat.write(notebook, path)
    run(path)
    assert texts(path) != refreshed


def test_check_reports_and_writes_nothing(save, capsys):
    path = save(code("print(1)"))
    before = path.read_bytes()
    assert run(path, "--check") == 1
    assert path.read_bytes() == before
    assert capsys.readouterr().out == f"{path}: would change\n"
    run(path)
    assert run(path, "--check") == 0


@pytest.mark.parametrize(
    ("cell", "message"),
    [
        (code("x = 1\nraise ValueError('bad value 7')"), "cell 1 (x = 1): ValueError: bad value 7"),
        (code("import os; os._exit(1)"), "cell 1 (import os; os._exit(1)): the kernel died"),
        (code("1", "raises-exception"), "cell 1 (1): tagged raises-exception, but nothing was raised"),
        (code(TWIN % (WIDGET_VIEW, "'text/plain': 'IntSlider()'")), "a widget without a static twin"),
        (code("print('x' * 60_001)"), "cell 1: an output of 60,002 bytes, at most 60,000"),
    ],
    ids=["error", "dead", "no-error", "widget", "large"],
)
def test_a_failure_names_the_cell_and_leaves_the_file(save, capsys, cell, message):
    path = save(new_markdown_cell("# T"), cell)
    before = path.read_bytes()
    assert run(path) == 1
    assert path.read_bytes() == before
    error = capsys.readouterr().err
    assert error.startswith(f"{path}: ") and message in error and error.count("\n") == 1


def test_a_failure_does_not_stop_the_other_notebooks(save, tmp_path, capsys):
    good = save(code("print(1)"))
    bad = tmp_path / "bad.ipynb"
    bad.write_text("no notebook", encoding="utf-8")
    assert store.main([str(bad), str(good)]) == 1
    assert texts(good) == ["1\n"]
    assert capsys.readouterr().err.startswith(f"{bad}: cannot be read as a notebook")


def test_a_notebook_that_is_too_large_is_refused(save, capsys):
    path = save(new_markdown_cell("word " * 130_000))
    assert run(path) == 1
    assert "at most 600,000" in capsys.readouterr().err


def test_an_interrupted_write_leaves_the_old_file(save, monkeypatch):
    path = save(code("1"))
    before = path.read_bytes()

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(Path, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        store.replace_file(path, "new")
    assert path.read_bytes() == before
    assert [child.name for child in path.parent.iterdir()] == ["chapter.ipynb"]


def test_gpu_cells_show_their_record_or_that_there_is_none(save, monkeypatch, capsys):
    path = save(code("print('from this machine')", "gpu"), code("print('tf')", "tensorflow"))
    run(path)
    assert texts(path) == [NO_GPU_RECORD, stored_form.NO_TENSORFLOW_RECORD]
    without = path.read_bytes()
    run(path)
    assert path.read_bytes() == without

    with monkeypatch.context() as with_gpu:
        with_gpu.setattr(store, "tags_not_run_here", set)
        run(path)
    record = ["from this machine\n", "tf\n"]
    assert texts(path) == record
    for options in ((), ("--refresh",)):
        run(path, *options)
        assert texts(path) == record

    capsys.readouterr()
    notebook = read(path)
    notebook.cells[0].source = "print('another question')"
    nbformat.write(notebook, path)
    run(path)
    assert texts(path) == [NO_GPU_RECORD, "tf\n"]
    assert "cell 0: its record is gone" in capsys.readouterr().out


def test_a_gpu_record_is_kept_on_another_gpu_until_it_is_refreshed(save, monkeypatch):
    monkeypatch.setattr(store, "tags_not_run_here", set)
    path = save(code("print(__import__('uuid').uuid4())", "gpu"))
    run(path)
    record = texts(path)
    run(path)
    assert texts(path) == record
    run(path, "--refresh")
    assert texts(path) != record


# --- the stored form, without a kernel --------------------------------------------------------------


def test_a_plain_widget_needs_a_figure_in_its_cell():
    view = new_output("display_data", {WIDGET_VIEW: {"model_id": "1"}, "text/plain": "interactive()"})
    figure = new_output("display_data", {"image/png": "AAAA", "text/plain": "figure"})
    assert [set(o.data) for o in stored_outputs([view, figure])] == [{"image/png", "text/plain"}]
    with pytest.raises(StoreError, match="without a static twin"):
        stored_outputs([view])


def test_prints_are_joined_and_counts_have_no_gap():
    noise = new_output("stream", name="stderr", text="noise")
    cells = [code("a", outputs=[stream("one\n"), noise, stream("two\n")]), code("b", "gpu"), code("7\n\n")]
    cells[0].execution_count, cells[2].execution_count = 4, 9
    cells[2].outputs = [new_output("execute_result", {"text/plain": "7"}, execution_count=9)]
    stored = normalise(new_notebook(cells=cells)).cells
    assert stored[0].outputs == [stream("one\ntwo\n")]
    assert [cell.execution_count for cell in stored] == [1, 2, 3]
    assert (stored[2].source, stored[2].outputs[0].execution_count) == ("7", 3)


def test_a_widget_may_have_a_picture_for_twin():
    output = new_output("display_data", {WIDGET_VIEW: {}, "image/png": "AAAA"})
    assert [set(o.data) for o in stored_outputs([output])] == [{"image/png"}]


def test_only_the_size_of_a_picture_survives_in_an_outputs_metadata():
    output = new_output("display_data", {"image/png": "AAAA"})
    output.metadata = {"image/png": {"width": 300, "height": 200, "dpi": 7}, "custom": 1}
    assert stored_outputs([output])[0].metadata == {"image/png": {"width": 300, "height": 200}}


def test_colours_leave_an_error_message():
    error = new_output("error", ename="E", evalue="\x1b[31mred\x1b[0m", traceback=["long"])
    assert stored_outputs([error])[0].traceback == ["E: red"]


def test_normalising_twice_changes_nothing_and_ids_are_valid():
    cells = [new_markdown_cell(f"## {'Größe → ' * 20}{n}?") for n in range(2)] + [
        new_markdown_cell("## ???"),
        code("1"),
    ]
    once = nbformat.writes(normalise(new_notebook(cells=cells)))
    again = nbformat.reads(once, as_version=4)
    assert nbformat.writes(normalise(again)) == once
    nbformat.validate(again)
    assert len({cell.id for cell in again.cells}) == 4


def test_tensorflow_runs_only_when_asked(monkeypatch):
    monkeypatch.delenv("NOTEBOOK_TENSORFLOW", raising=False)
    assert "tensorflow" in stored_form.tags_not_run_here()
    monkeypatch.setenv("NOTEBOOK_TENSORFLOW", "1")
    assert "tensorflow" not in stored_form.tags_not_run_here()
