"""The ladder of flaws: each rung does what it says, in a process of its own where it needs one. No time is asserted."""

import math
import statistics

import pytest
import torch
from torch.nn import functional as F

from amp_helpers import plots
from amp_helpers.benchmark import Record
from amp_helpers.datasets import digits
from amp_helpers.precision import RECIPES
from amp_helpers.suites import flaws, repeats
from amp_helpers.suites.run import run_suite

SMALL = {"kind": "cpu", "device": "cpu", "batch": 4, "steps": 2, "smoke": True}
CPU = torch.device("cpu")


@pytest.fixture(scope="module")
def rehearsal() -> Record:
    return run_suite("flaws", device="cpu", smoke=True)


def test_every_flaw_has_its_rung(rehearsal):
    rows = rehearsal.part("ladder")
    rungs = [(row["flaw"], row["recipe"]) for row in rows]
    names = [name for name in flaws.FLAWS if name != "same iterations"]
    assert sorted(rungs) == sorted((flaw, recipe) for flaw in names for recipe in ("32-true", "bf16-mixed"))
    assert {row["flaw"] for row in rehearsal.part("accuracy")} == {"none", "same iterations"}
    assert rehearsal.failures() == []


def test_what_a_rung_reports(rehearsal):
    for row in rehearsal.part("ladder"):
        runs = row["runs_s"]
        if row["flaw"] in ("no warm-up", "all"):
            assert row["reported_s"] == pytest.approx(statistics.mean(runs)) and row["samples"] == len(runs) == 5
        else:
            assert row["reported_s"] == row["median_s"]
        assert (runs is None) == (row["flaw"] in ("none", "item", "loader"))
        if row["runs_bytes"]:
            assert row["reported_bytes"] == round(statistics.mean(row["runs_bytes"]))


def test_bytes_of_the_rungs(rehearsal):
    """`initialize` adds the weights, gradients and momentum of one more model in each run; FP32 never calls it."""
    rows = {(row["flaw"], row["recipe"]): row for row in rehearsal.part("ladder")}
    given = repeats.workload("cpu", CPU, smoke=True)
    kept = 3 * sum(parameter.nbytes for parameter in given.build().parameters())
    honest, plain = rows["none", "bf16-mixed"]["reported_bytes"], rows["none", "32-true"]["reported_bytes"]
    assert rows["initialize", "bf16-mixed"]["runs_bytes"] == [honest + n * kept for n in range(5)]
    assert rows["initialize", "32-true"]["runs_bytes"] == [plain] * 5
    assert rows["no warm-up", "bf16-mixed"]["runs_bytes"] == [honest] * 5


def test_accuracy_has_the_steps_it_says(rehearsal):
    rows = {(row["flaw"], row["recipe"]): row for row in rehearsal.part("accuracy")}
    few, honest = rows["same iterations", "32-true"], rows["none", "32-true"]
    assert few["steps"] == 46 and few["epochs"] == pytest.approx(46 * 128 / 1437)
    assert honest["steps"] == 11 and 0 < honest["lowest"] <= honest["accuracy"] <= honest["highest"] <= 1


def test_the_real_sizes_have_the_published_epochs():
    """46 steps of 8 to 128 digits are as many epochs as 100 steps of 128 to 2,048 images out of 50,000."""
    for small, published in zip((8, 16, 32, 64, 128), (128, 256, 512, 1024, 2048), strict=True):
        assert 46 * small / 1437 == pytest.approx(100 * published / 50_000, rel=0.01)


def test_a_fresh_process_measures_the_same_things():
    found = repeats.measure_in_fresh_process(**SMALL, recipe="bf16-mixed", flaws=["no warm-up", "initialize"])
    here = repeats.measure(**SMALL, recipe="bf16-mixed", flaws=["no warm-up", "initialize"])
    assert set(found) == {"seconds", "tensor_bytes", "process_bytes"}
    assert all(len(values) == 5 for values in found.values()) and min(found["seconds"]) > 0
    assert found["tensor_bytes"] == here["tensor_bytes"]


def test_a_fresh_process_that_fails_says_why():
    with pytest.raises(RuntimeError, match=r"a fresh process failed: KeyError: '33-true'"):
        repeats.measure_in_fresh_process(**SMALL, recipe="33-true", flaws=[])


def test_what_measuring_leaves_behind():
    before = [getattr(owner, name) for owner, name in repeats._WRAPPED]
    threads, switch = torch.get_num_threads(), torch.backends.cudnn.benchmark
    repeats.measure(**SMALL, recipe="bf16-mixed", flaws=["initialize"])
    assert [getattr(owner, name) for owner, name in repeats._WRAPPED] == before
    assert (torch.get_num_threads(), torch.backends.cudnn.benchmark) == (threads, switch)


def test_initialize_wraps_the_wrapped():
    original, depth = F.linear, 0
    with repeats.restored() as initialize:
        for _ in range(3):
            initialize()
        function = F.linear
        while function is not original:
            function, depth = function.__closure__[0].cell_contents, depth + 1
        x = torch.randn(2, 3)
        assert torch.equal(F.linear(x, torch.ones(1, 3)), original(x, torch.ones(1, 3)))
    assert depth == 3 and F.linear is original


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_the_two_pipelines_give_the_same_numbers(kind):
    given = repeats.workload(kind, CPU, smoke=True)
    whole, single = (repeats.endless(given, 4, CPU, per_image) for per_image in (False, True))
    standardise = repeats.Standardise()
    for _ in range(len(given.images) // 4 + 2):  # also after the first pass
        (images, labels), (slowly, same) = next(whole), next(single)
        assert images.dtype == torch.uint8 and slowly.dtype == torch.float32
        torch.testing.assert_close(standardise(images), standardise(slowly))
        assert torch.equal(labels, same)


def test_the_digits_as_bytes():
    data, given = digits(8), repeats.workload("cpu", CPU, smoke=True)
    assert given.images.shape == (4096, 1, 8, 8) and given.images.max() == 255
    back = (given.images[:1437].float() / 255 - data.mean) / data.std
    torch.testing.assert_close(back, data.train_images, atol=1e-2, rtol=0)
    assert torch.equal(given.images[1437:1440], given.images[:3])


def test_the_seeded_images_can_be_learned():
    """On the images that a GPU gets; the same in every process."""
    given, again = (repeats.workload("cuda", CPU, smoke=True) for _ in range(2))
    assert torch.equal(given.images, again.images) and given.images.shape == (64, 3, 8, 8)
    torch.manual_seed(0)
    model = given.build()
    step = repeats.step_of(model, repeats.sgd(model), RECIPES["32-true"], repeats.endless(given, 32, CPU, False))
    losses = [step().item() for _ in range(60)]
    assert losses[-1] < 0.5 * losses[0]


@pytest.mark.parametrize("name", ["32-true", "16-mixed", "bf16-mixed"])
def test_a_step_is_the_plain_loop(name):
    given, recipe = repeats.workload("cpu", CPU, smoke=True), RECIPES[name]
    torch.manual_seed(0)
    mine, plain = given.build(), given.build()
    plain.load_state_dict(mine.state_dict())
    step = repeats.step_of(mine, repeats.sgd(mine), recipe, repeats.endless(given, 4, CPU, False), read_loss=True)
    optimizer, scaler = repeats.sgd(plain), recipe.grad_scaler("cpu")
    for images, labels in given.batches(4)[:3]:
        with recipe.autocast_context("cpu"):
            loss = F.cross_entropy(plain(images), labels)
        optimizer.zero_grad()
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        assert step() == loss.item()
    assert all(torch.equal(a, b) for a, b in zip(mine.parameters(), plain.parameters(), strict=True))


def test_where_nothing_tells_what_is_in_use(monkeypatch):
    monkeypatch.setattr(repeats, "used_bytes", lambda device: None)
    found = run_suite("flaws", device="cpu", smoke=True)
    failed = {(row["flaw"], row["failed"]) for row in found.failures()}
    reason = "RuntimeError: nothing on this machine tells how much memory is in use"
    assert failed == {("process memory", reason), ("all", reason)}
    assert repeats.measure(**SMALL, recipe="32-true", flaws=[])["process_bytes"] == [None] * 5


def test_memory_as_nvidia_smi_tells_it(machine, monkeypatch):
    def answer(stdout):
        def run(command, **options):
            assert "--id=1" in command and "--query-gpu=memory.used" in command
            return type("Run", (), {"stdout": stdout})

        monkeypatch.setattr(repeats.subprocess, "run", run)
        return repeats.used_bytes(torch.device("cuda:1"))

    assert answer("1693\n") == 1693 * 2**20
    assert answer("[N/A]\n") is None


# From rows to a figure


def ladder_of(**rungs) -> Record:
    """Rungs: flaw -> ((lower, median, upper) of FP32, the same of BF16), in seconds."""
    rows = []
    for flaw, pair in rungs.items():
        for recipe, (lower, median, upper) in zip(("32-true", "bf16-mixed"), pair, strict=True):
            row = {"part": "ladder", "flaw": flaw, "recipe": recipe, "reported_s": median, "median_s": median}
            rows.append(row | {"lower_quartile_s": lower, "upper_quartile_s": upper})
    return Record({"suite": "flaws"}, rows)


def test_reported_speedups():
    record = ladder_of(all=((8.0, 9.0, 10.0), (8.0, 9.0, 10.0)), none=((6.0, 7.0, 8.0), (2.0, 3.5, 4.0)))
    found = flaws.reported_speedups(record)
    assert list(found) == ["none", "all"]
    assert found["none"] == (1.5, 2.0, 4.0) and found["all"] == (0.8, 1.0, 1.25)
    del record.rows[0]
    assert list(flaws.reported_speedups(record)) == ["none"]


def test_the_figure_shows_every_rung(rehearsal):
    rungs = flaws.reported_speedups(rehearsal)
    ax = plots.flaw_ladder(rungs)
    assert [label.get_text() for label in ax.get_yticklabels()] == list(rungs) and len(rungs) == 7
    honest, one, *drawn = ax.lines
    assert honest.get_xdata()[0] == rungs["none"][1] and one.get_xdata()[0] == 1
    for (lower, reported, upper), line, point in zip(rungs.values(), drawn[::2], drawn[1::2], strict=True):
        assert list(line.get_xdata()) == [lower, upper] and list(point.get_xdata()) == [reported]
    assert drawn[1].get_marker() != drawn[3].get_marker() and drawn[1].get_color() != drawn[3].get_color()
    assert [text.get_text() for text in ax.texts] == [f"{reported:.2f}×" for _, reported, _ in rungs.values()]
    assert ax.get_xlabel() and len(plots.to_png(ax)) < 60_000


@pytest.mark.parametrize(
    ("rungs", "message"),
    [
        ({}, "two rungs or more, not 0"),
        ({"none": (1.0, 2.0, 3.0)}, "two rungs or more, not 1"),
        ({"none": (1.0, 2.0, 3.0), "all": (3.0, 2.0, 1.0)}, "rung 'all': the ends must be positive and in order"),
        ({"none": (1.0, math.nan, 3.0), "all": (1.0, 2.0, 3.0)}, "rung 'none'"),
    ],
)
def test_what_is_no_ladder(rungs, message):
    with pytest.raises(ValueError, match=message):
        plots.flaw_ladder(rungs)
