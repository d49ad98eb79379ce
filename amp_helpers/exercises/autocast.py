"""Chapter 06: which op runs in which dtype under autocast."""

from __future__ import annotations

from collections.abc import Callable

from .answers import unanswered

#: Asked of the installed torch, not written down: the op, and how it is called on one float16 tensor.
_CALLS = ("linear", "softmax", "relu", "sum", "cat", "layer_norm", "mse_loss")


def sick_model():
    """A model of four linear layers, one of which never computes in sixteen bits under autocast.

    Shape: (batch, 16) -> (batch, 4).
    Introduced in: notebooks/06_autocast.ipynb
    """
    import torch
    from torch import nn

    class Wide(nn.Linear):
        def forward(self, x):
            with torch.autocast(x.device.type, enabled=False):
                return super().forward(x.float())

    return nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Linear(32, 32), Wide(32, 32), nn.ReLU(), nn.Linear(32, 4))


def check_float32_layer(answer: str) -> None:
    """Exercise: the path of the layer of `sick_model` that computes in float32.

    Raises: AssertionError saying in which dtype the named layer computed; ValueError for a path that is no layer.
    Introduced in: notebooks/06_autocast.ipynb
    """
    if unanswered(answer):
        return
    import torch

    model = sick_model()
    layers = {path: layer for path, layer in model.named_children() if hasattr(layer, "weight")}
    if str(answer) not in layers:
        raise ValueError(f"{answer!r} is no linear layer of the model; choose from {', '.join(layers)}")
    seen = []
    layers[str(answer)].register_forward_hook(lambda layer, inputs, output: seen.append(output.dtype))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        model(torch.zeros(1, 16))
    if seen != [torch.float32]:
        raise AssertionError(f"layer {answer} computed in {seen[0]}: look for one that did not")
    print(f"Right: layer {answer} switches autocast off.")


def check_predicted_dtypes(answer: dict[str, str]) -> None:
    """Exercise: the dtypes that seven ops return under CUDA autocast in float16, for float16 inputs.

    Raises: AssertionError naming the first op whose dtype is another, or that is missing; TypeError for another type.
    Introduced in: notebooks/06_autocast.ipynb
    """
    if unanswered(answer):
        return
    if not isinstance(answer, dict):
        raise TypeError(f"a dictionary from op to dtype is expected, not {answer!r}")
    for op, dtype in _cuda_dtypes().items():
        got = str(answer.get(op, "missing")).removeprefix("torch.")
        if got != dtype:
            raise AssertionError(f"{op}: your answer is {got}, which is not what happens on CUDA")
    print(f"Right for all {len(_CALLS)}.")


def _cuda_dtypes() -> dict[str, str]:
    """Called on tensors without data, which need no GPU."""
    import torch
    import torch.nn.functional as F
    from torch._subclasses.fake_tensor import FakeTensorMode

    with FakeTensorMode():
        x = torch.empty(8, 8, device="cuda", dtype=torch.float16)
        calls = {
            "linear": lambda: F.linear(x, x),
            "softmax": lambda: F.softmax(x, -1),
            "relu": lambda: F.relu(x),
            "sum": lambda: x.sum(),
            "cat": lambda: torch.cat([x, x]),
            "layer_norm": lambda: F.layer_norm(x, (8,)),
            "mse_loss": lambda: F.mse_loss(x, x),
        }
        # torch.autocast itself would refuse: this machine may have no CUDA.
        before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
        torch.set_autocast_enabled("cuda", True)
        torch.set_autocast_dtype("cuda", torch.float16)
        try:
            return {op: str(calls[op]().dtype).removeprefix("torch.") for op in _CALLS}
        finally:
            torch.set_autocast_enabled("cuda", before[0])
            torch.set_autocast_dtype("cuda", before[1])


def check_wide_head(answer: Callable) -> None:
    """Exercise: a function of (body, head, x) that runs the body under autocast and the head in float32.

    Raises: AssertionError saying which of the two computed in the wrong dtype; TypeError if it is not a function.
    Introduced in: notebooks/06_autocast.ipynb
    """
    if unanswered(answer):
        return
    if not callable(answer):
        raise TypeError(f"a function of body, head and x is expected, not {answer!r}")
    import torch
    from torch import nn

    body, head, seen = nn.Linear(8, 8), nn.Linear(8, 4), {}
    body.register_forward_hook(lambda layer, inputs, output: seen.update(body=output.dtype))
    head.register_forward_hook(lambda layer, inputs, output: seen.update(head=output.dtype))
    for where, outer in {"outside of any region": False, "inside a caller's region": True}.items():
        seen.clear()
        with torch.autocast("cpu", dtype=torch.bfloat16, enabled=outer):
            result = answer(body, head, torch.ones(2, 8))
        for part, dtype in {"body": torch.bfloat16, "head": torch.float32}.items():
            if part not in seen:
                raise AssertionError(f"the {part} was not called")
            if seen[part] != dtype:
                raise AssertionError(f"{where}: the {part} computed in {seen[part]}, not in {dtype}")
        if not isinstance(result, torch.Tensor) or result.shape != (2, 4):
            raise AssertionError(f"{where}: the head's output is expected, not {result!r}")
    print("Right, also inside a caller's region.")
