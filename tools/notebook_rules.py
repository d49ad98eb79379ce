"""The rules a chapter keeps, as functions; `python tools/notebook_rules.py [notebooks]` prints what breaks them.

`tests/test_notebooks.py` runs every rule on every notebook, and proves each rule on a miniature that must fail.
`notebooks/00_template.ipynb` is a chapter that keeps them all.

Order of a chapter (level-2 headings, exactly these words, each opening its own cell)
    `# Title`               the first cell: what is found out, as at least four words without a full stop.
    `## What you will do`   one cell with three bold labels, each opening a paragraph:
                            `**Do.**` what happens on the page;
                            `**Learn.**` followed by a `-` list, one line for each promise;
                            `**Need.**` the time on both machines, "1 minute on a CPU, 1 minute on a GPU" (or seconds),
                            then earlier chapters.
    `## Set-up`             the set-up cell (`tools/setup_cell.py`, byte for byte, tagged `hide-cell`), then one cell of
                            imports and settings, at most ten lines. These two need no prose between them.
    `## ...?`               three to six sections, each headed by a question. A paragraph beginning with `**Predict.**`
                            stands before the first code cell; a reading (Markdown) follows every code cell.
    `## Exercises`          at least one exercise in the form below.
    `## Recap`              a `-` list with as many lines as **Learn**, in the same order.
    `## In practice`        what to do tomorrow.
    `## Sources`            links or citations.

Cells
    Prose stands between code cells. A line of code has at most 78 characters. At most 20 non-blank lines, 30 if the
    cell is one class; the median is at most 5 (without the set-up cell). At most four lines that call matplotlib
    (`plt.`, `ax.`, `fig.`): more moves to `plots`.
    Cells are stored run, in order, counted from 1. No `pip install`, no path of a machine, no stderr, no widget state.
    Errors: prefer `with expected_error(ValueError):` from `amp_helpers.notebook`, which prints `ValueError: message`;
    a cell tagged `raises-exception` ends "Run all" in front ends that do not know the tag.

Tags (code cells only, no others)
    hide-cell, hide-input   folded in the book
    raises-exception        shows a traceback, stored as `Name: message`
    nbval-ignore-output     output depends on the machine; the next code cell carries none of the machine's tags and
                            draws the conclusion with `assert` or a `check_*` call
    gpu                     one call of a packaged function; runs only with CUDA, keeps its record elsewhere
    tensorflow              runs only where NOTEBOOK_TENSORFLOW=1 is set, keeps its record elsewhere
    version                 output depends on torch's version, which the cell prints
    wrong                   a mistake shown on purpose; the cell before or after says "wrong" or "mistake"
    exercise, solution      the reader's attempt, and the answer

Exercise (colon fences, so that Jupyter and Colab show readable text; they build with warnings as errors)
    Markdown    :::{exercise} Title / :label: ex-name / text / :::      the last exercise of its cell
    code        tag `exercise`: the attempt, `answer = ...`, then `check_name(answer)`. Given `...`, the check prints
                that nothing is answered yet and raises nothing, so that "Run all" goes on.
    Markdown    :::{solution-start} ex-name / :label: sol-name / :class: dropdown / :::     and a word of explanation
    code        tag `solution`: the answer and the same `check_*` call, which raises if it is wrong
    Markdown    :::{solution-end} / :::

Figures
    One PNG per cell. Metadata `mystnb.image.alt` is prose (over 20 characters, at least four words, no file name);
    `mystnb.figure.caption` has at least three words. An output stays under 60 kB (a table in
    HTML under 120 kB), a notebook under 600 kB.

Numbers in prose (`tools/number_rules.py`)
    A *reading* is the Markdown after a code cell, up to the next heading, `**Predict.**` paragraph or directive; the
    recap is a reading too; the Exercises section is not. Every number in a reading was printed by an earlier cell:
    equal to it, or equal after rounding what was printed to the digits the prose gives (two at least).
    65,504 = 65 504 = 65504; 6.1e-05 = 6.1 x 10^-5 = `$6.1\\times10^{-5}$`; 2^-24 = 2**-24 = `$2^{-24}$` = its value;
    1/3 = its value; 12 % = 0.12; signs are not compared.
    Allowed without being printed: whole numbers 0 to 10; the widths 16, 32, 64, 128; a year in parentheses; numbers in
    names (float16, E4M3, IEEE 754-2019, Python 3.11, chapter 12, section 7.4); formulas with letters in `$...$`.
    A code span with a digit must stand in an earlier output, or in code up to the next code cell.
"""

from __future__ import annotations

import sys
from pathlib import Path

import cell_rules
import chapter_rules
import nbformat
import number_rules
from nbformat import NotebookNode

#: Each rule takes a notebook and yields findings, readable sentences that name the cell.
RULES = chapter_rules.RULES + cell_rules.RULES + number_rules.RULES


def findings(notebook: NotebookNode) -> list[str]:
    """Return what every rule finds."""
    return [finding for rule in RULES for finding in rule(notebook)]


def main(arguments: list[str]) -> int:
    paths = [Path(a) for a in arguments] or sorted((Path(__file__).parents[1] / "notebooks").glob("*.ipynb"))
    found = [f"{path}: {finding}" for path in paths for finding in findings(nbformat.read(path, as_version=4))]
    print("\n".join(found) or f"{len(paths)} notebooks keep the rules")
    return int(bool(found))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
