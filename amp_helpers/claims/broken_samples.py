"""Samples of code in the fewest words: as found, and right below mended.

A found loop and its mended twin differ in the one place that the name says.
Lines are short enough for a page to show them.
"""

from __future__ import annotations

import torch
from torch import nn


def without_zero_grad(model, loss_fn, optimizer, scaler, batches):
    """As found: nothing clears the gradients."""
    for x, y in batches:
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def with_zero_grad(model, loss_fn, optimizer, scaler, batches):
    """Mended: every step begins without gradients."""
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def without_update(model, loss_fn, optimizer, scaler, batches):
    """As found: the scaler never learns that a step is over."""
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)


def with_update(model, loss_fn, optimizer, scaler, batches):
    """Mended: `update` ends every step."""
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=torch.float16):
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()


def without_moving(x, device, autocast):
    """As found: model and batch stay where they were made."""
    model = nn.Linear(64, 10)
    with autocast:
        return model(x)


def with_moving(x, device, autocast):
    """Mended: both are on the device that autocast is for."""
    model = nn.Linear(64, 10, device=device)
    with autocast:
        return model(x.to(device))


def without_scaler(model, loss_fn, optimizer, batches, dtype):
    """As found: autocast alone, sound in bfloat16 only."""
    for x, y in batches:
        optimizer.zero_grad()
        with torch.autocast("cpu", dtype=dtype):
            loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()


def with_old_names(model, loss_fn, optimizer, batches):
    """As found: the names that `torch.amp` replaced."""
    scaler = torch.cuda.amp.GradScaler()
    for x, y in batches:
        with torch.cuda.amp.autocast():
            loss = loss_fn(model(x), y)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()
        optimizer.zero_grad()


def plain_loop(model, loss_fn, optimizer, batches):
    """As found, and sound: the order of a step in float32."""
    for x, y in batches:
        optimizer.zero_grad()
        loss = loss_fn(model(x), y)
        loss.backward()
        optimizer.step()


#: A loop as it was meant.
LINES = """\
for x, y in batches:
    optimizer.zero_grad()
    loss = loss_fn(model(x), y)
    loss.backward()
    optimizer.step()
"""

#: The same words as two texts hold them: the line breaks are lost.
ONE_LINE = " ".join(LINES.split())
