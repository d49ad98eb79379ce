"""Deprecated AMP spellings and wrong training loops, found in a file without running it."""

from .checking import check_paths, check_source
from .codes import CODES, Code
from .findings import Checked, Finding

__all__ = ["CODES", "Checked", "Code", "Finding", "check_paths", "check_source"]
