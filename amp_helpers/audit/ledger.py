"""What is in each parameter's .grad: scaled or not, by which scale, and whether a step has used it already."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

#: The source of a gradient whose loss was not scaled; other sources are (scaler, number of its updates).
PLAIN = (0, 0)


@dataclass
class Gradient:
    """The history of one .grad since it was last empty."""

    parameter: Tensor
    sources: set[tuple[int, int]] = field(default_factory=set)
    unscaled: bool = False
    stepped: bool = False
    carried: bool = False
    mixed: bool = False

    @property
    def scaled(self) -> bool:
        """Whether it is multiplied by a loss scale now."""
        return self.sources != {PLAIN} and not self.unscaled


class Ledger:
    """One `Gradient` per parameter that a backward pass reached."""

    def __init__(self):
        self.gradients: dict[int, Gradient] = {}

    def arrives(self, parameter: Tensor, source: tuple[int, int]) -> None:
        """A backward pass is about to add to the parameter's .grad."""
        known = self.gradients.get(id(parameter))
        if known is None or _empty(parameter.grad):
            self.gradients[id(parameter)] = Gradient(parameter, {source})
            return
        if known.stepped:
            known.carried = True
        elif known.unscaled and source != PLAIN:
            known.mixed = True
        known.stepped = known.unscaled = False
        known.sources.add(source)

    def of(self, parameters: Iterable[Tensor]) -> list[Gradient]:
        """The gradients that wait for a step."""
        known = (self.gradients.get(id(p)) for p in parameters if p.grad is not None)
        return [gradient for gradient in known if gradient is not None and not gradient.stepped]

    def at(self, tensors: Iterable[Tensor]) -> list[Gradient]:
        """The waiting gradients whose memory these tensors share."""
        places = {_place(tensor) for tensor in tensors}
        return [g for g in self.gradients.values() if not g.stepped and _place(g.parameter.grad) in places - {None}]


def parameters_of(optimizer: torch.optim.Optimizer) -> list[Tensor]:
    """Every parameter of every group."""
    return [parameter for group in optimizer.param_groups for parameter in group["params"]]


def walk(roots, inputs) -> tuple[list, list[Tensor]]:
    """The autograd nodes below `roots`, and the leaves whose .grad is filled (only `inputs`, where given)."""
    roots = [roots] if isinstance(roots, Tensor) or hasattr(roots, "node") else list(roots)
    leaves = [root for root in roots if isinstance(root, Tensor) and root.is_leaf and root.requires_grad]
    waiting = [root.grad_fn if isinstance(root, Tensor) else root.node for root in roots]
    nodes = {}
    while waiting:
        node = waiting.pop()
        if node is None or id(node) in nodes:
            continue
        nodes[id(node)] = node
        if type(node).__name__ == "AccumulateGrad":
            leaves.append(node.variable)
        waiting += [following for following, _ in node.next_functions]
    if inputs is not None:
        inputs = (
            [inputs] if isinstance(inputs, Tensor) else list(inputs.values() if isinstance(inputs, dict) else inputs)
        )
        leaves = [value for value in inputs if isinstance(value, Tensor) and value.is_leaf]
    return list(nodes.values()), leaves


def _empty(grad: Tensor | None) -> bool:
    if grad is None:
        return True
    return not (grad._values() if grad.is_sparse else grad).detach().any().item()


def _place(tensor: Tensor | None) -> int | None:
    return tensor.data_ptr() if tensor is not None and tensor.layout is torch.strided else None
