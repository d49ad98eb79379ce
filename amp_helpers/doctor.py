"""What this machine can do: its devices, a rate for each dtype, the recipe to use, versions that are too old."""

from __future__ import annotations

import importlib.metadata
import platform
import shutil
from dataclasses import asdict, dataclass

import torch
from packaging.requirements import Requirement

from .benchmark import one_thread, time_device
from .device import DTYPES, DeviceDescription, available_devices, describe
from .precision import RECIPES, recommend_recipe
from .tables import Table

#: Rows of the square matrices: large enough for the matrix units, small enough for a probe of about a second.
_SIZES = {"cuda": 8192, "xpu": 4096, "mps": 2048, "cpu": 1024}
#: Where a dtype is emulated, a product of the full size could take minutes.
_EMULATED_SIZES = {"cuda": 2048, "xpu": 1024, "mps": 1024, "cpu": 128}


@dataclass(frozen=True)
class Rate:
    """A matrix product on the device, measured.

    Args:
        dtype: one of `device.DTYPES`.
        level: as in `device.Support`.
        reason: as in `device.Support`, or what went wrong in the measurement.
        size: rows and columns; None if nothing was measured.
        tflops: 10^12 floating-point operations a second, two for each multiply-add; None if nothing was measured.
        times_float32: how many times as fast as float32 at the same size.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    dtype: str
    level: str
    reason: str
    size: int | None = None
    tflops: float | None = None
    times_float32: float | None = None


@dataclass(frozen=True)
class Examination:
    """What `examine` found. `print` it, show it in a notebook, or turn it into JSON with `as_dict`.

    Args:
        devices: every device that torch lists, the one that was measured first.
        rates: one for each dtype, on the first device.
        recipe: name of the recipe to begin with.
        why: one sentence for it.
        code: what the recipe means in PyTorch.
        versions: Python's and the packages' versions, by name.
        problems: one sentence for each thing that is wrong; empty on a sound machine.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    devices: list[DeviceDescription]
    rates: list[Rate]
    recipe: str
    why: str
    code: str
    versions: dict[str, str]
    problems: list[str]

    def table(self) -> Table:
        """The measured rates."""
        rows = [
            [
                rate.dtype,
                rate.level,
                rate.size or "-",
                "-" if rate.tflops is None else f"{rate.tflops:.3g}",
                "-" if rate.times_float32 is None else f"{rate.times_float32:.2g}",
                rate.reason,
            ]
            for rate in self.rates
        ]
        return Table(["dtype", "level", "n", "TFLOP/s", "times FP32", "why"], rows)

    def as_dict(self) -> dict:
        """Everything, as plain values for `json.dumps`."""
        return asdict(self)

    def __str__(self) -> str:
        device = self.devices[0]
        memory = f", {device.memory_bytes / 2**30:.0f} GiB" if device.memory_bytes else ""
        versions = ", ".join(f"{name} {version}" for name, version in self.versions.items())
        lines = [
            f"device    {device.device_type}: {device.name}{memory}",
            *(f"also      {other.device_type}: {other.name}" for other in self.devices[1:]),
            f"versions  {versions}",
            "",
            *str(self.table()).splitlines(),
            "",
            f"recipe    {self.recipe}: {self.why}",
            f"          {self.code}",
            *(f"problem   {problem}" for problem in self.problems),
        ]
        return "\n".join(lines)


def examine(device: str | torch.device | None = None) -> Examination:
    """Look at this machine and measure it for a few seconds, with one thread on a CPU.

    Args:
        device: as in `device.describe`; None takes the first that torch lists and that runs a kernel.
    Raises: as `device.describe`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    found = [describe(name) for name in available_devices()]
    if device is None:
        chosen = next(each for each in found if each.usable)
    else:
        chosen = describe(device)
    others = [each for each in found if each.device_type != chosen.device_type]
    with one_thread():
        rates = _rates(chosen)
    recipe, why = recommend_recipe(chosen.device_type)
    return Examination(
        [chosen, *others], rates, recipe.name, why, _code(recipe, chosen), _versions(), [*_problems(found)]
    )


def _rates(found: DeviceDescription) -> list[Rate]:
    base, rates = {}, []
    for dtype in DTYPES:
        support = found.dtypes[dtype]
        if support.level == "unsupported":
            rates.append(Rate(dtype, support.level, support.reason))
            continue
        size = (_SIZES if support.level == "accelerated" else _EMULATED_SIZES)[found.device_type]
        try:
            for name in {"float32", dtype}:
                if (name, size) not in base:
                    base[name, size] = _seconds(found.device_type, name, size)
        except RuntimeError as error:
            rates.append(Rate(dtype, support.level, f"the measurement failed: {str(error).splitlines()[0]}"))
            continue
        seconds = base[dtype, size]
        ratio = base["float32", size] / seconds
        rates.append(Rate(dtype, support.level, support.reason, size, 2 * size**3 / seconds / 1e12, ratio))
    return rates


def _seconds(device: str, dtype: str, size: int) -> float:
    """Median seconds of a matrix product. The numbers are random: zeros draw less power, so a GPU multiplies faster."""
    generator = torch.Generator(device).manual_seed(0)
    a = torch.randn(size, size, device=device, generator=generator)
    if dtype == "float8_e4m3fn":
        one, a = torch.ones((), device=device), a.to(torch.float8_e4m3fn)

        def product():
            # FP8 wants its second operand in column-major order.
            return torch._scaled_mm(a, a.t(), scale_a=one, scale_b=one, out_dtype=torch.bfloat16)
    else:
        a = a.to(getattr(torch, "float32" if dtype == "tfloat32" else dtype))

        def product():
            return a @ a

    with RECIPES["tf32" if dtype == "tfloat32" else "32-true"].float32_settings():
        return time_device({dtype: product}, device, rounds=25, warmup=1, budget_s=0.3)[dtype].median_s


def _code(recipe, found: DeviceDescription) -> str:
    if recipe is RECIPES["32-true"]:
        return "no autocast, no GradScaler"
    scaler = f'GradScaler("{found.device_type}")' if recipe.scales_loss else "no GradScaler"
    return f'torch.autocast("{found.device_type}", dtype={recipe.autocast}), {scaler}'


def _versions() -> dict[str, str]:
    versions = {"Python": platform.python_version(), "torch": torch.__version__}
    if torch.version.cuda:
        versions["CUDA"] = torch.version.cuda
    if torch.version.hip:
        versions["ROCm"] = torch.version.hip
    return versions


def _problems(found: list[DeviceDescription]):
    for device in found:
        if not device.usable:
            yield f"{device.name} is listed but cannot run a kernel: {device.reason}"
    if torch.version.cuda and not torch.cuda.is_available() and shutil.which("nvidia-smi"):
        yield "nvidia-smi is installed, but torch sees no CUDA device: driver too old, or the device is hidden"
    for line in _requirements():
        needed = Requirement(line)
        if needed.marker and not needed.marker.evaluate():
            continue
        try:
            version = importlib.metadata.version(needed.name)
        except importlib.metadata.PackageNotFoundError:
            yield f"{needed.name} is not installed: {needed.specifier} is needed"
            continue
        if not needed.specifier.contains(version, prereleases=True):
            yield f"{needed.name} {version} does not do: {needed.specifier} is needed"


def _requirements() -> list[str]:
    try:
        return [line for line in importlib.metadata.requires("amp-helpers") or [] if "extra ==" not in line]
    except importlib.metadata.PackageNotFoundError:  # a checkout on the path, not installed
        return []
