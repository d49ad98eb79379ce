"""Chapter 05: what takes memory in a training step."""

from __future__ import annotations

from collections.abc import Callable

from .answers import expect_function, unanswered


def check_bytes_per_weight(answer: Callable[[str, str], int]) -> None:
    """Exercise: what one weight costs in a step, whatever the batch, as a function of recipe and optimizer.

    Raises: AssertionError naming the first pair that is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/05_memory.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a recipe and an optimizer")
    import torch

    from amp_helpers.memory import predict_memory

    layer = torch.nn.Linear(256, 256, bias=False)
    for recipe in ("32-true", "bf16-mixed", "bf16-true"):
        for optimizer in ("sgd", "sgd-momentum", "adamw"):
            found = predict_memory(layer, torch.empty(1, 256), recipe=recipe, optimizer=optimizer)
            parts = {kind: getattr(found, kind) for kind in ("parameters", "gradients", "optimizer", "casts")}
            # AdamW's step counter, one number for a whole tensor, does not count.
            parts = {kind: size // layer.weight.numel() for kind, size in parts.items()}
            expected, got = sum(parts.values()), answer(recipe, optimizer)
            this = f"{recipe}, {optimizer}"
            if got != expected:
                hint = _hint(parts, got, expected)
                raise AssertionError(f"{this}: a weight does not cost {got!r} bytes{hint}")
            print(f"{this}: {expected} bytes ({', '.join(f'{kind} {size}' for kind, size in parts.items())})")
    print("Right for all nine.")


def _hint(parts: dict[str, int], got, expected: int) -> str:
    missing = [kind for kind, size in parts.items() if size and got == expected - size]
    if missing:
        return f"; is something missing? What adds {parts[missing[0]]} is: {', '.join(missing)}"
    return "; in which dtype are weight, gradient and state, and is there a cast?"


def check_break_even(answer: Callable[[list[int]], int | None]) -> None:
    """Exercise: the batch from which on an MLP needs no more memory in bf16-mixed than in 32-true.

    Raises: AssertionError naming the first MLP for which it is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/05_memory.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of a list of widths")
    import torch

    from amp_helpers.memory import predict_memory
    from amp_helpers.models import MLP

    def more(widths, batch) -> int:
        """Bytes that bf16-mixed needs beyond 32-true."""
        with torch.device("meta"):
            model, x = MLP(*widths), torch.empty(batch, widths[0])
        mixed, wide = (predict_memory(model, x, recipe=recipe, device="cpu") for recipe in ("bf16-mixed", "32-true"))
        return mixed.total - wide.total

    for widths in ([1024, 4096, 1024], [64, 128, 128, 10], [32, 32, 64, 5], [784, 256, 10], [256, 256, 10]):
        got = answer(list(widths))
        this = f"MLP of {widths}"
        # More inputs than hidden numbers, or as many: the cast of the input eats what the hidden layers save.
        if sum(widths[1:-1]) <= widths[0]:
            if got is not None:
                counted = f": there it needs {more(widths, got):,} bytes more" if type(got) is int and got > 0 else ""
                raise AssertionError(f"{this}: no batch breaks even, but the function returned {got!r}{counted}")
            print(f"{this}: never")
            continue
        if type(got) is not int or got < 1:
            raise AssertionError(f"{this}: expected a batch, a positive Python int, got {got!r}")
        if (bytes_more := more(widths, got)) > 0:
            raise AssertionError(f"{this}: at batch {got} bf16-mixed still needs {bytes_more:,} bytes more")
        if got > 1 and more(widths, got - 1) <= 0:
            raise AssertionError(f"{this}: batch {got - 1} breaks even already, {got} is not the smallest")
        print(f"{this}: from batch {got} on")
    print("Right for all of them.")


def check_largest_batch(answer: Callable) -> None:
    """Exercise: the largest batch whose predicted bytes are within a budget, in at most 40 predictions.

    Raises: AssertionError naming the first case that is wrong; TypeError if the answer is not a function.
    Introduced in: notebooks/05_memory.ipynb
    """
    if unanswered(answer):
        return
    expect_function(answer, "of model, example, recipe and budget")
    import torch

    from amp_helpers.memory import predict_memory
    from amp_helpers.models import MLP, SmallCNN

    mlp, cnn = MLP(64, 256, 10), SmallCNN(channels=4)
    cases = {
        "an MLP in 1 MB": (mlp, (64,), "32-true", 10**6),
        "the MLP in bf16-mixed": (mlp, (64,), "bf16-mixed", 10**6),
        "the MLP in 100 kB": (mlp, (64,), "32-true", 10**5),
        "a CNN in 400 kB": (cnn, (1, 16, 16), "bf16-true", 4 * 10**5),
    }
    for what, (model, shape, recipe, budget) in cases.items():
        asked = []

        def example(n, shape=shape, asked=asked):
            asked.append(n)
            return torch.empty(n, *shape)

        got = answer(model, example, recipe, budget)
        if type(got) is not int or got < 0:
            raise AssertionError(f"{what}: expected a batch, a Python int that is not negative, got {got!r}")
        if len(asked) > 40:
            raise AssertionError(f"{what}: {len(asked)} inputs were made; do with 40, for instance by halving")

        def total(n, model=model, shape=shape, recipe=recipe):
            return predict_memory(model, torch.empty(n, *shape), recipe=recipe).total

        if got and (size := total(got)) > budget:
            raise AssertionError(f"{what}: a batch of {got} needs {size:,} bytes, and only {budget:,} are there")
        if (size := total(got + 1)) <= budget:
            raise AssertionError(f"{what}: a batch of {got + 1} fits too, with {size:,} of {budget:,} bytes")
        print(f"{what}: {got}")
    print("Right in every case.")
