"""A trace as a table: equal rows in one line, so that a real model's table fits a terminal."""

from __future__ import annotations

import re

from ..tables import Table
from .records import dtype_name, dtype_names, place

#: Characters of a line in a terminal.
WIDTH = 120


def table_of(trace, view: str, module: str | None, views: bool, group: bool) -> Table:
    """See `trace.table`."""
    kinds = {"calls": _call_rows, "records": _record_rows}
    if view not in kinds:
        raise ValueError(f"view must be one of {', '.join(kinds)}, not {view!r}")
    entries = trace.calls if view == "calls" else trace.records
    if module:
        entries = [entry for entry in entries if entry.module == module or entry.module.startswith(f"{module}.")]
        if not entries:
            known = ", ".join(dict.fromkeys(place(record) for record in trace.records)) or "none"
            raise ValueError(f"nothing was recorded in a module {module!r}; recorded: {known}")
    shown = [entry for entry in entries if views or not entry.moves_nothing]
    columns, rows = kinds[view](shown, group)
    columns, rows = _filled(columns, rows)
    _fit(columns, rows, (0, columns.index("call" if view == "calls" else "op")))
    caption = f"{len(shown)} {view}."
    if len(rows) < len(shown):
        caption = f"{len(shown)} {view} in {len(rows)} rows: equal ones are counted in the last column and added up"
        caption += "; * stands for numbers that differ." if any("*" in row[0] for row in rows) else "."
    if len(shown) < len(entries):
        caption += f"\nHidden: {len(entries) - len(shown)} that only make views or allocate memory."
    return Table(columns, rows, caption)


def _call_rows(calls, group: bool):
    columns = ["module", "call", "inputs", "outputs", "autocast", "MFLOP", "cast MB", "cached", "times"]
    parts = [
        (call.name, dtype_names(call.inputs), dtype_names(call.outputs), dtype_name(call.region) or "off")
        for call in calls
    ]
    numbers = [(call.flops, call.cast_bytes, call.cache_hits, 1) for call in calls]
    rows = _grouped([place(call) for call in calls], parts, numbers, group)
    return columns, [[*row[:-4], _mega(row[-4]), _mega(row[-3]), row[-2] or "", row[-1]] for row in rows]


def _record_rows(records, group: bool):
    columns = ["module", "direction", "op", "inputs", "outputs", "cast by", "MFLOP", "MB", "times"]
    parts = [
        (
            record.direction + (" (again)" if record.recomputed else ""),
            record.op.removeprefix("aten::"),
            dtype_names(record.inputs),
            dtype_names(record.outputs),
            record.cast or "",
        )
        for record in records
    ]
    numbers = [(record.flops, record.bytes, 1) for record in records]
    rows = _grouped([place(record) for record in records], parts, numbers, group)
    return columns, [[*row[:-3], _mega(row[-3]), _mega(row[-2]), row[-1]] for row in rows]


def _filled(columns: list[str], rows: list[list]) -> tuple[list[str], list[list]]:
    """Without the columns that say nothing: no entry at all, "autocast" off or "times" 1 in every row."""
    silent = {"autocast": ("off",), "times": (1,)}
    keep = [
        index
        for index, name in enumerate(columns)
        if not rows or name == "module" or any(row[index] not in ("", *silent.get(name, ())) for row in rows)
    ]
    return [columns[index] for index in keep], [[row[index] for index in keep] for row in rows]


def _mega(count: int) -> str:
    """Millions, three digits; empty for zero."""
    if not count:
        return ""
    return f"{count / 1e6:.3g}" if count < 1e9 else f"{count / 1e6:.0f}"


def _grouped(names: list[str], parts: list[tuple], numbers: list[tuple], group: bool) -> list[list]:
    """A row for each different name and parts, in order of first appearance; their numbers are added up."""
    members: dict[tuple, list[int]] = {}
    for index, (name, part) in enumerate(zip(names, parts, strict=True)):
        key = (re.sub(r"\d+", "*", name), part) if group else index
        members.setdefault(key, []).append(index)
    return [
        [
            _pattern([names[index] for index in found]),
            *parts[found[0]],
            *map(sum, zip(*(numbers[index] for index in found), strict=True)),
        ]
        for found in members.values()
    ]


def _pattern(names: list[str]) -> str:
    """One name for many that differ in numbers: "layer*.conv1"."""
    pieces = zip(*(re.split(r"(\d+)", name) for name in names), strict=True)
    return "".join(piece[0] if len(set(piece)) == 1 else "*" for piece in pieces)


def _fit(columns: list[str], rows: list[list], names: tuple[int, int]) -> None:
    """Shorten the longest of the columns `names` from the left until a line has at most `WIDTH` characters."""
    widths = [max(len(str(cell)) for cell in column) for column in zip(columns, *rows, strict=True)]
    while sum(widths) + 2 * (len(widths) - 1) > WIDTH:
        longest = max(names, key=lambda index: widths[index])
        if widths[longest] <= 16:
            break
        widths[longest] -= 1
    for row in rows:
        for index in names:
            if len(row[index]) > widths[index]:
                row[index] = "..." + row[index][3 - widths[index] :]
