"""What a trace of a model shows an expert: functions from records to (code, module, what)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator

import torch

LOW = (torch.float16, torch.bfloat16)
#: What takes less than this share of the model's FLOPs or bytes cannot cost more than that: not worth a finding.
SHARE = 0.01
CAST_SHARE = 0.05
#: Casts that move this many times the bytes of the 16-bit products make the whole move a quarter more than float32.
CAST_RATIO = 1.5
#: FLOPs per byte below which float32 is limited by memory: a GPU's float32 rate over its bandwidth is 10 to 20.
BALANCE = 20
#: Numbers in the 16 bytes that a tensor core's operand is aligned to.
ALIGNMENT = 8
LOSSES = {"cross_entropy", "kl_div", "log_softmax", "logsumexp"}
NORMS = {"softmax", "layer_norm", "group_norm", "rms_norm", "normalize", "norm"}
#: Where no fused kernel fits (a CPU with dropout), torch itself widens these to float32: no fault of the model.
ATTENTION = {"scaled_dot_product_attention", "multi_head_attention_forward"}
MATMULS = {"aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm"}

Seen = tuple[str, str, str]


def name(dtype: torch.dtype) -> str:
    """ "float16" for torch.float16."""
    return str(dtype).removeprefix("torch.")


def place(entry) -> str:
    """The module of a record or a call."""
    return entry.module or "(model)"


def float32_compute(records, calls) -> Iterator[Seen]:
    """Modules whose matrix products ran in float32 or float64."""
    products = [r for r in records if r.direction == "forward" and r.flops and not r.recomputed]
    total = sum(r.flops for r in products)
    off = {(c.module, c.name) for c in calls if c.region is None}
    flops = defaultdict(int)
    for record in products:
        switched_off = (record.module, record.call) in off
        if record.dtype in (torch.float32, torch.float64) and (switched_off or record.call not in ATTENTION):
            if record.dtype == torch.float64:
                why = "autocast leaves float64 alone"
            elif switched_off:
                why = "autocast is switched off there"
            else:
                why = "autocast does not lower this op or its out= form"
            what = f"{record.op.removeprefix('aten::')} computes in {name(record.dtype)}: {why}"
            flops[place(record), what] += record.flops
    for (module, what), count in flops.items():
        if count >= SHARE * total:
            yield "float32-compute", module, what


def cast_dominated(records) -> Iterator[Seen]:
    """Modules whose casts move many more bytes than their products in 16 bits, at few FLOPs per byte."""
    total = sum(r.bytes for r in records)
    casts, moved, flops = defaultdict(int), defaultdict(int), defaultdict(int)
    for record in records:
        if record.call in ATTENTION:
            continue
        if record.cast:
            casts[place(record)] += record.cast_bytes
        elif record.flops and record.dtype in LOW:
            moved[place(record)] += record.bytes
            flops[place(record)] += record.flops
    found = [
        module
        for module, count in moved.items()
        if casts[module] >= CAST_RATIO * count
        and casts[module] >= CAST_SHARE * total
        and flops[module] < BALANCE * 2 * count
    ]
    bytes_cast, bytes_moved = sum(casts[module] for module in found), sum(moved[module] for module in found)
    for module in found:
        what = f"casts move {bytes_cast:,} bytes, the products in 16 bits {bytes_moved:,}"
        yield "cast-dominated", module, what


def tensor_core_shape(records) -> Iterator[Seen]:
    """Products in 16 bits with a dimension that is no multiple of 8. Rows (batch, tokens) are not judged."""
    products = [r for r in records if r.direction == "forward" and r.flops and not r.recomputed]
    total = sum(r.flops for r in products)
    flops = defaultdict(int)
    for record in products:
        if record.dtype in LOW:
            for label, size in _sizes(record):
                if size % ALIGNMENT:
                    up = -(-size // ALIGNMENT) * ALIGNMENT
                    flops[place(record), f"{label} {size} is no multiple of {ALIGNMENT}; the next one is {up}"] += (
                        record.flops
                    )
    for (module, what), count in flops.items():
        if count >= SHARE * total:
            yield "tensor-core-shape", module, what


def _sizes(record) -> Iterator[tuple[str, int]]:
    shapes = record.shapes
    if record.op in MATMULS and len(shapes) >= 2:
        yield "inner size", shapes[-1][-2]
        yield "output size", shapes[-1][-1]
    elif record.op == "aten::convolution":
        weight, channels = shapes[1], shapes[0][1]
        if weight[1] == 1 and channels > 1:
            return  # depthwise: no matrix product
        # An image's few channels are given, and cuDNN has kernels for them.
        if channels >= ALIGNMENT:
            yield "input channels", weight[1]
        yield "output channels", weight[0]
    elif "scaled_dot_product" in record.op:
        yield "head size", shapes[0][-1]


def low_precision(calls) -> Iterator[Seen]:
    """Losses, norms and softmaxes that received 16 bits and returned 16 bits."""
    for call in calls:
        if call.inputs and call.outputs and call.inputs[0] in LOW and call.outputs[0] in LOW:
            what = f"{call.name} computes from {name(call.inputs[0])} and returns {name(call.outputs[0])}"
            if call.name in LOSSES or call.name.endswith("_loss"):
                yield "low-precision-loss", place(call), what
            elif call.name in NORMS:
                yield "low-precision-norm", place(call), what


def banned(calls, ops: Iterable[str]) -> Iterator[Seen]:
    """Calls inside a region of an op that autocast on CUDA refuses."""
    for call in calls:
        if call.name in ops and call.region is not None:
            yield "banned-op", place(call), f"{call.name} inside an autocast region"


def parameters(model) -> Iterator[Seen]:
    """Trainable parameters in 16 bits."""
    for path, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dtype in LOW:
            yield (
                "low-precision-parameters",
                path.rpartition(".")[0] or "(model)",
                (f"trainable parameters in {name(parameter.dtype)}"),
            )
