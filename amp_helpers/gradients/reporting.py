"""The gradients of a whole model after one backward pass: tables, and a form that can be stored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..formats import FloatFormat, get_format
from ..tables import Table
from .bins import Edge, edges_of
from .histogram import GradientHistogram, ScaleRange

VERSION = "amp_helpers gradients 1"
#: What an export answers for, exactly, unless told otherwise.
EXPORTED_FORMATS = ("float16", "bfloat16", "float8_e5m2", "float8_e4m3fn")


@dataclass(frozen=True)
class GradientReport:
    """A histogram for each gradient of a model.

    Args:
        model: its name.
        loss: of the pass; None if not known.
        groups: parameters in the model's order, then activations in the order in which their modules ran backward.
        missing: names of trainable parameters that got no gradient.
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    model: str
    loss: float | None
    groups: tuple[GradientHistogram, ...]
    missing: tuple[str, ...] = ()

    @property
    def parameters(self) -> tuple[GradientHistogram, ...]:
        """The histograms of the gradients of parameters."""
        return tuple(group for group in self.groups if group.kind == "parameter")

    @property
    def activations(self) -> tuple[GradientHistogram, ...]:
        """The histograms of the gradients with respect to modules' outputs; empty unless asked for."""
        return tuple(group for group in self.groups if group.kind == "activation")

    @property
    def non_finite(self) -> tuple[GradientHistogram, ...]:
        """The groups that hold an infinity or a NaN."""
        return tuple(group for group in self.groups if group.infinite or group.nan)

    def __getitem__(self, name: str) -> GradientHistogram:
        """The histogram of a parameter or of a module's output. Raises: KeyError naming the known ones."""
        for group in self.groups:
            if group.name == name:
                return group
        raise KeyError(f"no gradient named {name!r}; choose from {', '.join(group.name for group in self.groups)}")

    def total(self, kind: str = "parameter") -> GradientHistogram:
        """All groups of a kind as one. Raises: ValueError unless `kind` is "parameter" or "activation"."""
        if kind not in ("parameter", "activation"):
            raise ValueError(f"unknown kind {kind!r}; choose from parameter, activation")
        name = {"parameter": "all parameters", "activation": "all activations"}[kind]
        return GradientHistogram.merged((group for group in self.groups if group.kind == kind), name, kind)

    def modules(self) -> tuple[GradientHistogram, ...]:
        """The gradients of parameters, those of one module together; "" is the model itself."""
        names = dict.fromkeys(group.name.rpartition(".")[0] for group in self.parameters)
        return tuple(
            GradientHistogram.merged(
                (group for group in self.parameters if group.name.rpartition(".")[0] == name), name, "module"
            )
            for name in names
        )

    def largest_safe_scale(self, fmt: FloatFormat | str) -> float | None:
        """The largest power of two at which no element of any group overflows; else as the histogram's."""
        return self._everything().largest_safe_scale(fmt)

    def scale_range(self, fmt: FloatFormat | str, flushed: float = 0.001) -> ScaleRange:
        """From where at most a share `flushed` of all groups' nonzero elements becomes zero to where none overflows."""
        return self._everything().scale_range(fmt, flushed)

    def _everything(self) -> GradientHistogram:
        return GradientHistogram.merged(self.groups, "all", "all")

    # --- tables ---------------------------------------------------------------------------------------

    def table(self, fmt: FloatFormat | str = "float16", scale: float = 1.0, *, by: str = "gradient") -> Table:
        """What a format does to each gradient at one scale, and the scales that suit it.

        Args:
            fmt: a format or its name.
            scale: a power of two.
            by: "gradient" for each parameter and activation, "module" for the parameters of each module together.
        Raises: ValueError for another `by`; else as `GradientHistogram.at`.
        """
        if by not in ("gradient", "module"):
            raise ValueError(f"unknown by {by!r}; choose from gradient, module")
        fmt = get_format(fmt)
        groups = [*(self.groups if by == "gradient" else self.modules())]
        groups += [self.total(kind) for kind in ("parameter", "activation") if any(g.kind == kind for g in groups)]
        groups += [self.total()] if by == "module" else []
        rows = []
        for group in groups:
            shares, scales = group.shares(fmt, scale), group.scale_range(fmt)
            rows.append(
                [
                    _title(group), group.nonzero, _span(group), percent(shares.zero), percent(shares.subnormal),
                    percent(shares.infinite), power(scales.smallest), power(scales.largest),
                ]
            )  # fmt: skip
        header = ["gradient", "nonzero", "exponents", "zero", "subnormal", "inf", "smallest", "largest"]
        return Table(header, rows, self._caption(fmt, scale))

    def scale_table(
        self,
        formats: Iterable[FloatFormat | str] = ("float16", "bfloat16"),
        scales: Sequence[float] = (1.0, 2.0**8, 2.0**16),
        *,
        kind: str = "parameter",
    ) -> Table:
        """The shares of all gradients of a kind: a row for each format and scale. Raises: as `at` and `total`."""
        total, rows = self.total(kind), []
        for fmt in map(get_format, formats):
            for scale in scales:
                shares = total.shares(fmt, scale)
                rows.append([fmt.name, power(scale), *map(percent, (shares.zero, shares.subnormal, shares.infinite))])
        caption = f"{self.model}, {total.name}: shares of {total.nonzero:,} nonzero elements."
        return Table(["format", "scale", "zero", "subnormal", "infinite"], rows, caption)

    def _caption(self, fmt: FloatFormat, scale: float) -> str:
        text = f"{self.model}: shares of the nonzero elements in {fmt.name} at scale {power(scale)}."
        if self.non_finite:
            found = (f"{g.name} ({g.infinite:,} infinite, {g.nan:,} NaN)" for g in self.non_finite)
            text += f" Not finite already: {'; '.join(found)}."
        if self.missing:
            text += f" No gradient: {', '.join(self.missing)}."
        return text

    # --- to store -------------------------------------------------------------------------------------

    def export(self, formats: Iterable[FloatFormat | str] = EXPORTED_FORMATS) -> dict:
        """Everything as lists, numbers and texts for `json.dumps`, with the bins that these formats need.

        Raises: ValueError for a format that does not fit (see `GradientHistogram.at`).
        """
        formats = list(map(get_format, formats))
        for fmt in formats:
            for group in self.groups:
                group._checked(fmt)
        edges = edges_of(formats)
        return {
            "format": VERSION,
            "model": self.model,
            "loss": self.loss if self.loss is not None and math.isfinite(self.loss) else None,
            "edges": [[edge.significand, ">" if edge.strict else ">="] for edge in edges],
            "groups": [_exported(group.with_edges(edges)) for group in self.groups],
            "missing": list(self.missing),
        }

    @classmethod
    def from_export(cls, data: dict) -> GradientReport:
        """The report that `export` gave `data` for; it answers for the formats that were exported.

        Raises: ValueError if `data` is not of that form.
        """
        if not isinstance(data, dict) or data.get("format") != VERSION:
            raise ValueError(f"not an export of gradients: it must be an object with format {VERSION!r}")
        try:
            edges = tuple(Edge(float(value), {">": True, ">=": False}[sign]) for value, sign in data["edges"])
            groups = tuple(_imported(group, edges) for group in data["groups"])
            return cls(data["model"], data["loss"], groups, tuple(data["missing"]))
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(f"not an export of gradients: {type(error).__name__}: {error}") from None


def _exported(group: GradientHistogram) -> dict:
    rows = []
    for row in group.counts:
        used = max((i + 1 for i, count in enumerate(row) if count), default=0)
        rows.append(list(row[:used]))
    counts = {"zeros": group.zeros, "infinite": group.infinite, "nan": group.nan}
    return {"name": group.name, "kind": group.kind, **counts, "low": group.low, "counts": rows}


def _imported(group: dict, edges: tuple[Edge, ...]) -> GradientHistogram:
    bins = len(edges) + 1
    rows = tuple((*row, *[0] * (bins - len(row))) for row in group["counts"])
    numbers = [group["zeros"], group["infinite"], group["nan"], *(count for row in rows for count in row)]
    if not all(type(number) is int and number >= 0 for number in numbers) or type(group["low"]) is not int:
        raise ValueError(f"{group['name']}: a count is not a whole number")
    if any(len(row) != bins for row in rows):
        raise ValueError(f"{group['name']}: a row has more than {bins} bins")
    return GradientHistogram(group["name"], group["kind"], *numbers[:3], group["low"], rows, edges)


def percent(share: float) -> str:
    """A share as a table shows it: 0 and 100% are exact, anything else is told apart from them."""
    if share in (0, 1):
        return f"{share:.0%}"
    return "<0.01%" if share < 1e-4 else ">99.99%" if share > 0.9999 else f"{share:.2%}"


def power(scale: float | None) -> str:
    """A power of two as 2^k; "none" for None."""
    return "none" if scale is None else f"2^{math.frexp(scale)[1] - 1}"


def _title(group: GradientHistogram) -> str:
    name = group.name or "(the model itself)"
    return f"{name} (output)" if group.kind == "activation" and not name.startswith("all ") else name


def _span(group: GradientHistogram) -> str:
    return f"{group.low} to {group.low + len(group.counts) - 1}" if group.counts else "-"
