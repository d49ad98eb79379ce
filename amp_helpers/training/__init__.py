"""The book's training loop, its checkpoints and its guards: `train(model, data, optimizer, recipe, steps=...)`."""

from .batches import token_cross_entropy
from .checkpoint import CheckpointError
from .compiling import compiled
from .guards import NonFiniteLoss, ScaleCollapse, first_bad_module
from .loop import run_steps, train
from .session import Session, TrainingRun

__all__ = [
    "CheckpointError",
    "NonFiniteLoss",
    "ScaleCollapse",
    "Session",
    "TrainingRun",
    "compiled",
    "first_bad_module",
    "run_steps",
    "token_cross_entropy",
    "train",
]
