"""`trace`: records every op that runs in a block, through two modes that PyTorch offers for it."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode

from ..tables import Table
from .origins import EAGER_ONLY, Origins
from .records import Call, OpFacts, Record, op_facts, tensor_bytes
from .summary import Summary
from .views import table_of

#: Methods whose purpose is to change the dtype: a cast in them is the user's.
_CASTS = frozenset(("to", "type", "type_as", "half", "float", "double", "bfloat16", "copy_", "__setitem__"))
#: In 16 bits for autocast; where attention has no fused kernel, it computes in float32 by its own decision.
_ATTENTION = frozenset(("scaled_dot_product_attention", "multi_head_attention_forward"))
#: Start autograd's engine; what runs in it are no calls of the user.
_ENGINE = frozenset(("backward", "grad"))


class trace:
    """Record each op that runs in a `with` block: the module, the dtypes in and out, casts, FLOPs and bytes.

    It sees eager code on any device, forward and backward, in the thread that entered the block (and in autograd's).
    Records keep no tensor alive. Traces may be nested; each records everything.

    Args:
        model: names modules by their path in it, "blocks.0.qkv", and the model itself "". Without it a module is
            named by its class, as "MLP.0".

    Attributes:
        records: list of `Record`, what the dispatcher ran.
        calls: list of `Call`, what the user called.
        warnings: list of sentences that say what the trace could not see.

    Special values: `nn.TransformerEncoder` and `nn.MultiheadAttention` have a fast path for inference without
        autocast, which they leave while a trace runs (as under any `TorchFunctionMode`): `warnings` says so.
        Casts by `torch.amp.custom_fwd` count as the user's. Under `torch.compile` a trace sees eager ops only: while
        it runs, PyTorch runs the function uncompiled, and `warnings` says so. A forward that checkpointing repeats
        in backward gives records but no calls, and its `.float()` counts as autocast's.
    Raises: TypeError if `model` is no module; ValueError if the trace is used a second time.
    Source: PyTorch's `TorchDispatchMode`, `TorchFunctionMode` and `torch.utils.flop_counter`.
    Introduced in: notebooks/06_autocast.ipynb
    """

    def __init__(self, model: nn.Module | None = None):
        if model is not None and not isinstance(model, nn.Module):
            what = f"the class {model.__name__}" if inspect.isclass(model) else f"a {type(model).__name__}"
            raise TypeError(f"trace expects a torch.nn.Module or nothing, not {what}; call trace() for plain code")
        self._model = model
        self._stack: contextlib.ExitStack | None = None
        self._used = False
        self._raw: list[tuple] = []
        self._raw_calls: list[tuple] = []
        self._records: list[Record] = []
        self._calls: list[Call] = []
        self.warnings: list[str] = []

    def __enter__(self) -> trace:
        if self._used:
            raise ValueError("this trace has been used; each block needs a trace of its own: with trace(...) as t:")
        self._used = True
        recorder = Recorder(self._raw, self._raw_calls, Origins(self._model, self._warn), self._warn)
        with contextlib.ExitStack() as stack:
            for handle in recorder.origins.hooks():
                stack.callback(handle.remove)
            stack.enter_context(_Dispatch(recorder))
            stack.enter_context(_Functions(recorder))
            self._stack = stack.pop_all()
        self._model = None  # only the block needs it
        return self

    def __exit__(self, *error) -> None:
        stack, self._stack = self._stack, None
        stack.__exit__(*error)

    def _warn(self, sentence: str) -> None:
        if sentence not in self.warnings:
            self.warnings.append(sentence)

    @property
    def records(self) -> list[Record]:
        self._records += map(_record, self._raw[len(self._records) :])
        return self._records

    @property
    def calls(self) -> list[Call]:
        self._calls += [_call(raw, self.records) for raw in self._raw_calls[len(self._calls) :]]
        return self._calls

    def table(
        self, view: str = "calls", *, module: str | None = None, views: bool = False, group: bool = True
    ) -> Table:
        """The trace as a table, equal rows in one line with their number.

        Args:
            view: "calls", what the user called, or "records", what the dispatcher ran.
            module: only this module and those in it; "" is everything.
            views: also show what only makes a view or allocates memory, as `transpose` and `empty`.
            group: put equal rows of modules whose paths differ in numbers only into one line, "layer*.conv*".
        Raises: ValueError for another view or a module that nothing ran in.
        """
        return table_of(self, view, module, views, group)

    def summary(self) -> Summary:
        """The share of FLOPs and bytes by dtype, the casts by module, and what could not be attributed."""
        return Summary(self.records, self.calls, self.warnings)


class Recorder:
    """What the two modes share while the block runs."""

    def __init__(self, raw: list, calls: list, origins: Origins, warn: Callable[[str], None]):
        self.raw, self.calls, self.origins, self.warn = raw, calls, origins, warn
        self.frame: _Frame | None = None


class _Frame:
    """A call of the user that runs now."""

    __slots__ = ("explicit", "name", "region", "waiting")

    def __init__(self, name, region, waiting, explicit):
        self.name, self.region, self.waiting, self.explicit = name, region, waiting, explicit


class _Dispatch(TorchDispatchMode):
    """Sees each op below autograd and autocast."""

    def __init__(self, recorder: Recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        facts = op_facts(func)
        if facts.decomposes:
            with self:
                result = func.decompose(*args, **kwargs)
            if result is not NotImplemented:
                return result
        result = func(*args, **kwargs)
        if torch._C._is_torch_function_mode_enabled():
            with torch._C.DisableTorchFunction():  # reading x.shape must not count as a call
                self._record(func, facts, args, kwargs, result)
        else:
            self._record(func, facts, args, kwargs, result)
        return result

    def _record(self, func, facts: OpFacts, args, kwargs, result):
        recorder = self.recorder
        frame = recorder.frame
        given, made = tensors_in(args), [result] if isinstance(result, Tensor) else tensors_in((result,))
        if kwargs:
            given += tensors_in([value for name, value in kwargs.items() if name != "out"])
        if not (given or made) or facts.name.startswith("prim::"):
            return
        if frame is not None and frame.waiting:
            for tensor in given:
                frame.waiting.pop(id(tensor), None)
        origin = recorder.origins.current()
        inputs = tuple([(tensor.dtype, tensor.shape) for tensor in given])
        outputs = tuple([(tensor.dtype, tensor.shape) for tensor in made])
        cast = None
        if facts.copies and inputs and inputs[-1][0] != outputs[0][0]:
            cast = _cast_by(frame, origin, inputs[-1][0], outputs[0][0], made[0].device.type)
        flops = None
        if facts.flop_formula is not None:
            if facts.raw_formula:
                flops = facts.flop_formula(*args, **kwargs, out_val=result)
            else:
                flops = _shapes(args), _shapes(kwargs), _shapes(result)
        call = None if frame is None else frame.name
        recorder.raw.append((facts, origin, call, inputs, outputs, flops, cast))


def _cast_by(frame, origin, source, target, device: str) -> str:
    """Who changed the dtype: the rules of `Record.cast`."""
    _, _, direction, node, recomputed = origin
    if direction == "backward" and node.startswith("ToCopyBackward") and not recomputed:
        return "backward"
    if frame is not None:
        if frame.name in _CASTS or frame.explicit:
            return "user"
        floats = source.is_floating_point and target.is_floating_point
        own = frame.name in _ATTENTION and target == torch.float32
        return "autocast" if frame.region is not None and floats and not own else "op"
    with torch._C._RestorePythonTLSSnapshot():  # below autograd and autocast both look switched off
        region = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else None
    if region is not None and (target == region or (recomputed and target == torch.float32)):
        return "autocast"
    # Nodes in C++ end in a number; a torch.autograd.Function's is "NameBackward", and its code is the user's.
    engine = direction == "backward" and not node.endswith("Backward") and not recomputed
    return "backward" if engine else "user"


class _Functions(TorchFunctionMode):
    """Sees each function of PyTorch that the user's code calls; what such a function calls inside is not seen."""

    def __init__(self, recorder: Recorder):
        super().__init__()
        self.recorder = recorder

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        name = getattr(func, "__name__", "")
        if name == "__get__":  # x.shape and its like
            return func(*args, **kwargs)
        if name in _ENGINE:
            return self._run_engine(func, args, kwargs)
        recorder = self.recorder
        if _compiled_code_runs():
            recorder.warn(EAGER_ONLY)
        given = tensors_in(args)
        if kwargs:
            given += tensors_in(kwargs.values())
        inputs = tuple([tensor.dtype for tensor in given])
        region, waiting = None, None
        if torch._C._is_any_autocast_enabled() and given:
            device = given[0].device.type
            if torch.is_autocast_enabled(device):
                region = torch.get_autocast_dtype(device)
                if torch.is_autocast_cache_enabled():
                    waiting = {id(tensor): None for tensor in given if _cacheable(tensor)}
        outer, start = recorder.frame, len(recorder.raw)
        recorder.frame = _Frame(name, region, waiting, kwargs.get("dtype") is not None)
        try:
            result = func(*args, **kwargs)
        finally:
            recorder.frame = outer
        if len(recorder.raw) > start:
            made = [result] if isinstance(result, Tensor) else tensors_in((result,))
            outputs = tuple([tensor.dtype for tensor in made])
            # A parameter that went in and never reached an op was replaced: by its cast, from the cache.
            hits = len(waiting) if waiting and _computes_in(region, recorder.raw[start:]) else 0
            recorder.calls.append((name, inputs, outputs, region, hits, start, len(recorder.raw)))
        return result

    def _run_engine(self, func, args, kwargs):
        recorder = self.recorder
        outer, recorder.frame = recorder.frame, None
        try:
            return func(*args, **kwargs)
        finally:
            recorder.frame = outer


def _compiled_code_runs() -> bool:
    """Whether a function under `torch.compile` runs: Dynamo then has a callback for new Python frames."""
    return callable(torch._C._dynamo.eval_frame.get_eval_frame_callback())


def _cacheable(tensor: Tensor) -> bool:
    """Whether autocast keeps the cast copy of this tensor until the outermost region ends."""
    return tensor.dtype == torch.float32 and tensor.requires_grad and tensor.is_leaf and not tensor._is_view()


def _computes_in(dtype, raw) -> bool:
    return any(not facts.copies and dtype in [kind for kind, _ in inputs] for facts, _, _, inputs, *_ in raw)


def tensors_in(values) -> list[Tensor]:
    """The tensors in arguments or a result: lists, tuples and dicts are searched."""
    found = []
    for value in values:
        if isinstance(value, Tensor):
            found.append(value)
        elif isinstance(value, (list, tuple)):
            found += tensors_in(value)
        elif isinstance(value, dict):
            found += tensors_in(value.values())
    return found


def _shapes(value):
    """The same arguments with a shape in place of each tensor."""
    if isinstance(value, Tensor):
        return value.shape
    if isinstance(value, (list, tuple)):
        return type(value)(map(_shapes, value)) if type(value) in (list, tuple) else value
    return {name: _shapes(item) for name, item in value.items()} if isinstance(value, dict) else value


def _record(raw: tuple) -> Record:
    facts, (module, within, direction, node, recomputed), call, inputs, outputs, flops, cast = raw
    if isinstance(flops, tuple):
        args, kwargs, result = flops
        flops = facts.flop_formula(*args, **kwargs, out_val=result)
    read = inputs[-1:] if facts.copies else inputs  # copy_ overwrites its first argument without reading it
    moved = 0 if facts.view or facts.allocates else tensor_bytes(read) + tensor_bytes(outputs)
    return Record(
        op=facts.name,
        module=module,
        direction=direction,
        call=call,
        inputs=tuple(dtype for dtype, _ in inputs),
        outputs=tuple(dtype for dtype, _ in outputs),
        shapes=tuple(tuple(shape) for _, shape in inputs),
        output_shapes=tuple(tuple(shape) for _, shape in outputs),
        flops=flops or 0,
        bytes=moved,
        cast=cast,
        cast_bytes=moved if cast else 0,
        within=within,
        recomputed=recomputed,
        node=node,
        view=facts.view,
    )


def _call(raw: tuple, records: list[Record]) -> Call:
    name, inputs, outputs, region, hits, start, end = raw
    ops = records[start:end]
    casts = [record for record in ops if record.cast]
    return Call(
        name=name,
        module=ops[0].module,
        inputs=inputs,
        outputs=outputs,
        region=region,
        cache_hits=hits,
        casts=len(casts),
        cast_bytes=sum(record.cast_bytes for record in casts),
        flops=sum(record.flops for record in ops),
        within=ops[0].within,
        view=all(record.view for record in ops),
        bytes=sum(record.bytes for record in ops),
    )
