"""The roofline: is an op limited by memory or by arithmetic on a GPU, and what was measured there?"""

from __future__ import annotations

from dataclasses import dataclass

import traitlets

from amp_helpers.suites.peaks import PEAKS, find_peaks
from amp_helpers.tables import Table

from .base import BookWidget, one_of

#: What the page calls a GPU -> its name in the table of stated peaks.
GPUS = {
    "V100": "Tesla V100-SXM2",
    "T4": "Tesla T4",
    "L4": "NVIDIA L4",
    "A100 40 GB": "NVIDIA A100",
    "A100 80 GB": "NVIDIA A100-SXM4-80GB",
    "H100 SXM": "NVIDIA H100 80GB HBM3",
    "H200": "NVIDIA H200",
}
#: dtype -> bytes of a number in memory.
BYTES = {"float32": 4, "tfloat32": 4, "float16": 2, "bfloat16": 2, "float8_e4m3fn": 1}
OPS = {
    "matmul": ("m", "n", "k"),
    "elementwise": ("elements",),
    "linear": ("batch", "in_features", "out_features"),
}
_MOST_ELEMENTS, _MOST = 10**12, 10**6


@dataclass(frozen=True)
class Ceiling:
    """What the roofline says about an op.

    Args:
        flops, bytes: floating-point operations, and bytes read and written.
        peak, bandwidth: FLOP/s and B/s that cannot be exceeded.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    flops: int
    bytes: int
    peak: float
    bandwidth: float

    @property
    def intensity(self) -> float:
        """Operations per byte."""
        return self.flops / self.bytes

    @property
    def ridge(self) -> float:
        """The intensity from which on arithmetic is the limit."""
        return self.peak / self.bandwidth

    @property
    def flops_per_s(self) -> float:
        """The highest rate at this intensity."""
        return min(self.peak, self.intensity * self.bandwidth)

    @property
    def seconds(self) -> float:
        """The shortest time."""
        return self.flops / self.flops_per_s

    @property
    def bound(self) -> str:
        """What limits the op: "memory" or "compute"."""
        return "memory" if self.intensity < self.ridge else "compute"


class Roofline(BookWidget):
    """Is an op limited by memory or by arithmetic on a GPU, how fast can it be, and what was measured there?

    Every operand is read once and every result written once. Peaks are those for dense matrices, as NVIDIA states
    them (`amp_helpers.suites.peaks`); a CPU is offered only where a stored record has its products and its copies.

    Args (all of them traits, shared with the page):
        gpu: such as "T4", "A100 80 GB", "H100 SXM" or "H200".
        dtype: "float32", "tfloat32", "float16", "bfloat16" or "float8_e4m3fn", as far as the GPU has it.
        op: "matmul", "linear" (the forward pass, with bias) or "elementwise" (z = x + y).
        m, n, k: a product of (m, k) and (k, n), each from 1 to 1,000,000.
        elements: of an elementwise op, 1 to 10**12.
        batch, in_features, out_features: of a linear layer, each from 1 to 1,000,000.
        url_state: True keeps the state in the published page's address (for the page's main widget).
    Special values: `gpus` and `records` are read-only: the stated rates, and the newest record per GPU.
    Raises: traitlets.TraitError naming the value and the choices.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """

    _kind = "roofline"

    gpu = traitlets.Unicode("A100 80 GB").tag(sync=True)
    dtype = traitlets.Unicode("bfloat16").tag(sync=True)
    op = traitlets.Unicode("matmul").tag(sync=True)
    m = traitlets.Int(4096).tag(sync=True)
    n = traitlets.Int(4096).tag(sync=True)
    k = traitlets.Int(4096).tag(sync=True)
    elements = traitlets.Int(16_777_216).tag(sync=True)
    batch = traitlets.Int(512).tag(sync=True)
    in_features = traitlets.Int(4096).tag(sync=True)
    out_features = traitlets.Int(4096).tag(sync=True)
    url_state = traitlets.Bool(False).tag(sync=True)
    gpus = traitlets.Dict(read_only=True).tag(sync=True)
    records = traitlets.List(read_only=True).tag(sync=True)

    @traitlets.default("gpus")
    def _stated(self):
        return stated() | {record["gpu"]: record["rates"] for record in self.records if "rates" in record}

    @traitlets.default("records")
    def _recorded(self):
        return recorded()

    @traitlets.validate("gpu", "op", "dtype")
    def _check_choice(self, proposal):
        # Only the value itself is new here: the others are looked up as they will be.
        wanted = {"gpu": self.gpu, "op": self.op, "dtype": self.dtype, proposal.trait.name: proposal.value}
        for name, choices in (("gpu", self.gpus), ("op", OPS)):
            one_of(name, wanted[name], choices)
        allowed = dtypes_of(self.gpus[wanted["gpu"]], wanted["op"])
        if wanted["dtype"] not in allowed:
            raise traitlets.TraitError(
                f"no {wanted['dtype']!r} for {wanted['op']} on {wanted['gpu']}; choose from {', '.join(allowed)}"
            )
        return proposal.value

    @traitlets.validate("m", "n", "k", "elements", "batch", "in_features", "out_features")
    def _check_size(self, proposal):
        most = _MOST_ELEMENTS if proposal.trait.name == "elements" else _MOST
        if not 1 <= proposal.value <= most:
            raise traitlets.TraitError(f"{proposal.trait.name} must be from 1 to {most:,}, not {proposal.value:,}")
        return proposal.value

    def ceiling(self) -> Ceiling:
        """What the model says about the op on show."""
        each = BYTES[self.dtype]
        card = self.gpus[self.gpu]
        if self.op == "elementwise":
            # Outside the matrix units, in float32 arithmetic.
            work, peak = (self.elements, 3 * self.elements * each), card["tflops"]["float32"]
        else:
            bias = int(self.op == "linear")
            m, k, n = (self.batch, self.in_features, self.out_features) if bias else (self.m, self.k, self.n)
            written = 2 if self.dtype == "float8_e4m3fn" else each  # torch writes a float8 product as bfloat16
            work = 2 * m * n * k + bias * m * n, (m * k + k * n) * each + (m * n + bias * n) * written
            peak = card["tflops"][self.dtype]
        return Ceiling(*work, peak * 1e12, card["tb_per_s"] * 1e12)

    def fallback(self) -> str:
        found = self.ceiling()
        size = ", ".join(f"{name} = {getattr(self, name):,}" for name in OPS[self.op])
        rows = [
            ("operations", f"{found.flops:.3g}"),
            ("bytes, each operand once", f"{found.bytes:.3g}"),
            ("operations per byte", f"{found.intensity:.3g}"),
            ("operations per byte at the ridge", f"{found.ridge:.3g}"),
            ("limited by", "memory" if found.bound == "memory" else "arithmetic"),
            ("ceiling, TFLOP/s", f"{found.flops_per_s / 1e12:.3g}"),
            ("shortest time, µs", f"{found.seconds * 1e6:.3g}"),
        ]
        table = Table(["quantity", "value"], rows, f"{self.op} in {self.dtype} on {self.gpu}: {size}")
        card = self.gpus[self.gpu]
        rates = [(f"{dtype}, TFLOP/s", f"{tflops:g}") for dtype, tflops in card["tflops"].items()]
        rates.append(("memory, TB/s", f"{card['tb_per_s']:g}"))
        peaks = Table(["rate", "at most"], rates, f"{self.gpu}, for dense matrices: {card['source']}")
        record = next((one for one in self.records if one["gpu"] == self.gpu), None)
        if record is None:
            measured = f"<p>{self.gpu}: no record yet.</p>"
        else:
            rows = [(dtype, f"{size:,}", f"{tflops:.3g}") for dtype, size, tflops in record["gemm"]]
            measured = Table(["dtype", "n", "TFLOP/s"], rows, f"Measured: {record['line']}")._repr_html_()
        return table._repr_html_() + peaks._repr_html_() + measured


def dtypes_of(card: dict, op: str) -> list[str]:
    """The dtypes of an op that a GPU has a rate for; elementwise ops do not run in the matrix units' own formats."""
    apart = ("tfloat32", "float8_e4m3fn") if op == "elementwise" else ()
    return [dtype for dtype in BYTES if dtype in card["tflops"] and dtype not in apart]


def stated() -> dict[str, dict]:
    """The GPUs that the page offers, with their stated dense rates."""
    by_name = {peaks.name: peaks for peaks in PEAKS}
    found = {key: by_name[name] for key, name in GPUS.items()}
    return {key: {"tflops": one.tflops, "tb_per_s": one.tb_per_s, "source": one.source} for key, one in found.items()}


def recorded(folder=None) -> list[dict]:
    """The newest stored products and copies of every GPU on offer, and of a CPU, as the page gets them.

    Args:
        folder: of the records; None takes the package's own.
    Returns: {"gpu", "line" (where and when), "gemm": [[dtype, n, TFLOP/s], ...], "copy": TB/s or None}; a CPU's also
        has "rates", since nobody states them.
    """
    from amp_helpers.benchmark import provenance_line, read_records  # needs torch, which other widgets do without

    keys = {name: key for key, name in GPUS.items()}
    found: dict[str, dict] = {}
    for record in read_records(folder=folder):  # the newest first
        header = record.header
        peaks = find_peaks(header["device"])
        name = "CPU" if header["device_type"] == "cpu" else keys.get(peaks.name if peaks else None)
        gemm = [[row["dtype"], row["n"], float(f"{row['tflops']:.4g}")] for row in record.part("gemm")]
        gemm = [row for row in gemm if row[0] in BYTES]
        copies = [float(f"{row['tb_per_s']:.4g}") for row in record.part("copy")]
        if name is None or not (gemm or copies):
            continue
        entry = found.setdefault(name, {"gpu": name, "lines": [], "gemm": [], "copy": None, "device": header["device"]})
        if entry["device"] != header["device"]:
            continue  # two machines are never mixed in one chart
        fresh = bool(gemm and not entry["gemm"]) or bool(copies and entry["copy"] is None)
        entry["gemm"] = entry["gemm"] or gemm
        entry["copy"] = entry["copy"] or max(copies, default=None)
        if fresh:
            entry["lines"].append(f"{header['suite']}: {provenance_line(record)}")
    return [shown for entry in found.values() if (shown := _shown(entry))]


def _shown(entry: dict) -> dict | None:
    shown = {key: entry[key] for key in ("gpu", "gemm", "copy")} | {"line": "; ".join(entry["lines"])}
    if entry["gpu"] == "CPU":
        if not entry["gemm"] or entry["copy"] is None or not any(row[0] == "float32" for row in entry["gemm"]):
            return None  # without both there is no roof
        best = {dtype: max(row[2] for row in entry["gemm"] if row[0] == dtype) for dtype, *_ in entry["gemm"]}
        source = f"{entry['device']}: the highest rates that were measured, for nobody states them"
        shown["rates"] = {"tflops": best, "tb_per_s": entry["copy"], "source": source, "measured": True}
    return shown
