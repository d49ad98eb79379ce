"""A small table: aligned text in a terminal, HTML in a notebook and in the book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

#: A cell that is compared with those above and below: a number with whatever follows it, or none.
_NUMBER = re.compile(r"[-+]?(\d|\.\d|inf|nan|$)")

#: Characters of a row's name from which on the page may break it.
_LONG = 24
#: A name that is too long for a narrow column.
_LONG_NAME = re.compile(r"[\w.]{16,}")
#: Of a column of words. The alignment is written out, because a notebook has no style sheet of the book.
_WORDS = ' class="words" style="text-align:left"'


class Table:
    """Rows under named columns, with a caption.

    Args:
        columns: the header cells.
        rows: one sequence per row, as long as `columns`; floats show up to six significant digits.
        caption: one sentence; in HTML it is the table's caption, in text the last line.
    Raises: ValueError naming the row whose length differs from the header's.
    Introduced in: notebooks/01_float_bits.ipynb
    """

    def __init__(self, columns: Sequence[str], rows: Iterable[Sequence], caption: str = ""):
        self.columns = [str(name) for name in columns]
        self.rows = [[_text(value) for value in row] for row in rows]
        self.caption = caption
        for number, row in enumerate(self.rows):
            if len(row) != len(self.columns):
                raise ValueError(f"row {number} has {len(row)} cells, the header has {len(self.columns)}: {row}")

    def __repr__(self) -> str:
        widths = [max(map(len, column)) for column in zip(self.columns, *self.rows, strict=True)]
        lines = [self.columns, ["-" * width for width in widths], *self.rows]
        # The first column names the row. In the others numbers are compared, so they are aligned right; text is not.
        right = [i > 0 and numbers for i, numbers in enumerate(self._numbers())]
        text = [
            "  ".join(
                cell.rjust(width) if aligned else cell.ljust(width)
                for cell, width, aligned in zip(line, widths, right or [False] * len(widths), strict=True)
            )
            for line in lines
        ]
        return "\n".join(line.rstrip() for line in [*text, *([self.caption] if self.caption else [])])

    def _numbers(self) -> list[bool]:
        """Whether a column holds numbers only; empty if there are no rows."""
        return [all(map(_NUMBER.match, column)) for column in zip(*self.rows, strict=True)]

    def _repr_html_(self) -> str:
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        first, *rest = ["" if numbers else _WORDS for numbers in self._numbers()] or [""] * len(self.columns)
        # Names of rows stand left anyway; only long ones may be broken.
        first = first if any(len(row[0]) > _LONG for row in self.rows) else ""
        kinds = [first, *rest]
        head = "".join(
            f'<th scope="col"{kind}>{escape(name)}</th>' for name, kind in zip(self.columns, kinds, strict=True)
        )
        body = "\n".join(
            f'<tr><th scope="row"{first}>{_breakable(name)}</th>'
            + "".join(f"<td{kind}>{_breakable(cell)}</td>" for cell, kind in zip(cells, rest, strict=True))
            + "</tr>"
            for name, *cells in self.rows
        )
        return f'<table class="formats">{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def _breakable(cell: str) -> str:
    """A cell as HTML; its long names may be broken after an underscore or a dot."""
    return _LONG_NAME.sub(lambda name: re.sub(r"(?<=[a-z\d][_.])(?=\w)", "<wbr>", name[0]), escape(cell))


def _text(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
