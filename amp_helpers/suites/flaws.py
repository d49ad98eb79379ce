"""A published benchmark run again, and then its flaws put back one at a time, to see what each of them does."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import torch

from amp_helpers.benchmark import Record
from amp_helpers.datasets import digits
from amp_helpers.models import MLP
from amp_helpers.precision import RECIPES

from .repeats import endless, measure, measure_in_fresh_process, sgd, step_bytes, step_of, workload
from .run import Bench
from .steps import autotuned_convolutions, time_variants

#: Each rung of the ladder: what is put back.
FLAWS = {
    "none": "the recipes take turns in one process, after a warm-up; data on the device; median; bytes of tensors",
    "item": "every step reads its loss with loss.item(), for which a GPU has to finish",
    "loader": "each step waits for a per-image Python pipeline, num_workers=0, inside the timed region",
    "no warm-up": "mean of five runs of a fresh process, the first one cold",
    "initialize": "five runs, each with one more `initialize` on top: functions wrapped again, old models kept",
    "process memory": "bytes as seen from outside: nvidia-smi's difference, on a CPU the resident set's",
    "all": "all of these together",
    "same iterations": "as many steps for every batch size, so that small batches see less data",
}
#: What can take turns with the honest step, and what needs the history of a process of its own.
_IN_TURNS = ("none", "item", "loader")
_ALONE = {
    "no warm-up": ("no warm-up",),
    "initialize": ("initialize",),
    "process memory": (),
    "all": ("no warm-up", "loader", "item", "initialize"),
}
_FROM_OUTSIDE = ("process memory", "all")


def _recipes(bench: Bench) -> tuple[str, ...]:
    return ("32-true", "tf32", "16-mixed", "bf16-mixed") if bench.device.type == "cuda" else ("32-true", "bf16-mixed")


def rerun(bench: Bench) -> Iterator[dict]:
    """The benchmark without its flaws: "recipe", "batch", "images_per_s", "step_bytes", and as `time_variants` gives.

    "step_bytes" is the peak of the allocator, on a CPU the tensors of a step.
    """
    given = workload(bench.device.type, bench.device, bench.smoke)
    for batch in bench.size((128, 256, 512, 1024, 2048), (4, 8)):
        variants = [
            ({"recipe": name, "batch": batch}, _builder(bench, given, name, batch, "none")) for name in _recipes(bench)
        ]
        with autotuned_convolutions():
            for row in time_variants(bench, variants, lambda row, seconds: {"images_per_s": row["batch"] / seconds}):
                yield row if "failed" in row else row | {"step_bytes": _bytes(bench, given, row)}


def ladder(bench: Bench) -> Iterator[dict]:
    """Times and bytes with one flaw each, then with all: "flaw", "recipe", "batch", "reported_s", "reported_bytes".

    "reported_s" and "reported_bytes" are what that way of measuring would publish, of one step; the quartiles are those
    of its samples: steps where the variants took turns, else the five runs, which "runs_s" and "runs_bytes" list.
    """
    given, batch = workload(bench.device.type, bench.device, bench.smoke), _ladder_batch(bench)
    variants = [
        ({"flaw": flaw, "recipe": name, "batch": batch}, _builder(bench, given, name, batch, flaw))
        for flaw in _IN_TURNS
        for name in _recipes(bench)
    ]
    with autotuned_convolutions():
        for row in time_variants(bench, variants, lambda row, seconds: {"reported_s": seconds}, budget_s=15.0):
            if "failed" not in row:
                row["reported_bytes"] = _bytes(bench, given, row)
                row = {key: value for key, value in row.items() if key not in ("first_s", "peak_bytes")}
                row |= {"runs_s": None, "runs_bytes": None}
            yield row
    del variants, given
    for flaw in _ALONE:
        for name in _recipes(bench):
            row = {"flaw": flaw, "recipe": name, "batch": batch}
            yield bench.attempt(row, lambda flaw=flaw, name=name: _five_runs(bench, name, batch, flaw))


def _ladder_batch(bench: Bench) -> int:
    return bench.size(512 if bench.device.type == "cuda" else 128, 4)


def _five_runs(bench: Bench, recipe: str, batch: int, flaw: str) -> dict:
    run = bench.size(measure_in_fresh_process, measure)
    found = run(
        kind=bench.device.type,
        device=str(bench.device),
        recipe=recipe,
        batch=batch,
        flaws=_ALONE[flaw],
        steps=bench.size(50 if bench.device.type == "cuda" else 100, 1),
        smoke=bench.smoke,
    )
    seconds = found["seconds"]
    outside = flaw in _FROM_OUTSIDE
    sizes = found["process_bytes" if outside else "tensor_bytes"]
    if None in sizes:
        raise RuntimeError("nothing on this machine tells how much memory is in use")
    lower, median, upper = statistics.quantiles(seconds, n=4, method="inclusive")
    return {
        "reported_s": statistics.mean(seconds) if "no warm-up" in _ALONE[flaw] else median,
        "reported_bytes": round(statistics.mean(sizes)),
        "runs_s": seconds,
        "runs_bytes": sizes,
        "median_s": median,
        "lower_quartile_s": lower,
        "upper_quartile_s": upper,
        "samples": len(seconds),
    }


def _builder(bench: Bench, given, name: str, batch: int, flaw: str) -> Callable:
    def build():
        torch.manual_seed(0)
        model = given.build().to(bench.device)
        source = endless(given, batch, bench.device, per_image=flaw == "loader")
        return step_of(model, sgd(model), RECIPES[name], source, read_loss=flaw == "item")

    return build


def _bytes(bench: Bench, given, row: dict) -> int:
    return row["peak_bytes"] if bench.device.type == "cuda" else step_bytes(given, row["recipe"], row["batch"])


def accuracy(bench: Bench) -> Iterator[dict]:
    """Accuracy by batch: as many steps for every size ("same iterations"), or as many epochs ("none").

    Three seeds of a small MLP on the digits, SGD with one learning rate; the batches and steps are chosen such that
    they make as many epochs as the published ones, 0.26 to 4.1. Each row has "flaw", "recipe", "batch", "steps",
    "epochs", "seeds", and of the share of test images that is right the "accuracy" (median), "lowest" and "highest".
    """
    data = digits()
    for flaw in ("same iterations", "none"):
        for batch in bench.size((8, 16, 32, 64, 128), (128,)):
            steps = 46 if flaw == "same iterations" else bench.size(20, 1) * (len(data.train_images) // batch)
            for name in _recipes(bench)[:: 2 if bench.device.type == "cuda" else 1]:  # 32-true and a mixed one
                row = {"flaw": flaw, "recipe": name, "batch": batch, "steps": steps}
                row |= {"epochs": steps * batch / len(data.train_images), "seeds": 3}
                yield bench.attempt(row, lambda batch=batch, steps=steps, name=name: _seeds(bench, name, batch, steps))


def _seeds(bench: Bench, recipe: str, batch: int, steps: int) -> dict:
    data = digits()
    test_images, test_labels = data.test_images.to(bench.device), data.test_labels.to(bench.device)
    shares = []
    for seed in range(3):
        torch.manual_seed(seed)
        model = torch.nn.Sequential(torch.nn.Flatten(), MLP(64, 256, 10)).to(bench.device)
        batches = data.batches(batch, steps=steps, seed=seed)
        moved = ((images.to(bench.device), labels.to(bench.device)) for images, labels in batches)
        step = step_of(model, sgd(model), RECIPES[recipe], moved)
        for _ in range(steps):
            step()
        with torch.no_grad():
            shares.append((model(test_images).argmax(1) == test_labels).double().mean().item())
    return {"accuracy": statistics.median(shares), "lowest": min(shares), "highest": max(shares)}


def reported_speedups(
    record: Record, recipe: str = "bf16-mixed", base: str = "32-true"
) -> dict[str, tuple[float, float, float]]:
    """How many times as fast as `base` a recipe is, as each rung of the ladder would report it.

    Args:
        record: of the suite "flaws".
        recipe: a name in `RECIPES`.
        base: another.
    Returns: flaw -> (lower end, reported, upper end), in the order of `FLAWS`. The ends are quartile against quartile,
        the base's lower one over the recipe's upper one and the other way round; the reported ratio can lie outside,
        since a mean does not have to lie between quartiles. A rung that one of the two lacks is left out.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    rows = {(row["flaw"], row["recipe"]): row for row in record.part("ladder")}
    found = {}
    for flaw in FLAWS:
        wide, other = rows.get((flaw, base)), rows.get((flaw, recipe))
        if wide and other:
            found[flaw] = (
                wide["lower_quartile_s"] / other["upper_quartile_s"],
                wide["reported_s"] / other["reported_s"],
                wide["upper_quartile_s"] / other["lower_quartile_s"],
            )
    return found


PARTS = {"rerun": rerun, "ladder": ladder, "accuracy": accuracy}
