"""The small real models that the chapters and the suites share, each readable in one screen.

They hold no precision of their own: parameters are float32, and autocast or a recipe decides what they compute in.
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
        *widths: features of the input, of every hidden layer and of the output; two or more.
    Shape: (batch, widths[0]) -> (batch, widths[-1]).
    Raises: ValueError for fewer than two widths.
    Introduced in: notebooks/06_autocast.ipynb
    """

    def __init__(self, *widths: int):
        if len(widths) < 2:
            raise ValueError(f"an MLP needs at least two widths, input and output, not {widths}")
        layers = []
        for before, after in itertools.pairwise(widths):
            layers += [nn.Linear(before, after), nn.ReLU()]
        super().__init__(*layers[:-1])


class ResNetBlock(nn.Module):
    """Two 3x3 convolutions with BatchNorm, and the input added to their result.

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
    """Causal self-attention, then an MLP, each after a LayerNorm and added to its input.

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
            raise ValueError(f"width {width} is not a multiple of {heads} heads")
        self.heads = heads
        self.norm1 = nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width)
        self.project = nn.Linear(width, width)
        self.norm2 = nn.LayerNorm(width)
        self.expand = nn.Linear(width, 4 * width)
        self.contract = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.project(self.attend(self.norm1(x)))
        return x + self.contract(F.gelu(self.expand(self.norm2(x)), approximate="tanh"))

    def attend(self, x: Tensor) -> Tensor:
        """Shape: (batch, tokens, width) -> the same; a token sees itself and what came before."""
        batch, tokens, width = x.shape
        query, key, value = (
            part.view(batch, tokens, self.heads, width // self.heads).transpose(1, 2)
            for part in self.qkv(x).split(width, dim=2)
        )
        mixed = F.scaled_dot_product_attention(query, key, value, is_causal=True)
        return mixed.transpose(1, 2).reshape(batch, tokens, width)


class SmallCNN(nn.Module):
    """Three convolutions with BatchNorm and a linear layer, for images of 8x8 pixels and more.

    Args:
        classes: number of outputs.
        channels: of the first convolution; the others have twice and four times as many.
        inputs: channels of the image.
    Shape: (batch, inputs, height, width) -> (batch, classes).
    Introduced in: notebooks/08_gradient_underflow.ipynb
    """

    def __init__(self, classes: int = 10, channels: int = 16, inputs: int = 1):
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
    """A fast residual network for images of 32x32 pixels: 6.6 million parameters with 64 channels.

    Args:
        classes: number of outputs.
        channels: of the first convolution; the last ones have eight times as many.
        inputs: channels of the image.
    Shape: (batch, inputs, height, width) -> (batch, classes); height and width are at least 8.
    Source: the shape of Page's "How to Train Your ResNet", 2018.
    Introduced in: notebooks/05_memory.ipynb
    """

    def __init__(self, classes: int = 10, channels: int = 64, inputs: int = 3):
        super().__init__()
        self.prepare = _convolution(inputs, channels)
        self.layer1 = nn.Sequential(_convolution(channels, 2 * channels), nn.MaxPool2d(2))
        self.residual1 = ResNetBlock(2 * channels)
        self.layer2 = nn.Sequential(_convolution(2 * channels, 4 * channels), nn.MaxPool2d(2))
        self.layer3 = nn.Sequential(_convolution(4 * channels, 8 * channels), nn.MaxPool2d(2))
        self.residual3 = ResNetBlock(8 * channels)
        self.head = nn.Linear(8 * channels, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.residual1(self.layer1(self.prepare(x)))
        x = self.residual3(self.layer3(self.layer2(x)))
        return self.head(x.amax(dim=(2, 3)))


def _convolution(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, kernel_size=3, padding=1, bias=False), nn.BatchNorm2d(outputs), nn.ReLU()
    )


@dataclass(frozen=True)
class GPTConfig:
    """The sizes of a `GPT`; the default is GPT-2's smallest, with 124 million parameters.

    Args:
        vocabulary: number of tokens; 50,304 is GPT-2's 50,257 rounded up to a multiple of 128.
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
    """A decoder-only transformer whose output layer shares the token embedding's weight.

    Shape: tokens (batch, length), int64 -> logits (batch, length, vocabulary).
    Raises: ValueError for a sequence longer than the context.
    Source: GPT-2, Radford et al., 2019; weights start at a standard deviation of 0.02, and the layers that write to the
        residual stream at 0.02 / sqrt(2 layers).
    Introduced in: notebooks/05_memory.ipynb
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.tokens = nn.Embedding(config.vocabulary, config.width)
        self.positions = nn.Embedding(config.context, config.width)
        self.blocks = nn.ModuleList(TransformerBlock(config.width, config.heads) for _ in range(config.layers))
        self.norm = nn.LayerNorm(config.width)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)
        self.head.weight = self.tokens.weight
        for name, parameter in self.named_parameters():
            if parameter.dim() == 2:
                residual = name.endswith(("project.weight", "contract.weight"))
                nn.init.normal_(parameter, std=0.02 / (2 * config.layers) ** 0.5 if residual else 0.02)
            elif name.endswith("bias"):
                nn.init.zeros_(parameter)

    def forward(self, tokens: Tensor) -> Tensor:
        length = tokens.shape[1]
        if length > self.config.context:
            raise ValueError(f"a sequence of {length} tokens is longer than the context of {self.config.context}")
        x = self.tokens(tokens) + self.positions(torch.arange(length, device=tokens.device))
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))
