"""Helpers of the book *Mixed Precision, Measured*: formats, tracing, scaling, measuring, teaching.

Importing the package loads nothing heavy; import the module you need, for example
`from amp_helpers.formats import FORMATS`.
"""

__version__ = "0.1.0"
