"""The dtype flow: a recorded trace as a diagram, forward and backward, with every cast and its bytes."""

from __future__ import annotations

import json
from collections import Counter
from html import escape
from itertools import groupby

import traitlets

from amp_helpers.tables import Table

from .base import BookWidget

DIRECTIONS = ("forward", "backward")
#: The most rows of a direction, kinds of op in a row, and characters of the state.
MOST_ROWS, MOST_KINDS, MOST = 160, 24, 28_000
#: Who casts, as `Record.cast` says it and as the page does.
CASTERS = ("", "autocast", "user", "backward", "op")
_BY = {"autocast": "by autocast", "user": "by the user's code", "backward": "by autograd", "op": "inside the op"}
#: Regions that are no dtype.
OFF, NOT_KNOWN = -1, -2


class DtypeFlow(BookWidget):
    """A trace as a diagram: a row for each call (forward) or autograd node (backward), with its dtypes and casts.

    What only makes views or allocates memory has no row. Adjacent ops of one autograd node type and module share a
    row. Totals are those of the whole trace, also where the rows are cut.

    Args:
        trace: a finished `amp_helpers.tracing.trace`; what it holds is copied.
        direction: "forward" or "backward"; a trait, shared with the page. The default is the first that has rows.
        selected: the number of the row that is explained, from 0; a trait, shared with the page.
    Special values: `flow` is read-only: the trace as the page gets it. Of a long trace it holds the first 160 rows of
        each direction, or fewer, so that the state stays below 30 kB; page and fallback say how many there are.
    Raises: TypeError if `trace` is no trace; ValueError if it holds no op that moves data; traitlets.TraitError naming
        a wrong value and the choices.
    Introduced in: notebooks/06_autocast.ipynb
    """

    _kind = "dtype_flow"

    direction = traitlets.Unicode().tag(sync=True)
    selected = traitlets.Int(0).tag(sync=True)
    flow = traitlets.Dict(read_only=True).tag(sync=True)

    def __init__(self, trace, **kwargs):
        from amp_helpers.tracing import trace as trace_type  # the other widgets need no torch

        if not isinstance(trace, trace_type):
            raise TypeError(f"DtypeFlow expects a trace (with trace(model) as t: ...), not a {type(trace).__name__}")
        self._packed = pack(trace)
        super().__init__(**kwargs)

    @traitlets.default("flow")
    def _recorded(self):
        return self._packed

    @traitlets.default("direction")
    def _first(self):
        return next(name for name in DIRECTIONS if self._packed[name])

    @traitlets.validate("direction")
    def _check_direction(self, proposal):
        choices = [name for name in DIRECTIONS if self._packed[name]]
        if proposal.value not in choices:
            what = "the trace has no rows for" if proposal.value in DIRECTIONS else "unknown"
            raise traitlets.TraitError(f"{what} direction {proposal.value!r}; choose from {', '.join(choices)}")
        return proposal.value

    @traitlets.validate("selected")
    def _check_selected(self, proposal):
        last = len(self._packed[self.direction]) - 1
        if not 0 <= proposal.value <= last:
            raise traitlets.TraitError(f"selected is {proposal.value}; choose a {self.direction} row from 0 to {last}")
        return proposal.value

    @traitlets.observe("direction")
    def _stay_inside(self, change):
        self.selected = min(self.selected, len(self._packed[self.direction]) - 1)

    def __repr__(self):
        counts = " and ".join(f"{len(self.flow[name])} {name}" for name in DIRECTIONS)
        changed = [f"direction={self.direction!r}"] if self.direction != self._first() else []
        changed += [f"selected={self.selected}"] if self.selected else []
        return f"DtypeFlow({', '.join([f'<trace: {counts} rows>', *changed])})"

    def fallback(self) -> str:
        shown = [name for name in DIRECTIONS if self.flow[name]]
        return "".join(f"{self.table(name)._repr_html_()}<p>{escape(self.notes(name))}</p>" for name in shown)

    def table(self, direction: str) -> Table:
        """The rows of a direction."""
        words, names = self.flow["words"], self.flow["dtypes"]
        columns = ["module", "call" if direction == "forward" else "autograd node", "dtypes", "casts"]
        rows = [
            [
                words[module],
                words[name],
                f"{_listed(given, names)} → {_listed(made, names)}",
                "; ".join(_casts(self, ops)),
            ]
            for module, name, given, made, _, _, ops, _ in self.flow[direction]
        ]
        return Table(columns, rows, f"{direction.capitalize()}, in the order of execution")

    def notes(self, direction: str) -> str:
        """Totals of a direction, and what its rows leave out."""
        rows, hidden, casts, cast_bytes, moved, _ = self.flow["totals"][direction]
        what = "calls" if direction == "forward" else "ops"
        text = f"The {direction} pass read and wrote {amount(moved)}. It has no casts."
        if casts:
            share = (200 * cast_bytes + moved) // (2 * moved) or "under 1"
            text = f"{_count(casts, 'cast')} moved {amount(cast_bytes)}, {share} % of the {amount(moved)} that the"
            text += f" {direction} pass read and wrote."
        if hidden:
            text += f" Left out: {hidden} {what if hidden > 1 else what[:-1]} without work: only views or fresh memory."
        shown = len(self.flow[direction])
        return text + (f" Only the first {shown} of {rows} rows are shown." if shown < rows else "")


def amount(count: int, unit: str = "B") -> str:
    """A number of bytes or FLOPs in three digits: "87.2 kB", "12 B"."""
    for size, prefix in ((10**12, "T"), (10**9, "G"), (10**6, "M"), (10**3, "k")):
        if count >= size:
            digits = 2 if count < 10 * size else 1 if count < 100 * size else 0
            scaled = (count * 10**digits + size // 2) // size
            return f"{scaled / 10**digits:.{digits}f} {prefix}{unit}"
    return f"{count} {unit}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'s' if number != 1 else ''}"


def _listed(dtypes: list[int], names: list[str]) -> str:
    return ", ".join(names[index] for index in dtypes) or "-"


def _casts(widget: DtypeFlow, ops: list[int]) -> list[str]:
    """The casts of a row, one sentence for each caster and pair of dtypes."""
    found: dict[tuple, list[int]] = {}
    for index, times in zip(ops[::2], ops[1::2], strict=True):
        _, by, given, made, _, moved = widget.flow["ops"][index]
        if by:
            entry = found.setdefault((by, given[-1][0], made[0][0]), [0, 0])
            entry[0] += times
            entry[1] += times * moved
    names = widget.flow["dtypes"]
    return [
        f"{_count(number, 'cast')} {names[source]} → {names[target]}, {amount(moved)}, {_BY[CASTERS[by]]}"
        for (by, source, target), (number, moved) in found.items()
    ]


# --- from a trace to the page's state ---------------------------------------------------------------------------------


def pack(trace) -> dict:
    """A trace as the page gets it, cut to the rows that fit.

    Returns: words (names), dtypes and ops are tables that the rest points into. An op is [word, caster, inputs,
        outputs, flops, bytes], its tensors [dtype, *shape]. forward and backward are lists of rows: [module, name,
        input dtypes, output dtypes, region, cache hits, [op, times, op, times ...], ops left out]. totals are, for each
        direction, [rows, hidden, casts, bytes of casts, bytes, flops].
    Raises: ValueError if no op moves data.
    """
    rows = rows_of(trace)
    if not rows:
        raise ValueError(
            "the trace holds no op that moves data; run something in its block: with trace(model) as t: ..."
        )
    totals = {direction: _totals(trace, rows, direction) for direction in DIRECTIONS}
    most = MOST_ROWS
    while True:
        packed = _pack(rows, most) | {"totals": totals}
        if len(json.dumps(packed)) <= MOST:
            return packed
        most = most * 3 // 4


def rows_of(trace) -> list[tuple]:
    """(direction, module, name, inputs, outputs, region, cache hits, records) for each row, in order.

    A call's records are adjacent and add up to its bytes and FLOPs, which tells them apart from those of the next.
    """
    records = [record for record in trace.records if not record.moves_nothing]
    rows, done = [], 0
    for call in trace.calls:
        if call.moves_nothing:
            continue
        found = next(((start, end) for start in range(done, len(records)) if (end := _end(records, start, call))), None)
        if found:
            start, end = found
            rows += _loose(records[done:start])
            direction = records[start].direction
            region = call.region or OFF
            given, made = tuple(dict.fromkeys(call.inputs)), tuple(dict.fromkeys(call.outputs))
            rows.append((direction, _place(call), call.name, given, made, region, call.cache_hits, records[start:end]))
            done = end
    return rows + _loose(records[done:])


def _end(records: list, start: int, call) -> int:
    """Where the records of a call end if they begin at `start`, else 0."""
    flops = moved = 0
    for index in range(start, len(records)):
        if records[index].call != call.name or moved > call.bytes:
            return 0
        flops, moved = flops + records[index].flops, moved + records[index].bytes
        if (flops, moved) == (call.flops, call.bytes):
            return index + 1
    return 0


def _loose(records: list) -> list[tuple]:
    """Rows of ops that belong to no finished call: adjacent ones of one module and autograd node together."""

    def key(record):
        op = record.op.removeprefix("aten::")
        name = f"{op} (again)" if record.recomputed else record.node or record.call or op
        return record.direction, _place(record), name

    rows = []
    for (direction, place, name), group in groupby(records, key):
        found = list(group)
        given, made = tuple(dict.fromkeys(found[0].inputs)), tuple(dict.fromkeys(found[-1].outputs))
        rows.append((direction, place, name, given, made, NOT_KNOWN, 0, found))
    return rows


def _place(entry) -> str:
    from amp_helpers.tracing.records import place

    return place(entry)


def _totals(trace, rows: list[tuple], direction: str) -> list[int]:
    records = [record for record in trace.records if record.direction == direction]
    everything = trace.calls if direction == "forward" else records
    return [
        sum(row[0] == direction for row in rows),
        sum(entry.moves_nothing for entry in everything),
        sum(record.cast is not None for record in records),
        sum(record.cast_bytes for record in records),
        sum(record.bytes for record in records),
        sum(record.flops for record in records),
    ]


class _Numbers(dict):
    """Numbers things in the order in which they are first met."""

    def __missing__(self, thing):
        self[thing] = len(self)
        return self[thing]


def _pack(rows: list[tuple], most: int) -> dict:
    from amp_helpers.tracing.records import dtype_name

    words, dtypes, ops = _Numbers(), _Numbers(), _Numbers()

    def tensors(kinds, shapes):
        return tuple((dtypes[dtype_name(kind)], *shape) for kind, shape in zip(kinds, shapes, strict=True))

    packed = {direction: [] for direction in DIRECTIONS}
    for direction, module, name, given, made, region, hits, records in rows:
        if len(packed[direction]) == most:
            continue
        kinds = Counter(
            (
                words[record.op.removeprefix("aten::")],
                CASTERS.index(record.cast or ""),
                tensors(record.inputs, record.shapes),
                tensors(record.outputs, record.output_shapes),
                record.flops,
                record.bytes,
            )
            for record in records
        )
        kept = list(kinds.items())[:MOST_KINDS]
        packed[direction].append(
            [
                words[module],
                words[name],
                [dtypes[dtype_name(dtype)] for dtype in given],
                [dtypes[dtype_name(dtype)] for dtype in made],
                region if isinstance(region, int) else dtypes[dtype_name(region)],
                hits,
                [number for kind, times in kept for number in (ops[kind], times)],
                len(records) - sum(times for _, times in kept),
            ]
        )
    # Through JSON once, so that Python holds the lists that the page gets.
    return packed | json.loads(json.dumps({"words": list(words), "dtypes": list(dtypes), "ops": list(ops)}))
