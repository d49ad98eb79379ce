"""Evidence on a published benchmark: what its own results say about its text."""

from __future__ import annotations

from .evidence import Evidence, holds
from .published import published_results

#: Means of accuracy that lie closer than this, in percentage points, count as "about the same".
SAME_ACCURACY = 2.0
#: Of the training time: what takes more than half of it sets the pace.
MOST = 0.5


def memory_falls() -> Evidence:
    """50: the published memory, method by method."""
    results = published_results()
    by_batch = list(zip(*(results.mean["memory_mib"][method] for method in results.methods), strict=True))
    more = sum(amp > fp16 for _, fp16, amp in by_batch)
    return holds(
        f"AMP's memory is {_numbers(results.ratio('memory_mib', 'amp'))} times FP32's at batches {_sizes(results)}, "
        f"and more than FP16's at {more} of {len(by_batch)}.",
        *(fp32 > fp16 > amp for fp32, fp16, amp in by_batch),
    )


def accuracy_same() -> Evidence:
    """51: how far the published accuracies are apart."""
    results = published_results()
    means, stds = results.mean["accuracy"], results.std["accuracy"]
    spans = [max(values) - min(values) for values in zip(*means.values(), strict=True)]
    first = " / ".join(f"{means[method][0]:.1f} ± {stds[method][0]:.1f}" for method in results.methods)
    return holds(
        f"At batch {results.batches[0]}, after {results.epochs()[0]:.2f} epochs: {first} % "
        f"({', '.join(results.methods)}). Best and worst mean are {_numbers(spans, 1)} points apart at batches "
        f"{_sizes(results)}.",
        *(span < SAME_ACCURACY for span in spans),
    )


def time_falls() -> Evidence:
    """52: what AMP saves, against the spread of the runs."""
    results = published_results()
    means, stds = results.mean["time_s"], results.std["time_s"]
    saved = [fp32 - amp for fp32, amp in zip(means["FP32"], means["amp"], strict=True)]
    clear = [gain > spread for gain, spread in zip(saved, stds["FP32"], strict=True)]
    faster = [1 / ratio for ratio in results.ratio("time_s", "amp")]
    return holds(
        f"AMP is {_numbers(faster)} times as fast as FP32 at batches {_sizes(results)}; at {sum(clear)} of "
        f"{len(clear)} it saves more than the standard deviation of FP32's five runs.",
        *clear,
    )


def too_simple() -> Evidence:
    """53: where the published time went, and what FP16 gained on the same data and model."""
    results = published_results()
    shares = [share for shares in results.loading_share.values() for share in shares]
    gains = [1 / ratio for ratio in results.ratio("time_s", "FP16")]
    return holds(
        f"Loading the images and a forward pass alone take {min(shares):.0%} to {max(shares):.0%} of the training "
        f"time; on the same data and model FP16 is {_numbers(gains)} times as fast as FP32.",
        min(shares) < MOST,
        max(gains) < 1.1,
    )


def _numbers(values: list[float], digits: int = 2) -> str:
    *head, last = (f"{value:.{digits}f}" for value in values)
    return f"{', '.join(head)} and {last}"


def _sizes(results) -> str:
    return f"{results.batches[0]} to {results.batches[-1]}"


EVIDENCE = {"50": memory_falls, "51": accuracy_same, "52": time_falls, "53": too_simple}
