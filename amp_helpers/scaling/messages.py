"""The errors of a loss scaler."""

# fmt: off
# The messages are torch's own, so that a search for them finds help.
NOT_SCALED = (
    "Attempted {} but _scale is None.  This may indicate your script did "
    "not use scaler.scale(loss or outputs) earlier in the iteration."
)
NOT_SCALABLE = "outputs must be a Tensor or an iterable of Tensors"
NO_CUDA = "torch.cuda.amp.GradScaler is enabled, but CUDA is not available.  Disabling."
NEW_SCALE = (
    "new_scale should be a float or a 1-element torch.cuda.FloatTensor or torch.FloatTensor with requires_grad=False."
)
NOT_A_TENSOR = "expected param to be torch.Tensor, got {}"
NO_GRADIENT = "No inf checks were recorded for this optimizer."
CLOSURE = "Closure use is not currently supported if GradScaler is enabled."
STEPPED_TWICE = "step() has already been called since the last update()."
UNSCALED_TWICE = "unscale_() has already been called on this optimizer since the last update()."
EMPTY_STATE = "The source state dict is empty, possibly because it was saved from a disabled instance of GradScaler."
PICKLED_MIDWAY = (
    "A GradScaler instance may only be pickled at the beginning of an iteration, or at the end after scaler.update()."
)
OLD_CONTRACT = (
    "GradScaler is going to stop passing itself as a keyword argument to "
    "the passed optimizer. In the near future GradScaler registers "
    "`grad_scale: Tensor` and `found_inf: Tensor` to the passed optimizer "
    "and let the optimizer use them directly."
)
# fmt: on


def require(condition: object, message: str) -> None:
    """Raise an `AssertionError`, torch's choice, unless the condition holds."""
    if not condition:
        raise AssertionError(message)
