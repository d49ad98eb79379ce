"""Chapter 09: how a loss scaler decides."""

from __future__ import annotations

import math
from collections.abc import Callable
from numbers import Integral, Real

from .answers import expect_function, unanswered


def check_skipped_at_start(answer: Callable[[float, float, float], int]) -> None:
    """Exercise: skipped steps before the first good one, from the first scale, the largest good one and the backoff.

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of init_scale, largest_scale and backoff_factor")
    from amp_helpers.scaling import next_scale
    from amp_helpers.scaling.history import power_of_two

    cases = [
        (2.0**24, 2.0**18, 0.5),
        (2.0**32, 2.0**18, 0.5),
        (2.0**16, 2.0**18, 0.5),  # fits from the start
        (2.0**18, 2.0**18, 0.5),  # so does the largest itself
        (2.0**16, 50_000.0, 0.5),  # not a power of two
        (2.0**32, 2.0**18, 0.25),
        (2.0**24, 2.0**17, 0.25),  # jumps over the largest
        (2.0**20, 1000.0, 0.75),
    ]
    for init_scale, largest_scale, backoff_factor in cases:
        scale, seen = init_scale, [init_scale]
        while scale > largest_scale:
            scale, _ = next_scale(scale, 0, True, backoff_factor=backoff_factor)
            seen.append(scale)
        skipped = len(seen) - 1
        got = answer(init_scale, largest_scale, backoff_factor)
        case = f"from {power_of_two(init_scale)}, good up to {power_of_two(largest_scale)}, backoff {backoff_factor:g}"
        if not _is_count(got) or got != skipped:
            raise AssertionError(
                f"{case}: the first good scale is {power_of_two(seen[-1])}, after {skipped} skipped steps, "
                f"but the function returned {got!r}"
            )
        print(f"{case}: {skipped}")
    print("Right in every case.")


def check_steps_to_cliff(answer: Callable[[float, float], int]) -> None:
    """Exercise: bad steps in a row until 1/scale is infinite in float32, from the first scale and the backoff.

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of init_scale and backoff_factor")
    import torch

    from amp_helpers.scaling.history import power_of_two

    # Powers of two and others; none comes so near to 2^-128 that float32's rounding on the way would decide.
    for init_scale, backoff_factor in ((2.0**16, 0.5), (2.0**24, 0.5), (1.0, 0.5), (2.0**16, 0.25), (1000.0, 0.1)):
        scales = [torch.tensor(init_scale)]
        while scales[-1].double().reciprocal().float().isfinite():
            scales.append((scales[-1].double() * backoff_factor).float())
        num_bad = len(scales) - 1
        got = answer(init_scale, backoff_factor)
        case = f"from {power_of_two(init_scale)} with backoff {backoff_factor:g}"
        if not _is_count(got):
            raise AssertionError(f"{case}: expected a whole number of steps, got {got!r}")
        if got < num_bad:
            scale = scales[max(0, int(got))].item()
            raise AssertionError(f"{case}: after {got} bad steps the scale is {scale:.3g}, and 1/scale is still finite")
        if got > num_bad:
            raise AssertionError(f"{case}: {got} bad steps are too many, 1/scale is infinite before")
        print(f"{case}: {num_bad} bad steps")
    print("Right in every case.")


def check_skipped_share(answer: Callable[[int, float], float]) -> None:
    """Exercise: the share of skipped steps in the long run, from the growth interval and the backoff factor.

    Raises: AssertionError naming the first case for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/09_gradscaler_from_scratch.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of growth_interval and backoff_factor")
    from amp_helpers.scaling import next_scale

    largest = 2.0**18
    for growth_interval, backoff_factor in ((2000, 0.5), (5, 0.5), (1, 0.5), (20, 0.25), (7, 0.125)):
        scale, tracker, good, skipped = largest, 0, 0, 0
        while (scale, tracker) != (largest, 0) or not skipped:  # one round, back to where it began
            found_inf = scale > largest
            good, skipped = good + (not found_inf), skipped + found_inf
            scale, tracker = next_scale(scale, tracker, found_inf, 2.0, backoff_factor, growth_interval)
        share = skipped / (good + skipped)
        got = answer(growth_interval, backoff_factor)
        case = f"interval {growth_interval}, backoff {backoff_factor:g}"
        if not isinstance(got, Real) or not math.isclose(got, share, rel_tol=1e-6):
            raise AssertionError(
                f"{case}: in a round of {good + skipped} steps {skipped} is skipped, a share of {share:.6g}, "
                f"but the function returned {got!r}"
            )
        print(f"{case}: {share:.2%}")
    print("Right in every case.")


def _is_count(value) -> bool:
    return isinstance(value, Integral) and not isinstance(value, bool)
