"""The suites: their columns, what a failure costs, and the formulas beside the measurements. No time is asserted."""

import gc
import time
import weakref

import pytest
import torch
from torch import nn
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from amp_helpers.benchmark import Record, check_record, time_interleaved, write_record
from amp_helpers.device import describe
from amp_helpers.memory import KINDS
from amp_helpers.models import GPT, MLP, GPTConfig
from amp_helpers.precision import RECIPES, float32_precision, set_float32_precision
from amp_helpers.suites import cpu, gemm, gpt, recipe, steps
from amp_helpers.suites import run as running
from amp_helpers.suites.peaks import PEAKS, Peaks, find_peaks
from amp_helpers.suites.run import SUITES, Bench, attempt, check_suite, parts_of, run_suite, suites_for

TIMES = {"median_s", "lower_quartile_s", "upper_quartile_s", "samples"}
VARIANT = TIMES | {"first_s", "peak_bytes"}
BREAKDOWN = {f"{before}{kind}_bytes" for before in ("", "predicted_") for kind in (*KINDS, "total")}
BREAKDOWN |= {"recipe", "batch", "allocated_bytes", "peak_bytes"}
CNN = VARIANT | {"recipe", "batch", "channels_last", "graphed", "images_per_s"}
GPT_COLUMNS = VARIANT | {"recipe", "batch", "compiled", "tokens_per_s", "flops_per_token", "mfu", "mfu_peak_tflops"}
#: (suite, part) -> columns, "part" aside.
COLUMNS = {
    ("gemm", "gemm"): TIMES | {"dtype", "n", "tflops"},
    ("copy", "copy"): TIMES | {"bytes", "tb_per_s"},
    ("recipe", "recipe"): VARIANT
    | {"recipe", "batch", "fused", "predicted_s", "flops", "moved_bytes", "tflops", "steps_150_s"},
    ("cnn", "memory"): BREAKDOWN,
    ("cnn", "graphs"): CNN,
    ("cnn", "train"): CNN,
    ("gpt", "memory"): BREAKDOWN,
    ("gpt", "eager"): GPT_COLUMNS,
    ("gpt", "compiled"): GPT_COLUMNS,
    ("cpu", "memory"): BREAKDOWN | {"model"},
    ("cpu", "train"): VARIANT | {"workload", "recipe", "batch", "examples_per_s"},
    ("cpu", "gemm"): TIMES | {"dtype", "n", "tflops"},
    ("cpu", "copy"): TIMES | {"bytes", "tb_per_s"},
    ("apex", "learn"): {
        *("recipe", "optimizer", "batch", "steps", "skipped_steps", "final_loss", "nan_weights", "accuracy"),
    },
    ("apex", "train"): VARIANT | {"recipe", "batch", "images_per_s"},
    ("flaws", "rerun"): VARIANT | {"recipe", "batch", "images_per_s", "step_bytes"},
    ("flaws", "ladder"): TIMES | {"flaw", "recipe", "batch", "reported_s", "reported_bytes", "runs_s", "runs_bytes"},
    ("flaws", "accuracy"): {"flaw", "recipe", "batch", "steps", "epochs", "seeds", "accuracy", "lowest", "highest"},
    ("web", "small"): VARIANT | {"recipe", "batch", "graphed", "examples_per_s"},
    ("web", "sizes"): TIMES | {"dtype", "n", "tflops"},
    ("web", "cudnn"): VARIANT | {"recipe", "batch", "cudnn", "dtypes", "images_per_s"},
    ("web", "outcomes"): {"experiment", "case", "outcome", "bytes"},
}


#: The one that needs TensorFlow has tests of its own, in tests/test_tensorflow_suite.py.
REHEARSED = [suite for suite in SUITES if suite != "tensorflow"]


@pytest.fixture(scope="module")
def rehearsed() -> dict[str, Record]:
    """Every suite, small, on the CPU."""
    return {suite: run_suite(suite, device="cpu", smoke=True) for suite in REHEARSED}


@pytest.mark.parametrize(("suite", "part"), COLUMNS)
def test_the_columns_of_each_part(suite, part, rehearsed):
    rows = rehearsed[suite].part(part)
    assert rows and all(set(row) - {"part"} == COLUMNS[suite, part] for row in rows)
    for row in rows:
        if "median_s" in row:
            assert 0 < row["lower_quartile_s"] <= row["median_s"] <= row["upper_quartile_s"]


def test_every_part_is_listed_above():
    assert {(suite, part) for suite in REHEARSED for part in parts_of(suite)} == set(COLUMNS)


def test_what_a_rehearsal_on_a_cpu_lacks_is_said(rehearsed):
    failed = [(suite, row["part"], row["failed"]) for suite, found in rehearsed.items() for row in found.failures()]
    reason = "RuntimeError: a CUDA graph needs CUDA, and this is cpu"
    needs = ["parallel_apply needs CUDA", *["CUDA's caching allocator is asked"] * 2]
    assert failed == [
        *[("cnn", "graphs", reason)] * 4,
        *[("web", "small", reason)] * 3,
        *[("web", "outcomes", f"RuntimeError: {need}, and this is cpu") for need in needs],
    ]


def test_each_recipe_is_there(rehearsed):
    def names(suite, part):
        return [row["recipe"] for row in rehearsed[suite].part(part)]

    assert set(names("recipe", "recipe")) == {"32-true", "tf32", "16-mixed"}
    assert set(names("cnn", "train")) == {"32-true", "tf32", "16-true", "16-mixed", "bf16-mixed"}
    assert set(names("gpt", "eager")) == {"32-true", "tf32", "16-mixed", "bf16-mixed"}
    assert set(names("gpt", "compiled")) == {"tf32", "bf16-mixed"}
    layouts = [row["channels_last"] for row in rehearsed["cnn"].part("train")]
    assert sorted(layouts) == [False] * 5 + [True] * 5
    dtypes = {row["dtype"] for row in rehearsed["gemm"].part("gemm")}
    assert dtypes == set(describe("cpu").accelerated())


@pytest.mark.parametrize("suite", REHEARSED)
def test_a_rehearsal_is_refused_as_a_record(suite, rehearsed, tmp_path):
    found = rehearsed[suite]
    found.header.update(commit="a" * 40, dirty=False)
    assert check_record({"header": found.header, "rows": found.rows}) == ["a smoke run measures nothing"]
    with pytest.raises(ValueError, match="a smoke run measures nothing"):
        write_record(found, tmp_path)
    assert [*tmp_path.iterdir()] == []


def test_a_suite_for_another_device():
    with pytest.raises(
        ValueError, match=r"suite 'gpt' is for cuda, and this is cpu: choose from cpu, flaws, .*or rehearse"
    ):
        run_suite("gpt", device="cpu")
    with pytest.raises(ValueError, match="unknown suite 'gtp'; choose from gemm, copy, recipe, cnn, gpt, cpu"):
        run_suite("gtp")
    assert suites_for("cuda") == ["gemm", "copy", "recipe", "cnn", "gpt"] and suites_for("mps") == []
    check_suite("cpu", "cpu")


def test_the_suites_for_one_gpu_have_eight_minutes():
    assert sum(SUITES[name].budget_s for name in suites_for("cuda")) <= 480


# What a failure costs


def part_of(monkeypatch, *parts) -> None:
    monkeypatch.setattr(running, "parts_of", lambda suite: {part.__name__: part for part in parts})


def test_a_configuration_without_memory_keeps_the_others(monkeypatch):
    def products(bench):
        for n in (1, 2, 3):
            yield bench.attempt({"n": n}, lambda n=n: allocate(n))

    def allocate(n):
        if n == 2:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 9 GiB.\nGPU 0 has ...")
        return {"seconds": float(n)}

    part_of(monkeypatch, products)
    rows = run_suite("cpu", device="cpu").rows
    assert [(row["n"], row.get("seconds")) for row in rows] == [(1, 1.0), (2, None), (3, 3.0)]
    assert rows[1]["failed"] == "out of memory: CUDA out of memory. Tried to allocate 9 GiB. GPU 0 has ..."


def test_a_part_out_of_time_keeps_its_rows_and_others_say_so(monkeypatch):
    def slow(bench):
        yield bench.attempt({"n": 1}, lambda: {"seconds": 1.0})
        bench.deadline = time.monotonic() - 1
        yield bench.attempt({"n": 2}, lambda: pytest.fail("this must not begin"))

    def after(bench):
        yield pytest.fail("nor this")

    part_of(monkeypatch, slow, after)
    rows = run_suite("cpu", device="cpu").rows
    reason = "out of time: the rows before this one are complete"
    assert rows == [
        {"part": "slow", "n": 1, "seconds": 1.0},
        {"part": "slow", "failed": reason},
        {"part": "after", "failed": reason},
    ]


def test_a_long_configuration_is_not_begun_late():
    bench = Bench(torch.device("cpu"), False, time.monotonic() + 30)
    row = bench.attempt({"n": 1}, lambda: pytest.fail("this must not begin"), needs_s=60)
    assert row["n"] == 1 and row["failed"].startswith("out of time: needs about 60 s, ")
    assert bench.attempt({"n": 1}, lambda: {"seconds": 1.0}, needs_s=10) == {"n": 1, "seconds": 1.0}


def test_a_broken_part_keeps_its_rows_and_the_others_run(monkeypatch):
    def broken(bench):
        yield {"n": 1, "seconds": 1.0}
        raise KeyError("n")

    def sound(bench):
        yield {"n": 2, "seconds": 2.0}

    def empty(bench):
        yield from ()

    part_of(monkeypatch, broken, sound, empty)
    rows = run_suite("cpu", device="cpu").rows
    assert [row["part"] for row in rows] == ["broken", "broken", "sound", "empty"]
    assert rows[1]["failed"] == "KeyError: 'n'" and rows[3]["failed"] == "nothing to measure on this device"


def test_an_interruption_keeps_what_was_measured(monkeypatch):
    def interrupted(bench):
        yield {"n": 1, "seconds": 1.0}
        raise KeyboardInterrupt

    def after(bench):
        yield pytest.fail("this must not begin")

    part_of(monkeypatch, interrupted, after)
    found = run_suite("cpu", device="cpu")
    assert found.header["interrupted"] and found.part("interrupted")[0]["seconds"] == 1.0
    assert [row["failed"].split(":")[0] for row in found.failures()] == ["interrupted", "interrupted before it began"]


def test_a_failure_lets_go_of_its_tensors():
    kept = []

    def fail():
        tensor = torch.ones(3)
        kept.append(weakref.ref(tensor))
        raise RuntimeError("no such file: /some/where/deep/x.cu\nmore")

    gc.disable()
    try:
        assert attempt(fail) == (None, "RuntimeError: no such file: x.cu more")
    finally:
        gc.enable()
    assert kept[0]() is None


def bench_now(smoke=True) -> Bench:
    return Bench(torch.device("cpu"), smoke, time.monotonic() + 60)


def fails():
    raise RuntimeError("this one cannot be built")


def test_a_variant_that_fails_leaves_the_others():
    variants = [({"n": 1}, lambda: int), ({"n": 2}, lambda: fails), ({"n": 3}, fails), ({"n": 4}, lambda: int)]
    rows = [*steps.time_variants(bench_now(), variants, lambda row, seconds: {"rate": row["n"] / seconds})]
    assert [row["n"] for row in rows] == [2, 3, 1, 4]
    assert all(row["failed"] == "RuntimeError: this one cannot be built" for row in rows[:2])
    assert all(set(row) == VARIANT | {"n", "rate"} and row["rate"] == row["n"] / row["median_s"] for row in rows[2:])


def test_variants_that_do_not_fit_together_are_measured_one_by_one(monkeypatch):
    asked = []

    def timer(calls, **options):
        asked.append(len(calls))
        if len(calls) > 1 or 13 in calls.values():
            raise torch.OutOfMemoryError("too much")
        return time_interleaved(calls, **options)

    monkeypatch.setattr(steps, "time_interleaved", timer)
    built = []

    def build(n):
        built.append(n)
        if n == 3 and built.count(3) == 2:
            raise torch.OutOfMemoryError("not even alone")
        return int

    variants = [({"n": n}, lambda n=n: build(n)) for n in (1, 2, 3)]
    rows = [*steps.time_variants(bench_now(), variants, lambda row, seconds: {})]
    assert asked == [3, 1, 1]
    assert [("failed" in row, row["n"]) for row in rows] == [(False, 1), (False, 2), (True, 3)]
    assert rows[2]["failed"] == "out of memory: not even alone"


def test_a_dtype_that_is_too_slow_is_not_taken_further(monkeypatch):
    def columns(dtype, n, bench):
        return {"median_s": 0.5 if (dtype, n) == ("bfloat16", 512) else 1e-6}

    monkeypatch.setattr(cpu, "_product_columns", columns)
    rows = [*cpu.gemm(Bench(torch.device("cpu"), False, time.monotonic() + 60))]
    assert [row["n"] for row in rows if row["dtype"] == "float16"] == [128, 256]
    slow = [row for row in rows if row["dtype"] == "bfloat16"]
    assert [("failed" in row, row["n"]) for row in slow] == [
        *((False, n) for n in (128, 256, 512)),
        *((True, n) for n in (1024, 2048)),
    ]
    assert slow[3]["failed"] == "too slow: half the size took 0.5 s"


# What runs in a step


@pytest.fixture
def tf32_before():
    """The switches as a user may have set them; they have to come back."""
    found = float32_precision()
    set_float32_precision("tf32")
    yield float32_precision()
    for name, value in found.items():
        place, attribute = name.rsplit(".", 1)
        owner = torch.backends
        for part in place.split("."):
            owner = getattr(owner, part)
        setattr(owner, attribute, value)


@pytest.mark.parametrize("name", RECIPES)
@pytest.mark.parametrize("options", [None, {"backend": "eager", "dynamic": False}])
def test_the_switches_of_a_step(name, options, tf32_before):
    seen = []

    def loss(output, target):
        seen.append(float32_precision())
        if options:  # torch.compile reads these on a GPU, and they raise where old and new switches contradict
            assert torch.backends.cuda.matmul.allow_tf32 is (name == "tf32")
            assert torch.get_float32_matmul_precision() == ("high" if name == "tf32" else "highest")
        return F.mse_loss(output.float(), target)

    chosen = RECIPES[name]
    model = chosen.convert(nn.Linear(4, 4))
    before = [parameter.clone() for parameter in model.parameters()]
    # So small that the first loss scale overflows nothing: a skipped step would change no parameter.
    batches = [(torch.full((2, 4), 0.1, dtype=chosen.weights), torch.full((2, 4), 0.1))]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps.training_step(model, batches, loss, optimizer, chosen, compile_options=options)()
    wanted = ("tf32", True) if chosen.tf32 else ("ieee", False)
    assert seen and all(value in wanted for switches in seen for value in switches.values())
    assert float32_precision() == tf32_before
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_float32_products_are_float32(monkeypatch, machine):
    """On an A100 that is not here: TF32 is allowed for "tfloat32" and forbidden for everything else."""
    machine.cuda("NVIDIA A100-SXM4-40GB", (8, 0))
    seen = {}

    def product(dtype, n, device, pairs):
        return lambda: seen.setdefault(dtype, set()).update(float32_precision().values())

    monkeypatch.setattr(gemm, "product", product)
    found = describe("cuda")
    monkeypatch.setattr(gemm, "describe", lambda device: found)
    before = float32_precision()
    assert all("failed" not in row for row in gemm.gemm(bench_now()))
    forbidden = {"ieee"} if "cuda.matmul.fp32_precision" in before else {False}
    allowed = {"tf32"} if "cuda.matmul.fp32_precision" in before else {True}
    assert seen == {
        "float32": forbidden,
        "tfloat32": allowed,
        "bfloat16": forbidden,
        "float16": forbidden,
    }
    assert float32_precision() == before


def test_batches_take_turns():
    seen = []
    batches = [(torch.full((1, 2), float(n)), torch.zeros(1, 2)) for n in range(3)]

    def loss(output, target):
        return (output - target).square().mean()

    model = nn.Linear(2, 2)
    model.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0][0, 0].item()))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    step = steps.training_step(model, batches, loss, optimizer, RECIPES["32-true"])
    for _ in range(4):
        step()
    assert seen == [0, 1, 2, 0]


# The formulas, by hand


def test_the_operations_of_the_recipe():
    assert recipe.step_flops(512, 4096) == 8 * 2 * 512 * 4096 * 4096
    model, inputs = MLP(6, 6, 6, 6), torch.randn(5, 6)
    with FlopCounterMode(display=False) as counter:
        F.mse_loss(model(inputs), torch.randn(5, 6)).backward()
    assert counter.get_total_flops() == recipe.step_flops(5, 6)


def test_the_bytes_of_the_recipe():
    parameters, elements = 3 * (4096 * 4096 + 4096), 512 * 4096
    float32 = parameters * 12 + elements * (2 * 8 + 2 * 12 + 3 * 4 + 20)
    mixed = parameters * (12 + 12 + 8) + elements * (2 * 4 + 2 * 6 + 3 * 2 + 20 + 18)
    assert recipe.step_bytes(512, 4096, RECIPES["32-true"]) == float32 == 755_122_176
    assert recipe.step_bytes(512, 4096, RECIPES["tf32"]) == float32
    assert recipe.step_bytes(512, 4096, RECIPES["16-mixed"]) == mixed == 1_745_223_680


def test_the_prediction():
    peaks = Peaks("X", {"float32": 10.0, "tfloat32": 100.0}, 2.0, "here")
    assert recipe.predicted_seconds(1e12, 1e12, RECIPES["32-true"], peaks) == pytest.approx(0.1 + 0.5)
    assert recipe.predicted_seconds(1e12, 1e12, RECIPES["tf32"], peaks) == pytest.approx(0.01 + 0.5)
    assert recipe.predicted_seconds(1e12, 1e12, RECIPES["16-mixed"], peaks) is None
    assert recipe.predicted_seconds(1e12, 1e12, RECIPES["32-true"], None) is None


def test_the_share_of_the_peak():
    config = GPTConfig()
    with torch.device("meta"):
        parameters = sum(parameter.numel() for parameter in GPT(config).parameters())
    flops = gpt.flops_per_token(parameters, config)
    assert flops == 6 * 124_475_904 + 12 * 12 * 768 * 1024 and round(flops / 1e9, 3) == 0.860
    # What llm.c's log states for 468,000 tokens a second on an H100.
    assert gpt.model_flops_utilization(468e3, flops, 989.0) == pytest.approx(0.407, abs=5e-4)
    assert gpt.model_flops_utilization(1e3, 1e9, 2.0) == 0.5
    assert gpt.model_flops_utilization(1e3, 1e9, None) is None


@pytest.mark.parametrize(
    ("device", "name"),
    [
        ("NVIDIA H200", "NVIDIA H200"),
        ("NVIDIA H200 NVL", "NVIDIA H200 NVL"),
        ("NVIDIA A100-SXM4-40GB", "NVIDIA A100"),
        ("NVIDIA A100-SXM4-80GB", "NVIDIA A100-SXM4-80GB"),
        ("Tesla V100-SXM2-16GB", "Tesla V100-SXM2"),
        ("NVIDIA L4", "NVIDIA L4"),
        ("NVIDIA L40S", None),
        ("NVIDIA GeForce RTX 3080", None),
        ("", None),
    ],
)
def test_whose_peaks(device, name):
    found = find_peaks(device)
    assert (found and found.name) == name


def test_the_peaks_are_dense():
    """No rate is the one for sparse matrices: 16-bit units run at twice TF32's rate, FP8's at twice theirs."""
    for peaks in PEAKS:
        rates = peaks.tflops
        if "tfloat32" in rates:
            assert rates["bfloat16"] / rates["tfloat32"] == pytest.approx(2, rel=0.02), peaks.name
        if "float8_e4m3fn" in rates:
            assert rates["float8_e4m3fn"] / rates["bfloat16"] == pytest.approx(2, rel=0.02), peaks.name
        assert rates["float16"] == rates.get("bfloat16", rates["float16"])
    assert find_peaks("NVIDIA H200").tflops["bfloat16"] == 989.0
