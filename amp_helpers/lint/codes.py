"""Every code that linting can report: its name, what it finds, why it matters, what to write instead.

Where a fault has a twin that `audit_steps` finds in a running loop, both carry the same name.
"""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """What a code stands for.

    Args:
        name: stable and readable, such as "missing-update".
        message: what it finds, in one line.
        reason: why that matters.
        fix: what to write instead.
    Introduced in: notebooks/15_from_apex.ipynb
    """

    name: str
    message: str
    reason: str
    fix: str


_WARNS = (
    "torch warns with FutureWarning at each use (GradScaler since 2.3, the others since 2.4), and may remove the name"
)

#: Spellings that are deprecated or removed.
SPELLINGS = {
    "AMP101": Code(
        "apex-amp",
        "apex.amp is imported or used",
        "apex.amp was removed from Apex in May 2025, so the import fails; the package called apex in the public index "
        "is something else",
        "use torch.autocast and torch.amp.GradScaler, which come with torch",
    ),
    "AMP102": Code(
        "apex-initialize",
        "amp.initialize of Apex",
        "it was removed; it changed the model and the optimizer in place by its opt_level",
        "leave the model in float32 and create torch.amp.GradScaler(device); autocast the forward pass",
    ),
    "AMP103": Code(
        "apex-scale-loss",
        "amp.scale_loss of Apex",
        "it was removed; it scaled the loss on entry and unscaled the gradients on exit",
        "call scaler.scale(loss).backward(), then scaler.step(optimizer) and scaler.update()",
    ),
    "AMP104": Code(
        "apex-fp16-utils",
        "apex.fp16_utils is imported or used",
        "it was removed together with apex.amp; FP16_Optimizer kept the float32 master weights by hand",
        "keep the parameters in float32 and use torch.autocast with torch.amp.GradScaler",
    ),
    "AMP105": Code(
        "cuda-amp-module",
        "the module torch.cuda.amp is imported",
        "whatever is taken from it is deprecated: " + _WARNS,
        "import torch.amp, whose functions take the device type",
    ),
    "AMP106": Code(
        "cuda-autocast",
        "torch.cuda.amp.autocast",
        _WARNS + "; without a GPU it turns itself off",
        'write torch.amp.autocast("cuda", ...), or torch.autocast(device_type, ...)',
    ),
    "AMP107": Code(
        "cuda-gradscaler",
        "torch.cuda.amp.GradScaler",
        _WARNS,
        'write torch.amp.GradScaler("cuda", ...)',
    ),
    "AMP108": Code(
        "cpu-amp",
        "anything of torch.cpu.amp",
        _WARNS,
        'write torch.amp.autocast("cpu", ...) or torch.amp.GradScaler("cpu", ...)',
    ),
    "AMP109": Code(
        "cuda-custom-function",
        "torch.cuda.amp.custom_fwd or custom_bwd",
        _WARNS,
        'write @torch.amp.custom_fwd(device_type="cuda"), and custom_bwd alike',
    ),
    "AMP110": Code(
        "custom-function-device",
        "torch.amp.custom_fwd or custom_bwd without device_type",
        "device_type is a required keyword: the bare decorator raises TypeError when the class is created",
        'write @torch.amp.custom_fwd(device_type="cuda")',
    ),
    "AMP111": Code(
        "autocast-per-device-function",
        "a function with the device in its name, such as torch.get_autocast_gpu_dtype",
        "torch warns with DeprecationWarning at each call, and may remove the name",
        'write torch.get_autocast_dtype("cuda"), with the device type as the argument',
    ),
    "AMP112": Code(
        "autocast-device-type",
        "torch.autocast without a device type",
        "device_type is the first, required argument: without it the call raises TypeError, with a bool or a dtype in "
        "its place ValueError",
        'write torch.autocast("cuda", dtype=...), or device_type=x.device.type',
    ),
    "AMP113": Code(
        "gradscaler-device",
        "torch.amp.GradScaler with the initial scale as its first positional argument",
        "the first argument is the device, so the number is taken for a device and the scale stays at its default; "
        "torch says nothing",
        'write torch.amp.GradScaler("cuda", init_scale=...)',
    ),
}

#: Numbers: dtypes that do not go together.
NUMBERS = {
    "AMP201": Code(
        "half-under-autocast",
        "an input is converted to float16 by hand and then goes through autocast",
        "autocast casts where an op gains by it; a cast by hand reaches every op, rounds what should stay float32, and "
        "turns values beyond 65504 into inf",
        "drop the cast and pass the float32 tensor",
    ),
    "AMP202": Code(
        "float16-parameters",
        "a model that an optimizer trains is converted to float16, in a file with autocast or a scaler",
        "GradScaler refuses to unscale float16 gradients, and a float16 weight ignores updates below half an ulp",
        "keep trainable parameters in float32 and let autocast cast them for the forward pass",
    ),
    "AMP203": Code(
        "float16-without-scaler",
        "a loop runs backward through a float16 autocast region, and the file has no scaler",
        "a float16 gradient below 2**-25 becomes zero, and nothing keeps an inf out of the weights",
        "use torch.amp.GradScaler, or autocast to bfloat16",
    ),
    "AMP204": Code(
        "scaler-with-bfloat16",
        "a scaler is always enabled, and every autocast region of the file is bfloat16",
        "bfloat16 has float32's exponent range: scaling costs time and can skip steps, and gains nothing",
        "use no scaler, or GradScaler(device, enabled=dtype == torch.float16)",
    ),
}

#: Mistakes of a training loop.
LOOPS = {
    "AMP301": Code(
        "missing-update",
        "scaler.step() in a loop that never calls scaler.update()",
        "the scale never changes, and the next scaler.step() raises RuntimeError",
        "call scaler.update() once per iteration, after scaler.step() of every optimizer",
    ),
    "AMP302": Code(
        "missing-zero-grad",
        "backward and step in a loop that never clears the gradients",
        "backward() adds to what is in .grad, so every step repeats the gradients of all steps before it; with a "
        "scaler the old ones are divided by the scale again, which hides the mistake",
        "call optimizer.zero_grad() once per step, after the step or before the first backward()",
    ),
    "AMP303": Code(
        "clip-before-unscale",
        "gradients are clipped while they still carry the loss scale",
        "the threshold is compared with numbers that are too large by the scale, so the update shrinks by as much",
        "call scaler.unscale_(optimizer) between backward() and the clipping",
    ),
    "AMP304": Code(
        "backward-under-autocast",
        "backward() inside an autocast region",
        "each backward op already runs in the dtype of its forward op; inside the region autocast also lowers those "
        "that the forward pass kept in float32",
        "leave the region before backward(): only the forward pass and the loss belong inside",
    ),
    "AMP305": Code(
        "stale-casts",
        "an autocast region around the loop, or on the function that holds it",
        "autocast keeps the low-precision copy of a weight until the outermost region ends: after the first step the "
        "forward pass still reads the old copy, and the loss stays where it was, without an error",
        "open one region per forward pass, inside the loop",
    ),
    "AMP306": Code(
        "bypassed-scaler",
        "optimizer.step() after the backward of a scaled loss",
        "the gradients are still multiplied by the scale, and nothing skips a step with inf or NaN",
        "replace optimizer.step() by scaler.step(optimizer), followed by scaler.update()",
    ),
    "AMP307": Code(
        "unscaled-backward",
        "scaler.step() after the backward of a loss that was not scaled",
        "scaler.step() divides by the scale what was never multiplied by it: it raises an error if no loss was scaled "
        "before, and makes the update too small if one was",
        "call scaler.scale(loss).backward()",
    ),
    "AMP308": Code(
        "repeated-unscale",
        "scaler.unscale_() more than once per step of an optimizer",
        "a second division would make the gradients too small, so torch raises RuntimeError",
        "call scaler.unscale_(optimizer) once per step, after the last backward() and before the clipping",
    ),
    "AMP309": Code(
        "mixed-scales",
        "scaler.update() after every micro-batch, although the optimizer steps less often",
        "torch raises AssertionError if nothing was unscaled; if it was, gradients of different scales are added up",
        "call scaler.update() where scaler.step() is called, after the last backward()",
    ),
    "AMP310": Code(
        "repeated-scale",
        "a loss that is already scaled is scaled again",
        "the gradients carry the scale twice and are divided by it once, so each update is far too large",
        "call scaler.scale(loss) once",
    ),
    "AMP311": Code(
        "no-gradients",
        "zero_grad() between backward() and the step",
        "the gradients are gone before they are used: an optimizer skips a parameter whose .grad is None, and a scaler "
        "raises AssertionError",
        "call zero_grad() after the step, or before backward()",
    ),
    "AMP312": Code(
        "update-before-step",
        "scaler.update() before scaler.step()",
        "update() needs the inf checks that step() records: without them it raises AssertionError; after unscale_() it "
        "forgets that the gradients are unscaled, and step() divides them once more",
        "call scaler.step(optimizer) first, then scaler.update()",
    ),
}

#: TF32 switches.
SWITCHES = {
    "AMP401": Code(
        "mixed-tf32-switches",
        "an old TF32 switch in a file that also uses the new fp32_precision",
        "torch refuses to answer which precision holds: reading allow_tf32 raises RuntimeError once fp32_precision was "
        "set to something else",
        "use fp32_precision alone (torch 2.9 and later), for each operator",
    ),
}

CODES = SPELLINGS | NUMBERS | LOOPS | SWITCHES
