"""Rules on the order of a chapter, its sections and exercises; described in `notebook_rules`."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from chapter import (
    CLOSING,
    OPENING,
    PREDICT,
    bullets,
    called_names,
    code_cells,
    exercises,
    headings,
    opened_section,
    parse,
    place,
    questions,
    section,
    sections,
)
from nbformat import NotebookNode
from setup_cell import SETUP_CELL
from stored_form import tags

FEWEST_QUESTIONS, MOST_QUESTIONS = 3, 6
MOST_IMPORT_LINES = 10
#: Where readers go for the other half of the time: both machines are named.
NEEDS = re.compile(r"\d+ (second|minute)s? on a CPU\b.*\d+ (second|minute)s? on a GPU\b", re.DOTALL)
LINK = re.compile(r"\]\(https?://|<https?://|\{cite|doi:", re.IGNORECASE)


def title(notebook: NotebookNode) -> Iterator[str]:
    """The first cell is the only level-1 heading, and it says something."""
    first = notebook.cells[0] if notebook.cells else None
    level_1 = [
        text for cell in notebook.cells if cell.cell_type == "markdown" for n, text in headings(cell.source) if n == 1
    ]
    if first is None or first.cell_type != "markdown" or not re.match("# ", first.source):
        yield "the first cell must open with `# Title`"
    if len(level_1) != 1:
        yield f"one level-1 heading is wanted, there are {len(level_1)}"
    elif len(level_1[0].split()) < 4 or level_1[0].endswith("."):
        yield f"the title {level_1[0]!r} should say what is found out: at least four words, no full stop"


def order(notebook: NotebookNode) -> Iterator[str]:
    """Sections stand in the fixed order, each opening its cell, with three to six questions in the middle."""
    titles = [s.title for s in sections(notebook)]
    fixed = [t for t in titles if t in OPENING + CLOSING]
    if fixed != list(OPENING + CLOSING):
        yield f"the fixed sections are {', '.join(OPENING + CLOSING)}, in order; found {', '.join(fixed) or 'none'}"
    elif titles[: len(OPENING)] != list(OPENING) or titles[-len(CLOSING) :] != list(CLOSING):
        yield "the questions stand between Set-up and Exercises"
    middle = questions(notebook)
    if not FEWEST_QUESTIONS <= len(middle) <= MOST_QUESTIONS:
        yield f"{FEWEST_QUESTIONS} to {MOST_QUESTIONS} question sections are wanted, there are {len(middle)}"
    for index, cell in enumerate(notebook.cells):
        if cell.cell_type != "markdown":
            continue
        if [level for level, _ in headings(cell.source)].count(2) > bool(opened_section(cell)):
            yield f"{place(index, cell)}: a level-2 heading opens its own cell"


def promises(notebook: NotebookNode) -> Iterator[str]:
    """The opening says what is done, learned and needed; the recap answers each promise."""
    opening, recap = section(notebook, "What you will do"), section(notebook, "Recap")
    if opening is None or recap is None:
        return  # `order` says so
    text = opening.text()
    for label in ("Do", "Learn", "Need"):
        if not re.search(rf"^\*\*{label}\.\*\*", text, re.MULTILINE):
            yield f"'What you will do' lacks a paragraph that begins with **{label}.**"
    need = text.partition("**Need.**")[2]
    if not NEEDS.search(need):
        yield "**Need.** must give the time on both machines: '1 minute on a CPU, 1 minute on a GPU'"
    learned, answered = bullets(text.partition("**Learn.**")[2]), bullets(recap.text())
    if not learned:
        yield "**Learn.** needs a list of promises, one per line"
    if len(learned) != len(answered):
        yield f"the recap has {len(answered)} lines for {len(learned)} promises under **Learn.**"


def set_up(notebook: NotebookNode) -> Iterator[str]:
    """The set-up cell comes first, byte for byte, and one short import cell follows."""
    code = code_cells(notebook)
    if not code or code[0][1].source != SETUP_CELL:
        yield "the first code cell must be the set-up cell of tools/setup_cell.py, byte for byte"
    elif "hide-cell" not in tags(code[0][1]):
        yield f"{place(*code[0])}: the set-up cell carries the tag hide-cell"
    here = section(notebook, "Set-up")
    if here is None:
        return
    cells = here.code()
    if len(cells) != 2 or (code and cells[0][0] != code[0][0]):
        yield f"'Set-up' holds two code cells, the set-up cell and the imports; there are {len(cells)}"
        return
    lines = [line for line in cells[1][1].source.splitlines() if line.strip()]
    if len(lines) > MOST_IMPORT_LINES:
        yield f"{place(*cells[1])}: {len(lines)} lines of imports and settings; at most {MOST_IMPORT_LINES}"


def shape_of_sections(notebook: NotebookNode) -> Iterator[str]:
    """Each section asks, predicts, runs and reads."""
    for here in questions(notebook):
        if not here.title.endswith("?"):
            yield f"section {here.title!r}: its heading should be a question"
        code = here.code()
        if not code:
            yield f"section {here.title!r}: no code cell answers it"
            continue
        before = "\n\n".join(cell.source for index, cell in here.cells if index < code[0][0])
        if not PREDICT.search(before):
            yield f"section {here.title!r}: no paragraph begins with **Predict.** before its first code cell"
        if here.cells[-1][1].cell_type == "code":
            yield f"{place(*here.cells[-1])}: no reading follows it"


def prose_between(notebook: NotebookNode) -> Iterator[str]:
    """Two code cells touch only where the first is folded or leaves its conclusion to the second."""
    alone = {"hide-cell", "nbval-ignore-output", "gpu"}
    for index, (cell, after) in enumerate(zip(notebook.cells, notebook.cells[1:], strict=False)):
        if cell.cell_type == after.cell_type == "code" and not tags(cell) & alone:
            yield f"{place(index + 1, after)}: no prose between it and the code cell before"


def wrong_is_said(notebook: NotebookNode) -> Iterator[str]:
    """A mistake shown on purpose is called one, in the text beside it."""
    for index, cell in code_cells(notebook):
        beside = (
            notebook.cells[max(index - 1, 0)].source + notebook.cells[min(index + 1, len(notebook.cells) - 1)].source
        )
        if "wrong" in tags(cell) and not re.search(r"wrong|mistake", beside, re.IGNORECASE):
            yield f"{place(index, cell)}: tagged wrong, but the text beside it says neither 'wrong' nor 'mistake'"


def exercise_form(notebook: NotebookNode) -> Iterator[str]:
    """Every exercise has an attempt and a folded solution that pass through the same check."""
    found = exercises(notebook)
    here = section(notebook, "Exercises")
    if here is not None and not any(here.cells[0][0] <= exercise.index <= here.cells[-1][0] for exercise in found):
        yield "'Exercises' holds no :::{exercise}"
    placed = {id(cell) for exercise in found for cell in (exercise.attempt, exercise.solution)}
    for index, cell in code_cells(notebook):
        if tags(cell) & {"exercise", "solution"} and id(cell) not in placed:
            yield f"{place(index, cell)}: belongs to no exercise in the form of notebook_rules"
    for exercise in found:
        name = f"exercise {exercise.label or 'at cell ' + str(exercise.index)!r}"
        if not exercise.label.startswith("ex-"):
            yield f"{name}: needs a line `:label: ex-...`"
        if exercise.attempt is None or exercise.solution is None or not exercise.opening or not exercise.closed:
            yield f"{name}: wants attempt, {{solution-start}}, solution and {{solution-end}}, each in the next cell"
            continue
        if ":class: dropdown" not in exercise.opening or ":label: sol-" not in exercise.opening:
            yield f"{name}: its solution needs `:label: sol-...` and `:class: dropdown`"
        checks = [
            {n for n in called_names(cell) if n.startswith("check_")} for cell in (exercise.attempt, exercise.solution)
        ]
        if not checks[0] or checks[0] != checks[1]:
            yield f"{name}: the attempt and the solution must call the same check_* function"
        if "..." not in exercise.attempt.source:
            yield f"{name}: the attempt leaves `...` for the reader to replace"
        if not exercise.solution.outputs or exercise.solution.outputs == exercise.attempt.outputs:
            yield f"{name}: the check must answer the solution, and otherwise than it answers the attempt"


def conclusions(notebook: NotebookNode) -> Iterator[str]:
    """What depends on the machine is followed by what does not, in a cell that fails if it is false."""
    code = code_cells(notebook)
    for (index, cell), following in zip(code, [*code[1:], None], strict=True):
        if "nbval-ignore-output" not in tags(cell):
            continue
        after = following[1] if following else None
        if after is None or tags(after) & {"nbval-ignore-output", "gpu", "tensorflow"}:
            yield f"{place(index, cell)}: an untagged cell must follow and draw its conclusion"
        elif not (
            any(name.startswith("check_") for name in called_names(after))
            or any(isinstance(node, ast.Assert) for statement in parse(after) for node in ast.walk(statement))
        ):
            yield f"{place(*following)}: the conclusion of cell {index} needs an assert or a check_* call"


RULES = (
    title,
    order,
    promises,
    set_up,
    shape_of_sections,
    prose_between,
    wrong_is_said,
    exercise_form,
    conclusions,
)
