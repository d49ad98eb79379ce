"""Autocast's policy of the installed torch, as data and as tables."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import torch

from ..tables import Table
from .examples import FAMILIES, OTHER, family
from .probe import CATEGORIES, KEYS, classify, probing, registrations

NOT_REGISTERED = "-"


def torch_version() -> str:
    """The installed torch's version without the build: "2.15.0"."""
    return torch.__version__.partition("+")[0]


@dataclass(frozen=True)
class OpPolicy:
    """What autocast does with one op.

    Args:
        name: the op's name in the dispatcher, without namespace and overload: "linear", "prod".
        category: "lower precision" (inputs are cast to the autocast dtype), "float32" (16-bit inputs are computed in
            float32), "widest" (with mixed inputs the 16-bit ones are cast to float32), "banned" (the call raises) or
            "not classified" (registered, but there is no example of it).
        overloads: the registered overloads: ("prod", "prod.dim_int").
        evidence: what the probes saw.
    Introduced in: notebooks/06_autocast.ipynb
    """

    name: str
    category: str
    overloads: tuple[str, ...]
    evidence: str


class GroupedTable(Table):
    """A table whose last column is a list of names: wrapped lines under each category in a terminal."""

    def __repr__(self) -> str:
        lines = []
        for group, *middle, names in self.rows:
            if group not in lines:
                lines.append(group)
            lines.append(
                textwrap.fill(f"{', '.join(middle)}: {names}", 100, initial_indent="  ", subsequent_indent=" " * 6)
            )
        return "\n".join([*lines, *textwrap.wrap(self.caption, 100)])


@dataclass(frozen=True)
class Policy:
    """Autocast's policy for one device type: every op with an autocast kernel of its own. See `autocast_policy`.

    Args:
        device_type: "cpu", "cuda", ...
        torch_version: of the torch that was asked, "2.15.0".
        ops: by name, sorted. An op that is not here runs in the dtype of its inputs, unless it calls one that is.
        unclassified: registered overloads without an example, also those whose op has another overload that has one.
        others: overloads that libraries beside torch registered, with their namespace ("torchvision::nms").
    Introduced in: notebooks/06_autocast.ipynb
    """

    device_type: str
    torch_version: str
    ops: dict[str, OpPolicy] = field(repr=False)
    unclassified: tuple[str, ...] = ()
    others: tuple[str, ...] = ()

    def categories(self) -> dict[str, str]:
        """The category of each op, by name."""
        return {name: op.category for name, op in self.ops.items()}

    def counts(self) -> dict[str, int]:
        """Number of ops in each of the five categories."""
        return {category: sum(op.category == category for op in self.ops.values()) for category in CATEGORIES}

    def table(self) -> Table:
        """The ops by category and family: one row each, with the number of ops and their names."""
        rows = []
        for category in CATEGORIES:
            for kind in [*FAMILIES, OTHER]:
                names = [name for name, op in self.ops.items() if op.category == category and family(name) == kind]
                if names:
                    rows.append((category, kind, len(names), ", ".join(names)))
        caption = f"Autocast on {self.device_type}, torch {self.torch_version}: {len(self.ops)} ops. "
        caption += "Any other op runs in the dtype of its inputs, unless it calls one of these."
        return GroupedTable(["category", "family", "ops", "names"], rows, caption)

    def op_table(self, names: Iterable[str] | None = None) -> Table:
        """One row per op: category, registered overloads and what the probes saw.

        Args:
            names: the ops to show, in this order; None for all.
        Raises: ValueError naming the ops that are not in the policy.
        """
        names = list(self.ops) if names is None else list(names)
        unknown = [name for name in names if name not in self.ops]
        if unknown:
            raise ValueError(
                f"not in the {self.device_type} policy of torch {self.torch_version}: {', '.join(unknown)}"
            )
        rows = [(op.name, op.category, " ".join(op.overloads), op.evidence) for op in map(self.ops.get, names)]
        caption = f"Autocast on {self.device_type}, torch {self.torch_version}."
        return Table(["op", "category", "overloads", "seen"], rows, caption)


def check_device_type(device_type: str) -> None:
    """Raise unless the installed torch has an autocast policy for this device type."""
    if not isinstance(device_type, str):
        raise TypeError(f"device_type must be a string such as 'cuda', not {type(device_type).__name__}")
    if device_type not in KEYS:
        hint = f" (a device type has no index: {device_type.partition(':')[0]!r})" if ":" in device_type else ""
        raise ValueError(f"unknown device type {device_type!r}; choose from {', '.join(KEYS)}{hint}")


def autocast_policy(device_type: str) -> Policy:
    """Every op that autocast treats on a device type, and how, asked from the installed torch.

    Which ops: those with a kernel under the device type's autocast key in torch's dispatcher. How: each op is called on
    fake tensors with that device type's autocast on, and the casts below autocast are watched. No device is needed.
    The caller's autocast state, cache and modes are as before afterwards. The result is kept per process.
    A build without CUDA registers no `_cudnn_rnn`; otherwise it has the same CUDA policy.

    Args:
        device_type: "cpu", "cuda", "xpu", "mps" or "mtia".
    Returns: a `Policy`. `binary_cross_entropy` on CUDA is "banned"; a caller may change `ops` freely, it is a copy.
    Raises: ValueError naming the device types if `device_type` is not one of them, TypeError if it is no string.
    Source: the dispatcher of the installed torch; the categories are those of PyTorch's docs/source/amp.md.
    Introduced in: notebooks/06_autocast.ipynb
    """
    check_device_type(device_type)
    ops, unclassified, others = _classified(device_type, registrations(device_type))
    return Policy(device_type, torch_version(), dict(ops), unclassified, others)


@lru_cache
def _classified(device_type: str, registered: tuple[str, ...]):
    """The fields of a policy. `registered` is part of the key: importing a library may register more."""
    ours = [name.removeprefix("aten::") for name in registered if name.startswith("aten::")]
    others = tuple(name for name in registered if not name.startswith("aten::"))
    with probing():
        seen = {overload: classify(overload, device_type) for overload in ours}
    ops = {}
    for name in sorted({overload.partition(".")[0] for overload in ours}):
        overloads = tuple(overload for overload in ours if overload.partition(".")[0] == name)
        known = [seen[overload] for overload in overloads if seen[overload][0] != "not classified"]
        # Overloads of one op agree in every torch so far; if they ever do not, no single category is right.
        category = known[0][0] if len({category for category, _ in known}) == 1 else "not classified"
        evidence = dict.fromkeys(what for _, what in known or map(seen.get, overloads))
        ops[name] = OpPolicy(name, category, overloads, "; ".join(evidence))
    unclassified = tuple(overload for overload in ours if seen[overload][0] == "not classified")
    return ops, unclassified, others


def compare(policies: Sequence[Policy], ops: Iterable[str] | None = None, *, differing: bool = False) -> Table:
    """Policies side by side: one row per op, one column per policy.

    Args:
        policies: such as `[autocast_policy("cpu"), autocast_policy("cuda")]`.
        ops: the ops to show, in this order; None for all of them, sorted.
        differing: only the ops on which the policies differ.
    Special values: "-" stands for an op that is not registered: it runs in the dtype of its inputs, unless it calls one
        that is.
    Raises: ValueError if there is no policy.
    Introduced in: notebooks/06_autocast.ipynb
    """
    policies = list(policies)
    if not policies:
        raise ValueError("compare needs at least one policy")
    names = sorted(set().union(*(policy.ops for policy in policies))) if ops is None else list(ops)
    columns = [policy.categories() for policy in policies]
    rows = [(name, *(column.get(name, NOT_REGISTERED) for column in columns)) for name in names]
    if differing:
        rows = [row for row in rows if len(set(row[1:])) > 1]
    versions = {policy.torch_version for policy in policies}
    labels = [p.device_type if len(versions) == 1 else f"{p.device_type}, torch {p.torch_version}" for p in policies]
    caption = f'torch {" and ".join(sorted(versions))}; "{NOT_REGISTERED}": not on the list; '
    caption += "runs in the dtype of its inputs unless it calls a listed op."
    return Table(["op", *labels], rows, caption)
