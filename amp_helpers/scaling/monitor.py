"""Watch a scaler while it works, and stop it before it hurts the weights."""

from __future__ import annotations

import functools
import math
import warnings
import weakref

from .history import ScaleHistory, float32, next_scale


class ScalerWarning(UserWarning):
    """A scale below the floor, or too many skipped steps in a row.

    Introduced in: notebooks/10_gradscaler_in_practice.ipynb
    """


class ScalerError(RuntimeError):
    """What `ScalerMonitor(on="raise")` raises instead of a `ScalerWarning`.

    Introduced in: notebooks/10_gradscaler_in_practice.ipynb
    """


class ScalerMonitor:
    """Watch a `torch.amp.GradScaler` or a `LossScaler`; its results stay the same bit for bit.

    It says once per incident that the scale fell below `floor`, or that `max_skipped` iterations in a row were bad.
    An incident ends when the scale is back, or at the next good iteration. Independently of both, it never lets a
    step pass unnoticed for which 1/scale is infinite: that step would write infinities or NaN into the weights.

    Use it as a context manager, or call `attach()` and `detach()`. While attached it stands before `step`, `unscale_`,
    `update` and `load_state_dict` of this one scaler; save `scaler.state_dict()`, not the attached scaler itself.
    On a GPU it adds no wait for optimizers that are not fused (`step` has waited anyway), one wait per step for fused
    ones, and one for `update(tensor)`. It follows the scale with `next_scale` instead of reading it.

    Args:
        scaler: the scaler, enabled or not; a disabled one has no history.
        floor: the smallest scale that is in order.
        max_skipped: this many bad iterations in a row are reported.
        on: "warn" for a `ScalerWarning`, "raise" for a `ScalerError`. `update` raises when the scaler has finished its
            work; `unscale_` and `step` raise before they touch anything.
    Raises: TypeError if `scaler` is no gradient scaler, ValueError for a wrong `floor`, `max_skipped` or `on`.
    Exactness: with and without a monitor, weights and state are equal bit for bit in tests/test_scaler_monitor.py.
    Introduced in: notebooks/10_gradscaler_in_practice.ipynb
    """

    def __init__(self, scaler, floor: float = 1.0, max_skipped: int = 10, on: str = "warn"):
        missing = [name for name in (*WATCHED, "state_dict", "is_enabled") if not hasattr(scaler, name)]
        if missing:
            raise TypeError(
                f"scaler must be a torch.amp.GradScaler or a LossScaler; {type(scaler).__name__} has no {missing[0]}"
            )
        if not floor >= 0:
            raise ValueError(f"floor must be a scale of 0 or more, got {floor}")
        if isinstance(max_skipped, bool) or not isinstance(max_skipped, int) or max_skipped < 1:
            raise ValueError(f"max_skipped must be an integer of 1 or more, got {max_skipped!r}")
        if on not in ("warn", "raise"):
            raise ValueError(f"on must be 'warn' or 'raise', got {on!r}")
        self.scaler, self.floor, self.max_skipped, self.on = scaler, floor, max_skipped, on
        self.history = ScaleHistory()
        self._wrappers = {}
        self._session = None
        self._checks = {}  # of this iteration: id -> (optimizer, found_inf; None until known, was it stepped)
        self._num_bad = 0
        self._open = set()  # incidents that were reported and are not over
        self._steps_run = weakref.WeakKeyDictionary()  # optimizer -> steps that were not skipped
        self._last_ran = weakref.WeakKeyDictionary()  # optimizer -> whether its latest step was not skipped
        self._steps_seen = weakref.WeakKeyDictionary()  # scheduler -> those of them it has followed

    # --- attaching --------------------------------------------------------------------------------------

    def attach(self) -> ScalerMonitor:
        """Start to watch. A history that is there already goes on, if the scaler has not moved since.

        Returns: the monitor itself.
        Raises: RuntimeError if a monitor is attached to this scaler already, or in the middle of an iteration.
        Introduced in: notebooks/10_gradscaler_in_practice.ipynb
        """
        attached = getattr(self.scaler, "_scaler_monitor", None)
        if attached is not None:
            whose = "this monitor" if attached is self else "another ScalerMonitor"
            raise RuntimeError(f"{whose} is attached to the scaler already; call its detach() first")
        if getattr(self.scaler, "_per_optimizer_states", None):
            raise RuntimeError("attach between two iterations: before unscale_() and step(), or after update()")
        self._read_state()
        self.scaler._scaler_monitor = self
        self._session = object()
        for name in WATCHED:
            original = getattr(self.scaler, name)
            self._wrappers[name] = (self._wrap(name, original), vars(self.scaler).get(name))
            setattr(self.scaler, name, self._wrappers[name][0])
        return self

    def detach(self) -> None:
        """Stop watching and put the scaler's own methods back; without effect if not attached.

        Introduced in: notebooks/10_gradscaler_in_practice.ipynb
        """
        if not self._wrappers:
            return
        for name, (wrapper, before) in self._wrappers.items():
            if vars(self.scaler).get(name) is not wrapper:
                continue  # somebody wrapped ours: it stays below, and hands everything through
            if before is None:
                delattr(self.scaler, name)
            else:
                setattr(self.scaler, name, before)
        del self.scaler._scaler_monitor
        self._wrappers, self._checks, self._session = {}, {}, None

    def __enter__(self) -> ScalerMonitor:
        return self.attach()

    def __exit__(self, *exception) -> None:
        self.detach()

    def _wrap(self, name, original):
        watch, session = getattr(self, f"_{name}"), self._session

        @functools.wraps(original)
        def watched(*args, **kwargs):
            if self._session is not session:  # detached, but somebody holds on to this wrapper
                return original(*args, **kwargs)
            return watch(original, *args, **kwargs)

        return watched

    def _read_state(self):
        """The scaler's state, read once; later it is followed on this side, without waiting for the device."""
        state = self.scaler.state_dict()
        if state:
            # Until the first scale() the scaler holds the float that it was given, afterwards a float32.
            state["scale"] = float32(state["scale"])
        if self.history and state != self._state:
            self.history = ScaleHistory()
        self._state = state

    # --- what stands before the scaler's methods --------------------------------------------------------

    def _unscale_(self, original, optimizer):
        if not self.scaler.is_enabled():
            return original(optimizer)
        self._stop_at_the_cliff()
        self._checks.setdefault(id(optimizer), (optimizer, None, False))
        return original(optimizer)

    def _step(self, original, optimizer, *args, **kwargs):
        if not self.scaler.is_enabled():
            result = original(optimizer, *args, **kwargs)
            self._count_step(optimizer, ran=True)
            return result
        self._stop_at_the_cliff()
        self._checks.setdefault(id(optimizer), (optimizer, None, False))
        calls, hook = [], None
        if hasattr(optimizer, "register_step_post_hook"):
            hook = optimizer.register_step_post_hook(lambda *_: calls.append(True))
        try:
            result = original(optimizer, *args, **kwargs)
        finally:
            if hook is not None:
                hook.remove()
        # A fused optimizer's step() always runs and skips inside; of the others it runs only on good gradients.
        good = calls and not getattr(optimizer, "_step_supports_amp_scaling", False)
        found_inf = False if good else self._read_found_inf(optimizer)
        self._checks[id(optimizer)] = (optimizer, found_inf, True)
        self._count_step(optimizer, ran=not found_inf)
        return result

    def _update(self, original, new_scale=None):
        if not self.scaler.is_enabled():
            return original(new_scale)
        before = dict(self._state)
        for key, (optimizer, found_inf, stepped) in list(self._checks.items()):
            if found_inf is None:  # unscaled, but never stepped
                self._checks[key] = (optimizer, self._read_found_inf(optimizer), stepped)
        result = original(new_scale)
        found_inf = any(bad for _, bad, _ in self._checks.values())
        skipped = sum(bad and stepped for _, bad, stepped in self._checks.values())
        self._checks = {}
        before["growth_factor"] = self.scaler.get_growth_factor()
        before["backoff_factor"] = self.scaler.get_backoff_factor()
        before["growth_interval"] = self.scaler.get_growth_interval()
        after = dict(before)
        if new_scale is None:
            rule = [before[name] for name in ("growth_factor", "backoff_factor", "growth_interval")]
            after["scale"], after["_growth_tracker"] = next_scale(
                before["scale"], before["_growth_tracker"], found_inf, *rule
            )
        else:
            after["scale"] = float32(float(new_scale))
        self._state = after
        self.history.record(before, after, found_inf, skipped, new_scale is not None)
        self._num_bad = self._num_bad + 1 if found_inf else 0
        self._judge()
        return result

    def _load_state_dict(self, original, state_dict):
        try:
            result = original(state_dict)
            self.history, self._num_bad = ScaleHistory(), 0
            return result
        finally:  # a state with a missing key is loaded in part
            self._read_state()

    def _read_found_inf(self, optimizer) -> bool:
        if id(optimizer) not in self.scaler._per_optimizer_states:  # to ask for it would create it
            return False
        return any(found.item() for found in self.scaler._found_inf_per_device(optimizer).values())

    def _count_step(self, optimizer, ran: bool):
        self._steps_run[optimizer] = self._steps_run.get(optimizer, 0) + ran
        self._last_ran[optimizer] = ran

    # --- incidents --------------------------------------------------------------------------------------

    def _judge(self):
        scale = self._state["scale"]
        reports = []
        if self._begins("floor", not scale >= self.floor):
            reports.append(
                f"the scale fell to {scale:.6g}, below the floor of {self.floor:g}. Gradients that are infinite at "
                "such a scale are infinite without scaling too: look for the overflow in the forward pass"
            )
        if self._begins("skipped", self._num_bad >= self.max_skipped):
            reports.append(
                f"the gradients held inf or NaN in {self._num_bad} iterations in a row; the scale is {scale:.6g}. "
                "Look for zero_grad() that is missing, a loss that is not finite, or weights that are NaN"
            )
        if reports:
            self._report("; also ".join(reports))

    def _stop_at_the_cliff(self):
        if not self.scaler.is_enabled():
            return
        scale = self._state["scale"]
        hurts = scale == 0 or not math.isfinite(float32(1 / scale))
        if self._begins("cliff", hurts) or (hurts and self.on == "raise"):
            self._report(
                f"1/scale is not finite for the scale {scale:.6g}: a step with finite gradients can write inf or NaN "
                "into the weights"
            )

    def _begins(self, incident: str, present: bool) -> bool:
        """Whether an incident is new; it is forgotten as soon as it is over."""
        new = present and incident not in self._open
        if present:
            self._open.add(incident)
        else:
            self._open.discard(incident)
        return new

    def _report(self, message: str):
        message = f"iteration {len(self.history)}: {message}."
        if self.on == "raise":
            raise ScalerError(message)
        warnings.warn(message, ScalerWarning, stacklevel=5)

    # --- what the user asks -----------------------------------------------------------------------------

    def step_scheduler(self, scheduler, *args, **kwargs) -> bool:
        """Step a learning-rate scheduler if its optimizer ran since the last call for this scheduler.

        Args:
            scheduler: from `torch.optim.lr_scheduler`; each may belong to another optimizer.
            args: handed to `scheduler.step`, such as the metric of `ReduceLROnPlateau`; so is `kwargs`.
        Returns: whether it stepped.
        Raises: TypeError if `scheduler` has no optimizer.
        Introduced in: notebooks/10_gradscaler_in_practice.ipynb
        """
        optimizer = getattr(scheduler, "optimizer", None)
        if optimizer is None:
            raise TypeError(f"scheduler must be a learning-rate scheduler with an optimizer, got {scheduler!r}")
        num_run = self._steps_run.get(optimizer, 0)
        # A scheduler that comes later follows the latest step only.
        num_seen = self._steps_seen.get(scheduler, num_run - self._last_ran.get(optimizer, False))
        self._steps_seen[scheduler] = num_run
        if num_run > num_seen:
            scheduler.step(*args, **kwargs)
        return num_run > num_seen

    @property
    def num_skipped(self) -> int:
        """Optimizer steps that were skipped."""
        return self.history.num_skipped

    def table(self, last: int | None = None):
        """The history as a `Table`, or its `last` iterations.

        Introduced in: notebooks/10_gradscaler_in_practice.ipynb
        """
        return self.history.table(last)

    def export(self) -> dict:
        """The history as plain data, which the book's GradScaler player replays; see `ScaleHistory.export`.

        Introduced in: notebooks/10_gradscaler_in_practice.ipynb
        """
        return self.history.export()


#: The scaler's methods that the monitor stands before.
WATCHED = ("unscale_", "step", "update", "load_state_dict")
