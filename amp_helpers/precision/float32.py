"""PyTorch's switches for float32 products: whether they may use TF32."""

from __future__ import annotations

import torch

#: The switches of PyTorch 2.9 and later, by their place under `torch.backends`; each takes "ieee" or "tf32".
_SWITCHES = ("cuda.matmul", "cudnn.conv", "cudnn.rnn")


def float32_precision() -> dict[str, str | bool]:
    """What float32 matrix products and convolutions may compute in at the moment, switch by switch.

    Returns: names under `torch.backends` and their values. PyTorch 2.9 and later have `fp32_precision` with "ieee",
        "tf32" or "none" (not set); older ones have `allow_tf32`.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    return {name: getattr(*_place(name)) for name in _names()}


def set_float32_precision(value: str) -> None:
    """Let float32 matrix products, convolutions and recurrent layers use TF32, or forbid it, on CUDA.

    Only one of PyTorch's two interfaces is used, the new one where it exists, since PyTorch refuses to read a mixture.

    Args:
        value: "tf32" or "ieee".
    Raises: ValueError for another value.
    Introduced in: notebooks/04_tensor_cores.ipynb
    """
    if value not in ("ieee", "tf32"):
        raise ValueError(f"float32 precision {value!r} is not known; choose from ieee, tf32")
    for name in _names():
        set_switch(name, value if name.endswith("fp32_precision") else value == "tf32")


def _names() -> list[str]:
    if hasattr(torch.backends.cuda.matmul, "fp32_precision"):
        return [f"{switch}.fp32_precision" for switch in _SWITCHES]
    return ["cuda.matmul.allow_tf32", "cudnn.allow_tf32"]


def _place(name: str) -> tuple[object, str]:
    *path, attribute = name.split(".")
    place = torch.backends
    for part in path:
        place = getattr(place, part)
    return place, attribute


def set_switch(name: str, value: str | bool) -> None:
    """Give one switch, by its name under `torch.backends`, a value."""
    setattr(*_place(name), value)
