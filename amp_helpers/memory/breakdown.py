"""What takes memory in a training step, as data."""

from __future__ import annotations

from dataclasses import dataclass

from amp_helpers.tables import Table

KINDS = ("parameters", "gradients", "optimizer", "casts", "activations")
_MIB = 2**20


@dataclass(frozen=True)
class Breakdown:
    """Bytes by kind.

    Attributes:
        parameters: parameters and buffers.
        gradients: of the parameters that need one, after the backward pass.
        optimizer: the optimizer's state after its first step.
        casts: copies of parameters in autocast's cache at the end of the forward pass.
        activations: tensors that autograd saved in the forward pass, each storage once, without parameters, their
            casts, and the step's inputs.
        by_module: path -> kind -> bytes, for the module that owns the parameter or ran when the tensor was saved; ""
            is the model itself and what ran outside of it (the loss).
        allocated: what the allocator holds more at the end of the forward pass than before it: casts, activations and
            the output. None for a prediction.
        peak: the most that the allocator held during the step, with what it held before. None where torch cannot tell.
    Introduced in: notebooks/05_memory.ipynb
    """

    parameters: int
    gradients: int
    optimizer: int
    casts: int
    activations: int
    by_module: dict[str, dict[str, int]]
    allocated: int | None = None
    peak: int | None = None

    @property
    def total(self) -> int:
        """All kinds together: what a step keeps, and neither an upper nor a lower bound of what it needs.

        Temporary tensors come on top; the backward pass of a cross-entropy over a large vocabulary has two of the
        logits' size. Casts and activations go while gradients come.
        """
        return sum(getattr(self, kind) for kind in KINDS)

    def table(self, depth: int | None = 1) -> Table:
        """MiB by module and kind, and the sum.

        Args:
            depth: how many names of a path make a row ("blocks.0" has two); 0 gives the sum only, None every module.
        Introduced in: notebooks/05_memory.ipynb
        """
        rows: dict[str, list[int]] = {}
        for path, kinds in self.by_module.items() if depth != 0 else ():
            name = ".".join(path.split(".")[:depth]) or "(model)"
            row = rows.setdefault(name, [0] * len(KINDS))
            for column, kind in enumerate(KINDS):
                row[column] += kinds.get(kind, 0)
        lines = [[name, *map(_mib, row), _mib(sum(row))] for name, row in rows.items()]
        lines.append(["sum", *(_mib(getattr(self, kind)) for kind in KINDS), _mib(self.total)])
        return Table(["MiB", *KINDS, "sum"], lines)


def _mib(size: int) -> str:
    return f"{size / _MIB:.3g}" if size < 1000 * _MIB else f"{size / _MIB:,.0f}"
