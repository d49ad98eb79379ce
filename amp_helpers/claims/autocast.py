"""Evidence for the claims about autocast: the functions stand beside this file, by subject."""

from . import autocast_casts as casts
from . import autocast_names as names
from . import autocast_regions as regions
from . import autocast_steps as steps

EVIDENCE = {
    "1": casts.small_low_large_float32,
    "2": casts.dtype_per_op,
    "6": regions.region_around_backward,
    "8": casts.converts_to_float16,
    "11": casts.ops_are_chosen_by_hand,
    "12": steps.update_high_products_low,
    "14": steps.model_becomes_half,
    "15": steps.casts_and_scales,
    "16": casts.forward_and_loss_in_half,
    "20": casts.float32_becomes_float16,
    "25": regions.manager_or_decorator,
    "26": regions.forward_and_loss_only,
    "28": regions.mm_mixes_then_float,
    "29": regions.disabled_needs_float,
    "30": steps.gradients_follow_forward,
    "34": names.bare_autocast,
    "44": casts.softmax_float32_conv_float16,
    "55": casts.float32_and_float16,
    "63": steps.scaler_is_the_policy,
    "74": casts.needs_a_capable_gpu,
    "76": steps.data_in_half,
    "82": casts.needs_cudnn_off,
    "93": names.invalid_argument_error,
    "M1": regions.region_around_the_loop,
    "M2": regions.outer_disabled_region,
    "M9": casts.binary_cross_entropy_works,
    "M10": names.half_and_scaler_need_cuda,
    "M11": regions.no_grad_first,
}
