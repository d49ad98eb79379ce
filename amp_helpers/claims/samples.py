"""Evidence on samples of code: each is run as found, and then mended. The loops stand in `broken_samples`."""

from __future__ import annotations

import contextlib
import functools
import math
import warnings
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode

from amp_helpers.datasets import ImageData, digits
from amp_helpers.models import MLP

from . import broken_samples as loops
from .evidence import Evidence, holds, outdated, sample

#: So many steps are five passes over the 60,000 images of MNIST in batches of 64.
MNIST_STEPS = 5 * math.ceil(60_000 / 64)
#: Half of 2^16 is the first scale at which a scaled gradient of 1 fits into float16.
TOO_LARGE = 2.0**24


def old_names() -> Evidence:
    """7: whether the names of `torch.cuda.amp` still work, and what they warn of."""
    device = "cuda" if torch.cuda.is_available() else "cpu"
    model = MLP(64, 10).to(device)
    before = model[0].weight.detach().clone()
    batches = [(x.to(device), y.to(device)) for x, y in _batches(2)]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        loops.with_old_names(model, F.cross_entropy, _sgd(model), batches)
    messages = [str(item.message) for item in caught if issubclass(item.category, FutureWarning)]
    deprecated = [name for name in ("autocast", "GradScaler") if any(f"amp.{name}(" in text for text in messages)]
    trains = not torch.equal(before, model[0].weight)
    return outdated(
        f"The sample {'trains' if trains else 'does not train'}; a FutureWarning says that these are deprecated: "
        f"{', '.join(f'`torch.cuda.amp.{name}`' for name in deprecated) or 'none'}.",
        superseded=len(deprecated) == 2,
    )


def missing_zero_grad() -> Evidence:
    """17: how far a weight moves whose gradient is 1 in every step; nothing scales."""
    found, mended = (_moved(loop, 3) for loop in (loops.without_zero_grad, loops.with_zero_grad))
    return sample(
        "With a gradient of 1 in each of three steps, learning rate 1 and the scaler off, "
        f"the weight moves by {found:g} as found and by {mended:g} mended.",
        found=found == 3,
        mended=mended == 3,
    )


def hidden_zero_grad() -> Evidence:
    """77: the same with a scaler, without an overflow and after one."""
    pair = loops.without_zero_grad, loops.with_zero_grad
    hidden = [_moved(loop, 3, init_scale=4096.0) for loop in pair]
    found, mended = (_moved(loop, 20, init_scale=TOO_LARGE) for loop in pair)
    return sample(
        f"With a GradScaler at 4096 three steps of 1 move the weight by {hidden[0]:.4f} as found, {hidden[1]:.4f} "
        f"mended. From scale 2^24, which overflows, twenty steps move it by {found:g} as found and "
        f"{mended:g} mended.",
        found=found > 0,
        mended=mended > 0,
    )


def missing_update() -> Evidence:
    """62: how many of three steps run."""
    found, message = _steps_until_error(loops.without_update)
    mended, _ = _steps_until_error(loops.with_update)
    off, _ = _steps_until_error(loops.without_update, enabled=False)
    return sample(
        f"As found {found} of 3 steps run, then `{message}`; mended {mended} of 3; "
        f"as found with the scaler off, as without a GPU, {off} of 3.",
        found=found == 3,
        mended=mended == 3,
    )


def never_moved() -> Evidence:
    """64: the dtype of a layer's output under CUDA's autocast."""
    found, mended = (_under_cuda_autocast(loop) for loop in (loops.without_moving, loops.with_moving))
    return sample(
        f"Under CUDA's autocast the output is {_place(found)} as found and {_place(mended)} mended "
        "(tensors without data: only the dtypes are computed, so no GPU is needed).",
        found=found.dtype == torch.float16,
        mended=mended.dtype == torch.float16,
    )


def missing_scaler() -> Evidence:
    """27: float16 and bfloat16 without a scaler, for an ordinary loss and for a tiny one."""
    right = {}
    for dtype in (torch.float16, torch.bfloat16):
        model = _digits_model()
        loops.without_scaler(model, F.cross_entropy, _sgd(model, 0.1), _batches(300), dtype)
        right[dtype] = _accuracy(model)
    small = {dtype: _zero_share(dtype, 1e-6) for dtype in (torch.float16, torch.bfloat16)}
    works = [*(share >= 0.9 for share in right.values()), *(share < 0.5 for share in small.values())]
    good = sum(share >= 0.9 for share in right.values())
    return holds(
        f"With an ordinary loss {good} of 2 dtypes reach 90 % of the test digits. With the loss times 1e-6, "
        f"{small[torch.float16]:.0%} of the gradients are 0 in FP16 and {small[torch.bfloat16]:.0%} in BF16.",
        *works,
    )


def lost_line_breaks() -> Evidence:
    """35: the text as printed and with its line breaks, given to Python."""
    found, error = _runs(loops.ONE_LINE)
    mended, _ = _runs(loops.LINES)
    return sample(
        f"As printed: {error or 'no error'}; with its line breaks the loop {'trains' if mended else 'does not train'}.",
        found=found,
        mended=mended,
    )


def plain_loop() -> Evidence:
    """67: the float32 loop, on digits that come with a package, for as many steps."""
    model = nn.Sequential(MLP(64, 128, 10), nn.LogSoftmax(dim=1))
    loops.plain_loop(model, nn.NLLLoss(), _sgd(model, 0.01), _batches(MNIST_STEPS))
    share = _accuracy(model)
    x, y = next(iter(_batches(1)))
    same = torch.allclose(F.nll_loss(model(x), y), F.cross_entropy(model[0](x), y))
    return holds(
        f"On 8x8 digits, after the {MNIST_STEPS:,} steps of five MNIST epochs, "
        f"{'over' if share > 0.9 else 'not over'} 90 % of the test images are right; `log_softmax` with `NLLLoss` "
        f"{'equals' if same else 'differs from'} cross-entropy.",
        share > 0.9,
        same,
    )


@functools.cache
def _digits() -> ImageData:
    return digits()


def _batches(steps: int):
    return ((x.flatten(1), y) for x, y in _digits().batches(64, steps=steps))


def _digits_model() -> nn.Module:
    torch.manual_seed(0)
    return MLP(64, 64, 10)


def _sgd(model: nn.Module, lr: float = 1.0) -> torch.optim.Optimizer:
    return torch.optim.SGD(model.parameters(), lr=lr)


@torch.no_grad()
def _accuracy(model: nn.Module) -> float:
    data = _digits()
    return (model(data.test_images.flatten(1)).argmax(1) == data.test_labels).float().mean().item()


def _one_weight() -> tuple[nn.Module, Callable, torch.optim.Optimizer]:
    """A model of one weight, 0, with a loss whose gradient is 1 in every step, and steps of the gradient's size."""
    model = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(model.weight)
    return model, lambda output, target: output.sum(), _sgd(model)


def _moved(loop: Callable, steps: int, init_scale: float | None = None) -> float:
    """How far a loop moves the one weight; without a scale the scaler is off."""
    model, loss_fn, optimizer = _one_weight()
    scaler = torch.amp.GradScaler("cpu", init_scale=init_scale or 1.0, enabled=init_scale is not None)
    loop(model, loss_fn, optimizer, scaler, [(torch.ones(1, 1), None)] * steps)
    return abs(model.weight.item())


def _steps_until_error(loop: Callable, enabled: bool = True) -> tuple[int, str]:
    """Steps of three that a loop takes, and the error that ended it."""
    model, loss_fn, optimizer = _one_weight()
    scaler = torch.amp.GradScaler("cpu", init_scale=1.0, enabled=enabled)
    message = ""
    try:
        loop(model, loss_fn, optimizer, scaler, [(torch.ones(1, 1), None)] * 3)
    except RuntimeError as error:
        message = f"RuntimeError: {error}"
    return round(abs(model.weight.item())), message


def _under_cuda_autocast(loop: Callable) -> Tensor:
    with FakeTensorMode(), torch.no_grad():
        return loop(torch.randn(8, 64), "cuda", _cuda_autocast())


@contextlib.contextmanager
def _cuda_autocast():
    """What `torch.autocast("cuda")` does where there is a GPU; without one it switches itself off."""
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda"), torch.is_autocast_cache_enabled()
    torch.set_autocast_enabled("cuda", True)
    torch.set_autocast_dtype("cuda", torch.float16)
    torch.set_autocast_cache_enabled(False)
    try:
        yield
    finally:
        torch.set_autocast_enabled("cuda", before[0])
        torch.set_autocast_dtype("cuda", before[1])
        torch.set_autocast_cache_enabled(before[2])


def _place(x: Tensor) -> str:
    return f"{str(x.dtype).removeprefix('torch.')} on {x.device.type}"


def _zero_share(dtype: torch.dtype, factor: float) -> float:
    """Share of the last layer's gradients that are 0 after one backward pass of a loss made small."""
    model = MLP(64, 64, 10)
    x, y = next(iter(_batches(1)))
    loops.without_scaler(model, lambda out, y: F.cross_entropy(out, y) * factor, _sgd(model), [(x, y)], dtype)
    return (model[-1].bias.grad == 0).float().mean().item()


def _runs(code: str) -> tuple[bool, str]:
    """Whether a text is Python that moves the one weight, and the name of the error if it is not Python."""
    model, loss_fn, optimizer = _one_weight()
    names = {"model": model, "loss_fn": loss_fn, "optimizer": optimizer, "batches": [(torch.ones(1, 1), None)]}
    try:
        exec(compile(code, "<sample>", "exec"), names)
    except SyntaxError as error:
        return False, type(error).__name__
    return model.weight.item() != 0, ""


EVIDENCE = {
    "7": old_names,
    "17": missing_zero_grad,
    "27": missing_scaler,
    "35": lost_line_breaks,
    "62": missing_update,
    "64": never_moved,
    "67": plain_loop,
    "77": hidden_zero_grad,
}
