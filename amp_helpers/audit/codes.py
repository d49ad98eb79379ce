"""Every fault that an audit can find, with the reason and the fix that a finding shows."""

from __future__ import annotations

from typing import NamedTuple


class Code(NamedTuple):
    """Why a fault matters, and what to write instead."""

    reason: str
    fix: str


#: Faults of a loop, found by `audit_steps`.
STEP_CODES = {
    "stale-casts": Code(
        "autocast keeps the low-precision copy of a weight until the outermost region ends; after an optimizer step "
        "inside that region the forward pass still reads the old copy, so the loss stays where it was",
        "open one autocast region per forward pass, and leave every region, also one with enabled=False, before "
        "optimizer.step()",
    ),
    "backward-under-autocast": Code(
        "each backward op already runs in the dtype of its forward op; inside the region autocast also lowers those "
        "that the forward pass kept in float32",
        "leave the region before backward(): only the forward pass and the loss belong inside; do not decorate the "
        "whole step with autocast",
    ),
    "missing-zero-grad": Code(
        "backward() adds to what is in .grad, so every step repeats the gradients of all steps before it",
        "call optimizer.zero_grad() once per step, after optimizer.step() or before the first backward()",
    ),
    "missing-update": Code(
        "the scaler forgets an optimizer's inf check only in update(); without it the scale never changes and the "
        "next scaler.step() raises RuntimeError",
        "call scaler.update() once per iteration, after scaler.step() of every optimizer",
    ),
    "clip-before-unscale": Code(
        "the gradients are still multiplied by the loss scale, so the threshold is compared with numbers that are too "
        "large by that factor and the update shrinks by as much",
        "call scaler.unscale_(optimizer) between backward() and the clipping",
    ),
    "bypassed-scaler": Code(
        "scaler.step() divides the gradients by the scale and skips the step when one of them is inf or NaN; "
        "optimizer.step() does neither",
        "replace optimizer.step() by scaler.step(optimizer), followed by scaler.update()",
    ),
    "unscaled-backward": Code(
        "scaler.step() divides gradients by the scale; without scaler.scale(loss) they were never multiplied by it, "
        "so the update is too small by that factor, and small gradients still underflow",
        "call scaler.scale(loss).backward()",
    ),
    "mixed-scales": Code(
        "gradients that were multiplied by different factors were added up, so some of them count for nothing",
        "scale every loss of an accumulated step; call unscale_() and update() once per step, after the last "
        "backward()",
    ),
    "repeated-unscale": Code(
        "a second division by the scale would make the gradients too small, so torch refuses it",
        "call scaler.unscale_(optimizer) once per step, after the last backward() and before the clipping",
    ),
    "no-gradients": Code(
        "an optimizer skips a parameter whose .grad is None, so this step changes no weight",
        "call backward() before the step and zero_grad() not between the two; check that the optimizer holds this "
        "model's parameters",
    ),
    "scaler-with-bfloat16": Code(
        "bfloat16 has float32's exponent range: gradients underflow no earlier than in float32, so scaling costs time "
        "and can skip steps, and gains nothing",
        "use no scaler, or GradScaler(device, enabled=dtype == torch.float16)",
    ),
    "float16-without-scaler": Code(
        "a float16 gradient below 2**-25 becomes zero, and nothing keeps an inf out of the weights",
        "use torch.amp.GradScaler, or autocast to bfloat16; a loop that scales by hand on purpose may ignore this",
    ),
    "float16-parameters": Code(
        "unscaling float16 gradients loses what the scale had saved, and a float16 weight ignores updates below half "
        "an ulp, so torch refuses to unscale them",
        "keep trainable parameters in float32 and let autocast cast them for the forward pass; drop .half()",
    ),
}

#: Faults of a model, found by `audit`.
MODEL_CODES = {
    "float32-compute": Code(
        "autocast lowers only the matrix products on its list, inside an enabled region of the tensor's own device, "
        "and only from float32; a product that stays wide gains neither speed nor memory",
        "remove the inner autocast(enabled=False), or keep it if the range needs it; convert float64 to float32; "
        "replace an op that is not on the list by linear, matmul, bmm or a convolution",
    ),
    "cast-dominated": Code(
        "in float32 these products would move twice their 16-bit bytes, so 16 bits save as many bytes as they move; "
        "the casts move far more than that, and with fewer than 20 FLOPs per float32 byte the products are limited by "
        "memory, so faster arithmetic does not make up for it",
        "give the layer more rows (a larger batch, several samples in one call), or keep it in float32 with "
        "autocast(enabled=False)",
    ),
    "tensor-core-shape": Code(
        "on CUDA, tensor cores load 16-bit operands in pieces of 16 bytes, that is 8 numbers; a last dimension that is "
        "no multiple of 8 runs padded or on a slower kernel",
        "round the size up to a multiple of 8 (64 for a vocabulary) and mask or ignore what was added",
    ),
    "low-precision-loss": Code(
        "a loss and its gradient are differences of close numbers and sums of many: bfloat16 keeps 8 significant bits, "
        "float16 overflows beyond 65504; autocast on CUDA computes these ops in float32, autocast on a CPU not all",
        "compute the loss from logits.float(), inside the region or after it",
    ),
    "low-precision-norm": Code(
        "autocast on CUDA computes this op in float32 because it sums or exponentiates; here its result is rounded to "
        "16 bits, by the CPU's shorter list or by a cast in the model",
        "pass x.float() to the op; on a CPU it is often harmless, and a reason not to expect CUDA's numbers",
    ),
    "low-precision-parameters": Code(
        "autocast expects float32 weights and casts copies; a 16-bit weight ignores updates below half an ulp, and "
        "GradScaler refuses float16 gradients",
        "drop .half() or .bfloat16() for whatever is trained; frozen weights may stay in 16 bits",
    ),
    "other-device": Code(
        "a region counts for one device type only: for tensors elsewhere it neither lowers nor protects anything",
        "pass the tensors' own device: torch.autocast(device_type=x.device.type)",
    ),
    "banned-op": Code(
        "its gradient at a probability near 0 or 1 does not fit in float16, so autocast on CUDA raises RuntimeError; "
        "on a CPU it runs in float32, but the probabilities were rounded before",
        "use binary_cross_entropy_with_logits (BCEWithLogitsLoss) and drop the sigmoid",
    ),
    "float16-overflow": Code(
        "float16 ends at 65504; an inf in the forward pass cannot be repaired by a loss scale, so every step is "
        "skipped",
        "use bfloat16, scale the activations down, or keep this module in float32 with autocast(enabled=False)",
    ),
    "fails-under-autocast": Code(
        "the model runs without autocast, so the dtypes that autocast makes are to blame: in-place and out= ops and a "
        "custom autograd.Function do not convert their inputs, and on a CPU some ops have no float16 kernel",
        "allocate buffers with the dtype of what is written into them; decorate a custom Function with "
        "torch.amp.custom_fwd and custom_bwd; on a CPU use bfloat16",
    ),
}

CODES = STEP_CODES | MODEL_CODES
