"""The policies of several torch versions, stored as JSON, and what changed between them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ..tables import Table
from .policies import NOT_REGISTERED, autocast_policy, check_device_type, torch_version

FOLDER = Path(__file__).parents[1] / "static" / "policy"
EXPORTED = ("cpu", "cuda")


def export_policies() -> dict:
    """The CPU and CUDA policies of the installed torch: {"torch": "2.15.0", "policies": {"cpu": {op: category}, ...}}.

    Introduced in: notebooks/06_autocast.ipynb
    """
    policies = {device_type: autocast_policy(device_type).categories() for device_type in EXPORTED}
    return {"torch": torch_version(), "policies": policies}


def stored_policies() -> dict[str, dict[str, dict[str, str]]]:
    """The stored policies, oldest torch first: {"2.8.0": {"cpu": {op: category}, "cuda": {...}}, ...}.

    Introduced in: notebooks/07_autocast_corners.ipynb
    """
    files = [json.loads(path.read_text(encoding="utf-8")) for path in FOLDER.glob("torch-*.json")]
    files.sort(key=lambda stored: [int(part) for part in stored["torch"].split(".")])
    return {stored["torch"]: stored["policies"] for stored in files}


@dataclass(frozen=True)
class Changes:
    """What changed in autocast's policy from one torch to another. See `changes`.

    Args:
        device_type, old, new: what was compared.
        added, removed: {op: category}.
        moved: {op: (category in `old`, category in `new`)}.
    """

    device_type: str
    old: str
    new: str
    added: dict[str, str]
    removed: dict[str, str]
    moved: dict[str, tuple[str, str]]

    def __bool__(self) -> bool:
        return bool(self.added or self.removed or self.moved)

    def table(self) -> Table:
        """One row per op that changed."""
        rows = [(op, NOT_REGISTERED, category) for op, category in self.added.items()]
        rows += [(op, category, NOT_REGISTERED) for op, category in self.removed.items()]
        rows += [(op, *categories) for op, categories in self.moved.items()]
        caption = f'Autocast on {self.device_type}; "{NOT_REGISTERED}": not registered.'
        if not self:
            caption = f"Autocast on {self.device_type}: nothing changed."
        return Table(["op", f"torch {self.old}", f"torch {self.new}"], sorted(rows), caption)


def changes(old: str, new: str, device_type: str = "cuda") -> Changes:
    """What changed in autocast's policy between two torch versions.

    Args:
        old, new: versions in `stored_policies()`, or the installed one.
        device_type: "cpu" or "cuda".
    Returns: `Changes`, falsy if there is none.
    Raises: ValueError naming the versions or device types there are.
    Introduced in: notebooks/07_autocast_corners.ipynb
    """
    check_device_type(device_type)
    if device_type not in EXPORTED:
        raise ValueError(f"no policy is stored for {device_type!r}; choose from {', '.join(EXPORTED)}")
    before, after = _categories(old, device_type), _categories(new, device_type)
    return Changes(
        device_type,
        old,
        new,
        added={op: category for op, category in after.items() if op not in before},
        removed={op: category for op, category in before.items() if op not in after},
        moved={op: (was, after[op]) for op, was in before.items() if op in after and after[op] != was},
    )


def _categories(version: str, device_type: str) -> dict[str, str]:
    stored = stored_policies()
    if version in stored:
        return stored[version][device_type]
    if version == torch_version():
        return autocast_policy(device_type).categories()
    raise ValueError(f"no policy is stored for torch {version!r}; choose from {', '.join(stored)}")
