"""The one training loop of the book: `run_steps` is the loop itself, `train` prepares it and returns what came out."""

from __future__ import annotations

from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers.device import pick_device
from amp_helpers.precision import get_recipe

from . import checkpoint as checkpoints
from .batches import Source, token_cross_entropy
from .guards import memory_advice
from .session import Session, TrainingRun


def run_steps(s: Session, steps: int) -> None:
    """Train until `steps` steps are done; the lines are PyTorch's own.

    Introduced in: notebooks/11_training_loop.ipynb
    """
    model, optimizer, scaler = s.model, s.optimizer, s.scaler
    batches = s.draw_batches()
    while s.step < steps:
        for _ in range(s.accumulate):
            inputs, targets = next(batches)
            with torch.autocast(s.device.type, s.dtype, enabled=s.mixed):
                loss = s.loss(model(inputs), targets)
            if s.accumulate > 1:
                loss = loss / s.accumulate  # gradients add up: to a mean
            scaler.scale(loss).backward()
            s.keep(loss.detach())  # not read here: that would wait
        if s.clip_norm is not None:
            scaler.unscale_(optimizer)  # the limit is for true gradients
            nn.utils.clip_grad_norm_(model.parameters(), s.clip_norm)
        scaler.step(optimizer)  # skipped if a gradient is inf or NaN
        scaler.update()
        optimizer.zero_grad()
        if s.scheduler is not None and s.stepped():
            s.scheduler.step()
        s.end_step()  # every tenth step: read losses; evaluate, save


def train(
    model,
    data,
    optimizer,
    recipe="32-true",
    *,
    steps,
    batch_size=64,
    device=None,
    loss=F.cross_entropy,
    scheduler=None,
    clip_norm=None,
    accumulate=1,
    seed=0,
    length=None,
    evaluate_every=None,
    checkpoint=None,
    checkpoint_every=10,
    resume=False,
    progress=True,
    grad_scaler=None,
) -> TrainingRun:
    """Train a model in one of the named recipes.

    Seeds `random`, NumPy and torch, moves the model to the device, changes it and the optimizer in place. Losses stay
    on the device and are read every tenth step, so that the GPU need not wait; a loss that is not finite is found then.
    The step is repeated from a copy of the state in the host's memory (made every 500 steps, and with each checkpoint)
    to find the module; the model is left as it was before the bad step.

    Args:
        model: any `nn.Module` that takes one input; the recipe's dtype for weights is applied in place.
        data: an `ImageData` or `TextData`, or an iterable of (input, target) that yields the same each time; a short
            one is repeated, and one that can be drawn only once cannot resume.
        optimizer: of the model's parameters.
        recipe: a name or `Recipe`, as in `precision.get_recipe`.
        steps: optimizer steps in total, those before a resume and skipped ones among them.
        batch_size: of one forward pass; for `ImageData` and `TextData`.
        device: as in `device.pick_device`.
        loss: called with (output, target). For `TextData` the default takes logits (batch, length, vocabulary).
        scheduler: of the learning rate, stepped after each step that the scaler did not skip.
        clip_norm: largest L2 norm of all gradients together; None does not clip.
        accumulate: batches that one step adds up; the loss of a step is their mean.
        seed: 0 to 2**32 - 1, of the order of the data and of everything random in the model.
        length: tokens in a piece of text; None takes `model.config.context`.
        evaluate_every: steps between accuracies on the test part, also measured at the end; None measures none.
        checkpoint: a file to save to every `checkpoint_every` steps and at the end.
        checkpoint_every: steps.
        resume: go on from `checkpoint`, which must have been started with the same data, recipe and settings.
        progress: whether to show a bar on stderr.
        grad_scaler: instead of the default `torch.amp.GradScaler`; only for recipes that scale the loss.
    Returns: a `TrainingRun`.
    Raises: ValueError or TypeError for a mistake in the arguments; `CheckpointError` for a file that cannot be written,
        read or resumed; `NonFiniteLoss` naming step and module; `ScaleCollapse` if the loss scale falls below 1;
        `torch.OutOfMemoryError` saying what to do. What is on disk is whole in each case.
    Exactness: bit for bit the same as the loop written by hand, with the same ops (tests/test_training.py). A resumed
        run equals one that was never interrupted, where the device's kernels are deterministic.
    Introduced in: notebooks/11_training_loop.ipynb
    """
    recipe, device = get_recipe(recipe, levels=False), pick_device(device)
    if loss is F.cross_entropy and hasattr(data, "train_tokens"):
        loss = token_cross_entropy
    s = Session(model, optimizer, recipe, device, loss, scheduler, clip_norm, accumulate, steps, seed, grad_scaler)
    s.schedule(evaluate_every, checkpoint and Path(checkpoint), checkpoint_every, progress)
    if resume and not checkpoint:
        raise ValueError("resume=True needs a checkpoint to go on from")
    s.source = Source(data, batch_size, device, recipe.weights, seed, length, model)
    if evaluate_every:
        s.source.check_testable()
    saved = None
    if checkpoint:
        saved = checkpoints.load(s.path) if resume else None
        checkpoints.check_writable(s.path)
    advice = None
    try:
        s.begin(saved, run_steps)
        with recipe.float32_settings():
            run_steps(s, steps)
        return s.finish()
    except RuntimeError as error:
        advice = memory_advice(error, batch_size, accumulate, recipe)
        if advice is None:
            raise
    finally:
        s.close()
    # Outside of the handler, so that the failed step's frames, and the memory they hold, are gone.
    optimizer.zero_grad()
    raise torch.OutOfMemoryError(advice)
