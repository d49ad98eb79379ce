"""`train`: one of the book's models on one of its data sets, from a terminal."""

from __future__ import annotations

import contextlib
import sys
import warnings

#: Per model: the data it can take, and the learning rate unless told otherwise.
MODELS = {
    "mlp": (("digits", "fashion"), 0.05),
    "cnn": (("digits", "fashion"), 0.05),
    "resnet9": (("digits", "fashion"), 0.01),
    "gpt": (("text",), 1e-3),
}


def add(commands) -> None:
    """Add the command to the parser's."""
    train = commands.add_parser(
        "train",
        help="train a small model, with checkpoints",
        description="Trains one of the book's models. With --checkpoint it saves itself every 10 steps and at the end; "
        "the same command with --resume goes on from there, to the same weights. Exit code 1 if the training failed.",
    )
    train.add_argument("--model", choices=MODELS, default="mlp")
    train.add_argument("--data", choices=("digits", "fashion", "text"), help="default: digits; for gpt: text")
    train.add_argument("--precision", default="32-true", metavar="RECIPE", help="such as 32-true, bf16-mixed, 16-mixed")
    train.add_argument("--steps", type=int, default=200, help="in total, those before a resume too (default: 200)")
    train.add_argument("--batch-size", type=int, default=64)
    train.add_argument("--lr", type=float, help="learning rate")
    train.add_argument("--seed", type=int, default=0)
    train.add_argument("--device", help="cuda or cpu (default: the first that runs a kernel)")
    train.add_argument("--checkpoint", metavar="PATH", help="a file to save to; one from before is replaced")
    train.add_argument("--checkpoint-every", type=int, default=10, metavar="STEPS")
    train.add_argument("--resume", action="store_true", help="go on from the checkpoint")
    train.set_defaults(run=_run)


def _run(options) -> int:
    from amp_helpers.training import NonFiniteLoss, ScaleCollapse

    if options.resume and not options.checkpoint:
        raise ValueError("--resume needs --checkpoint PATH, the file to go on from")
    if options.steps < 1:
        raise ValueError(f"--steps must be 1 or more, not {options.steps}")
    import torch

    with _notices():
        try:
            run = _train(options)
        except (NonFiniteLoss, ScaleCollapse, torch.OutOfMemoryError) as error:
            print(f"python -m amp_helpers: the training stopped: {error}", file=sys.stderr)
            return 1
        except KeyboardInterrupt:
            print("python -m amp_helpers: interrupted", file=sys.stderr)
            return 130
    print(f"steps {run.steps}, loss {run.losses[-1]:.4g}, test accuracy {run.accuracy:.3f}", end="")
    print(f", skipped steps {run.skipped}" if run.skipped else "")
    if run.step_s is not None:
        print(f"{run.step_s * 1e3:.3g} ms per step (median)")
    if options.checkpoint:
        print(f"checkpoint {options.checkpoint}")
    return 0


def _train(options):
    import torch

    from amp_helpers.device import pick_device
    from amp_helpers.precision import choose_recipe, get_recipe
    from amp_helpers.training import train

    recipe = get_recipe(options.precision, levels=False)
    try:
        device = pick_device(options.device)
        recipe = choose_recipe(recipe, device)
    except RuntimeError as error:  # of the machine: a mistake in the arguments here
        raise ValueError(str(error)) from None
    lr = MODELS[options.model][1] if options.lr is None else options.lr
    if not lr > 0:
        raise ValueError(f"--lr must be above 0, not {lr}")
    torch.manual_seed(options.seed)
    model, data = build(options.model, options.data)
    if options.model == "gpt":
        optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    else:
        optimizer = torch.optim.SGD(model.parameters(), lr=lr, momentum=0.9)
    return train(
        model,
        data,
        optimizer,
        recipe,
        steps=options.steps,
        batch_size=options.batch_size,
        device=device,
        seed=options.seed,
        evaluate_every=options.steps,
        checkpoint=options.checkpoint,
        checkpoint_every=options.checkpoint_every,
        resume=options.resume,
        progress=sys.stderr.isatty(),
    )


def build(model: str, data: str | None):
    """The model and the data of these names, sized for each other and for a CPU.

    Args:
        model: a key of `MODELS`.
        data: "digits", "fashion" or "text"; None takes the first that the model can take.
    Returns: (model, data).
    Raises: ValueError if the model cannot take the data.
    """
    from torch import nn

    from amp_helpers import datasets, models

    can = MODELS[model][0]
    data = can[0] if data is None else data
    if data not in can:
        raise ValueError(f"--model {model} takes --data {' or '.join(can)}, not {data}")
    if model == "gpt":
        text = datasets.source_text()
        vocabulary = -(-len(text.vocabulary) // 64) * 64
        config = models.GPTConfig(vocabulary=vocabulary, context=64, width=128, heads=4, layers=2)
        return models.GPT(config), text
    images = datasets.fashion_mnist() if data == "fashion" else datasets.digits(32 if model == "resnet9" else 8)
    if model == "mlp":
        width = images.train_images[0].numel()
        return nn.Sequential(nn.Flatten(), models.MLP(width, 256, images.classes)), images
    if model == "cnn":
        return models.SmallCNN(images.classes), images
    return models.ResNet9(images.classes, channels=32, inputs=1), images


@contextlib.contextmanager
def _notices():
    """Warnings as one line each."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", UserWarning)
        warnings.simplefilter("always", RuntimeWarning)
        warnings.showwarning = lambda message, *rest, **more: print(
            f"python -m amp_helpers: note: {message}", file=sys.stderr
        )
        yield
