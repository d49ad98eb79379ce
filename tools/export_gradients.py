"""Record the gradients of real models for the underflow widget.

    python tools/export_gradients.py [FOLDER]     record: a file per model and moment
    python tools/export_gradients.py --inline     record nothing, write only the JavaScript module of what is there

A CNN on digits and a small GPT on source code, each at the start and after some training, in float32 with one thread:
the same versions of torch and Python write the same files. FOLDER is amp_helpers/static/gradients by default; then the
module amp_helpers/static/widgets/recorded_gradients.js is written too, for pages that fetch nothing.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import torch
import torch.nn.functional as F

from amp_helpers.benchmark import one_thread
from amp_helpers.datasets import digits, source_text
from amp_helpers.gradients import collect
from amp_helpers.models import GPT, GPTConfig, SmallCNN

STATIC = Path(__file__).parents[1] / "amp_helpers" / "static"
FOLDER = STATIC / "gradients"
MODULE = STATIC / "widgets" / "recorded_gradients.js"
HEAD = "// Recorded gradients of real models, by name. Written by tools/export_gradients.py; do not edit.\n\n"
LARGEST = 30_000  # bytes of a file: it becomes the state of a widget


def cnn_case():
    """(name, model, training batches, the batch that is looked at, loss function)."""
    data = digits()
    return "SmallCNN on digits", SmallCNN(), data.batches(64, steps=200), next(data.batches(64, seed=1)), cnn_loss


def cnn_loss(model, batch):
    """Cross-entropy of one batch of images."""
    return F.cross_entropy(model(batch[0]), batch[1])


def gpt_case():
    """As `cnn_case`."""
    data = source_text()
    model = GPT(GPTConfig(vocabulary=len(data.vocabulary), context=64, width=64, heads=4, layers=2))
    seen = next(data.batches(8, 64, steps=1, seed=1))
    return "GPT on source code", model, data.batches(16, 64, steps=200), seen, gpt_loss


def gpt_loss(model, batch):
    """Cross-entropy of the next token of one batch of texts."""
    return F.cross_entropy(model(batch[0]).flatten(0, 1), batch[1].flatten())


def record(case, learning_rate: float = 3e-3):
    """Yield (label, report) at the start and after training with AdamW."""
    torch.manual_seed(0)
    name, model, batches, seen, loss = case()
    yield "start", look(name + ", at the start", model, seen, loss)
    optimizer, steps = torch.optim.AdamW(model.parameters(), lr=learning_rate), 0
    for batch in batches:
        optimizer.zero_grad()
        loss(model, batch).backward()
        optimizer.step()
        steps += 1
    yield "trained", look(f"{name}, after {steps} steps", model, seen, loss)


def look(name, model, seen, loss):
    """The report of one batch that was not trained on last."""
    return collect(model, lambda: loss(model, seen), activations=True, name=name)


def main(arguments: list[str] | None = None) -> int:
    """Write the files, whole or not at all."""
    arguments = sys.argv[1:] if arguments is None else arguments
    if arguments == ["--inline"]:
        return inline()
    folder = Path(arguments[0]) if arguments else FOLDER
    texts = {}
    with one_thread():
        for stem, case in (("cnn", cnn_case), ("gpt", gpt_case)):
            for label, report in record(case):
                texts[f"{stem}_{label}.json"] = text_of(report.export())
    for name, text in texts.items():
        if len(text) > LARGEST:
            print(f"{name} would have {len(text)} bytes, more than {LARGEST}", file=sys.stderr)
            return 1
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8", newline="\n")
        print(f"{name}: {len(text)} bytes")
    return 0 if arguments else inline()


def inline() -> int:
    """Write the module."""
    MODULE.write_text(module_text(), encoding="utf-8", newline="\n")
    return 0


def module_text() -> str:
    """The recordings as a JavaScript module: a line for each."""
    lines = []
    for path in sorted(FOLDER.glob("*.json")):
        data = json.loads(path.read_text(encoding="utf-8"))
        lines.append(f"  {path.stem}: {json.dumps(data, separators=(',', ':'), ensure_ascii=False)},\n")
    return f"{HEAD}export const RECORDED = {{\n{''.join(lines)}}};\n"


def text_of(data: dict) -> str:
    """JSON with a line for each gradient; the loss to six digits, so that the last bits of a sum do not matter."""
    head = data | {"loss": float(f"{data['loss']:.6g}"), "groups": 0}
    groups = ",\n".join(json.dumps(group, separators=(",", ":")) for group in data["groups"])
    return json.dumps(head, separators=(",", ":")).replace('"groups":0', f'"groups":[\n{groups}\n]') + "\n"


if __name__ == "__main__":
    sys.exit(main())
