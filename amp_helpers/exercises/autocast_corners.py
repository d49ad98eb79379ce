"""Chapter 07: where autocast surprises."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .answers import expect_function, unanswered


def check_training_loop(answer: Callable) -> None:
    """Exercise: a loop that trains under BF16 autocast, as a function of (model, optimizer, x, y, num_steps).

    It takes `num_steps` steps on the mean squared error and returns the losses.
    Raises: AssertionError saying what the loop did wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/07_autocast_corners.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a model, an optimizer, x, y and a number of steps")
    import torch

    generator = torch.Generator().manual_seed(0)
    x = torch.randn(64, 8, generator=generator)
    y = x[:, :1] - x[:, 1:2]
    model = torch.nn.Linear(8, 1, bias=False)
    torch.nn.init.zeros_(model.weight)
    # The expected losses come from float32: BF16 stays within a few per cent of them.
    weight, expected, num_steps, lr = torch.zeros(8, 1), [], 6, 0.1
    for _ in range(num_steps):
        error = x @ weight - y
        expected.append(error.square().mean().item())
        weight = weight - lr * 2 * x.T @ error / len(x)

    forward, backward = [], []
    model.register_forward_hook(lambda module, args, output: forward.append(output.dtype))
    model.weight.register_hook(lambda grad: backward.append(torch.is_autocast_enabled("cpu")))
    optimizer = torch.optim.SGD(model.parameters(), lr=lr)
    losses = answer(model, optimizer, x, y, num_steps)
    try:
        losses = [float(loss) for loss in losses]
    except TypeError:
        raise AssertionError(f"expected a list of {num_steps} losses, got {losses!r}") from None
    if len(losses) != num_steps or len(forward) != num_steps:
        raise AssertionError(
            f"expected {num_steps} losses of {num_steps} steps, got {len(losses)} losses after {len(forward)} forwards"
        )
    if set(forward) != {torch.bfloat16}:
        raise AssertionError(f"the model returned {_names(forward)}: its forward belongs under bfloat16 autocast")
    if len(set(losses)) == 1:
        raise AssertionError(f"the loss is {losses[0]:.4g} in every step: the layer still reads its first cached cast")
    for step, (loss, right) in enumerate(zip(losses, expected, strict=True), start=1):
        if not abs(loss - right) < 0.1 * right:
            raise AssertionError(f"step {step}: the loss is {loss:.4g}, but {right:.4g} is right: read the loop again")
    if any(backward):
        raise AssertionError("backward ran inside the region: leave it before `loss.backward()`")
    print(f"Right: {num_steps} steps under autocast, and the loss fell in each.")


def check_weighted_loss(answer: Callable) -> None:
    """Exercise: a weighted mean squared error for FP16 tensors, as a function of (output, target, weight).

    Raises: AssertionError naming the first case that is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/07_autocast_corners.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of output, target and weight")
    import torch

    ones = torch.ones(4)
    cases = {
        "errors of 1": (ones * 3, ones * 2, ones),
        "errors of 400": (ones * 400, ones * 0, ones),
        "an output near 60,000": (ones * 60_000, ones * -60_000, ones),
        "errors of 0.0001": (ones * 1e-4, ones * 0, ones),
        "70,000 weights": (torch.ones(70_000), torch.zeros(70_000), torch.ones(70_000)),
        "different weights": (torch.arange(4.0), ones, torch.tensor([1.0, 2.0, 0.0, 5.0])),
    }
    for what, tensors in cases.items():
        tensors = [t.half() for t in tensors]
        output, target, weight = (t.double() for t in tensors)
        right = ((weight * (output - target) ** 2).sum() / weight.sum()).item()
        with torch.autocast("cpu", torch.float16):
            got = answer(*tensors)
        if not isinstance(got, torch.Tensor) or got.numel() != 1:
            raise AssertionError(f"{what}: expected one number in a tensor, got {str(got)[:80]}")
        if got.dtype != torch.float32:
            raise AssertionError(f"{what}: the loss is {got.dtype}, where float32 is wanted")
        if not abs(got.item() - right) <= 1e-5 * right:
            raise AssertionError(f"{what}: the loss is {right:.6g}, but the function returned {got.item():.6g}")
    print(f"Right for all {len(cases)} cases, in float32.")


def check_product_function(answer: Any) -> None:
    """Exercise: an `autograd.Function` class for `a.mm(b)` whose backward runs in the dtypes of its forward.

    Raises: AssertionError naming the first region in which it fails; TypeError if the answer is not such a class.
    Introduced in: notebooks/07_autocast_corners.ipynb
    """
    if unanswered(answer):
        return
    import torch

    if not (isinstance(answer, type) and issubclass(answer, torch.autograd.Function)):
        raise TypeError(f"a subclass of torch.autograd.Function is expected, not {answer!r}")
    generator = torch.Generator().manual_seed(0)
    start = [torch.randn(4, 4, generator=generator) for _ in range(2)]
    for name in ("float32", "bfloat16", "float16"):
        dtype = getattr(torch, name)
        where = "without a region" if name == "float32" else f"in a {name} region"

        def run(product, dtype=dtype, where=where):
            a, b = (t.clone().requires_grad_() for t in start)
            with torch.autocast("cpu", None if dtype is torch.float32 else dtype, enabled=dtype is not torch.float32):
                y = product(a, b)
            dtypes = []
            try:
                with _products(dtypes):
                    (y.float() ** 2).sum().backward()
            except (RuntimeError, AttributeError) as error:
                raise AssertionError(f"{where}: backward failed with {error}") from error
            return y, a.grad, b.grad, dtypes

        y, *grads, dtypes = run(answer.apply)
        right_y, *right_grads, _ = run(torch.mm)
        if y.dtype != right_y.dtype:
            raise AssertionError(f"{where}: the product is {y.dtype}, where {right_y.dtype} is wanted")
        if set(dtypes) != {dtype}:
            raise AssertionError(f"{where}: backward multiplied {_names(dtypes) or 'nothing'}, not {name}")
        for which, got, right in zip("ab", grads, right_grads, strict=True):
            if got is None or not torch.allclose(got, right, rtol=0.05, atol=0.05):
                raise AssertionError(f"{where}: the gradient of {which} is wrong")
        print(f"{where}: forward and backward in {name}")
    print("Right in all three.")


def _names(dtypes) -> str:
    return " and ".join(sorted({str(d).removeprefix("torch.") for d in dtypes}))


def _products(dtypes: list):
    """A context that notes the dtype of every matrix product in it, below autocast."""
    from torch.utils._python_dispatch import TorchDispatchMode

    class Products(TorchDispatchMode):
        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            result = func(*args, **(kwargs or {}))
            if func.overloadpacket.__name__ in ("mm", "bmm", "addmm", "matmul"):
                dtypes.append(result.dtype)
            return result

    return Products()
