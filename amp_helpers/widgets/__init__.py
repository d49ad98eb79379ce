"""Live widgets, for Jupyter and for the published page."""

from .autocast_map import AutocastMap
from .base import BookWidget
from .bit_explorer import BitExplorer
from .dtype_flow import DtypeFlow
from .gradscaler_player import GradScalerPlayer
from .interactive import InteractiveFigure
from .memory_calculator import MemoryCalculator
from .number_line import NumberLine
from .roofline import Roofline
from .rounding_stepper import RoundingStepper
from .swamping import Swamping
from .underflow_explorer import UnderflowExplorer

__all__ = [
    "AutocastMap",
    "BitExplorer",
    "BookWidget",
    "DtypeFlow",
    "GradScalerPlayer",
    "InteractiveFigure",
    "MemoryCalculator",
    "NumberLine",
    "Roofline",
    "RoundingStepper",
    "Swamping",
    "UnderflowExplorer",
]
