"""Reads a tree in the order in which it runs, and lists the events of its training loops."""

from __future__ import annotations

import libcst as cst

from .actors import Actors
from .events import Event, Function, Loop, Region
from .expressions import APEX, Expressions
from .regions import region_of
from .tree import Tree, names_in

#: Base classes without a method that steps an optimizer or a scaler.
_BASES = ("object", "nn.Module", "torch.nn.Module", "Module", "ABC", "abc.ABC")
_LEAVES = (cst.Return, cst.Continue, cst.Break, cst.Raise)


class Collector:
    """The events and functions of a file.

    Attributes:
        events: list of `Event`, in the order of the file.
        functions: list of `Function`; the first is the module.
        regions: list of every autocast `Region`.
    """

    def __init__(self, tree: Tree, actors: Actors):
        self.tree, self.actors = tree, actors
        self.events: list[Event] = []
        self.regions: list[Region] = []
        self.function = Function("")
        self.functions = [self.function]
        self.loops: tuple[Loop, ...] = ()
        self.open: tuple[Region, ...] = ()
        self.conditions: tuple[tuple[str, bool], ...] = ()
        #: Text of a loss that is already scaled -> its scaler.
        self.scaled: dict[str, str] = {}
        self._inherits = False
        self._expressions = Expressions(self)
        self._block(tree.module.body)

    def add(self, kind, node, key="", target="", arguments=(), again=False):
        """Append an event at the place where the walk stands."""
        self.events.append(
            Event(
                kind, node, key, target, tuple(arguments), self.function, self.loops, self.open, self.conditions,
                len(self.events), again,
            )
        )  # fmt: skip

    def assigns(self, text: str) -> None:
        """Note that the open loops assign something."""
        for loop in self.loops:
            loop.assigned.add(text)

    def _block(self, statements) -> None:
        before = self.conditions
        for statement in statements:
            self._statement(statement)
            if isinstance(statement, cst.If) and statement.orelse is None and _leaves(statement.body):
                self.conditions += condition(self.tree, statement.test, False)
        self.conditions = before

    def _suite(self, body) -> None:
        self._block(body.body)

    def _statement(self, node) -> None:
        if isinstance(node, cst.If):
            self._expression(node.test)
            before = self.conditions
            self.conditions = before + condition(self.tree, node.test, True)
            self._suite(node.body)
            self.conditions = before + condition(self.tree, node.test, False)
            if isinstance(node.orelse, cst.If):
                self._statement(node.orelse)
            elif node.orelse is not None:
                self._suite(node.orelse.body)
            self.conditions = before
        elif isinstance(node, cst.For | cst.While):
            self._loop(node)
        elif isinstance(node, cst.With):
            self._with(node)
        elif isinstance(node, cst.FunctionDef):
            self._function(node)
        elif isinstance(node, cst.ClassDef):
            before = self._inherits
            self._inherits = any(self.tree.text(base.value) not in _BASES for base in node.bases)
            self._suite(node.body)
            self._inherits = before
        elif isinstance(node, cst.Try | cst.TryStar):
            for part in (node, *node.handlers, node.orelse, node.finalbody):
                if part is not None:
                    self._suite(part.body)
        elif isinstance(node, cst.Match):
            self._expression(node.subject)
            for case in node.cases:
                self._suite(case.body)
        else:
            self._expression(node)

    def _expression(self, node) -> None:
        self._expressions.read(node)

    def _loop(self, node) -> None:
        is_for = isinstance(node, cst.For)
        self._expression(node.iter if is_for else node.test)
        loop = Loop(
            frozenset(names_in(node.target)) if is_for else frozenset(), set(), len(self.conditions), _ends(node.body)
        )
        before = self.loops
        self.loops = (*before, loop)
        for name in loop.targets:
            self.assigns(name)
        self._suite(node.body)
        self.loops = before
        if node.orelse is not None:
            self._suite(node.orelse.body)

    def _with(self, node) -> None:
        before = self.open
        for item in node.items:
            self._expression(item.item)
            if item.asname is not None and self._scales_a_loss(_called(item.item)):
                self.scaled[self.tree.text(item.asname.name)] = APEX
            region = region_of(self.tree, item.item, node)
            if region is not None:
                region.loops = len(self.loops)
                self.regions.append(region)
                self.open = (*self.open, region)
        self._suite(node.body)
        self.open = before

    def _scales_a_loss(self, called) -> bool:
        """Apex's `scale_loss`, or a method of that name of whatever stands in its place."""
        is_method = isinstance(called, cst.Attribute) and called.attr.value == "scale_loss"
        return is_method or "apex.amp.scale_loss" in self.tree.names(called)

    def _function(self, node) -> None:
        regions = []
        for decorator in node.decorators:
            self._expression(decorator.decorator)
            region = region_of(self.tree, decorator.decorator, decorator)
            if region is not None:
                regions.append(region)
        self.regions += regions
        function = Function(node.name.value, self.function, self.loops, tuple(regions), self._inherits)
        self.functions.append(function)
        before = self.function, self.loops, self.open, self.conditions, self.scaled
        self.function, self.loops, self.open, self.conditions, self.scaled = function, (), function.regions, (), {}
        self._suite(node.body)
        self.function, self.loops, self.open, self.conditions, self.scaled = before


def condition(tree: Tree, test: cst.BaseExpression, value: bool) -> tuple[tuple[str, bool], ...]:
    """What holds in a branch, as (text, value); `x is not None` counts as `x`, and parts of and / or by themselves."""
    if isinstance(test, cst.UnaryOperation) and isinstance(test.operator, cst.Not):
        return condition(tree, test.expression, not value)
    if isinstance(test, cst.Comparison) and len(test.comparisons) == 1:
        part = test.comparisons[0]
        if tree.text(part.comparator) == "None" and isinstance(part.operator, cst.Is | cst.IsNot):
            return condition(tree, test.left, value == isinstance(part.operator, cst.IsNot))
    found = ((tree.text(test).strip("() "), value),)
    if isinstance(test, cst.BooleanOperation) and value == isinstance(test.operator, cst.And):
        found += condition(tree, test.left, value) + condition(tree, test.right, value)
    return found


def _called(node: cst.BaseExpression) -> cst.BaseExpression:
    return node.func if isinstance(node, cst.Call) else node


def _ends(body) -> bool:
    """Whether a body comes to a `break` or a `return` whatever its branches do, errors aside."""
    for statement in body.body:
        if isinstance(statement, cst.SimpleStatementLine):
            if isinstance(statement.body[-1], cst.Return | cst.Break):
                return True
        elif isinstance(statement, cst.Try):
            if _ends(statement.body) or (statement.orelse is not None and _ends(statement.orelse.body)):
                return True
        elif isinstance(statement, cst.With) and _ends(statement.body):
            return True
    return False


def _leaves(body) -> bool:
    last = body.body[-1] if body.body else None
    if isinstance(last, cst.SimpleStatementLine):
        last = last.body[-1] if last.body else None
    return isinstance(last, _LEAVES)
