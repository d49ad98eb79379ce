"""Checks for the book's exercises. A check explains the first mismatch; it never shows the whole answer.

Every check takes the reader's answer. Given `...` it says that nothing is answered yet and returns, so that "Run all"
goes on; given a wrong answer it raises AssertionError; given the right one it says so.
"""

from .autocast import check_float32_layer, check_predicted_dtypes, check_wide_head, sick_model
from .autocast_corners import check_product_function, check_training_loop, check_weighted_loss
from .claims_tested import (
    benchmark_reports,
    check_benchmark_flaws,
    check_claim_evidence,
    check_claim_kinds,
    unsorted_claims,
)
from .float_bits import check_bits, check_decode, check_first_gap
from .from_apex import check_adam_eps, check_float32_parameters, check_o2_bytes, old_network
from .gradient_underflow import check_scaled_backward, check_share_lost, check_uneven_model, uneven_model
from .gradscaler_from_scratch import check_skipped_at_start, check_skipped_share, check_steps_to_cliff
from .gradscaler_in_practice import check_accumulate_and_clip, check_resume, check_two_schedules
from .keras_policies import check_float32_head, check_own_step, check_scale_after
from .memory import check_break_even, check_bytes_per_weight, check_largest_batch
from .missing_zero_grad import check_dead_updates, check_mended_step, check_used_gradient
from .precision_benchmark import check_paired_ratio, check_seed_interval, check_speedups, doubtful_results
from .range_and_precision import check_choose_format, check_largest_scale, check_value_count
from .rounding_and_swamping import check_float16_sum, check_half_ulp, check_small_updates
from .small_gpt import check_padded_vocabulary, check_token_flops, check_training_hours
from .tensor_cores import check_intensity, check_memory_bound, check_whole_speedup
from .training_loop import check_line_order, check_mixed_step, check_waiting_lines, waiting_lines

__all__ = [
    "benchmark_reports",
    "check_accumulate_and_clip",
    "check_adam_eps",
    "check_benchmark_flaws",
    "check_bits",
    "check_break_even",
    "check_bytes_per_weight",
    "check_choose_format",
    "check_claim_evidence",
    "check_claim_kinds",
    "check_dead_updates",
    "check_decode",
    "check_first_gap",
    "check_float16_sum",
    "check_float32_head",
    "check_float32_layer",
    "check_float32_parameters",
    "check_half_ulp",
    "check_intensity",
    "check_largest_batch",
    "check_largest_scale",
    "check_line_order",
    "check_memory_bound",
    "check_mended_step",
    "check_mixed_step",
    "check_o2_bytes",
    "check_own_step",
    "check_padded_vocabulary",
    "check_paired_ratio",
    "check_predicted_dtypes",
    "check_product_function",
    "check_resume",
    "check_scale_after",
    "check_scaled_backward",
    "check_seed_interval",
    "check_share_lost",
    "check_skipped_at_start",
    "check_skipped_share",
    "check_small_updates",
    "check_speedups",
    "check_steps_to_cliff",
    "check_token_flops",
    "check_training_hours",
    "check_training_loop",
    "check_two_schedules",
    "check_uneven_model",
    "check_used_gradient",
    "check_value_count",
    "check_waiting_lines",
    "check_weighted_loss",
    "check_whole_speedup",
    "check_wide_head",
    "doubtful_results",
    "old_network",
    "sick_model",
    "uneven_model",
    "unsorted_claims",
    "waiting_lines",
]
