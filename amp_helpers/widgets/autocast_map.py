"""The autocast map: which dtype autocast runs an op in, and why, on both devices and in several versions of torch."""

from __future__ import annotations

import re
from html import escape

import traitlets

from amp_helpers.tables import Table

from .base import BookWidget, one_of

DEVICES = ("cpu", "cuda")
DTYPES = ("bfloat16", "float16")
#: The most characters of a pasted text.
MOST = 10_000
_SHOWN = {"widest": "widest input", "banned": "raises an error", "not classified": "not known"}
_UNLISTED = "not listed"


class AutocastMap(BookWidget):
    """Which dtype autocast runs an op in, and why, on the CPU and on CUDA, in every torch whose policy is stored.

    The data is that of `amp_helpers.policy.stored_policies()`. An op that no policy lists computes in the dtype of its
    input, unless it calls listed ones; the page knows the common ops of both kinds by name, and lists a pasted name
    that it does not know as unknown.

    Args (all of them traits, shared with the page):
        device: "cpu" or "cuda"; the page shows both and explains this one.
        dtype: the autocast dtype, "bfloat16" or "float16".
        torch: a stored version, "2.15.0" or "2.15"; "" is the newest.
        op: an op's name without namespace and overload, such as "linear".
        layers: names of layers, or the text of print(model); up to 10,000 characters.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Special values: `policies` is read-only: {version: {device: {category: "op op ..."}}}, as the page gets it.
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/06_autocast.ipynb
    """

    _kind = "autocast_map"

    device = traitlets.Unicode("cuda").tag(sync=True)
    dtype = traitlets.Unicode("bfloat16").tag(sync=True)
    torch = traitlets.Unicode("").tag(sync=True)
    op = traitlets.Unicode("linear").tag(sync=True)
    layers = traitlets.Unicode("").tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)
    policies = traitlets.Dict(read_only=True).tag(sync=True)

    @traitlets.default("policies")
    def _stored(self):
        from amp_helpers.policy import stored_policies  # the other widgets need no torch

        return pack(stored_policies())

    @traitlets.validate("device", "dtype")
    def _check_choice(self, proposal):
        choices = DEVICES if proposal.trait.name == "device" else DTYPES
        return one_of(proposal.trait.name, proposal.value, choices)

    @traitlets.validate("torch")
    def _check_torch(self, proposal):
        for version in self.policies:
            if proposal.value in ("", version, _minor(version)):
                return proposal.value
        raise traitlets.TraitError(f"no policy of torch {proposal.value!r}; choose from {', '.join(self.policies)}")

    @traitlets.validate("op")
    def _check_op(self, proposal):
        if not re.fullmatch(r"\w{1,80}", proposal.value, re.ASCII):
            raise traitlets.TraitError(f"op {proposal.value[:40]!r} is not an op's name, such as 'linear'")
        return proposal.value

    @traitlets.validate("layers")
    def _check_layers(self, proposal):
        if len(proposal.value) > MOST:
            raise traitlets.TraitError(f"layers has {len(proposal.value)} characters; at most {MOST}")
        return proposal.value

    @property
    def version(self) -> str:
        """The full version on show, such as "2.15.0"."""
        wanted = self.torch or list(self.policies)[-1]
        return next(version for version in self.policies if wanted in (version, _minor(version)))

    def shown(self, device: str, version: str) -> str:
        """Where the op runs: a dtype, "widest input", "raises an error", "not known" or "not listed"."""
        for category, ops in self.policies[version][device].items():
            if self.op in ops.split():
                return self._word(category)
        return _UNLISTED

    def _word(self, category: str) -> str:
        return self.dtype if category == "lower precision" else _SHOWN.get(category, category)

    def fallback(self) -> str:
        heads = ["device", *(f"torch {_minor(version)}" for version in self.policies)]
        rows = [(device, *(self.shown(device, version) for version in self.policies)) for device in DEVICES]
        versions = Table(heads, rows, f"{self.op} in {self.dtype} autocast")
        listed = self.policies[self.version][self.device]
        rows = [(self._word(category), ops) for category, ops in listed.items()]
        caption = f"What autocast does on {self.device}, torch {self.version}; any other op runs as its input is, "
        caption += "unless it calls one of these"
        pasted = f"<pre>{escape(self.layers)}</pre>" if self.layers else ""
        return versions._repr_html_() + pasted + Table(["runs in", "ops"], rows, caption)._repr_html_()


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def pack(stored: dict[str, dict[str, dict[str, str]]]) -> dict[str, dict[str, dict[str, str]]]:
    """`stored_policies()` as the page gets it, a third of the size: {version: {device: {category: "op op ..."}}}."""
    packed = {}
    for version, policies in stored.items():
        packed[version] = {}
        for device in DEVICES:
            by_category: dict[str, list[str]] = {}
            for op, category in sorted(policies[device].items()):
                by_category.setdefault(category, []).append(op)
            packed[version][device] = {category: " ".join(ops) for category, ops in sorted(by_category.items())}
    return packed
