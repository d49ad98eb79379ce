"""What a watched training loop does wrong: the detectors behind `audit_steps`."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path

import torch

from .casts import CastWatch
from .findings import Report
from .ledger import PLAIN, Ledger, parameters_of, walk

OURS = (str(Path(torch.__file__).parent), str(Path(__file__).parent))


@dataclass
class Scaler:
    """What an enabled GradScaler has done since its last update, by id of the optimizer."""

    scaler: object
    updates: int = 0
    used: bool = False
    inside: bool = False
    stepped: set[int] = field(default_factory=set)
    unscaled: set[int] = field(default_factory=set)

    @property
    def source(self) -> tuple[int, int]:
        """Names the gradients that this scaler scales now."""
        return id(self.scaler), self.updates


class LoopObserver:
    """Hears what `watch` sees and writes findings into `report`, one per code."""

    def __init__(self, report: Report):
        self.report = report
        self.casts: CastWatch | None = None
        self.ledger = Ledger()
        self.scalers: dict[int, Scaler] = {}
        self.marks: dict[int, tuple] = {}
        self.call = 0
        self.steps = 0
        self.source = PLAIN
        self.backwards = 0
        self.stepping: list = []
        self.refused: BaseException | None = None

    def found(self, code: str, what: str, where: str | None = None) -> None:
        """Add a finding at the user's line; the first of each code is enough."""
        if code not in self.report.codes:
            self.report.add(code, where or self.here(), what)

    def here(self) -> str:
        """The line outside torch and this package that is running, and the call of the step."""
        frame = sys._getframe(1)
        while frame is not None and frame.f_code.co_filename.startswith(OURS):
            frame = frame.f_back
        return f"call {self.call}" if frame is None else f"{_line(frame)}, call {self.call}"

    # --- casts --------------------------------------------------------------------------------------

    def stale_read(self, cast) -> None:
        """An op read a cast that is older than its weight."""
        if self.backwards:
            return
        dtype = cast.copy.dtype
        weight = cast.weight.detach()
        gap = (cast.copy.detach().float() - weight.to(dtype).float()).abs().max().item()
        self.found(
            "stale-casts",
            f"the forward pass read a {_name(dtype)} copy of the weight of shape {tuple(weight.shape)} that was made "
            f"before the last optimizer step; copy and weight differ by up to {gap:.3g}",
        )

    def call_ends(self) -> None:
        """One call of the step has returned."""
        if old := self.casts.stale():
            self.found(
                "stale-casts",
                f"the step returned inside an open autocast region that still holds the old {_name(old[0].copy.dtype)} "
                f"copies of {_count(len(old), 'weight')}",
                f"call {self.call}",
            )

    # --- backward -----------------------------------------------------------------------------------

    def backward_begins(self, tensors, inputs) -> None:
        """Before gradients are added."""
        self.backwards += 1
        nodes, leaves = walk(tensors, inputs)
        # A nested pass (reentrant checkpointing) goes on with the gradients of the outer one.
        if self.backwards == 1:
            keys = {self.marks[id(node)][1] for node in nodes if id(node) in self.marks}
            self.source = self.scalers[keys.pop()].source if keys else PLAIN
            if self.source != PLAIN:
                self.scalers[self.source[0]].used = True
            device = next((leaf.device.type for leaf in leaves), "cpu")
            if torch.is_autocast_enabled(device):
                dtype = _name(torch.get_autocast_dtype(device))
                self.found("backward-under-autocast", f"backward() ran while autocast to {dtype} was enabled")
        for leaf in leaves:
            self.ledger.arrives(leaf, self.source)

    def backward_ends(self) -> None:
        """After gradients were added, or the backward pass failed."""
        self.backwards -= 1

    # --- clipping -----------------------------------------------------------------------------------

    def clipped(self, parameters) -> None:
        """Gradients of these parameters are clipped by their norm."""
        self._clip(self.ledger.of(parameters), "norm")

    def clamped(self, tensors) -> None:
        """These tensors are clamped in place."""
        if self.scalers:
            self._clip(self.ledger.at(tensors), "value")

    def _clip(self, gradients, how: str) -> None:
        if scaled := [gradient for gradient in gradients if gradient.scaled]:
            what = f"the gradients of {_count(len(scaled), 'parameter')} were clipped by {how} while still scaled"
            self.found("clip-before-unscale", what)

    # --- optimizer ----------------------------------------------------------------------------------

    def step_begins(self, optimizer, args, kwargs) -> None:
        """Before optimizer.step()."""
        self.stepping.append(optimizer)
        if len(self.stepping) > 1:
            return
        parameters = parameters_of(optimizer)
        closure = any(callable(value) for value in [*args[1:], *kwargs.values()])
        if all(p.grad is None for p in parameters) and not closure:
            self.found("no-gradients", f"every .grad of {_name(optimizer)} was None when it stepped")
        waiting = self.ledger.of(parameters)
        if not any(state.inside for state in self.scalers.values()):
            if any(gradient.scaled for gradient in waiting):
                what = "stepped by itself on gradients that were still multiplied by the loss scale"
                self.found("bypassed-scaler", f"{_name(optimizer)} {what}")
            elif any(gradient.sources != {PLAIN} for gradient in waiting):
                what = "stepped by itself after unscale_(), so no check for inf and NaN came between"
                self.found("bypassed-scaler", f"{_name(optimizer)} {what}")

    def step_ends(self, optimizer, args, kwargs) -> None:
        """After optimizer.step()."""
        self.stepping.pop()
        if not self.stepping:
            self.steps += 1
            self._finish(optimizer)
            self.casts.stepped(p for p in parameters_of(optimizer) if p.grad is not None)

    def _finish(self, optimizer) -> None:
        """A step has used the gradients, or the scaler has skipped it."""
        waiting = self.ledger.of(parameters_of(optimizer))
        if carried := [gradient for gradient in waiting if gradient.carried]:
            self.found(
                "missing-zero-grad",
                f"{_name(optimizer)} stepped on {_count(len(carried), 'gradient')} that still held "
                "those of the step before",
            )
        for gradient in waiting:
            gradient.stepped = True

    # --- scaler -------------------------------------------------------------------------------------

    def scaler_call(self, name: str, method, scaler, args, kwargs):
        """Stand in for a method of a GradScaler."""
        state = self.scalers.get(id(scaler))
        if not scaler.is_enabled() or (state is not None and state.inside):
            return method(*args, **kwargs)
        state = self.scalers.setdefault(id(scaler), Scaler(scaler))
        optimizer = args[0] if args else kwargs.get("optimizer")
        if name in ("step", "unscale_") and isinstance(optimizer, torch.optim.Optimizer):
            self._before_unscale(state, optimizer)
        state.inside = True
        try:
            result = method(*args, **kwargs)
        except (RuntimeError, AssertionError, ValueError) as error:
            if code := self._why(name, state, optimizer, error):
                self.found(code, f"torch stopped scaler.{name}(): {error}")
                self.refused = error
            raise
        finally:
            state.inside = False
        self._after(name, state, optimizer, result)
        return result

    def _before_unscale(self, state: Scaler, optimizer) -> None:
        if {id(optimizer)} & (state.unscaled | state.stepped):
            return
        # A gradient carried over from the last step has mixed sources too; the missing zero_grad is the cause.
        waiting = [gradient for gradient in self.ledger.of(parameters_of(optimizer)) if not gradient.carried]
        if plain := [gradient for gradient in waiting if gradient.sources == {PLAIN}]:
            what = f"{_count(len(plain), 'gradient')} of {_name(optimizer)} came from a loss that was not scaled"
            self.found("unscaled-backward", what)
        elif mixed := [gradient for gradient in waiting if gradient.mixed or len(gradient.sources) > 1]:
            what = "were added up under different scales, or after an unscale_()"
            self.found("mixed-scales", f"{_count(len(mixed), 'gradient')} of {_name(optimizer)} {what}")

    def _after(self, name: str, state: Scaler, optimizer, result) -> None:
        if name == "scale":
            for tensor in result if isinstance(result, (list, tuple)) else [result]:
                if isinstance(tensor, torch.Tensor) and tensor.grad_fn is not None:
                    self.marks[id(tensor.grad_fn)] = (tensor.grad_fn, id(state.scaler))
        elif name == "update":
            state.updates += 1
            state.stepped.clear()
            state.unscaled.clear()
            self.marks = {key: mark for key, mark in self.marks.items() if mark[1] != id(state.scaler)}
        else:
            state.unscaled.add(id(optimizer))
            for gradient in self.ledger.of(parameters_of(optimizer)):
                gradient.unscaled = True
            if name == "step":
                state.stepped.add(id(optimizer))
                self.steps += 1
                if self.ledger.of(parameters_of(optimizer)):
                    self._finish(optimizer)

    def _why(self, name: str, state: Scaler, optimizer, error) -> str | None:
        """The fault behind an error of the scaler; None if it is not one of ours."""
        if name in ("step", "unscale_") and id(optimizer) in state.stepped:
            return "missing-update"
        if name == "unscale_" and id(optimizer) in state.unscaled:
            return "repeated-unscale"
        if "FP16 gradients" in str(error):
            return "float16-parameters"
        if name == "update" and not state.stepped and not state.unscaled and self.steps:
            return "bypassed-scaler" if self.marks or state.used else "unscaled-backward"
        if "_scale is None" in str(error):
            return "unscaled-backward"
        if "No inf checks" in str(error) and name == "step":
            return "no-gradients"
        return None

    # --- the end ------------------------------------------------------------------------------------

    def loop_ends(self) -> None:
        """Every call has returned, or one was refused."""
        used = [state for state in self.scalers.values() if state.used]
        end = f"call {self.call}"
        if any(state.stepped and not state.updates for state in used):
            self.found("missing-update", "the step returned after scaler.step() without scaler.update()", end)
        if used and self.casts.dtypes == {torch.bfloat16}:
            self.found("scaler-with-bfloat16", "an enabled GradScaler scaled a loss computed in bfloat16", end)
        if torch.float16 in self.casts.dtypes and self.steps and not self.scalers:
            self.found("float16-without-scaler", "autocast to float16 trained without an enabled GradScaler", end)


def _line(frame) -> str:
    path = frame.f_code.co_filename
    function = "" if frame.f_code.co_name.startswith("<") else f" in {frame.f_code.co_name}()"
    # A notebook's cell is a file of its own with a random name.
    cell = path.startswith("<") or "ipykernel" in path
    return f"line {frame.f_lineno}{function}" if cell else f"{Path(path).name}:{frame.f_lineno}{function}"


def _name(value) -> str:
    return str(value).removeprefix("torch.") if isinstance(value, torch.dtype) else type(value).__name__


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
