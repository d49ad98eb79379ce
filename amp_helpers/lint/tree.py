"""A file as a syntax tree: what a name means, where a node stands, what was assigned to what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import fields
from functools import cache, cached_property

import libcst as cst
from libcst.helpers import get_full_name_for_node
from libcst.metadata import MetadataWrapper, PositionProvider, QualifiedNameSource, ScopeProvider

_DTYPES = {"torch.float16": "float16", "torch.half": "float16", "torch.bfloat16": "bfloat16"}
_AUTOCASTS = {"torch.autocast", "torch.amp.autocast", "torch.cuda.amp.autocast", "torch.cpu.amp.autocast"}


class Tree:
    """A parsed source.

    Args:
        source: Python source that parses.
    Raises: `libcst.ParserSyntaxError`.
    """

    def __init__(self, source: str):
        self._wrapper = MetadataWrapper(cst.parse_module(source), unsafe_skip_copy=True)
        self.module = self._wrapper.module
        #: Every node, outer nodes first, in the order of the source.
        self.nodes = list(walk(self.module))
        #: Dotted text of a target -> every value that the file assigns to it.
        self.assigned: dict[str, list[cst.BaseExpression]] = defaultdict(list)
        self._stars: list[str] = []
        #: Name -> what an import binds it to, and names that anything else binds.
        self._imported: dict[str, set[str]] = defaultdict(set)
        self._bound: set[str] = set()
        self._texts: dict[cst.CSTNode, str] = {}
        self._names: dict[cst.CSTNode, set[str]] = {}
        for node in self.nodes:
            if isinstance(node, cst.Assign):
                for target in node.targets:
                    self._assign(target.target, node.value)
            elif isinstance(node, cst.AnnAssign | cst.NamedExpr) and node.value is not None:
                self._assign(node.target, node.value)
            elif isinstance(node, cst.Import | cst.ImportFrom):
                self._import(node)
            self._bound |= _binds(node)

    def _import(self, node):
        self._names |= {below: set() for below in walk(node)}  # the names in the line itself use nothing
        if isinstance(node, cst.ImportFrom):
            module = "." * len(node.relative) + (get_full_name_for_node(node.module) if node.module else "")
            if isinstance(node.names, cst.ImportStar):
                self._stars.append(module)
                return
        for alias in node.names:
            name = get_full_name_for_node(alias.name)
            whole = name if isinstance(node, cst.Import) else f"{module}.{name}"
            if alias.asname is not None:
                self._imported[get_full_name_for_node(alias.asname.name)].add(whole)
            elif isinstance(node, cst.Import):
                self._imported[name.partition(".")[0]].add(name.partition(".")[0])
            else:
                self._imported[name].add(whole)

    def _assign(self, target, value):
        if (
            isinstance(target, cst.Tuple)
            and isinstance(value, cst.Tuple)
            and len(target.elements) == len(value.elements)
        ):
            for one, other in zip(target.elements, value.elements, strict=True):
                self._assign(one.value, other.value)
        elif _pure(target):
            self.assigned[get_full_name_for_node(target)].append(value)

    @cached_property
    def _scopes(self):
        return self._wrapper.resolve(ScopeProvider)

    @cached_property
    def _positions(self):
        return self._wrapper.resolve(PositionProvider)

    def place(self, node: cst.CSTNode) -> tuple[int, int]:
        """Line and column of a node, both from 1."""
        start = self._positions[node].start
        return start.line, start.column + 1

    def text(self, node: cst.CSTNode) -> str:
        """The node's code in one line, without spaces at its ends."""
        if node not in self._texts:
            dotted = get_full_name_for_node(node) if _pure(node) else None
            self._texts[node] = dotted or " ".join(self.module.code_for_node(node).split())
        return self._texts[node]

    def names(self, node: cst.CSTNode, depth: int = 3) -> set[str]:
        """The qualified names that a name or an attribute may stand for, through imports and plain assignments.

        Returns: for example {"torch.cuda.amp.autocast"}; empty for what the file itself defines.
        """
        if isinstance(node, cst.Call):
            node = node.func
        if node not in self._names:
            self._names[node] = self._look_up(node, depth) if _pure(node) else set()
        return self._names[node]

    def _look_up(self, node, depth) -> set[str]:
        text = self.text(node)
        root, _, rest = text.partition(".")
        found, local = set(), False
        if root in self._imported and root in self._bound:  # only then it matters where the name stands
            scope = self._scopes.get(node)
            for name in scope.get_qualified_names_for(node) if scope else ():
                if name.source is QualifiedNameSource.IMPORT:
                    found.add(canonical(name.name))
                else:
                    local = True
        elif root in self._imported:
            found = {canonical(f"{name}.{rest}" if rest else name) for name in self._imported[root]}
        elif root in self._bound:
            local = True
        else:
            found = {canonical(f"{module}.{text}") for module in self._stars}
        if local and depth:
            values = self.assigned.get(root, [])
            if values and all(_pure(value) for value in values):
                for value in values:
                    found |= {canonical(f"{name}.{rest}" if rest else name) for name in self.names(value, depth - 1)}
        return found

    def is_autocast(self, node: cst.CSTNode) -> bool:
        """Whether a name stands for one of torch's autocast classes."""
        return bool(self.names(node) & _AUTOCASTS)

    def values(self, node: cst.BaseExpression) -> list[cst.BaseExpression]:
        """What an expression may stand for: what the file assigns to it, if it is a name, else itself."""
        return (self.assigned.get(self.text(node)) if _pure(node) else None) or [node]

    def dtype(self, node: cst.BaseExpression) -> str:
        """ "float16", "bfloat16", or "" if that cannot be seen."""
        found = {_DTYPES.get(name, "") for value in self.values(node) for name in self.names(value) or {""}}
        return found.pop() if len(found) == 1 else ""


def canonical(name: str) -> str:
    """The public spelling of a qualified name."""
    return name.replace(".autocast_mode.", ".").replace(".grad_scaler.", ".")


def argument(call: cst.Call, name: str, position: int | None = None) -> cst.BaseExpression | None:
    """The argument of a call that has this name, or stands at this position; None without one."""
    for arg in call.args:
        if arg.keyword is not None and arg.keyword.value == name:
            return arg.value
    if position is not None and position < len(call.args):
        arg = call.args[position]
        if arg.keyword is None and not arg.star and not any(before.star for before in call.args[:position]):
            return arg.value
    return None


def unpacks(call: cst.Call) -> bool:
    """Whether a call has `*args` or `**options`, which may hold anything."""
    return any(arg.star for arg in call.args)


def _binds(node: cst.CSTNode) -> set[str]:
    """The names that a node binds, imports aside."""
    if isinstance(node, cst.Param | cst.FunctionDef | cst.ClassDef | cst.MatchAs | cst.MatchStar | cst.TypeAlias):
        target = node.name
    elif isinstance(node, cst.For | cst.CompFor | cst.AugAssign | cst.AnnAssign | cst.NamedExpr | cst.AssignTarget):
        target = node.target
    elif isinstance(node, cst.WithItem):
        target = node.asname and node.asname.name
    elif isinstance(node, cst.ExceptHandler | cst.ExceptStarHandler):
        target = node.name and node.name.name
    else:
        return set()
    waiting, found = [target] if target is not None else [], set()
    while waiting:
        node = waiting.pop()
        if isinstance(node, cst.Name):
            found.add(node.value)
        elif isinstance(node, cst.Tuple | cst.List):
            waiting += [element.value for element in node.elements]
    return found


def _pure(node: cst.CSTNode) -> bool:
    while isinstance(node, cst.Attribute):
        node = node.value
    return isinstance(node, cst.Name)


# LibCST's own visitors build the tree anew, which takes several times as long; these skip its whitespace.
_LAYOUT = ("whitespace", "lines", "header", "footer", "comma", "par", "semicolon", "indent", "newline", "bracket")


@cache
def _parts(kind: type) -> tuple[str, ...]:
    return tuple(f.name for f in fields(kind) if not any(word in f.name for word in _LAYOUT) or f.name == "params")


def children(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """The nodes directly below, in the order of the source."""
    for part in _parts(type(node)):
        value = getattr(node, part)
        if isinstance(value, cst.CSTNode):
            yield value
        elif isinstance(value, list | tuple):
            yield from (one for one in value if isinstance(one, cst.CSTNode))


def walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    """A node and everything below it, outer nodes first."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(list(children(node)))


def calls_in(node: cst.CSTNode) -> list[cst.Call]:
    """Every call of an expression."""
    return [one for one in walk(node) if isinstance(one, cst.Call)]


def names_in(node: cst.CSTNode) -> set[str]:
    """Every identifier of an expression."""
    return {one.value for one in walk(node) if isinstance(one, cst.Name)}
