"""What a trace adds up to: FLOPs and bytes by dtype, casts by module."""

from __future__ import annotations

import re
from collections import Counter
from html import escape

import torch

from ..tables import Table
from .records import Call, Record, dtype_name, place

_RECURRENT = re.compile("rnn|lstm|gru")


class Summary:
    """Totals of a trace, as tables in a terminal and in a notebook.

    Attributes:
        flops: dtype -> floating-point operations of the ops that computed in it.
        bytes: dtype -> bytes read and written in it.
        casts: (module, direction, who, from, to) -> [number, bytes].
        cast_bytes: bytes of all casts.
        cache_hits: casts saved by autocast's cache.
        unattributed: number of backward ops whose module is not known.
        backward: number of backward ops.
        uncounted: names of recurrent ops, which do multiply matrices, but have no FLOP formula in PyTorch.
        warnings: as in `trace`.
    Introduced in: notebooks/06_autocast.ipynb
    """

    def __init__(self, records: list[Record], calls: list[Call], warnings: list[str]):
        self.flops: Counter[torch.dtype] = Counter()
        self.bytes: Counter[torch.dtype] = Counter()
        self.casts: dict[tuple, list[int]] = {}
        for record in records:
            if record.flops:
                self.flops[record.dtype] += record.flops
            for dtype, count in record.bytes_by_dtype().items():
                self.bytes[dtype] += count
            if record.cast:
                who = (place(record), record.direction, record.cast, record.inputs[-1], record.outputs[0])
                entry = self.casts.setdefault(who, [0, 0])
                entry[0] += 1
                entry[1] += record.cast_bytes
        self.cast_bytes = sum(count for _, count in self.casts.values())
        self.cache_hits = sum(call.cache_hits for call in calls)
        backward = [record for record in records if record.direction == "backward"]
        self.backward = len(backward)
        self.unattributed = sum(record.within == "unknown" for record in backward)
        heavy = {record.op for record in records if not record.flops and _RECURRENT.search(record.op)}
        self.uncounted = sorted(heavy)
        self.warnings = list(warnings)

    def by_dtype(self) -> Table:
        """Share of FLOPs and bytes by dtype."""
        flops, moved = self.flops.total(), self.bytes.total()
        rows = [
            [
                dtype_name(dtype),
                _percent(self.flops[dtype], flops),
                f"{self.flops[dtype] / 1e6:.4g}",
                _percent(self.bytes[dtype], moved),
                f"{self.bytes[dtype] / 1e6:.4g}",
            ]
            for dtype in sorted(self.bytes | self.flops, key=lambda dtype: -self.bytes[dtype])
        ]
        return Table(["dtype", "FLOPs", "MFLOP", "bytes", "MB"], rows, "FLOPs, and bytes read and written, by dtype.")

    def casts_by_module(self, rows: int | None = None) -> Table:
        """Casts by module, most bytes first.

        Args:
            rows: how many rows to show; None shows all.
        """
        ordered = sorted(self.casts.items(), key=lambda item: -item[1][1])
        body = [
            [where, direction, who, f"{dtype_name(source)} -> {dtype_name(target)}", number, f"{count / 1e6:.4g}"]
            for (where, direction, who, source, target), (number, count) in ordered[:rows]
        ]
        total = sum(number for number, _ in self.casts.values())
        caption = f"{total} casts, {self.cast_bytes / 1e6:.4g} MB read and written"
        caption += f", {_percent(self.cast_bytes, self.bytes.total())} of all bytes; {self.cache_hits} from the cache."
        if len(body) < len(ordered):
            caption += f" The {len(body)} largest of {len(ordered)} rows."
        return Table(["module", "direction", "cast by", "dtypes", "casts", "MB"], body, caption)

    def notes(self) -> list[str]:
        """What could not be attributed, and the trace's warnings."""
        known = self.backward - self.unattributed
        lines = [f"{known} of {self.backward} backward ops are attributed to a module or to code outside of any."]
        lines = lines if self.backward else []
        if self.uncounted:
            lines.append(f"PyTorch has no FLOP formula for {', '.join(self.uncounted)}: counted as 0.")
        return lines + self.warnings

    def __repr__(self) -> str:
        return "\n\n".join([repr(self.by_dtype()), repr(self.casts_by_module(12)), *self.notes()])

    def _repr_html_(self) -> str:
        tables = [self.by_dtype()._repr_html_(), self.casts_by_module(12)._repr_html_()]
        return "\n".join([*tables, *(f"<p>{escape(line)}</p>" for line in self.notes())])


def _percent(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else "-"
