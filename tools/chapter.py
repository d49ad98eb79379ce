"""Read a notebook as a chapter: its code cells, sections, readings and exercises. Used by the rules."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import NamedTuple

from nbformat import NotebookNode
from stored_form import tags

OPENING = ("What you will do", "Set-up")
CLOSING = ("Exercises", "Recap", "In practice", "Sources")

HEADING = re.compile(r"^(#{1,6}) +(.+?) *$", re.MULTILINE)
FENCED = re.compile(r"^(`{3,}|~{3,})[^\n]*\n.*?^\1[`~]*\s*$", re.MULTILINE | re.DOTALL)
PREDICT = re.compile(r"^\*\*Predict\.\*\*", re.MULTILINE)
DIRECTIVE = re.compile(r"^:{3,}\{", re.MULTILINE)


class Section(NamedTuple):
    """The cells from one level-2 heading to the next, each with its index in the notebook."""

    title: str
    cells: list[tuple[int, NotebookNode]]

    def code(self) -> list[tuple[int, NotebookNode]]:
        return [(i, cell) for i, cell in self.cells if cell.cell_type == "code"]

    def text(self) -> str:
        """The section's Markdown."""
        return "\n\n".join(cell.source for _, cell in self.cells if cell.cell_type == "markdown")


class Exercise(NamedTuple):
    """The cells of one exercise, in their order; None for a part that is not in its place."""

    label: str
    index: int
    attempt: NotebookNode | None
    opening: str
    solution: NotebookNode | None
    closed: bool


def place(index: int, cell: NotebookNode) -> str:
    """Name a cell in a message: its index, counted from 0 as Jupyter's file does, and its first line."""
    line = cell.source.strip().partition("\n")[0]
    return f"cell {index} ({line[:57] + '...' if len(line) > 60 else line})"


def code_cells(notebook: NotebookNode) -> list[tuple[int, NotebookNode]]:
    return [(i, cell) for i, cell in enumerate(notebook.cells) if cell.cell_type == "code"]


def headings(source: str) -> list[tuple[int, str]]:
    """Return (level, text) of the headings of a Markdown cell, code blocks aside."""
    return [(len(marks), text) for marks, text in HEADING.findall(FENCED.sub("", source))]


def opened_section(cell: NotebookNode) -> str:
    """Return the level-2 heading that a Markdown cell begins with, or nothing."""
    opening = re.match(r"## +(.+?) *(?:\n|$)", cell.source) if cell.cell_type == "markdown" else None
    return opening[1] if opening else ""


def sections(notebook: NotebookNode) -> list[Section]:
    """Split at the cells that open with a level-2 heading; what stands before the first is left out."""
    found: list[Section] = []
    for index, cell in enumerate(notebook.cells):
        title = opened_section(cell)
        if title:
            found.append(Section(title, []))
        if found:
            found[-1].cells.append((index, cell))
    return found


def section(notebook: NotebookNode, title: str) -> Section | None:
    return next((s for s in sections(notebook) if s.title == title), None)


def questions(notebook: NotebookNode) -> list[Section]:
    """Return the sections between the set-up and the exercises."""
    return [s for s in sections(notebook) if s.title not in OPENING + CLOSING]


def bullets(text: str) -> list[str]:
    """Return the lines of the first `-` list."""
    found = re.search(r"(?:^- .*\n?(?:^  .*\n?)*)+", text, re.MULTILINE)
    return re.findall(r"^- (.*)", found[0], re.MULTILINE) if found else []


def parse(cell: NotebookNode) -> list[ast.stmt]:
    """Return the statements of a code cell; IPython magics and shell lines count as nothing."""
    lines = [re.sub(r"^(\s*)[%!].*", r"\1pass", line) for line in cell.source.splitlines()]
    return ast.parse("\n".join(lines)).body


def called_names(cell: NotebookNode) -> set[str]:
    """Return the names of the functions that a code cell calls."""
    calls = [node.func for statement in parse(cell) for node in ast.walk(statement) if isinstance(node, ast.Call)]
    return {call.id if isinstance(call, ast.Name) else getattr(call, "attr", "") for call in calls}


def readings(notebook: NotebookNode) -> Iterator[tuple[int, str]]:
    """Yield (index, text) of what comments on results, code blocks aside.

    That is the Markdown after a code cell, up to a heading, a prediction or a directive, and the recap.
    """
    after_code, title = False, ""
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type == "code":
            after_code = True
            continue
        title = opened_section(cell) or title
        text = FENCED.sub("", cell.source)
        if title == "Recap":
            yield index, HEADING.sub("", text)
        elif after_code and title != "Exercises":
            ends = [found.start() for pattern in (HEADING, PREDICT, DIRECTIVE) if (found := pattern.search(text))]
            yield index, text[: min(ends, default=None)]
            after_code = not ends


def exercises(notebook: NotebookNode) -> list[Exercise]:
    """Return the exercises in the form that `notebook_rules` describes, whole or with parts missing."""
    found = []
    cells = notebook.cells
    for index, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        for body in re.findall(r"^:{3,}\{exercise\}(.*?)^:{3,}\s*$", cell.source, re.MULTILINE | re.DOTALL):
            label = re.search(r"^:label: *(\S+)", body, re.MULTILINE)
            label = label[1] if label else ""
            parts = cells[index + 1 : index + 5]
            parts += [None] * (4 - len(parts))
            attempt, opening, solution, closing = parts
            starts = opening is not None and re.search(
                rf"^:{{3,}}\{{solution-start\}} {re.escape(label)}\s*$", opening.source, re.MULTILINE
            )
            ends = closing is not None and re.match(r":{3,}\{solution-end\}\s*\n:{3,}", closing.source)
            found.append(
                Exercise(
                    label,
                    index,
                    attempt if attempt is not None and "exercise" in tags(attempt) else None,
                    opening.source if starts else "",
                    solution if solution is not None and "solution" in tags(solution) else None,
                    bool(ends),
                )
            )
    return found
