"""Live widgets, for Jupyter and for the published page."""

from .base import BookWidget
from .bit_explorer import BitExplorer
from .interactive import InteractiveFigure
from .memory_calculator import MemoryCalculator
from .number_line import NumberLine
from .roofline import Roofline
from .rounding_stepper import RoundingStepper
from .swamping import Swamping

__all__ = [
    "BitExplorer",
    "BookWidget",
    "InteractiveFigure",
    "MemoryCalculator",
    "NumberLine",
    "Roofline",
    "RoundingStepper",
    "Swamping",
]
