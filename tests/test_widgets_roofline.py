"""The Python side of the roofline: traits, the twin, the stated rates, and what it takes from records."""

import json

import pytest
import torch
import traitlets
from test_widgets import HOSTILE, Twin

from amp_helpers.benchmark import Record, new_header, write_record
from amp_helpers.suites.peaks import find_peaks
from amp_helpers.widgets import Roofline
from amp_helpers.widgets.roofline import BYTES, GPUS, OPS, dtypes_of, recorded, stated

QUARTILES = {"lower_quartile_s": 0.1, "median_s": 0.2, "upper_quartile_s": 0.3, "samples": 9}


def store(folder, suite, device, rows, date="2026-01-02T03:04:05Z", device_type="cuda"):
    """A sound record of a machine that is not here, in a folder of the test."""
    header = new_header(suite, sorted({row["part"] for row in rows}), torch.device("cpu"), f"record --suite {suite}")
    header |= {"seconds": 1.0, "commit": "a" * 40, "dirty": False, "date": date}
    header |= {"device": device, "device_type": device_type}
    return write_record(Record(header, [row | QUARTILES for row in rows]), folder)


def gemm(dtype, n, tflops):
    return {"part": "gemm", "dtype": dtype, "n": n, "tflops": tflops}


def copy(tb_per_s):
    return {"part": "copy", "bytes": 2**30, "tb_per_s": tb_per_s}


def test_repr_and_bundle():
    widget = Roofline(gpu="T4", dtype="float16", op="linear", batch=1)
    assert repr(widget) == "Roofline(batch=1, dtype='float16', gpu='T4', op='linear')"
    assert repr(eval(repr(widget))) == repr(widget) and repr(Roofline()) == "Roofline()"
    assert Roofline().twin() == Roofline().twin()
    twin = Twin(widget.twin())
    assert twin.widget["kind"] == "roofline" and json.loads(twin.widget["state"]) == widget.state()
    assert len(Roofline().twin()) < 30_000 and "script" not in twin.tags and "export default" in str(Roofline._esm)


def test_the_rates_are_those_of_the_shared_table():
    for key, name in GPUS.items():
        peaks = find_peaks(name)
        assert stated()[key] == {"tflops": peaks.tflops, "tb_per_s": peaks.tb_per_s, "source": peaks.source}
        assert "data sheet" in peaks.source
    for key, card in Roofline().gpus.items():
        if not card.get("measured"):
            assert set(card["tflops"]) <= set(BYTES) and "float32" in card["tflops"], key


def test_dense_rates_are_half_of_what_is_printed_with_sparsity():
    """As NVIDIA's data sheets print the H100 and H200 SXM: 989, 1,979, 1,979 and 3,958 with sparsity."""
    for key in ("H100 SXM", "H200"):
        dense = stated()[key]["tflops"]
        for dtype, sparse in {"tfloat32": 989, "float16": 1979, "bfloat16": 1979, "float8_e4m3fn": 3958}.items():
            assert 2 * dense[dtype] == pytest.approx(sparse, rel=1e-3)


def test_a_product_by_hand():
    found = Roofline(gpu="H200", dtype="bfloat16", m=8192, n=8192, k=8192).ceiling()
    assert found.flops == 2 * 8192**3 and found.bytes == 3 * 8192**2 * 2
    assert found.intensity == pytest.approx(8192 / 3) and found.ridge == pytest.approx(989 / 4.8)
    assert found.bound == "compute" and found.seconds == pytest.approx(2 * 8192**3 / 989e12)


def test_a_batch_of_one_waits_for_the_weights():
    found = Roofline(op="linear", batch=1, in_features=4096, out_features=4096).ceiling()
    assert found.bound == "memory" and found.intensity == pytest.approx(1, rel=0.01)
    assert found.seconds == pytest.approx(found.bytes / found.bandwidth)


def test_a_sum_is_memory_bound_in_every_dtype():
    for key, card in stated().items():
        for dtype in dtypes_of(card, "elementwise"):
            found = Roofline(gpu=key, dtype=dtype, op="elementwise").ceiling()
            assert found.bound == "memory" and found.intensity == pytest.approx(1 / (3 * BYTES[dtype]))


def test_a_float8_product_is_written_as_bfloat16():
    found = Roofline(gpu="H200", dtype="float8_e4m3fn", m=100, n=10, k=1000).ceiling()
    assert found.bytes == 100 * 1000 + 1000 * 10 + 2 * 100 * 10


@pytest.mark.parametrize(
    ("traits", "message"),
    [
        ({"gpu": "P100"}, "unknown gpu 'P100'; choose from V100, T4, L4"),
        ({"gpu": HOSTILE}, "unknown gpu"),
        ({"op": "conv"}, "unknown op 'conv'; choose from matmul, elementwise, linear"),
        ({"gpu": "T4"}, "no 'bfloat16' for matmul on T4; choose from float32, float16"),
        ({"dtype": "float8_e4m3fn"}, "no 'float8_e4m3fn' for matmul on A100 80 GB"),
        ({"op": "elementwise", "dtype": "tfloat32"}, "no 'tfloat32' for elementwise on A100 80 GB"),
        ({"m": 0}, "m must be from 1 to 1,000,000, not 0"),
        ({"elements": 10**12 + 1}, "elements must be from 1 to 1,000,000,000,000, not 1,000,000,000,001"),
        ({"gpus": {}}, "read-only"),
    ],
)
def test_a_bad_value_is_refused(traits, message):
    with pytest.raises(traitlets.TraitError, match=message):
        Roofline(**traits)


def test_the_page_sends_what_changed():
    widget = Roofline()
    widget.set_state({"gpu": "T4", "dtype": "float16"})  # either alone would be refused
    assert (widget.gpu, widget.dtype) == ("T4", "float16")
    with pytest.raises(traitlets.TraitError, match="no 'bfloat16'"):
        widget.dtype = "bfloat16"
    assert widget.dtype == "float16"


@pytest.mark.parametrize("op", OPS)
def test_the_fallback_tells_the_same(op):
    widget = Roofline(gpu="H200", op=op)
    twin, found = Twin(widget.twin()), widget.ceiling()
    assert f"{found.seconds * 1e6:.3g}" in twin.text and f"{found.intensity:.3g}" in twin.text
    assert ("memory" if found.bound == "memory" else "arithmetic") in twin.text
    assert "dense" in twin.text and "NVIDIA H200 data sheet" in twin.text


# --- records --------------------------------------------------------------------------------------------------------


def test_without_a_record_it_says_so(tmp_path):
    assert recorded(tmp_path) == []
    bare = Roofline()
    bare.set_trait("records", [])
    assert "A100 80 GB: no record yet." in bare.fallback()


def test_the_newest_record_of_a_gpu_counts(tmp_path):
    old, new = [gemm("float32", 256, 1.0)], [gemm("float32", 256, 2.0), gemm("bfloat16", 8192, 765.4321)]
    store(tmp_path, "gemm", "NVIDIA H200", old)
    store(tmp_path, "gemm", "NVIDIA H200", new, date="2026-02-02T03:04:05Z")
    store(tmp_path, "copy", "NVIDIA H200", [copy(4.1), copy(4.3)])
    store(tmp_path, "gemm", "NVIDIA L40S", old)  # a name that only begins like one on offer
    (shown,) = recorded(tmp_path)
    assert shown["gpu"] == "H200" and shown["copy"] == 4.3 and "rates" not in shown
    assert shown["gemm"] == [["float32", 256, 2.0], ["bfloat16", 8192, 765.4]]
    assert "gemm: NVIDIA H200" in shown["line"] and "2026-02-02" in shown["line"] and "copy: " in shown["line"]
    widget = Roofline(gpu="H200")
    widget.set_trait("records", [shown])
    text = Twin(widget.twin()).text
    assert "765" in text and "2026-02-02" in text and "no record yet" not in text
    assert json.loads(Twin(widget.twin()).widget["state"])["records"] == [shown]


def test_a_cpu_is_offered_from_a_record_with_both_rates_only(tmp_path):
    rows = [gemm("float32", 512, 0.1), gemm("float32", 1024, 0.2), gemm("bfloat16", 1024, 1.5)]
    store(tmp_path, "cpu", "Some CPU", rows, device_type="cpu")
    assert recorded(tmp_path) == [] and "CPU" not in stated()
    store(tmp_path, "cpu", "Some CPU", [*rows, copy(0.02)], date="2026-03-02T03:04:05Z", device_type="cpu")
    (shown,) = recorded(tmp_path)
    assert shown["rates"]["tflops"] == {"float32": 0.2, "bfloat16": 1.5} and shown["rates"]["tb_per_s"] == 0.02
    assert shown["rates"]["measured"] and "Some CPU" in shown["rates"]["source"]


def test_two_machines_are_never_mixed(tmp_path):
    store(tmp_path, "cpu", "CPU one", [gemm("float32", 512, 0.1)], date="2026-03-02T03:04:05Z", device_type="cpu")
    store(tmp_path, "cpu", "CPU two", [gemm("float32", 512, 9.0), copy(0.02)], device_type="cpu")
    assert recorded(tmp_path) == [], "the newest has no copy, the older is another machine"


def test_the_state_stays_small_with_a_record_of_every_gpu(tmp_path):
    rows = [gemm(dtype, n, 123.4567) for dtype in BYTES for n in (256, 512, 1024, 2048, 4096, 8192, 16384)]
    for name in GPUS.values():
        store(tmp_path, "gemm", name, [*rows, copy(1.5)])
    shown = recorded(tmp_path)
    assert len(shown) == len(GPUS)
    widget = Roofline()
    widget.set_trait("records", shown)
    assert len(json.dumps(widget.state())) < 30_000
