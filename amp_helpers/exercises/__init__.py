"""Checks for the book's exercises. A check explains the first mismatch; it never shows the whole answer.

Every check takes the reader's answer. Given `...` it says that nothing is answered yet and returns, so that "Run all"
goes on; given a wrong answer it raises AssertionError; given the right one it says so.
"""

from .float_bits import check_bits, check_decode, check_first_gap
from .memory import check_break_even, check_bytes_per_weight, check_largest_batch
from .range_and_precision import check_choose_format, check_largest_scale, check_value_count
from .rounding_and_swamping import check_float16_sum, check_half_ulp, check_small_updates
from .tensor_cores import check_intensity, check_memory_bound, check_whole_speedup

__all__ = [
    "check_bits",
    "check_break_even",
    "check_bytes_per_weight",
    "check_choose_format",
    "check_decode",
    "check_first_gap",
    "check_float16_sum",
    "check_half_ulp",
    "check_intensity",
    "check_largest_batch",
    "check_largest_scale",
    "check_memory_bound",
    "check_small_updates",
    "check_value_count",
    "check_whole_speedup",
]
