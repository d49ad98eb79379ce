"""Claims about which ops autocast casts, to what, and on which device."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from amp_helpers.models import MLP, SmallCNN, TransformerBlock
from amp_helpers.policy import autocast_policy
from amp_helpers.tracing import trace

from .autocast_calls import results, short
from .evidence import Evidence, holds

LOW = (torch.float16, torch.bfloat16)
DEVICES = ("cpu", "cuda")
#: Device types that have a default dtype for autocast, whether or not this machine has them.
DEFAULTS = ("cpu", "cuda", "xpu", "mps")


def models() -> dict[str, tuple[nn.Module, Tensor]]:
    """Three kinds of network, each with an input."""
    return {
        "MLP": (MLP(64, 128, 128, 10), torch.randn(32, 64)),
        "CNN": (SmallCNN(), torch.randn(4, 1, 8, 8)),
        "transformer block": (TransformerBlock(64, 4), torch.randn(2, 16, 64)),
    }


def small_low_large_float32() -> Evidence:
    """1: which ops are the large ones, and in which dtype they run."""
    large, small = {}, {}
    for name, (model, inputs) in models().items():
        with trace(model) as run:
            with torch.autocast("cpu", torch.bfloat16):
                output = model(inputs)
                loss = F.mse_loss(output, torch.zeros(output.shape))
            loss.backward()
        flops = run.summary().flops
        large[name] = flops[torch.float32] / flops.total()
        small[name] = next(record.dtype for record in run.records if record.op == "aten::mse_loss")
    seen = (
        f"Share of the multiplications that ran in float32 under bfloat16 autocast, forward and backward: "
        f"{', '.join(f'{name} {100 * share:.0f} %' for name, share in large.items())}. "
        f"The loss, a small computation, ran in {short(small.values())}."
    )
    return holds(seen, *(share > 0.5 for share in large.values()), *(dtype in LOW for dtype in small.values()))


def dtype_per_op() -> Evidence:
    """2: one region, no dtype in the calls, and two dtypes in the results."""
    counts = {device: autocast_policy(device).counts() for device in DEVICES}
    filled = [counts[device]["lower precision"] > 0 and counts[device]["float32"] > 0 for device in DEVICES]
    rows = "; ".join(
        f"{device}: linear gives {short([results(device)['linear']])}, "
        f"cross_entropy {short([results(device)['cross_entropy']])}"
        for device in DEVICES
    )
    seen = (
        f"`torch.autocast` alone, no dtype at any call; {rows}. "
        f"PyTorch lists ops for 16 bits and ops for float32 on {sum(filled)} of {len(filled)} devices."
    )
    differing = [results(device)["linear"] in LOW and results(device)["cross_entropy"] not in LOW for device in DEVICES]
    return holds(seen, *filled, *differing)


def converts_to_float16() -> Evidence:
    """8: the default dtype of each device type."""
    defaults = {device: torch.get_autocast_dtype(device) for device in DEFAULTS}
    listed = ", ".join(f"{device} {short([dtype])}" for device, dtype in defaults.items())
    return holds(f"The default dtypes are: {listed}.", *(dtype == torch.float16 for dtype in defaults.values()))


def ops_are_chosen_by_hand() -> Evidence:
    """11: whether an op is cast that nobody chose."""
    listed = [len(autocast_policy(device).ops) for device in DEVICES]
    found = [results(device)["mm"] for device in DEVICES]
    seen = (
        f"With no list of ours, `x @ x` on float32 gave {short(found[:1])} on {DEVICES[0]} and {short(found[1:])} on "
        f"{DEVICES[1]}. PyTorch's own lists hold more than {min(listed) // 50 * 50} ops on each."
    )
    return holds(seen, *(dtype not in LOW for dtype in found))


def forward_and_loss_in_half() -> Evidence:
    """16: the dtype of two losses whose input autocast made 16-bit."""
    losses = [results(device)[name] for device in DEVICES for name in ("cross_entropy", "mse_loss")]
    layers = [results(device)["linear"] for device in DEVICES]
    seen = f"A linear layer returned {short(layers)}; cross_entropy and mse_loss on such an output: {short(losses)}."
    return holds(f"{seen[:-1]} on {' and '.join(DEVICES)}.", *(dtype in LOW for dtype in losses))


def float32_becomes_float16() -> Evidence:
    """20: ops and devices for which that is so, and for which not."""
    ops = "linear", "conv2d", "relu", "mse_loss"
    found = {(device, op): results(device)[op] for device in DEVICES for op in ops}
    rows = [f"{device}: " + ", ".join(f"{op} {short([found[device, op]])}" for op in ops) for device in DEVICES]
    seen = f"Float32 inputs, default dtype; {'; '.join(rows)}."
    return holds(seen, *(dtype == torch.float16 for dtype in found.values()))


def softmax_float32_conv_float16() -> Evidence:
    """44: the two ops under float16 autocast on each device."""
    found = {device: [results(device, torch.float16)[op] for op in ("softmax", "conv2d")] for device in DEVICES}
    rows = "; ".join(f"{device}: softmax {short(pair[:1])}, conv2d {short(pair[1:])}" for device, pair in found.items())
    cases = [pair == [torch.float32, torch.float16] for pair in found.values()]
    return holds(f"Softmax of a 16-bit input and a convolution under float16 autocast; {rows}.", *cases)


def float32_and_float16() -> Evidence:
    """55: which dtypes mix when the region names none, and when it names one."""
    mixes = {}
    for device, dtype in (("cuda", None), ("cpu", None), ("cuda", torch.bfloat16), ("cpu", torch.float16)):
        region = f"{device}, {'default' if dtype is None else short([dtype])}"
        mixes[region] = {results(device, dtype)[call] for call in ("linear", "mse_loss")}
    rows = "; ".join(f"{region}: {short(mix)}" for region, mix in mixes.items())
    cases = [mix == {torch.float16, torch.float32} for mix in mixes.values()]
    return holds(f"Dtypes that a layer and its loss returned; {rows}.", *cases)


def needs_a_capable_gpu() -> Evidence:
    """74: autocast on the CPU that this runs on."""
    layer, inputs = nn.Linear(8, 4), torch.randn(2, 8)
    found = []
    for dtype in LOW:
        with torch.autocast("cpu", dtype):
            found.append(layer(inputs))
    works = [output.dtype == dtype and output.isfinite().all().item() for output, dtype in zip(found, LOW, strict=True)]
    seen = f"On the CPU a linear layer returned {' and '.join(short([output.dtype]) for output in found)}."
    return holds(seen, *(not worked for worked in works))


def needs_cudnn_off() -> Evidence:
    """82: what the cuDNN switch changes in autocast's dtypes."""
    before, changed = torch.backends.cudnn.enabled, {}
    try:
        for device in DEVICES:
            torch.backends.cudnn.enabled = True
            on = results.__wrapped__(device, torch.float16)
            torch.backends.cudnn.enabled = False
            off = results.__wrapped__(device, torch.float16)
            changed[device] = [name for name in on if on[name] != off[name]]
    finally:
        torch.backends.cudnn.enabled = before
    counts = ", ".join(f"{device} {len(names)}" for device, names in changed.items())
    seen = f"Calls of {len(on)} whose dtype changed with `torch.backends.cudnn.enabled = False`: {counts}."
    return holds(seen, *(bool(names) for names in changed.values()))


def binary_cross_entropy_works() -> Evidence:
    """M9: on probabilities, by device, and with a sigmoid that float16 rounds to 1."""
    found = {device: results(device, torch.float16)["binary_cross_entropy"] for device in DEVICES}
    logits, target = torch.tensor([12.0, -12.0, 3.0]).half(), torch.tensor([0.0, 1.0, 1.0])
    with torch.autocast("cpu", torch.float16):
        loss = F.binary_cross_entropy(logits.sigmoid(), target).item()
        fused = F.binary_cross_entropy_with_logits(logits, target).item()
    seen = (
        f"`binary_cross_entropy`: {found['cuda']} on cuda, a {short([found['cpu']])} loss on cpu. There a confident "
        f"mistake in float16 costs {loss:.2f} on probabilities and {fused:.2f} by the fused form on logits."
    )
    return holds(seen, *(isinstance(dtype, torch.dtype) for dtype in found.values()), abs(loss - fused) < 0.01 * fused)
