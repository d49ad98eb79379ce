"""Checkpoints: all that a run needs to go on bit for bit, as plain tensors and containers, written atomically."""

from __future__ import annotations

import os
import pickle
import random
import sys
import warnings
from pathlib import Path

import torch
from torch import Tensor

FORMAT = "amp_helpers.training checkpoint 1"
KEYS = ("format", "run", "step", "skipped", "losses", "evaluations", "model", "optimizer", "scheduler", "scaler", "rng")


class CheckpointError(ValueError):
    """A checkpoint cannot be written, read or gone on from.

    Introduced in: notebooks/11_training_loop.ipynb
    """


def capture(session) -> dict:
    """A copy of a session's whole state in the host's memory; waits for the device."""
    state = {
        "format": FORMAT,
        "run": session.identity(),
        "step": session.step,
        "skipped": session.skipped,
        "losses": torch.tensor(session.losses, dtype=torch.float64),
        "evaluations": session.evaluations,
        "model": session.model.state_dict(),
        "optimizer": session.optimizer.state_dict(),
        "scheduler": session.scheduler.state_dict() if session.scheduler is not None else None,
        "scaler": session.scaler.state_dict(),
        "rng": random_state(session.device),
    }
    return plain(state, "checkpoint", {})


def restore(session, state: dict, path: Path | None):
    """Bring a session to a captured state. Nothing is changed if the model is not the checkpoint's."""
    mine = {name: (tuple(value.shape), value.dtype) for name, value in tensors(session.model.state_dict())}
    theirs = {name: (tuple(value.shape), value.dtype) for name, value in tensors(state["model"])}
    if mine != theirs:
        name = sorted(set(mine.items()) ^ set(theirs.items()), key=str)[0][0]
        raise CheckpointError(
            f"{path} holds another model: {name} is {_kind(theirs.get(name))} there and {_kind(mine.get(name))} here"
        )
    # Loading may keep the tensors it is given, and steps would then change the copy.
    state = plain(state, "checkpoint", {})
    try:
        session.optimizer.load_state_dict(state["optimizer"])
        session.model.load_state_dict(state["model"])
        if session.scheduler is not None:
            session.scheduler.load_state_dict(state["scheduler"])
        if session.scaler.is_enabled():
            session.scaler.load_state_dict(state["scaler"])
        set_random_state(state["rng"], session.device)
        session.step, session.skipped = state["step"], state["skipped"]
        session.losses, session.evaluations = state["losses"].tolist(), [tuple(pair) for pair in state["evaluations"]]
    except (AttributeError, IndexError, KeyError, RuntimeError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path} does not fit this run: {_line(error)}") from error


def save(state: dict, path: Path):
    """Write a captured state: a file beside `path` first, which then takes its place at once.

    Whoever reads `path` finds the old checkpoint or the new one, also if the process is killed between.

    Raises: CheckpointError if it cannot be written; the old checkpoint is still there.
    """
    partial = partial_path(path)
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise CheckpointError(f"cannot write the checkpoint {path}: {_line(error)}") from error


def load(path: Path) -> dict:
    """Read a checkpoint; nothing in it is executed.

    Raises: CheckpointError if there is none, or for any other file.
    """
    if not path.is_file():
        raise CheckpointError(f"there is no checkpoint {path} to resume from")
    try:
        with warnings.catch_warnings(action="ignore"):  # about other pickles
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError:  # whose text says how to load it all the same
        why = "it holds more than tensors and plain values, such as code, or something else than a pickle"
        raise CheckpointError(f"{path} is no checkpoint of amp_helpers.training and was not loaded: {why}") from None
    except Exception as error:  # what a foreign file raises depends on its bytes
        why = f"it is damaged or of another kind ({_line(error)})"
        raise CheckpointError(f"{path} is no checkpoint of amp_helpers.training and was not loaded: {why}") from None
    if not isinstance(state, dict) or state.get("format") != FORMAT:
        raise CheckpointError(f"{path} is no checkpoint of amp_helpers.training (no {FORMAT!r} in it)")
    kinds = {"run": dict, "step": int, "skipped": int, "losses": Tensor, "evaluations": list, "model": dict}
    kinds |= {"optimizer": dict, "scaler": dict, "rng": dict}
    wrong = [key for key in KEYS if key not in state or not isinstance(state[key], kinds.get(key, object))]
    if wrong or state["step"] < 0:
        raise CheckpointError(f"{path} is no whole checkpoint of amp_helpers.training: {', '.join(wrong) or 'step'}")
    return state


def check_writable(path: Path):
    """Find out before the training whether a checkpoint can be written.

    Raises: CheckpointError if not.
    """
    if path.is_dir():
        raise CheckpointError(f"cannot write the checkpoint {path}: it is a folder")
    partial = partial_path(path)
    try:
        with partial.open("wb"):
            pass
        partial.unlink()
    except OSError as error:
        raise CheckpointError(f"cannot write the checkpoint {path}: {error.strerror or error}") from error


def check_same_run(path: Path, saved: dict, wanted: dict):
    """Compare what a checkpoint was started with to what is asked for now.

    Raises: CheckpointError naming both for the first difference.
    """
    saved, wanted = _flat(saved), _flat(plain(wanted, "run", {}))
    for name, value in wanted.items():
        if saved.get(name) != value:
            raise CheckpointError(
                f"{path} was started with {name} {saved.get(name)!r} and cannot go on with {name} {value!r}"
            )


def partial_path(path: Path) -> Path:
    """Where a checkpoint is written before it takes its place; one that a killed process left is written over."""
    return path.with_name(f".{path.name}.partial")


def plain(value, where: str, copies: dict):
    """The same value of new containers, numbers, strings and CPU tensors only: what `weights_only=True` can load.

    Equal states become equal bytes: pickle writes an object that occurs twice as a reference, so none may.

    Raises: CheckpointError naming the place of anything else.
    """
    if isinstance(value, Tensor):
        value = value.detach()
        key = (value.device, value.data_ptr(), value.dtype, tuple(value.shape), value.stride())
        if key not in copies:  # tied weights stay one
            copies[key] = value.to("cpu", copy=True)
        return copies[key]
    if value is None or type(value) in (bool, int, float):
        return value
    if isinstance(value, str):
        return sys.intern(str(value))
    if isinstance(value, dict):
        new = {plain(key, where, copies): plain(item, f"{where}[{key!r}]", copies) for key, item in value.items()}
        return new if type(value).__name__ != "Counter" else type(value)(new)
    if isinstance(value, list | tuple):
        kind = list if isinstance(value, list) else tuple
        return kind([plain(item, f"{where}[{place}]", copies) for place, item in enumerate(value)])
    if hasattr(value, "item") and getattr(value, "shape", None) == ():  # a NumPy number
        return value.item()
    raise CheckpointError(f"{where} is a {type(value).__name__}, which a checkpoint does not hold")


def random_state(device: torch.device) -> dict:
    """The state of every generator that a model may draw from."""
    version, numbers, gauss = random.getstate()
    state = {"python": [version, torch.tensor(numbers), gauss], "torch": torch.get_rng_state()}
    if "numpy" in sys.modules:
        kind, keys, *rest = sys.modules["numpy"].random.get_state()
        state["numpy"] = [kind, torch.from_numpy(keys.astype("int64")), *rest]
    if device.type != "cpu":
        state[device.type] = torch.get_device_module(device).get_rng_state()
    return state


def set_random_state(state: dict, device: torch.device):
    """Put every generator back."""
    version, numbers, gauss = state["python"]
    random.setstate((version, tuple(numbers.tolist()), gauss))
    torch.set_rng_state(state["torch"])
    if "numpy" in state and "numpy" in sys.modules:
        kind, keys, *rest = state["numpy"]
        sys.modules["numpy"].random.set_state((kind, keys.numpy().astype("uint32"), *rest))
    if device.type in state:
        torch.get_device_module(device).set_rng_state(state[device.type])


def tensors(state: dict):
    """(name, tensor) pairs of a state dict; extra state that is no tensor is left out."""
    return [(name, value) for name, value in state.items() if isinstance(value, Tensor)]


def _sync_folder(folder: Path):
    if os.name != "posix":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _kind(value) -> str:
    return "missing" if value is None else f"{str(value[1]).removeprefix('torch.')} of shape {value[0]}"


def _flat(run: dict) -> dict:
    return {key: value for key, value in run.items() if key != "data"} | dict(run.get("data", {}))


def _line(error: Exception) -> str:
    text = str(error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0]}" if text else type(error).__name__
