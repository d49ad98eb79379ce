"""What a trace holds: a `Record` for each op that the dispatcher ran, a `Call` for each function the user called."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass

import torch
from torch.utils.flop_counter import flop_registry

#: Share the storage of their input although their schema does not say so.
_UNDECLARED_VIEWS = {"aten::_unsafe_view", "aten::_conj", "aten::lift_fresh"}
#: Copy their last input; `copy_` writes its first without reading it.
COPIES = ("aten::_to_copy", "aten::copy_")
#: Allocate without reading or writing an element.
_ALLOCATIONS = ("aten::empty", "aten::new_empty")


@dataclass(frozen=True, slots=True)
class Record:
    """One op, as the dispatcher ran it: below autocast and autograd, so the casts that they insert are ops too.

    Attributes:
        op: the op's name without its overload, "aten::addmm".
        module: the path of the module that it ran in, or whose forward it is the backward of; "" outside of any
            module and for the model itself (`within` tells the two apart).
        direction: "forward", or "backward" while autograd's engine runs.
        call: the function or method that the user called, "linear"; None if no call led to the op (backward).
        inputs, outputs: dtypes of the tensors.
        shapes, output_shapes: their shapes, in the same order.
        flops: floating-point operations by PyTorch's formulas; 0 for an op without a formula.
        bytes: read and written: numel times the element's size of every input and output; 0 for a view.
            What a kernel really moves may be less (an expanded input) or more (a scratch buffer).
        cast: who changed the dtype: "autocast", "user" (`.to()`, `.half()`...), "backward" (autograd, which casts a
            gradient back to the dtype of its tensor), "op" (a function that casts inside by itself, as attention
            without a fused kernel) or None if the op is no cast. What such an attention casts back to 16 bits in an
            autocast region cannot be told from autocast's own casts and counts as those.
        cast_bytes: `bytes` of a cast, else 0.
        within: "module", "outside" of every module, or "unknown": autograd ran a node whose forward was not traced.
        recomputed: a forward op that ran during backward, as activation checkpointing has it.
        node: the autograd node that ran, "AddmmBackward0"; "" in forward.
        view: the op only made a view of its input's storage.
    """

    op: str
    module: str
    direction: str
    call: str | None
    inputs: tuple[torch.dtype, ...]
    outputs: tuple[torch.dtype, ...]
    shapes: tuple[tuple[int, ...], ...]
    output_shapes: tuple[tuple[int, ...], ...]
    flops: int
    bytes: int
    cast: str | None
    cast_bytes: int
    within: str
    recomputed: bool
    node: str
    view: bool

    @property
    def moves_nothing(self) -> bool:
        """A view, or fresh memory: tables leave these out."""
        return not (self.bytes or self.flops)

    @property
    def dtype(self) -> torch.dtype | None:
        """The dtype that the op computed in: that of its first floating-point input, else of its first output."""
        floats = (dtype for dtype in self.inputs if dtype.is_floating_point or dtype.is_complex)
        return next(floats, self.outputs[0] if self.outputs else None)

    def bytes_by_dtype(self) -> dict[torch.dtype, int]:
        """`bytes`, split by the dtypes of inputs and outputs."""
        split: dict[torch.dtype, int] = {}
        if self.bytes:
            read = list(zip(self.inputs, self.shapes, strict=True))
            made = list(zip(self.outputs, self.output_shapes, strict=True))
            for dtype, shape in (read[-1:] if self.op in COPIES else read) + made:
                split[dtype] = split.get(dtype, 0) + tensor_bytes(((dtype, shape),))
        return split

    def __str__(self) -> str:
        cast = f"  cast by {self.cast}, {self.cast_bytes} bytes" if self.cast else ""
        return f"{self.direction:8}  {place(self)}  {self.op}: {flow(self)}{cast}"


@dataclass(frozen=True, slots=True)
class Call:
    """One function or method that the user's code called, dtypes as the user sees them: above autocast.

    Attributes:
        name: "linear", "relu", "__add__" is "add".
        module: as in `Record`.
        inputs, outputs: dtypes of the tensors given and returned.
        region: autocast's dtype for the device of the first tensor, None where autocast is off.
        cache_hits: float32 parameters whose cast copy autocast took from its cache. A parameter that one call uses
            several times counts as one cast, or one hit, of this call.
        casts, cast_bytes: how many casts ran in the call, and the bytes they read and wrote.
        flops: of the ops in the call.
        bytes: read and written by the ops in the call.
        within, view: as in `Record`; a call is a view if all its ops are.
    """

    name: str
    module: str
    inputs: tuple[torch.dtype, ...]
    outputs: tuple[torch.dtype, ...]
    region: torch.dtype | None
    cache_hits: int
    casts: int
    cast_bytes: int
    flops: int
    within: str
    view: bool
    bytes: int

    @property
    def moves_nothing(self) -> bool:
        """Only views and fresh memory: tables leave these out."""
        return not (self.bytes or self.flops)

    def __str__(self) -> str:
        region = f"  autocast {dtype_name(self.region)}" if self.region else ""
        hits = f"  {self.cache_hits} from the cache" if self.cache_hits else ""
        return f"{place(self)}  {self.name}: {flow(self)}{region}{hits}"


def dtype_name(dtype: torch.dtype | None) -> str:
    """The name without the package: "bfloat16"; "" for None."""
    return "" if dtype is None else str(dtype).removeprefix("torch.")


def dtype_names(dtypes: tuple[torch.dtype, ...]) -> str:
    """Each dtype once, in order of appearance: "float32, bfloat16"; "-" for none."""
    return ", ".join(dict.fromkeys(map(dtype_name, dtypes))) or "-"


def flow(entry: Record | Call) -> str:
    """Dtypes in and out: "float32 -> bfloat16"."""
    return f"{dtype_names(entry.inputs)} -> {dtype_names(entry.outputs)}"


def place(entry: Record | Call) -> str:
    """The module's path, or a word in brackets where there is none."""
    return entry.module or {"module": "(model)", "outside": "(outside)", "unknown": "(unknown)"}[entry.within]


@dataclass(frozen=True, slots=True)
class OpFacts:
    """What does not depend on the run: looked up once per op, because looking it up costs more than recording."""

    name: str
    view: bool
    allocates: bool
    copies: bool
    decomposes: bool
    flop_formula: object
    raw_formula: bool  # such a formula needs the tensors, the others need shapes only


@functools.cache
def op_facts(func) -> OpFacts:
    """The facts of an `OpOverload`."""
    name = func._schema.name
    formula = flop_registry.get(func._overloadpacket)
    view = any(value.alias_info is not None and not value.alias_info.is_write for value in func._schema.returns)
    return OpFacts(
        name=name,
        view=view or name in _UNDECLARED_VIEWS,
        allocates=name.startswith(_ALLOCATIONS),
        copies=name in COPIES,
        # Without autograd (inference mode) an op such as `linear` arrives whole; its parts are what runs.
        decomposes=formula is None
        and not name.startswith("prim::")
        and torch._C._dispatch_has_kernel_for_dispatch_key(func.name(), "CompositeImplicitAutograd"),
        flop_formula=formula,
        raw_formula=formula is not None and not hasattr(formula, "__wrapped__"),
    )


def tensor_bytes(tensors: tuple) -> int:
    """Bytes of `(dtype, shape)` pairs."""
    return sum(math.prod(shape) * dtype.itemsize for dtype, shape in tensors)
