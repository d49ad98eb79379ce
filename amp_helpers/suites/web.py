"""What the web says about AMP and only a GPU can answer: small steps, sizes, cuDNN's switch, memory, devices."""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import nn
from torch.nn import functional as F

from amp_helpers.benchmark import time_device
from amp_helpers.models import ResNet9
from amp_helpers.precision import RECIPES

from .gemm import product
from .graphs import graphed_step
from .run import Bench, release_memory, times
from .steps import time_variants, training_step


def small(bench: Bench) -> Iterator[dict]:
    """A step of one linear layer, 1,024 to 512 features, batch 64: plain, and replayed as one CUDA graph.

    Each row has "recipe", "batch", "graphed", and what `time_variants` gives. A GPU is through with such a step before
    Python has asked for the next one; a graph takes Python out.
    """
    batch, inputs, outputs = bench.size((64, 1024, 512), (4, 8, 4))
    data = [(torch.randn(batch, inputs, device=bench.device), torch.randn(batch, outputs, device=bench.device))]

    def builder(name: str, graphed: bool) -> Callable:
        def build():
            if graphed and bench.device.type != "cuda":
                raise RuntimeError(f"a CUDA graph needs CUDA, and this is {bench.device.type}")
            torch.manual_seed(0)
            model = nn.Linear(inputs, outputs).to(bench.device)
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, fused=True)
            make = graphed_step if graphed else training_step
            return make(model, data, lambda output, y: F.mse_loss(output.float(), y), optimizer, RECIPES[name])

        return build

    chosen = [(name, False) for name in ("32-true", "tf32", "16-mixed", "bf16-mixed")]
    chosen += [(name, True) for name in ("32-true", "tf32", "bf16-mixed")]
    variants = [
        ({"recipe": name, "batch": batch, "graphed": graphed}, builder(name, graphed)) for name, graphed in chosen
    ]
    yield from time_variants(bench, variants, lambda row, seconds: {"examples_per_s": batch / seconds})


def sizes(bench: Bench) -> Iterator[dict]:
    """Square products whose size is a multiple of 8, or is not: "dtype", "n", "tflops" and the times, all in turns."""
    chosen, repeats = bench.size((4088, 4095, 4096, 4097, 4104), (15, 16, 17)), bench.size(20, 1)
    for dtype in ("float16", "bfloat16"):
        found = {}

        def measure(dtype=dtype, found=found):
            calls = {str(n): _repeated(product(dtype, n, bench.device, pairs=4), repeats) for n in chosen}
            found.update(time_device(calls, bench.device, budget_s=bench.size(4.0, 0.02)))
            return {}

        row = bench.attempt({"dtype": dtype}, measure)
        if "failed" in row:
            yield row
        for n, timing in found.items():
            tflops = 2 * int(n) ** 3 * repeats / timing.median_s / 1e12
            yield {"dtype": dtype, "n": int(n), "tflops": tflops} | times(timing, repeats)


def _repeated(call: Callable, repeats: int) -> Callable[[], None]:
    def sample():
        for _ in range(repeats):
            call()

    return sample


def cudnn(bench: Bench) -> Iterator[dict]:
    """Steps of ResNet-9 with `torch.backends.cudnn.enabled` on and off: "recipe", "batch", "cudnn", "dtypes".

    "dtypes" are those that the outputs of the convolutions had, joined by commas; and there is what `time_variants`
    gives.
    """
    batch, side, channels = bench.size((256, 32, 64), (2, 8, 4))
    data = [(torch.randn(batch, 3, side, side, device=bench.device), torch.randint(10, (batch,), device=bench.device))]
    seen: dict[tuple[str, bool], set[str]] = {}

    def builder(name: str, enabled: bool) -> Callable:
        def build():
            torch.manual_seed(0)
            model = ResNet9(channels=channels).to(bench.device)
            found = seen.setdefault((name, enabled), set())
            hooks = [
                module.register_forward_hook(lambda _, inputs, output: found.add(str(output.dtype)))
                for module in model.modules()
                if isinstance(module, nn.Conv2d)
            ]
            optimizer = torch.optim.SGD(model.parameters(), lr=1e-3, momentum=0.9, fused=True)
            step = training_step(
                model, data, lambda output, y: F.cross_entropy(output.float(), y), optimizer, RECIPES[name]
            )
            with cudnn_switch(enabled):
                step()
            for hook in hooks:
                hook.remove()

            def switched():
                with cudnn_switch(enabled):
                    return step()

            return switched

        return build

    variants = [
        ({"recipe": name, "batch": batch, "cudnn": enabled}, builder(name, enabled))
        for name in bench.size(("32-true", "16-mixed", "bf16-mixed"), ("32-true", "bf16-mixed"))
        for enabled in (True, False)
    ]

    def finish(row, seconds):
        dtypes = sorted(name.removeprefix("torch.") for name in seen[row["recipe"], row["cudnn"]])
        return {"dtypes": ",".join(dtypes), "images_per_s": batch / seconds}

    yield from time_variants(bench, variants, finish, budget_s=10.0)


@contextlib.contextmanager
def cudnn_switch(enabled: bool) -> Iterator[None]:
    """Set `torch.backends.cudnn.enabled` for the length of the block, and nothing else."""
    before = torch.backends.cudnn.enabled
    torch.backends.cudnn.enabled = enabled
    try:
        yield
    finally:
        torch.backends.cudnn.enabled = before


def outcomes(bench: Bench) -> Iterator[dict]:
    """What is no time: "experiment", "case", "outcome" (a sentence or a dtype) and "bytes" (or None).

    "unmoved": the copied loop whose model and batch stay where they were made, three steps with a scaler for CUDA and
    without `update`, and the same loop with both on the device. "parallel_apply": the dtype that `nn.DataParallel`'s
    threads compute in inside a bfloat16 region. "empty_cache": the largest block that can be had from a full and
    fragmented device, before and after `torch.cuda.empty_cache()`.
    """
    for case, device in (("on the CPU", torch.device("cpu")), (f"on {bench.device.type}", bench.device)):
        row = {"experiment": "unmoved", "case": case}
        yield bench.attempt(row, lambda device=device: _said(three_steps(device)))
    row = {"experiment": "parallel_apply", "case": "inside autocast('cuda', torch.bfloat16)"}
    yield bench.attempt(row, lambda: _said(parallel_dtypes(bench.device)))
    held: list[torch.Tensor] = []
    try:
        for case in ("before empty_cache()", "after empty_cache()"):
            row = {"experiment": "empty_cache", "case": case}
            yield bench.attempt(row, lambda case=case: _largest(bench, held, case.startswith("after")))
    finally:
        held.clear()
        if bench.device.type == "cuda":
            torch.cuda.set_per_process_memory_fraction(1.0, bench.device)


def _said(sentence: str) -> dict:
    return {"outcome": sentence, "bytes": None}


def three_steps(device: torch.device) -> str:
    """Three steps of a copied loop: autocast and a scaler for CUDA, tensors on `device`, and no `scaler.update()`.

    Returns: the dtype of the output, whether the scaler is enabled, and the error or "three steps".
    """
    torch.manual_seed(0)
    model, images, labels = nn.Linear(8, 4).to(device), torch.randn(16, 8), torch.randint(4, (16,))
    optimizer, dtypes, outcome = torch.optim.SGD(model.parameters(), lr=0.1), set(), "three steps"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # without CUDA both say that they are disabled
        scaler = torch.amp.GradScaler("cuda")
        for step in range(1, 4):
            optimizer.zero_grad()
            try:
                with torch.autocast("cuda", dtype=torch.float16):
                    output = model(images.to(device))
                    loss = F.cross_entropy(output, labels.to(device))
                dtypes.add(str(output.dtype).removeprefix("torch."))
                scaler.scale(loss).backward()
                scaler.step(optimizer)  # amp: ignore[AMP301] - the sample that is tested
            except (AssertionError, RuntimeError) as error:
                outcome = f"{type(error).__name__} in step {step}: {str(error).splitlines()[0]}"
                break
    return f"output {', '.join(sorted(dtypes))}; scaler enabled: {scaler.is_enabled()}; {outcome}"


def parallel_dtypes(device: torch.device) -> str:
    """The dtypes inside a bfloat16 region, of a plain call and of `nn.parallel.parallel_apply` on one device twice.

    Raises: RuntimeError without CUDA.
    """
    if device.type != "cuda":
        raise RuntimeError(f"parallel_apply needs CUDA, and this is {device.type}")
    model, x = nn.Linear(8, 8).to(device), torch.randn(4, 8, device=device)
    index = torch.cuda.current_device()
    with torch.autocast("cuda", dtype=torch.bfloat16):
        plain = model(x)
        outputs = nn.parallel.parallel_apply([model, model], [(x,), (x,)], devices=[index, index])
    names = sorted({str(output.dtype).removeprefix("torch.") for output in outputs})
    return f"plain call {str(plain.dtype).removeprefix('torch.')}; parallel_apply {', '.join(names)}"


def _largest(bench: Bench, held: list[torch.Tensor], empty: bool) -> dict:
    """The largest block that fits beside `held`: on the first call it fills 4 GiB, of which some is given up again.

    Of the blocks the first quarter goes as a whole and every other one of the rest, so that the allocator keeps both
    segments that are free and segments of which a part is in use.
    """
    if bench.device.type != "cuda":
        raise RuntimeError(f"CUDA's caching allocator is asked, and this is {bench.device.type}")
    if not held:
        release_memory()
        total = torch.cuda.get_device_properties(bench.device).total_memory
        reserved = torch.cuda.memory_reserved(bench.device)
        torch.cuda.set_per_process_memory_fraction(min(1.0, (reserved + 2**32) / total), bench.device)
        # Blocks of 8 MiB: the allocator asks the driver for 20 MiB at a time and cuts them up.
        with contextlib.suppress(torch.OutOfMemoryError):
            while True:
                held.append(torch.empty(2**23, dtype=torch.uint8, device=bench.device))
        del held[: len(held) // 4]
        del held[::2]
    if empty:
        torch.cuda.empty_cache()
    reserved, allocated = torch.cuda.memory_reserved(bench.device), torch.cuda.memory_allocated(bench.device)
    found = largest_fitting(lambda size: torch.empty(size, dtype=torch.uint8, device=bench.device), 2**32)
    state = f"allocated {allocated / 2**20:.0f} MiB of {reserved / 2**20:.0f} MiB reserved"
    return {"outcome": f"{state}; the largest block is {found / 2**20:.0f} MiB", "bytes": found}


def largest_fitting(allocate: Callable[[int], object], limit: int, grain: int = 2**20) -> int:
    """The largest size, in steps of `grain`, that `allocate` can give; 0 if it gives none.

    Args:
        allocate: raises `torch.OutOfMemoryError` for what is too large.
        limit: bytes, no larger size is tried.
        grain: bytes.
    """
    low, high = 0, limit // grain
    while low < high:
        middle = (low + high + 1) // 2
        try:
            allocate(middle * grain)
        except torch.OutOfMemoryError:
            high = middle - 1
        else:
            low = middle
    return low * grain


PARTS = {"small": small, "sizes": sizes, "cudnn": cudnn, "outcomes": outcomes}
