"""Rules on single cells and their stored outputs; described in `notebook_rules`."""

from __future__ import annotations

import ast
import re
import statistics
from collections.abc import Iterator

import nbformat
from chapter import code_cells, parse, place
from nbformat import NotebookNode
from setup_cell import SETUP_CELL
from stored_form import (
    LARGEST_NOTEBOOK,
    NO_GPU_RECORD,
    RECORD_TAGS,
    WIDGET_VIEW,
    fingerprint,
    normalise,
    tags,
    too_large,
)

ALLOWED_TAGS = {
    "hide-cell",
    "hide-input",
    "raises-exception",
    "nbval-ignore-output",
    "gpu",
    "tensorflow",
    "version",
    "wrong",
    "exercise",
    "solution",
}
MOST_LINES, MOST_CLASS_LINES, MEDIAN_LINES = 20, 30, 5
MOST_PLOT_LINES = 4
WIDEST_LINE = 78  # the page shows no more without scrolling sideways
PLOT_LINE = re.compile(r"\b(plt|figure|fig|axis|axes|ax\d*)(\[[^\]]*\])*\.\w+")
FILE_LIKE = re.compile(r"\.(png|jpe?g|svg|gif)\b|[0-9a-f]{16,}|_\w+_", re.IGNORECASE)
MACHINE_PATH = re.compile(r"(?<![\w.])/(home|Users|root|tmp|private|mnt|opt|usr)/|\b[A-Z]:\\\\?Users|ipykernel_\d+")
MEMORY_ADDRESS = re.compile(r"\bat 0x[0-9a-f]{6,}")
#: Pictures that the page would load from another host, and launch links, which only the build may write.
FOREIGN = re.compile(
    r"!\[[^\]]*\]\(https?:|<(img|script|iframe|link)\b[^>]*https?:|colab\.research\.google|mybinder\.org"
)


def lines_of(cell: NotebookNode) -> int:
    return sum(bool(line.strip()) for line in cell.source.splitlines())


def own_code(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    """Return the code cells without the set-up cell."""
    return [(i, cell) for i, cell in code_cells(notebook) if cell.source != SETUP_CELL]


def output_text(output: NotebookNode) -> str:
    """Return what an output says, markup included and pictures left out."""
    texts = [output.get("text", ""), output.get("evalue", "")]
    return "\n".join(texts + [str(v) for mime, v in output.get("data", {}).items() if not mime.startswith("image/")])


def cell_size(notebook: NotebookNode) -> Iterator[str]:
    """A cell holds one idea."""
    sizes = []
    for index, cell in own_code(notebook):
        sizes.append(lines_of(cell))
        body = parse(cell)
        most = MOST_CLASS_LINES if len(body) == 1 and isinstance(body[0], ast.ClassDef) else MOST_LINES
        if sizes[-1] > most:
            yield f"{place(index, cell)}: {sizes[-1]} lines, at most {most}"
        if not cell.source.strip():
            yield f"cell {index}: empty"
    if sizes and statistics.median(sizes) > MEDIAN_LINES:
        yield f"the median code cell has {statistics.median(sizes):g} lines, at most {MEDIAN_LINES}"


def line_width(notebook: NotebookNode) -> Iterator[str]:
    """A line of code fits the page."""
    for i, cell in own_code(notebook):
        widest = max(map(len, cell.source.splitlines()), default=0)
        if widest > WIDEST_LINE:
            yield f"{place(i, cell)}: a line has {widest} characters, at most {WIDEST_LINE} fit the page"


def plotting(notebook: NotebookNode) -> Iterator[str]:
    """Drawing is not the subject: more than a few lines of it belong to amp_helpers.plots."""
    for index, cell in code_cells(notebook):
        count = sum(bool(PLOT_LINE.search(line.partition("#")[0])) for line in cell.source.splitlines())
        if count > MOST_PLOT_LINES:
            yield f"{place(index, cell)}: {count} lines of matplotlib, at most {MOST_PLOT_LINES}; move them to plots"


def known_tags(notebook: NotebookNode) -> Iterator[str]:
    """Tags come from the list, and say what the cell is."""
    for index, cell in enumerate(notebook.cells):
        unknown = tags(cell) - (ALLOWED_TAGS if cell.cell_type == "code" else set())
        if unknown:
            choices = ", ".join(sorted(ALLOWED_TAGS))
            yield f"{place(index, cell)}: unknown tags {', '.join(sorted(unknown))}; choose from {choices}"
    for index, cell in code_cells(notebook):
        if "version" in tags(cell) and "version" not in cell.source:
            yield f"{place(index, cell)}: tagged version, so it must print the version"
        if "NBVAL" in cell.source:
            yield f"{place(index, cell)}: give nbval a tag, not a comment"
        if "gpu" in tags(cell):
            body = parse(cell)
            if len(body) != 1 or not isinstance(getattr(body[0], "value", None), ast.Call):
                yield f"{place(index, cell)}: a gpu cell is one statement, the call of a packaged function"


def run_in_order(notebook: NotebookNode) -> Iterator[str]:
    """Every code cell was run, from top to bottom; only the first that was not is named."""
    for count, (index, cell) in enumerate(code_cells(notebook), start=1):
        if cell.get("execution_count") != count:
            yield f"{place(index, cell)}: its count is {cell.get('execution_count')}, not {count}; run `make store`"
            return


def stored_form(notebook: NotebookNode) -> Iterator[str]:
    """The notebook is what `store.py` writes."""
    try:
        nbformat.validate(notebook)
        normal = normalise(_copy(notebook))
    except Exception as error:
        yield f"not a valid notebook: {str(error).partition(chr(10))[0]}"
        return
    if normal.metadata != notebook.metadata:
        yield "its metadata is not what tools/store.py writes; run `make store`"
    pairs = list(zip(notebook.cells, normal.cells, strict=True))
    for part in ("id", "metadata", "source"):
        others = [index for index, (cell, wanted) in enumerate(pairs) if cell.get(part) != wanted.get(part)]
        if others:
            cells = f"cell {others[0]}" + (f" and {len(others) - 1} more" if len(others) > 1 else "")
            yield f"{cells}: {part} is not what tools/store.py writes; run `make store`"


def records(notebook: NotebookNode) -> Iterator[str]:
    """A kept output was printed by this very source; only a gpu or tensorflow cell may be without a record."""
    for index, cell in code_cells(notebook):
        if tags(cell) & RECORD_TAGS and cell.metadata.get("stored_source") != fingerprint(cell.source):
            yield f"{place(index, cell)}: its source changed since its output was stored; run `make store`"
        if "gpu" not in tags(cell) and any(output.get("text") == NO_GPU_RECORD for output in cell.outputs):
            yield f"{place(index, cell)}: shows a missing GPU record without the tag gpu"


def clean_outputs(notebook: NotebookNode) -> Iterator[str]:
    """Outputs hold nothing random, no noise, and no error that is not meant."""
    if "widgets" in notebook.metadata:
        yield "widget state in the notebook's metadata"
    for index, cell in code_cells(notebook):
        for output in cell.outputs:
            if output.get("name") == "stderr":
                yield f"{place(index, cell)}: stored stderr"
            if WIDGET_VIEW in output.get("data", {}):
                yield f"{place(index, cell)}: a live widget's view, whose id is random"
            if output.output_type == "error":
                if "raises-exception" not in tags(cell):
                    yield f"{place(index, cell)}: stored error {output.ename}"
                if len(output.traceback) != 1 or not output.traceback[0].startswith(output.ename):
                    yield f"{place(index, cell)}: a traceback is stored as 'Name: message'"
            if MEMORY_ADDRESS.search(output_text(output)):
                yield f"{place(index, cell)}: a memory address in its output"


def sizes(notebook: NotebookNode) -> Iterator[str]:
    """Figures and notebooks stay small enough for a phone and for git."""
    for index, cell in code_cells(notebook):
        if found := too_large(cell):
            yield f"{place(index, cell)}: {found}"
    total = len(nbformat.writes(notebook).encode())
    if total > LARGEST_NOTEBOOK:
        yield f"the notebook has {total:,} bytes, at most {LARGEST_NOTEBOOK:,}"


def pictures(notebook: NotebookNode) -> Iterator[str]:
    """A picture is one PNG per cell, with a caption and words for those who do not see it."""
    for index, cell in code_cells(notebook):
        images = [mime for output in cell.outputs for mime in output.get("data", {}) if mime.startswith("image/")]
        if not images:
            continue
        if images != ["image/png"]:
            yield f"{place(index, cell)}: one PNG per cell is wanted, found {', '.join(images)}"
        book = cell.metadata.get("mystnb", {})
        alt = book.get("image", {}).get("alt", "")
        if len(alt) <= 20 or len(alt.split()) < 4 or FILE_LIKE.search(alt):
            yield f"{place(index, cell)}: metadata mystnb.image.alt should describe the picture in words, not {alt!r}"
        if len(book.get("figure", {}).get("caption", "").split()) < 3:
            yield f"{place(index, cell)}: metadata mystnb.figure.caption is missing"


def no_addresses(notebook: NotebookNode) -> Iterator[str]:
    """Nothing points at this machine, at a foreign host that the page would load, or at the book's own address."""
    for index, cell in enumerate(notebook.cells):
        texts = [cell.source, *map(output_text, cell.get("outputs", []))]
        if any(MACHINE_PATH.search(text) for text in texts):
            yield f"{place(index, cell)}: a path of a machine"
        if any(FOREIGN.search(text) for text in texts):
            yield f"{place(index, cell)}: loads from another host, or links to a launcher"


def no_installing(notebook: NotebookNode) -> Iterator[str]:
    """Only the set-up cell installs."""
    for index, cell in own_code(notebook):
        if re.search(r"\b(pip|conda|mamba|uv|apt|apt-get)3?\b.{0,12}\binstall\b", cell.source):
            yield f"{place(index, cell)}: installs something; only the set-up cell does"


def _copy(notebook: NotebookNode) -> NotebookNode:
    return nbformat.reads(nbformat.writes(notebook, version=4), as_version=4)


RULES = (
    cell_size,
    line_width,
    plotting,
    known_tags,
    run_in_order,
    stored_form,
    records,
    clean_outputs,
    sizes,
    pictures,
    no_addresses,
    no_installing,
)
