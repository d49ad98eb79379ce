"""PyTorch's documented op lists, and where they and the installed torch differ."""

from __future__ import annotations

import json
from dataclasses import dataclass

from ..tables import Table
from .policies import NOT_REGISTERED, autocast_policy, check_device_type, torch_version
from .versions import FOLDER

NOT_DOCUMENTED = "not documented"


def _page() -> dict:
    """`source`; `lists` by device type and category; `calls`: the ops through which a name reaches autocast."""
    return json.loads((FOLDER / "documented.json").read_text(encoding="utf-8"))


def documented_source() -> str:
    """Which page of PyTorch's documentation the stored lists come from, with its commit."""
    return _page()["source"]


def documented(device_type: str) -> dict[str, str]:
    """PyTorch's documented autocast lists: {name as documented: category}, sorted by name.

    Args:
        device_type: "cpu", "cuda" or "xpu".
    Returns: names of functions, methods and modules ("softmin", "__rpow__", "GRUCell"), not always of ops.
    Raises: ValueError naming the device types that are documented.
    Source: see `documented_source()`; the lists are stored, because torch does not ship them.
    Introduced in: notebooks/06_autocast.ipynb
    """
    check_device_type(device_type)
    lists = _page()["lists"]
    if device_type not in lists:
        raise ValueError(f"PyTorch documents no op lists for {device_type!r}; choose from {', '.join(lists)}")
    return dict(sorted((name, category) for category, names in lists[device_type].items() for name in names))


@dataclass(frozen=True)
class Differences:
    """Where the documented lists and the installed torch differ. See `differences`.

    Args:
        device_type: what was compared.
        registered_not_documented: {op: category}.
        documented_not_registered: {name as documented: category}.
        category_differs: {name as documented: (documented category, category in the installed torch)}.
    """

    device_type: str
    registered_not_documented: dict[str, str]
    documented_not_registered: dict[str, str]
    category_differs: dict[str, tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.registered_not_documented or self.documented_not_registered or self.category_differs)

    def table(self) -> Table:
        """One row per difference."""
        rows = [(name, *categories) for name, categories in self.category_differs.items()]
        rows += [(name, category, NOT_REGISTERED) for name, category in self.documented_not_registered.items()]
        rows += [(op, NOT_DOCUMENTED, category) for op, category in self.registered_not_documented.items()]
        caption = (
            f'Autocast on {self.device_type}: PyTorch\'s documented lists and the installed torch; "-": not registered.'
        )
        return Table(["op", "documented", f"torch {torch_version()}"], rows, caption)


def differences(device_type: str) -> Differences:
    """Compare PyTorch's documented lists with the policy of the installed torch.

    A documented name stands for the ops through which it reaches autocast, `softmin` for `softmax`. It counts as
    registered if one of them is. An op whose name begins with "_" is internal, so nobody expects it in the lists.

    Args:
        device_type: "cpu", "cuda" or "xpu".
    Returns: `Differences`, falsy if there is none.
    Raises: ValueError naming the device types that are documented.
    Introduced in: notebooks/06_autocast.ipynb
    """
    names = documented(device_type)
    categories = autocast_policy(device_type).categories()
    calls = _page()["calls"]
    missing, differing, covered = {}, {}, set()
    for name, category in names.items():
        ops = [op for op in calls.get(name, [name]) if op in categories]
        covered.update(ops)
        others = sorted({categories[op] for op in ops} - {category})
        if not ops:
            missing[name] = category
        elif others:
            differing[name] = (category, ", ".join(others))
    extra = {op: category for op, category in categories.items() if op not in covered}
    return Differences(device_type, extra, missing, differing)
