"""Bytes of one training step by kind and by module: predicted on fake tensors, and measured on a real run."""

from .breakdown import KINDS, Breakdown
from .predict import OPTIMIZERS, measure_memory, predict_memory

__all__ = ["KINDS", "OPTIMIZERS", "Breakdown", "measure_memory", "predict_memory"]
