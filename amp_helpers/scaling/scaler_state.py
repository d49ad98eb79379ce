"""What a loss scaler is asked for, saves and loads: the part of `LossScaler` that decides nothing."""

from __future__ import annotations

from .history import ScaleHistory
from .messages import EMPTY_STATE, PICKLED_MIDWAY, require


class ScalerState:
    """Getters, setters, `state_dict` and pickling, named as in `torch.amp.GradScaler`.

    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """

    def is_enabled(self):
        """Whether it scales at all."""
        return self._enabled

    def get_scale(self):
        """The scale as a float (waits for the device); 1.0 if disabled."""
        if not self._enabled:
            return 1.0
        return self._init_scale if self._scale is None else self._scale.item()

    def _get_growth_tracker(self):
        if not self._enabled:
            return 0
        tracker = self._growth_tracker
        return self._init_growth_tracker if tracker is None else tracker.item()

    def _found_inf_per_device(self, optimizer):
        return self._per_optimizer_states[id(optimizer)].found_inf_per_device

    def get_growth_factor(self):
        """The factor of growth."""
        return self._growth_factor

    def set_growth_factor(self, new_factor):
        """Replace the factor of growth."""
        self._growth_factor = new_factor

    def get_backoff_factor(self):
        """The factor of backoff."""
        return self._backoff_factor

    def set_backoff_factor(self, new_factor):
        """Replace the factor of backoff."""
        self._backoff_factor = new_factor

    def get_growth_interval(self):
        """The good iterations that growth takes."""
        return self._growth_interval

    def set_growth_interval(self, new_interval):
        """Replace the interval; the iterations counted so far stay."""
        self._growth_interval = new_interval

    def history_table(self, last=None):
        """The history as a `Table`, or its `last` iterations."""
        return self.history.table(last)

    def export(self):
        """The history as plain data; see `ScaleHistory.export`."""
        return self.history.export()

    def state_dict(self):
        """What a checkpoint needs: five numbers; empty if disabled."""
        if not self._enabled:
            return {}
        return {
            "scale": self.get_scale(),
            "growth_factor": self._growth_factor,
            "backoff_factor": self._backoff_factor,
            "growth_interval": self._growth_interval,
            "_growth_tracker": self._get_growth_tracker(),
        }

    def load_state_dict(self, state_dict):
        """Go on from a `state_dict()`; the history starts anew."""
        if not self._enabled:
            return
        if not state_dict:
            raise RuntimeError(EMPTY_STATE)
        self._init_scale = state_dict["scale"]
        if self._scale is not None:
            self._scale.fill_(state_dict["scale"])
        self._growth_factor = state_dict["growth_factor"]
        self._backoff_factor = state_dict["backoff_factor"]
        self._growth_interval = state_dict["growth_interval"]
        self._init_growth_tracker = state_dict["_growth_tracker"]
        if self._growth_tracker is not None:
            self._growth_tracker.fill_(state_dict["_growth_tracker"])
        self.history = ScaleHistory()

    def __getstate__(self):
        """For pickle: the tensors become numbers, so no device is needed."""
        state = dict(self.__dict__)
        if self._enabled:
            require(not self._per_optimizer_states, PICKLED_MIDWAY)
            state["_init_scale"] = self.get_scale()
            state["_init_growth_tracker"] = self._get_growth_tracker()
            state["_scale"] = state["_growth_tracker"] = None
        return state
