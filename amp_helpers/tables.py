"""A small table: aligned text in a terminal, HTML in a notebook and in the book."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape

#: A cell that is compared with those above and below: a number with whatever follows it, or none.
_NUMBER = re.compile(r"[-+]?(\d|\.\d|inf|nan|$)")


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
        right = [i > 0 and all(map(_NUMBER.match, column)) for i, column in enumerate(zip(*self.rows, strict=True))]
        text = [
            "  ".join(
                cell.rjust(width) if aligned else cell.ljust(width)
                for cell, width, aligned in zip(line, widths, right or [False] * len(widths), strict=True)
            )
            for line in lines
        ]
        return "\n".join(line.rstrip() for line in [*text, *([self.caption] if self.caption else [])])

    def _repr_html_(self) -> str:
        caption = f"<caption>{escape(self.caption)}</caption>" if self.caption else ""
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in self.columns)
        body = "\n".join(
            f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in rest) + "</tr>"
            for first, *rest in self.rows
        )
        return f'<table class="formats">{caption}\n<thead><tr>{head}</tr></thead>\n<tbody>\n{body}\n</tbody></table>'


def _text(value) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
