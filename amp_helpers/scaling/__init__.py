"""Loss scaling: `LossScaler`, a readable twin of `torch.amp.GradScaler`, and `ScalerMonitor`, which watches one."""

from .history import HistoryEntry, ScaleHistory, next_scale
from .loss_scaler import LossScaler
from .monitor import ScalerError, ScalerMonitor, ScalerWarning

__all__ = [
    "HistoryEntry",
    "LossScaler",
    "ScaleHistory",
    "ScalerError",
    "ScalerMonitor",
    "ScalerWarning",
    "next_scale",
]
