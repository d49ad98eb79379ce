"""What one process of the published benchmark did: five runs of training steps, with the flaws that are asked for."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from amp_helpers.benchmark import one_thread
from amp_helpers.datasets import digits
from amp_helpers.memory import measure_memory
from amp_helpers.models import MLP, ResNet9
from amp_helpers.precision import RECIPES, Recipe

from .breakdown import zero_labels_loss
from .steps import autotuned_convolutions

RUNS = 5
#: What `initialize` of Apex's O1 wrapped, as far as the two networks call it.
_WRAPPED = tuple((F, name) for name in ("linear", "conv2d", "relu", "batch_norm", "max_pool2d", "cross_entropy"))


@dataclass(frozen=True)
class Workload:
    """A network and images for it.

    Args:
        build: makes the network; it takes images as they are stored.
        images: (n, channels, height, width), uint8, on the device.
        labels: (n,), int64, on the device.
    """

    build: Callable[[], nn.Module]
    images: Tensor
    labels: Tensor

    def batches(self, batch: int) -> list[tuple[Tensor, Tensor]]:
        """Views of the images in their order, as the published benchmark took them; what fills no batch is left out."""
        starts = range(0, len(self.images) - batch + 1, batch)
        return [(self.images[start : start + batch], self.labels[start : start + batch]) for start in starts]


class Standardise(nn.Module):
    """Bytes to numbers from -1 to 1, for a whole batch on its device; numbers stay as they are."""

    def forward(self, x: Tensor) -> Tensor:
        return (x.float() / 255 - 0.5) / 0.5 if x.dtype == torch.uint8 else x


def workload(kind: str, device: torch.device, smoke: bool = False) -> Workload:
    """What is trained.

    Args:
        kind: "cpu" (three linear layers of width 1,024 on the digits, of 32x32 pixels) or "cuda" (ResNet-9 on seeded
            images of 32x32 pixels, a blurred pattern per class under noise).
        device: where the images go.
        smoke: tiny.
    """
    generator = torch.Generator().manual_seed(0)
    if kind == "cpu":
        data, width = digits(8 if smoke else 32), 16 if smoke else 1024
        pixels = (data.train_images * data.std + data.mean).mul(255).round().to(torch.uint8)
        times = -(-4096 // len(pixels))  # the largest batch has more images than there are digits
        images, labels = pixels.repeat(times, 1, 1, 1)[:4096], data.train_labels.repeat(times)[:4096]
        size = images[0].numel()
        return Workload(lambda: nn.Sequential(Standardise(), nn.Flatten(), MLP(size, width, width, 10)), images, labels)
    count, side, channels = (64, 8, 4) if smoke else (50_000, 32, 64)
    labels = torch.randint(10, (count,), generator=generator).to(device)
    small = torch.randn(10, 3, side // 4, side // 4, generator=generator).to(device)
    noise = torch.Generator(device).manual_seed(0)
    images = torch.randn(count, 3, side, side, generator=noise, device=device).mul_(80)
    images += F.interpolate(small, scale_factor=4, mode="bilinear")[labels].mul_(25)
    images = images.add_(128).clamp_(0, 255).to(torch.uint8)
    return Workload(lambda: nn.Sequential(Standardise(), ResNet9(channels=channels)), images, labels)


class PerImage(torch.utils.data.Dataset):
    """A Python pipeline that takes one image at a time, through the arithmetic of ToTensor and Normalize.

    It is leaner than the published one, which went through PIL.
    """

    def __init__(self, given: Workload):
        self.images = given.images.cpu().permute(0, 2, 3, 1).contiguous().numpy()
        self.labels = given.labels.tolist()

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        image = torch.from_numpy(self.images[index]).permute(2, 0, 1).contiguous().float().div(255)
        mean, std = torch.full((len(image), 1, 1), 0.5), torch.full((len(image), 1, 1), 0.5)
        return image.clone().sub_(mean).div_(std), self.labels[index]


def endless(given: Workload, batch: int, device: torch.device, per_image: bool) -> Iterator[tuple[Tensor, Tensor]]:
    """Batches without end: views of what is on the device, or through a `DataLoader` without worker processes."""
    source = given.batches(batch)
    if per_image:
        source = torch.utils.data.DataLoader(PerImage(given), batch_size=batch, num_workers=0, drop_last=True)
    while True:
        for images, labels in source:
            yield images.to(device), labels.to(device)


def step_of(
    model: nn.Module, optimizer: torch.optim.Optimizer, recipe: Recipe, source: Iterator, read_loss: bool = False
) -> Callable[[], object]:
    """One training step as a function without arguments: it takes its batch from `source` within the step.

    Args:
        model: on its device.
        optimizer: of the model.
        recipe: of float32 weights.
        source: gives (images, labels).
        read_loss: whether every step reads its loss, for which a GPU has to finish the step.
    """
    device_type = next(model.parameters()).device.type
    scaler = recipe.grad_scaler(device_type)

    def step():
        images, labels = next(source)
        optimizer.zero_grad()
        with recipe.float32_settings():
            with recipe.autocast_context(device_type):
                loss = F.cross_entropy(model(images), labels)
            scaler.scale(loss).backward()
            scaler.step(optimizer)
            scaler.update()
        return loss.item() if read_loss else loss.detach()

    return step


def sgd(model: nn.Module) -> torch.optim.Optimizer:
    """The published optimizer."""
    return torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)


def measure(kind: str, device: str, recipe: str, batch: int, flaws: Iterable[str], steps: int, smoke: bool) -> dict:
    """Five runs in this process; each builds its model, trains and measures.

    Args:
        kind: of `workload`.
        device: where.
        recipe: a name in `RECIPES`; "initialize" is for those that cast.
        batch: images in a step.
        flaws: of "no warm-up", "loader", "item", "initialize"; memory is always read in both ways.
        steps: of each run.
        smoke: tiny.
    Returns: "seconds", "tensor_bytes" and "process_bytes", each a list with a number for each run; seconds are those of
        one step. "tensor_bytes" is the most that the allocator held; on a CPU it is a step's tensors and what earlier
        runs left. "process_bytes" is what `used_bytes` gained since before the first run.
    """
    flaws, chosen, where = set(flaws), RECIPES[recipe], torch.device(device)
    before = used_bytes(where)
    calm = one_thread() if where.type == "cpu" else contextlib.nullcontext()
    found, kept = {"seconds": [], "tensor_bytes": [], "process_bytes": []}, []
    with calm, autotuned_convolutions(), restored() as initialize:
        given = workload(kind, where, smoke)
        for _ in range(RUNS):
            torch.manual_seed(0)
            model = given.build().to(where)
            optimizer = sgd(model)
            if "initialize" in flaws and chosen.autocast is not None:
                initialize()
                kept.append((model, optimizer))
            source = endless(given, batch, where, "loader" in flaws)
            step = step_of(model, optimizer, chosen, source, "item" in flaws)
            for _ in range(0 if "no warm-up" in flaws else 3):
                step()
            found["seconds"].append(_run(step, steps, where))
            now = used_bytes(where)
            found["process_bytes"].append(None if None in (now, before) else now - before)
            if where.type == "cuda":
                data = given.images.nbytes + given.labels.nbytes
                found["tensor_bytes"].append(torch.cuda.max_memory_allocated(where) - data)
            else:
                found["tensor_bytes"].append(sum(map(bytes_of, kept[:-1])))
            del model, optimizer, step, source
        if where.type != "cuda":  # at the end, since it takes memory itself
            one = step_bytes(given, recipe, batch)
            found["tensor_bytes"] = [one + left for left in found["tensor_bytes"]]
    return found


def _run(step: Callable[[], object], steps: int, device: torch.device) -> float:
    cuda = device.type == "cuda"
    if cuda:
        torch.cuda.synchronize(device)
        torch.cuda.reset_peak_memory_stats(device)
    started = time.perf_counter()
    for _ in range(steps):
        step()
    if cuda:
        torch.cuda.synchronize(device)
    return (time.perf_counter() - started) / steps


def step_bytes(given: Workload, recipe: str, batch: int) -> int:
    """Bytes of the tensors of one training step, as `memory.measure_memory` counts them."""
    torch.manual_seed(0)
    model, images = given.build(), given.batches(batch)[0][0]
    return measure_memory(model, images, recipe=recipe, optimizer="sgd-momentum", loss=zero_labels_loss).total


def bytes_of(pair: tuple[nn.Module, torch.optim.Optimizer]) -> int:
    """Bytes of a model's parameters and buffers, their gradients, and the optimizer's state."""
    model, optimizer = pair
    tensors = [*model.parameters(), *model.buffers(), *(p.grad for p in model.parameters() if p.grad is not None)]
    for state in optimizer.state.values():
        tensors += [value for value in state.values() if isinstance(value, Tensor)]
    return sum(tensor.nbytes for tensor in tensors)


@contextlib.contextmanager
def restored() -> Iterator[Callable[[], None]]:
    """Give what a further `initialize` did to torch's functions, and undo it at the end of the block.

    It is a re-creation: a function around each of torch's that looks at every argument, as Apex's O1 did to decide on a
    cast, and casts none, since autocast does. A second call wraps the wrapped ones, as in Apex.
    """
    before = [(owner, name, getattr(owner, name)) for owner, name in _WRAPPED]

    def initialize():
        for owner, name in _WRAPPED:
            setattr(owner, name, _looking(getattr(owner, name)))

    try:
        yield initialize
    finally:
        for owner, name, function in before:
            setattr(owner, name, function)


def _looking(function: Callable) -> Callable:
    def wrapped(*args, **kwargs):
        # To its own dtype: no cast, but the Python that a cast would take.
        args = [value.to(value.dtype) if isinstance(value, Tensor) else value for value in args]
        return function(*args, **kwargs)

    return wrapped


def used_bytes(device: torch.device) -> int | None:
    """What is in use as seen from outside: the GPU's memory by nvidia-smi, or the resident set of this process.

    Returns: bytes; None where there is neither nvidia-smi nor /proc to ask.
    """
    try:
        if device.type == "cuda":
            index = f"--id={device.index or 0}"
            query = ["nvidia-smi", index, "--query-gpu=memory.used", "--format=csv,noheader,nounits"]
            return int(subprocess.run(query, capture_output=True, text=True, check=True).stdout) * 2**20
        resident_pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
        return resident_pages * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def measure_in_fresh_process(**options) -> dict:
    """As `measure`, in a new Python process, where nothing is warm.

    Raises: RuntimeError with the last line that the process printed before it failed.
    """
    package = str(Path(__file__).parents[2])
    path = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
    code = "from amp_helpers.suites import repeats; repeats.answer()"
    run = subprocess.run(
        [sys.executable, "-c", code],
        input=json.dumps(options),
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )
    if run.returncode:
        raise RuntimeError(f"a fresh process failed: {(run.stderr.strip() or 'no message').splitlines()[-1]}")
    return json.loads(run.stdout.splitlines()[-1])


def answer() -> None:
    """Read the options of `measure` as JSON, measure, and print what was found as JSON."""
    print(json.dumps(measure(**json.load(sys.stdin))))
