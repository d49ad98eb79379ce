"""Live widgets, for Jupyter and for the published page."""

from .base import BookWidget
from .bit_explorer import BitExplorer

__all__ = ["BitExplorer", "BookWidget"]
