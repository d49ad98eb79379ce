"""Claims on loss scaling, and the functions that test them."""

from __future__ import annotations

from . import scaled_gradients, scaled_runs, scaler_methods

EVIDENCE = {
    "9": scaled_runs.accuracy_guaranteed,
    "18": scaler_methods.division_of_labour,
    "19": scaled_runs.can_be_unstable,
    "22": scaled_gradients.shrinking,
    "31": scaled_gradients.flushed_and_scaled,
    "32": scaled_runs.learning_rate_kept,
    "33": scaler_methods.what_step_does,
    "45": scaled_gradients.out_of_range,
    "78": scaler_methods.does_update_reset,
    "79": scaled_gradients.accumulated,
    "83": scaled_runs.larger_learning_rate,
    "85": scaled_gradients.where_underflow_happens,
    "88": scaled_runs.watching_the_loss,
    "92": scaled_runs.remedies_for_nan,
    "94": scaled_runs.autocast_and_scaler,
    "M3": scaled_gradients.bfloat16_without_scaler,
    "M4": scaler_methods.clipping_order,
    "M5": scaler_methods.unscaling_micro_batches,
    "M6": scaler_methods.scheduler_warning,
}
