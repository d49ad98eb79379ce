"""What vendors state about their GPUs: dense rates only, never those for sparse matrices."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Peaks:
    """Rates that a GPU cannot exceed, as its vendor states them.

    Args:
        name: as `torch.cuda.get_device_name` begins.
        tflops: dtype -> 10^12 operations a second for dense matrices, where the GPU has the unit.
        tb_per_s: 10^12 bytes a second of its memory, read and written together.
        source: whose figures these are. NVIDIA's data sheets from the A100 on print the rates of matrix units "with
            sparsity"; the dense rates here are half of those.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    name: str
    tflops: dict[str, float]
    tb_per_s: float
    source: str


_HOPPER = {"float32": 67.0, "tfloat32": 494.5, "float16": 989.0, "bfloat16": 989.0, "float8_e4m3fn": 1979.0}
_H200_NVL = {"float32": 60.0, "tfloat32": 417.5, "float16": 835.5, "bfloat16": 835.5, "float8_e4m3fn": 1670.5}
_H100_PCIE = {"float32": 51.0, "tfloat32": 378.0, "float16": 756.5, "bfloat16": 756.5, "float8_e4m3fn": 1513.0}
_A100 = {"float32": 19.5, "tfloat32": 156.0, "float16": 312.0, "bfloat16": 312.0}
_L4 = {"float32": 30.3, "tfloat32": 60.0, "float16": 121.0, "bfloat16": 121.0, "float8_e4m3fn": 242.5}
#: A name that begins another one comes after it.
PEAKS = (
    Peaks("NVIDIA H200 NVL", _H200_NVL, 4.8, "NVIDIA H200 data sheet, NVL, dense"),
    Peaks("NVIDIA H200", _HOPPER, 4.8, "NVIDIA H200 data sheet, SXM, dense"),
    Peaks("NVIDIA H100 PCIe", _H100_PCIE, 2.0, "NVIDIA H100 data sheet, PCIe, dense"),
    Peaks("NVIDIA H100 80GB HBM3", _HOPPER, 3.35, "NVIDIA H100 data sheet, SXM, dense"),
    Peaks("NVIDIA A100-SXM4-80GB", _A100, 2.039, "NVIDIA A100 data sheet, SXM 80 GB, dense"),
    Peaks("NVIDIA A100 80GB PCIe", _A100, 1.935, "NVIDIA A100 data sheet, PCIe 80 GB, dense"),
    Peaks("NVIDIA A100", _A100, 1.555, "NVIDIA A100 data sheet, 40 GB, dense"),
    Peaks("NVIDIA L4", _L4, 0.3, "NVIDIA L4 data sheet, dense"),
    Peaks("Tesla T4", {"float32": 8.1, "float16": 65.0}, 0.32, "NVIDIA T4 data sheet"),
    Peaks("Tesla V100-SXM2", {"float32": 15.7, "float16": 125.0}, 0.9, "NVIDIA V100 data sheet, SXM2"),
)


def find_peaks(device_name: str) -> Peaks | None:
    """The stated peaks of a GPU; None for one that is not in the table, and for a CPU.

    Args:
        device_name: as `torch.cuda.get_device_name` gives it.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    # "NVIDIA L40S" is no L4: after the name a word has to end.
    for peaks in PEAKS:
        rest = device_name.removeprefix(peaks.name)
        if device_name.startswith(peaks.name) and not rest[:1].isalnum():
            return peaks
    return None
