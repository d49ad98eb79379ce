"""Which names of a file are loss scalers, and which are optimizers."""

from __future__ import annotations

import libcst as cst

from .tree import Tree, argument, calls_in


class Actors:
    """The scalers and optimizers of a file, by the text that names them, such as "self.scaler".

    A scaler is what a GradScaler was assigned to, what `unscale_` is called on, whatever scales a loss for its
    `backward()`, and what is called a scaler and steps an optimizer. An optimizer is what came from `torch.optim`,
    what a scaler gets, and what is called one.

    Attributes:
        created: scaler -> the calls that create it.
        disabled: scalers that are always created with `enabled=False`.
        trained: text of every model whose `parameters()` an optimizer gets.
    """

    def __init__(self, tree: Tree):
        self._tree = tree
        self.scalers: set[str] = set()
        self.optimizers: set[str] = set()
        self.trained: set[str] = set()
        self.created: dict[str, list[cst.Call]] = {}
        for target, values in tree.assigned.items():
            calls = [call for value in values for call in calls_in(value)]
            scalers = [call for call in calls if self._called(call).endswith("GradScaler")]
            if scalers:
                self.created[target] = scalers
            elif any(self._makes_optimizer(call) for call in calls):
                self.optimizers.add(target)
        self.scalers |= set(self.created)
        for node in tree.nodes:
            if isinstance(node, cst.Call):
                self._see(node)
        self.disabled = {name for name, calls in self.created.items() if all(map(_is_disabled, calls))}
        self.scalers -= self.disabled

    def _called(self, call: cst.Call) -> str:
        return next(iter(self._tree.names(call)), self._tree.text(call.func))

    def _makes_optimizer(self, call: cst.Call) -> bool:
        name = self._called(call)
        return name.startswith("torch.optim.") and ".lr_scheduler." not in name and ".swa_utils." not in name

    def is_optimizer(self, text: str) -> bool:
        """Whether the file says that this is an optimizer, or calls it one."""
        last = text.rpartition(".")[2].lower()
        called = "optim" in last or last == "opt" or last.startswith("opt_") or last.endswith("_opt")
        return (text in self.optimizers or called) and "sched" not in last

    def _see(self, node: cst.Call) -> None:
        if self._makes_optimizer(node):
            self._trains(node)
        if not isinstance(node.func, cst.Attribute):
            return
        owner, method = node.func.value, node.func.attr.value
        text = self._tree.text(owner)
        if method == "unscale_":
            self.scalers.add(text)
        elif method == "backward" and isinstance(owner, cst.Call) and isinstance(owner.func, cst.Attribute):
            if owner.func.attr.value == "scale" and owner.args:
                self.scalers.add(self._tree.text(owner.func.value))
        elif method == "step" and node.args and "scaler" in text.rpartition(".")[2].lower():
            self.scalers.add(text)
        if method in ("unscale_", "step") and text in self.scalers and node.args:
            self.optimizers.add(self._tree.text(node.args[0].value))

    def _trains(self, call: cst.Call):
        first = argument(call, "params", 0)
        for inner in calls_in(first) if first is not None else ():
            if isinstance(inner.func, cst.Attribute) and inner.func.attr.value in ("parameters", "named_parameters"):
                self.trained.add(self._tree.text(inner.func.value))

    def always_enabled(self, scaler: str) -> bool:
        """Whether every creation of a scaler that the file shows enables it, whatever the dtype."""
        values = self._tree.assigned.get(scaler, [])
        return bool(values) and all(
            isinstance(value, cst.Call)
            and value in self.created.get(scaler, [])
            and not any(arg.star for arg in value.args)
            and len(value.args) < 6
            and _text_of(argument(value, "enabled")) in ("", "True")
            for value in values
        )


def _is_disabled(call: cst.Call) -> bool:
    return _text_of(argument(call, "enabled", 5)) == "False"


def _text_of(node: cst.BaseExpression | None) -> str:
    return "" if node is None else node.value if isinstance(node, cst.Name) else "?"
