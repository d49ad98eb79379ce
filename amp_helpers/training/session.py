"""What stands around the loop: counting, reading losses, evaluating, saving."""

from __future__ import annotations

import math
import random
import statistics
import sys
import time
from dataclasses import dataclass, field

import torch
from torch import nn
from torch.optim.lr_scheduler import ReduceLROnPlateau

from . import checkpoint as checkpoints
from .guards import NonFiniteLoss, ScaleCollapse, blame, check_weights

#: Steps between two readings of the losses, each of which waits for the device.
READ_EVERY = 10
#: Steps between two copies of the state, from which a bad step is repeated.
COPY_EVERY = 500


@dataclass
class TrainingRun:
    """What a training run gave.

    Args:
        losses: one per step, those before a resume too.
        accuracy: the last one on the test part, 0 to 1; None if none was measured.
        evaluations: (step, accuracy) pairs.
        step_s: median over readings of the seconds per step, without evaluations and checkpoints; the first reading,
            which includes the warm-up, counts only if it is the only one. None if no step was run.
        skipped: number of steps that the scaler skipped.
        steps: done in total.
    Introduced in: notebooks/11_training_loop.ipynb
    """

    losses: list[float]
    accuracy: float | None
    evaluations: list[tuple[int, float]]
    step_s: float | None
    skipped: int
    steps: int


@dataclass
class Session:
    """The state of one run; `loop.run_steps` reads it and drives it."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    recipe: object
    device: torch.device
    loss: object
    scheduler: object
    clip_norm: float | None
    accumulate: int
    steps: int
    seed: int
    scaler: object
    step: int = 0
    skipped: int = 0
    losses: list[float] = field(default_factory=list)
    evaluations: list[tuple[int, float]] = field(default_factory=list)

    def __post_init__(self):
        _require_whole("steps", self.steps, 0)
        _require_whole("accumulate", self.accumulate, 1)
        _require_whole("seed", self.seed, 0)
        if self.seed >= 2**32:
            raise ValueError(f"seed must be from 0 to 2**32 - 1, not {self.seed}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"clip_norm must be above 0, or None, not {self.clip_norm!r}")
        if not isinstance(self.optimizer, torch.optim.Optimizer):
            raise TypeError(f"optimizer must be a torch.optim.Optimizer, not {type(self.optimizer).__name__}")
        if isinstance(self.scheduler, ReduceLROnPlateau):
            raise TypeError("ReduceLROnPlateau steps on a metric, which this loop does not have")
        if self.scaler is not None and self.scaler.is_enabled() and not self.recipe.scales_loss:
            raise ValueError(f"the recipe {self.recipe.name} scales no loss, so it takes no grad_scaler")
        self.dtype, self.mixed = self.recipe.autocast, self.recipe.autocast is not None
        if self.scaler is None:
            self.scaler = torch.amp.GradScaler(self.device.type, enabled=self.recipe.scales_loss)
        self._unread, self._marks, self._times = [], [], []
        self._ran, self._found_inf, self._repeating, self._bar, self._hook = False, None, False, None, None

    def schedule(self, evaluate_every, path, checkpoint_every, progress):
        """Set when to do what beside the steps."""
        if evaluate_every is not None:
            _require_whole("evaluate_every", evaluate_every, 1)
        _require_whole("checkpoint_every", checkpoint_every, 1)
        self.evaluate_every, self.path, self.save_every = evaluate_every, path, checkpoint_every
        self.progress = progress

    def begin(self, saved: dict | None, loop):
        """Seed, move and convert the model, go on from a checkpoint if there is one; `loop` repeats steps."""
        if saved is not None:
            checkpoints.check_same_run(self.path, saved["run"], self.identity())
            if saved["step"] > self.steps:
                raise ValueError(f"{self.path} is at step {saved['step']} already, beyond the {self.steps} asked for")
        random.seed(self.seed)
        if "numpy" in sys.modules:
            sys.modules["numpy"].random.seed(self.seed)
        torch.manual_seed(self.seed)
        self.recipe.convert(self.model.to(self.device)).train()
        self.optimizer.zero_grad()
        if saved is not None:
            checkpoints.restore(self, saved, self.path)
        self._loop = loop
        self._copy = checkpoints.capture(self) if self.step < self.steps else None
        self._hook = self.optimizer.register_step_post_hook(self._note_step)
        if self.progress:
            from tqdm import tqdm

            self._bar = tqdm(total=self.steps, initial=self.step, desc=self.recipe.name, unit="step")
        self._clock, self._clock_step = time.perf_counter(), self.step

    def identity(self) -> dict:
        """What must be the same for a run to go on, in plain values."""
        optimizer = f"{type(self.optimizer).__name__}(lr={float(self.optimizer.defaults.get('lr', 0)):g})"
        return {
            "recipe": self.recipe.name,
            "data": self.source.identity,
            "batch_size": self.source.batch_size,
            "accumulate": self.accumulate,
            "clip_norm": self.clip_norm,
            "seed": self.seed,
            "optimizer": optimizer,
            "scheduler": self.scheduler and type(self.scheduler).__name__,
        }

    # --- what the loop calls ----------------------------------------------------------------------------

    def draw_batches(self):
        """Batches on the device, from the session's place in the data on."""
        return self.source.draw(self.step * self.accumulate)

    def keep(self, loss):
        """Keep a loss on the device."""
        self._unread.append(loss)

    def stepped(self) -> bool:
        """Whether the optimizer changed the weights in this step; asks the device only for a fused optimizer."""
        return self._ran and (self._found_inf is None or not self._found_inf.item())

    def end_step(self):
        """Count the step; read, evaluate and save where it is time."""
        self.step += 1
        self._marks.append(self._found_inf if self._ran and self._found_inf is not None else not self._ran)
        self._ran, self._found_inf = False, None
        if self._repeating:
            return
        if self._bar is not None:
            self._bar.update()
        end = self.step == self.steps
        evaluate = self.evaluate_every and (end or self.step % self.evaluate_every == 0)
        save = self.path and (end or self.step % self.save_every == 0)
        copy = not end and self.step % COPY_EVERY == 0
        if not (evaluate or save or copy or end or self.step % READ_EVERY == 0):
            return
        self._read()
        if evaluate:
            self.evaluations.append((self.step, self.evaluate()))
        if save or copy:
            check_weights(self.model, self.step)  # nothing spoilt is saved
            self._copy = checkpoints.capture(self)
        if save:
            checkpoints.save(self._copy, self.path)
        self._clock, self._clock_step = time.perf_counter(), self.step

    def _note_step(self, optimizer, arguments, keywords):
        # A fused optimizer is called even if a gradient is inf, and decides on the device: `found_inf` is that.
        self._ran, self._found_inf = True, getattr(optimizer, "found_inf", None)

    # --- reading ----------------------------------------------------------------------------------------

    def _read(self):
        first = self.step - len(self._unread) // self.accumulate
        parts = torch.stack(self._unread).tolist()
        self._times.append((time.perf_counter() - self._clock) / (self.step - self._clock_step))
        marks = [bool(mark) for mark in self._marks]
        self._unread, self._marks = [], []
        losses = [sum(parts[i : i + self.accumulate]) for i in range(0, len(parts), self.accumulate)]
        for place, loss in enumerate(losses):
            if not math.isfinite(loss):
                self._find(first + place, loss)
        self.losses += losses
        self.skipped += sum(marks)
        if self._bar is not None:
            self._bar.set_postfix(loss=f"{losses[-1]:.4g}", refresh=False)
        if self.scaler.is_enabled() and marks[-1] and self.scaler.get_scale() < 1:
            raise ScaleCollapse(
                f"step {self.step}: the loss scale fell to {self.scaler.get_scale():.3g} and steps are still skipped "
                f"({self.skipped} so far); gradients that are inf or NaN below a scale of 1 are so without scaling "
                'too: look for what makes them, or use "bf16-mixed", whose range is that of float32'
            )

    def _find(self, bad: int, value: float):
        """Go back to before the bad step (counted from 0) and raise the error that names the module."""
        if not self.source.repeatable:
            raise NonFiniteLoss(
                f"the loss of step {bad + 1} is {value}; the data can be drawn only once, so the step cannot be "
                "repeated to find the module: pass a list of batches or a DataLoader",
                bad + 1,
            )
        self._repeating = True
        checkpoints.restore(self, self._copy, None)
        self._loop(self, bad)
        batches = self.draw_batches()
        batches = [next(batches) for _ in range(self.accumulate)]
        self._unread, self._marks = [], []
        raise blame(self.model, batches, bad + 1, value, lambda: self.recipe.autocast_context(self.device.type))

    # --- evaluating and ending --------------------------------------------------------------------------

    def evaluate(self) -> float:
        """The share of right answers on the test part; `TextData`: of next tokens."""
        right = total = 0
        self.model.eval()
        with torch.no_grad():
            for inputs, targets in self.source.test():
                with self.recipe.autocast_context(self.device.type):
                    output = self.model(inputs)
                right += (output.argmax(-1) == targets).sum()
                total += targets.numel()
        self.model.train()
        return int(right) / total

    def finish(self) -> TrainingRun:
        """What came out."""
        check_weights(self.model, self.step)
        times = self._times[1:] or self._times
        return TrainingRun(
            losses=self.losses,
            accuracy=self.evaluations[-1][1] if self.evaluations else None,
            evaluations=self.evaluations,
            step_s=statistics.median(times) if times else None,
            skipped=self.skipped,
            steps=self.step,
        )

    def close(self):
        """Take everything off the optimizer and the screen."""
        if self._hook is not None:
            self._hook.remove()
        if self._bar is not None:
            self._bar.close()


def _require_whole(name, value, low):
    if isinstance(value, bool) or not isinstance(value, int) or value < low:
        raise ValueError(f"{name} must be a whole number of {low} or more, not {value!r}")
