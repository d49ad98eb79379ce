"""The published results of a benchmark of Apex, as data: chapter 20 and the claims about it read them."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path

from amp_helpers.formats import check_choice

FILE = Path(__file__).with_suffix(".toml")


@dataclass(frozen=True)
class PublishedResults:
    """Means and standard deviations over five runs, by quantity, method and batch.

    The quantities are "time_s" (100 training steps), "memory_mib" (from nvidia-smi) and "accuracy" (percent of the
    test images); the methods "FP32", "FP16" and "amp".

    Args:
        batches: images in a batch, five sizes; every list below that is not of runs has one value for each.
        mean: quantity -> method -> list.
        std: the same; of the five runs themselves, not an estimate for more of them.
        runs: the five runs at batch 128 in their order, quantity -> method -> list; "time_s" and "memory_mib" of "FP32"
            and "amp" only.
        loading_share: method -> share of the training time that loading the images and a forward pass alone take.
        steps: of each run.
        training_images: in one epoch.
        source: key of the bibliography.
    Introduced in: notebooks/20_claims_tested.ipynb
    """

    batches: list[int]
    methods: list[str]
    mean: dict[str, dict[str, list[float]]]
    std: dict[str, dict[str, list[float]]]
    runs: dict[str, dict[str, list[float]]]
    loading_share: dict[str, list[float]]
    steps: int
    training_images: int
    source: str

    def ratio(self, quantity: str, method: str) -> list[float]:
        """A method's mean over FP32's, for each batch.

        Args:
            quantity: a key of `mean`.
            method: one of `methods`.
        Raises: ValueError naming what is unknown, and the choices.
        """
        check_choice("quantity", quantity, self.mean)
        check_choice("method", method, self.methods)
        pairs = zip(self.mean[quantity][method], self.mean[quantity]["FP32"], strict=True)
        return [value / base for value, base in pairs]

    def epochs(self) -> list[float]:
        """How often each run saw the training images, for each batch."""
        return [self.steps * batch / self.training_images for batch in self.batches]


def published_results() -> PublishedResults:
    """The results of FP32, FP16 and Apex's AMP on a Titan RTX, as their author published them.

    Source: `amp/pytorch-apex-experiment` in MLWhiz/data_science_blogs, commit f280c11, all 15 files of `result/RTX`.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    return PublishedResults(**tomllib.loads(FILE.read_text(encoding="utf8")))
