"""Turns the calls and assignments of one statement into events, in the order in which Python evaluates them."""

from __future__ import annotations

import re

import libcst as cst

from .tree import argument, children

#: Stands for the scaler of `with amp.scale_loss(...) as scaled_loss`; Apex does the rest by itself.
APEX = "amp.scale_loss"
_CLIPS = ("clip_grad_norm_", "clip_grad_value_", "clip_grad_norm", "clip_grads_with_norm_")
#: Whose method `backward(loss)` scales by itself, or is no tensor's at all.
_ENGINES = ("accelerator", "fabric", "engine", "strategy", "booster", "optimizer")
#: `zero_grad`, the `clear_grad` of other libraries, and functions of a file's own such as `reset_gradients`.
_CLEARS = re.compile(r"(zero|clear|reset|clean)\w*grad", re.IGNORECASE)
_SAFE = {"print", "isinstance", "len", "hasattr", "id", "repr", "type", "callable", "bool"}
_FLOAT16 = {"torch.float16", "torch.half"}


class Expressions:
    """Reads what stands in one statement and tells the collector; a call is told when its arguments are done."""

    def __init__(self, collector):
        self._to = collector
        self._tree, self._actors = collector.tree, collector.actors
        self._kept: dict[cst.CSTNode, str] = {}

    def read(self, node: cst.CSTNode) -> None:
        """Read a statement or an expression."""
        pairs = _assignments(node)
        for target, value in pairs:
            self._assigned(target, value)
        for child in children(node):
            self.read(child)
        for target, value in pairs:
            self._done(target, value)
        if isinstance(node, cst.Call):
            self._called(node)
        elif isinstance(node, cst.Del) and ".grad" in self._tree.text(node):
            self._to.add("zero", node, self._tree.text(node.target))

    # Assignments: a cleared gradient, a scaled loss, a converted input.
    def _assigned(self, target, value):
        if isinstance(target, cst.Tuple) and isinstance(value, cst.Tuple):
            for one, other in zip(target.elements, value.elements, strict=False):
                self._assigned(one.value, other.value)
        while isinstance(value, cst.Call):  # every call of a chain such as x.half().to(device)
            self._kept[value] = self._tree.text(target)
            value = value.func.value if isinstance(value.func, cst.Attribute) else None

    def _done(self, target, value):
        if isinstance(target, cst.Tuple):
            for element in target.elements:
                self._done(element.value, value)
            return
        text, scaler = self._tree.text(target), self._scaler_of(value)
        self._to.assigns(text)
        self._to.scaled.pop(text, None)
        if scaler:
            self._to.scaled[text] = scaler
        if isinstance(target, cst.Attribute) and target.attr.value == "grad":
            self._to.add("zero", target, text)

    # Calls.
    def _called(self, node):
        if isinstance(node.func, cst.Attribute):
            self._method(node, node.func.value, node.func.attr.value)
        elif isinstance(node.func, cst.Name) and node.func.value in _CLIPS:
            self._to.add("clip", node, arguments=self._arguments(node))
        elif _CLEARS.search(self._tree.text(node.func)):
            self._to.add("zero", node, self._tree.text(node.func))
        else:
            self._call(node, self._tree.text(node.func))

    def _method(self, node, owner, method):
        text, to = self._tree.text(owner), self._to
        first = self._tree.text(node.args[0].value) if node.args else ""
        is_scaler = text in self._actors.scalers
        if method == "backward":
            self._backward(node, owner, text)
        elif method == "scale" and is_scaler:
            to.add("scale", node, text, first, again=self._is_scaled(node))
        elif method == "unscale_":
            to.add("unscale", node, text, first)
        elif method == "update" and is_scaler:
            to.add("update", node, text)
        elif method == "step" and is_scaler and node.args:
            to.add("scaler_step", node, text, first, self._arguments(node))
        elif method == "step" and self._actors.is_optimizer(text):
            to.add("optimizer_step", node, text, text, self._arguments(node))
        elif _CLEARS.search(method) or (method in ("zero_", "fill_", "detach_") and ".grad" in text):
            to.add("zero", node, text)
        elif method in ("clamp_", "clip_") and ".grad" in text:
            to.add("clip", node, text)
        elif method in _CLIPS and text.rpartition(".")[2] in ("utils", "clip_grad", "torch_utils", "nn_utils"):
            to.add("clip", node, arguments=self._arguments(node))
        elif self._to_float16(node, method):
            root = owner
            while isinstance(root, cst.Call) and isinstance(root.func, cst.Attribute) and not self._tree.names(root):
                root = root.func.value
            to.add("half", node, self._tree.text(root), self._kept.get(node, ""))
        else:
            self._call(node, f"{text}.{method}")

    def _call(self, node, name):
        if name not in _SAFE:
            self._to.add("call", node, name, arguments=self._arguments(node))

    def _arguments(self, node) -> tuple[str, ...]:
        return tuple(self._tree.text(arg.value) for arg in node.args)

    def _backward(self, node, owner, text):
        if any(arg.keyword is None for arg in node.args) and "loss" not in text.rpartition(".")[2].lower():
            self._call(node, f"{text}.backward")  # an engine's, or with a gradient of its own
        elif (
            self._to.scaled.get(text) == APEX
            or text.rpartition(".")[2].lower() in _ENGINES
            or text == "self"
            or text.startswith("super(")
        ):
            self._call(node, f"{text}.backward")
        else:
            self._to.add("backward", node, self._scaler_of(owner) or self._to.scaled.get(text, ""), text)

    def _scaler_of(self, value) -> str:
        """The scaler of `scaler.scale(...)`, also inside a sum or a product; "" for anything else."""
        if isinstance(value, cst.Call) and isinstance(value.func, cst.Attribute):
            text = self._tree.text(value.func.value)
            if value.func.attr.value == "scale" and text in self._actors.scalers:
                return text
            return self._scaler_of(value.func.value)
        if isinstance(value, cst.BinaryOperation):
            return self._scaler_of(value.left) or self._scaler_of(value.right)
        if isinstance(value, cst.IfExp):
            return self._scaler_of(value.body) or self._scaler_of(value.orelse)
        return ""

    def _is_scaled(self, node) -> bool:
        value = node.args[0].value if node.args else None
        return value is not None and bool(self._scaler_of(value) or self._tree.text(value) in self._to.scaled)

    def _to_float16(self, node, method) -> bool:
        if method == "half":
            return not node.args
        if method not in ("to", "type"):
            return False
        dtypes = [argument(node, "dtype"), *(arg.value for arg in node.args if arg.keyword is None)]
        return any(dtype is not None and self._tree.names(dtype) & _FLOAT16 for dtype in dtypes)


def _assignments(node: cst.CSTNode) -> list[tuple[cst.BaseExpression, cst.BaseExpression]]:
    if isinstance(node, cst.Assign):
        return [(target.target, node.value) for target in node.targets]
    if isinstance(node, cst.AnnAssign) and node.value is not None:
        return [(node.target, node.value)]
    return []
