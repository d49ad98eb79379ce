"""Checks for the book's exercises. A check explains the first mismatch; it never shows the whole answer.

Every check takes the reader's answer. Given `...` it says that nothing is answered yet and returns, so that "Run all"
goes on; given a wrong answer it raises AssertionError; given the right one it says so.
"""

from .float_bits import check_bits, check_decode, check_first_gap

__all__ = ["check_bits", "check_decode", "check_first_gap"]
