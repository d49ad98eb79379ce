"""What a level of Apex changes in a model and an optimizer: dtypes of weights, inputs, outputs and checkpoints."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils._pytree import tree_map


def cast_weights(model, dtype, keep_batchnorm_fp32=False):
    """Cast the floating-point parameters and buffers of a model in place.

    Integer buffers stay, tied weights stay tied, and an optimizer that was
    made before still holds the same parameters.

    Args:
        model: an `nn.Module`.
        dtype: such as `torch.float16`.
        keep_batchnorm_fp32: whether to leave out affine BatchNorms.
    Introduced in: notebooks/15_from_apex.ipynb
    """
    for module in model.modules():
        batchnorm = isinstance(module, _BatchNorm) and module.affine
        if keep_batchnorm_fp32 and batchnorm:
            continue
        own = [*module.parameters(recurse=False)]
        for tensor in [*own, *module.buffers(recurse=False)]:
            if tensor.is_floating_point():
                tensor.data = tensor.data.to(dtype)
        if isinstance(module, nn.RNNBase):
            module.flatten_parameters()


def cast_arguments(model: nn.Module, dtype: torch.dtype) -> None:
    """From now on the model casts floating-point arguments to `dtype`, and what it returns to float32.

    Tensors are found in tuples, lists, dictionaries and whatever else `torch.utils._pytree` knows; others pass as
    they are.
    """

    def before(module, args, kwargs):
        return tree_map(lambda value: _cast(value, dtype), (args, kwargs))

    model.register_forward_pre_hook(before, with_kwargs=True)
    model.register_forward_hook(lambda module, args, output: tree_map(lambda v: _cast(v, torch.float32), output))


def _cast(value, dtype):
    return value.to(dtype) if isinstance(value, Tensor) and value.is_floating_point() else value


def float32_masters(optimizer: torch.optim.Optimizer) -> dict[Tensor, Tensor]:
    """Let an optimizer step on float32 copies of its 16-bit parameters; its groups keep their settings.

    Returns: parameter -> its copy, the master.
    """
    masters = {}
    for group in optimizer.param_groups:
        for place, weight in enumerate(group["params"]):
            if weight.dtype != torch.float32:
                masters[weight] = weight.detach().float().requires_grad_(weight.requires_grad)
                group["params"][place] = masters[weight]
    return masters


def add_float32_state(model: nn.Module, masters: dict[Tensor, Tensor]) -> None:
    """From now on the model's `state_dict` is float32, and `load_state_dict` fills the masters too.

    Apex gave float32 numbers too, but those of the float16 weights. Here a weight that has a master is stored exactly.
    """

    def save(module, state, prefix, _):
        named = dict(module.named_parameters(remove_duplicate=False))
        for name in [name for name in state if name.startswith(prefix)]:
            master = masters.get(named.get(name.removeprefix(prefix)))
            if master is not None:
                state[name] = master.detach()
            elif isinstance(state[name], Tensor) and state[name].dtype == torch.float16:
                state[name] = state[name].float()

    def load(module, state, prefix, *_):
        for name, weight in module.named_parameters(remove_duplicate=False):
            master, saved = masters.get(weight), state.get(prefix + name)
            if master is not None and saved is not None and saved.shape == master.shape:
                with torch.no_grad():
                    master.copy_(saved)

    model.register_state_dict_post_hook(save)
    model.register_load_state_dict_pre_hook(load)
