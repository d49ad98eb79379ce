"""Live widgets, for Jupyter and for the published page."""

from .autocast_map import AutocastMap
from .base import BookWidget
from .bit_explorer import BitExplorer
from .claims_table import ClaimsTable
from .dtype_flow import DtypeFlow
from .gradscaler_player import GradScalerPlayer, Step
from .interactive import InteractiveFigure
from .loop_builder import LoopBuilder
from .loop_code import Block
from .memory_calculator import MemoryCalculator
from .number_line import NumberLine
from .roofline import Ceiling, Roofline
from .rounding_stepper import RoundingStepper
from .swamping import Swamping
from .underflow_explorer import UnderflowExplorer

__all__ = [
    "AutocastMap",
    "BitExplorer",
    "Block",
    "BookWidget",
    "Ceiling",
    "ClaimsTable",
    "DtypeFlow",
    "GradScalerPlayer",
    "InteractiveFigure",
    "LoopBuilder",
    "MemoryCalculator",
    "NumberLine",
    "Roofline",
    "RoundingStepper",
    "Step",
    "Swamping",
    "UnderflowExplorer",
]
