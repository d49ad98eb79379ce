"""Evidence on Apex: what PyTorch's own AMP needs of it, and what its levels did."""

from __future__ import annotations

import ast
import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path

import torch
import torch.nn.functional as F

from amp_helpers.models import MLP
from amp_helpers.precision import ApexLevel

from .evidence import Evidence, holds, outdated

#: Levels that cast or scale anything; O0 is plain float32.
LEVELS = ("O1", "O2", "O3")


def apex_comes_first() -> Evidence:
    """3: PyTorch's AMP, trained with while Apex cannot be imported."""
    losses, error = [], None
    with _no_apex():
        try:
            losses = _train_with_torch_amp()
        except ImportError as problem:
            error = problem
    learns = bool(losses) and losses[-1] < losses[0]
    return holds(
        f"With every import of `apex` forbidden, twenty steps of autocast and GradScaler "
        f"{'end in an ImportError' if error else 'lower the loss' if learns else 'do not lower the loss'}.",
        not learns,
    )


def torch_amp_is_apex() -> Evidence:
    """4: what the sources of PyTorch's AMP import."""
    imported = set()
    for path in _amp_sources():
        imported |= imported_packages(path.read_text(encoding="utf8"))
    return outdated(
        f"Of the packages that the sources of `torch.amp` and `torch.cuda.amp` import, "
        f"{'one' if 'apex' in imported else 'none'} is Apex.",
        superseded=bool(imported) and "apex" not in imported,
    )


def casts_and_scales() -> Evidence:
    """13: the weights of each level, and what its loss scale does after an overflow."""
    words, cases = [], []
    for name in LEVELS:
        dtype, reacts = _level(name)
        words.append(f"{name}: {str(dtype).removeprefix('torch.')}, {'dynamic' if reacts else 'fixed'}")
        cases.append(dtype == torch.float16 and reacts)
    return holds(f"Weights and loss scale by level, in today's PyTorch: {'; '.join(words)}.", *cases)


def imported_packages(source: str) -> set[str]:
    """The top-level packages that a Python source names in its imports, wherever they stand.

    Args:
        source: Python code.
    Introduced in: notebooks/20_claims_tested.ipynb
    """
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and not node.level:
            names.add(node.module.split(".")[0])
    return names


def _amp_sources() -> list[Path]:
    folder = Path(torch.__file__).parent
    return [path for place in ("amp", "cuda/amp") for path in sorted((folder / place).glob("*.py"))]


@contextlib.contextmanager
def _no_apex() -> Iterator[None]:
    """Any import of apex fails, whether it is installed or not."""
    before = {name: sys.modules[name] for name in list(sys.modules) if name.split(".")[0] == "apex"}
    for name in before:
        del sys.modules[name]
    sys.modules["apex"] = None
    try:
        yield
    finally:
        del sys.modules["apex"]
        sys.modules.update(before)


def _train_with_torch_amp(steps: int = 20) -> list[float]:
    model, losses = MLP(16, 32, 4), []
    x, y = torch.randn(64, 16), torch.arange(64) % 4
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    scaler = torch.amp.GradScaler("cpu")
    for _ in range(steps):
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = F.cross_entropy(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        losses.append(loss.item())
    return losses


def _level(name: str) -> tuple[torch.dtype, bool]:
    """The dtype of a level's weights, and whether its loss scale reacts to an overflow."""
    model = MLP(8, 8)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    level = ApexLevel(name)
    model, optimizer = level.initialize(model, optimizer)
    with level.autocast():
        loss = model(torch.ones(4, 8)).float().sum() * 1e30  # no scale brings its gradients into range
    with level.scale_loss(loss, optimizer) as scaled:
        scaled.backward()
    before = level.scaler.get_scale()
    level.step(optimizer)
    return model[0].weight.dtype, level.scaler.get_scale() != before


EVIDENCE = {"3": apex_comes_first, "4": torch_amp_is_apex, "13": casts_and_scales}
