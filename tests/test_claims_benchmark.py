"""The published results: complete, equal to what chapter 12 shows, and decisive."""

import ast
from pathlib import Path

import nbformat
import pytest

from amp_helpers.claims import benchmark, published
from amp_helpers.claims.published import PublishedResults, published_results

CHAPTER = Path(__file__).parents[1] / "notebooks" / "12_precision_benchmark.ipynb"


def chapter_lists():
    """The dictionaries of lists that chapter 12 writes out."""
    found = {}
    for cell in nbformat.read(CHAPTER, as_version=4).cells:
        if cell.cell_type == "code" and any(name in cell.source for name in ("seconds = {", "time_runs = {")):
            for node in ast.parse(cell.source).body:
                if isinstance(node, ast.Assign) and isinstance(node.value, (ast.Dict, ast.List)):
                    found[node.targets[0].id] = ast.literal_eval(node.value)
    return found


def test_every_quantity_has_every_method_and_batch():
    results = published_results()
    assert results.mean.keys() == results.std.keys() == {"time_s", "memory_mib", "accuracy"}
    for table in (*results.mean.values(), *results.std.values(), results.loading_share):
        assert list(table) == results.methods
        assert all(len(values) == len(results.batches) for values in table.values())
    for table in results.runs.values():
        assert all(len(values) == 5 for values in table.values())


def test_single_runs_have_the_published_means():
    results = published_results()
    for quantity, table in results.runs.items():
        for method, values in table.items():
            assert sum(values) / 5 == pytest.approx(results.mean[quantity][method][0], abs=0.01)
            mean = sum(values) / 5
            spread = (sum((value - mean) ** 2 for value in values) / 5) ** 0.5
            assert spread == pytest.approx(results.std[quantity][method][0], abs=0.01)


def test_chapter_12_has_the_same_numbers():
    results, lists = published_results(), chapter_lists()
    assert lists["seconds"] == results.mean["time_s"]
    assert lists["mib"] == results.mean["memory_mib"]
    assert lists["time_runs"] == results.runs["time_s"]
    assert lists["amp_mib"] == results.runs["memory_mib"]["amp"]


def test_ratios_and_epochs():
    results = published_results()
    assert results.ratio("time_s", "FP32") == [1] * 5
    assert results.ratio("memory_mib", "amp")[0] == pytest.approx(2484.6 / 1836.6)
    assert results.epochs()[:3] == [0.256, 0.512, 1.024]
    with pytest.raises(ValueError, match="unknown quantity 'time'; choose from time_s, memory_mib, accuracy"):
        results.ratio("time", "amp")
    with pytest.raises(ValueError, match="unknown method 'AMP'; choose from FP32, FP16, amp"):
        results.ratio("time_s", "AMP")


#: Claim -> results that would have made it true.
KINDER = {
    "50": {"mean": {"memory_mib": {"FP32": [3.0], "FP16": [2.0], "amp": [1.0]}}},
    "51": {"mean": {"accuracy": {"FP32": [60.0], "FP16": [60.5], "amp": [61.0]}}},
    "52": {"mean": {"time_s": {"FP32": [4.0], "FP16": [3.0], "amp": [3.5]}}},
    "53": {
        "mean": {"time_s": {"FP32": [4.0], "FP16": [3.9], "amp": [4.0]}},
        "loading_share": {"FP32": [0.1], "FP16": [0.2], "amp": [0.1]},
    },
}


@pytest.mark.parametrize("id, change", KINDER.items(), ids=KINDER)
def test_the_numbers_decide(monkeypatch, id, change):
    spread = {"FP32": [0.1], "FP16": [0.1], "amp": [0.1]}
    kinder = vars(published_results()) | {"batches": [128], "std": {"accuracy": spread, "time_s": spread}} | change
    assert benchmark.EVIDENCE[id]().verdict == ("false",)
    monkeypatch.setattr(benchmark, "published_results", lambda: PublishedResults(**kinder))
    assert benchmark.EVIDENCE[id]().verdict == ("true",)


def test_the_file_stands_beside_the_module():
    assert published.FILE.parent == Path(published.__file__).parent and published.FILE.is_file()
