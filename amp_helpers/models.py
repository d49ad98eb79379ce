"""The small real models that chapters and suites share.

They hold no precision of their own: parameters are float32, and autocast or a
recipe decides the rest. Lines are short enough for a page to show them.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class MLP(nn.Sequential):
    """Linear layers with ReLU between them.

    Args:
        *widths: features of the input, of every hidden layer and of the
            output; two or more.
    Shape: (batch, widths[0]) -> (batch, widths[-1]).
    Raises: ValueError for fewer than two widths.
    Introduced in: notebooks/06_autocast.ipynb
    """

    def __init__(self, *widths: int):
        if len(widths) < 2:
            message = f"an MLP needs at least two widths, not {widths}"
            raise ValueError(message)
        layers = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers[:-1])


class ResNetBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm, added to their input.

    Args:
        channels: of input and output.
    Shape: (batch, channels, height, width) -> the same.
    Source: He et al., "Deep Residual Learning for Image Recognition", 2016.
    Introduced in: notebooks/05_memory.ipynb
    """

    def __init__(self, channels: int):
        super().__init__()
        self.conv1 = _convolution(channels, channels)
        self.conv2 = _convolution(channels, channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(self.conv1(x))


class TransformerBlock(nn.Module):
    """Causal self-attention, then an MLP, each normed and added.

    Args:
        width: features of a token; a multiple of `heads`.
        heads: of the attention.
    Shape: (batch, tokens, width) -> the same.
    Raises: ValueError if `width` is not a multiple of `heads`.
    Source: the pre-norm block of GPT-2, Radford et al., 2019.
    Introduced in: notebooks/06_autocast.ipynb
    """

    def __init__(self, width: int, heads: int):
        super().__init__()
        if width % heads:
            message = f"width {width} is not a multiple of {heads} heads"
            raise ValueError(message)
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.project(self.attend(self.norm1(x)))
        hidden = F.gelu(self.expand(self.norm2(x)), approximate="tanh")
        return x + self.contract(hidden)

    def attend(self, x: Tensor) -> Tensor:
        """Let a token see itself and what came before; the shape stays."""
        batch, tokens, width = x.shape
        shape = batch, tokens, self.heads, width // self.heads
        parts = self.qkv(x).split(width, dim=2)
        q, k, v = (part.view(shape).transpose(1, 2) for part in parts)
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, tokens, width)


class SmallCNN(nn.Module):
    """Three convolutions and a linear layer, for 8x8 pixels and more.

    Args:
        classes: number of outputs.
        channels: of the first convolution; the others have twice and four
            times as many.
        inputs: channels of the image.
    Shape: (batch, inputs, height, width) -> (batch, classes).
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    def __init__(self, classes=10, channels=16, inputs=1):
        super().__init__()
        self.conv1 = _convolution(inputs, channels)
        self.conv2 = _convolution(channels, 2 * channels)
        self.conv3 = _convolution(2 * channels, 4 * channels)
        self.head = nn.Linear(4 * channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.conv1(x), 2)
        x = F.max_pool2d(self.conv2(x), 2)
        return self.head(self.conv3(x).mean(dim=(2, 3)))


class ResNet9(nn.Module):
    """A fast residual network for images of 32x32 pixels.

    Args:
        classes: number of outputs.
        channels: of the first convolution; the last ones have eight times as
            many. With 64 the model has 6.6 million parameters.
        inputs: channels of the image.
    Shape: (batch, inputs, height, width) -> (batch, classes), with height and
        width at least 8.
    Source: the shape of Page's "How to Train Your ResNet", 2018.
    Introduced in: notebooks/05_memory.ipynb
    """

    def __init__(self, classes=10, channels=64, inputs=3):
        super().__init__()
        self.prepare = _convolution(inputs, channels)
        self.layer1 = _halving(channels, 2 * channels)
        self.residual1 = ResNetBlock(2 * channels)
        self.layer2 = _halving(2 * channels, 4 * channels)
        self.layer3 = _halving(4 * channels, 8 * channels)
        self.residual3 = ResNetBlock(8 * channels)
        self.head = nn.Linear(8 * channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual1(self.layer1(self.prepare(x)))
        x = self.residual3(self.layer3(self.layer2(x)))
        return self.head(x.amax(dim=(2, 3)))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    convolution = nn.Conv2d(inputs, outputs, 3, padding=1, bias=False)
    return nn.Sequential(convolution, nn.BatchNorm2d(outputs), nn.ReLU())


def _halving(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(_convolution(inputs, outputs), nn.MaxPool2d(2))


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a `GPT`; by default GPT-2's smallest, with 124 million.

    Args:
        vocabulary: number of tokens; 50,304 is GPT-2's 50,257 rounded up to a
            multiple of 128.
        context: longest sequence, in tokens.
        width: features of a token.
        heads: of each attention.
        layers: number of blocks.
    Introduced in: notebooks/05_memory.ipynb
    """

    vocabulary: int = 50304
    context: int = 1024
    width: int = 768
    heads: int = 12
    layers: int = 12


class GPT(nn.Module):
    """A decoder-only transformer; its head shares the embedding's weight.

    Shape: tokens (batch, length) -> logits (batch, length, vocabulary).
    Raises: ValueError for a sequence longer than the context.
    Source: GPT-2, Radford et al., 2019; weights start at a standard deviation
        of 0.02, and those that write to the residual stream at
        0.02 / sqrt(2 layers).
    Introduced in: notebooks/05_memory.ipynb
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        width, heads, layers = config.width, config.heads, config.layers
        self.tokens = nn.Embedding(config.vocabulary, width)
        self.positions = nn.Embedding(config.context, width)
        blocks = (TransformerBlock(width, heads) for _ in range(layers))
        self.blocks = nn.ModuleList(blocks)
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, config.vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = ("project.weight", "contract.weight")
                sums = 2 * layers if name.endswith(residual) else 1
                nn.init.normal_(parameter, std=0.02 / sums**0.5)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length > self.config.context:
            limit = f"the context of {self.config.context}"
            raise ValueError(f"{length} tokens are longer than {limit}")
        places = torch.arange(length, device=tokens.device)
        x = self.tokens(tokens) + self.positions(places)
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
