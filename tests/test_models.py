"""The shared models: sizes that the chapters state, shapes, and errors."""

import inspect

import pytest
import torch
from torch.utils.flop_counter import FlopCounterMode

from amp_helpers import models
from amp_helpers.models import GPT, MLP, GPTConfig, ResNet9, ResNetBlock, SmallCNN, TransformerBlock


def parameters(model) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def test_gpt2_has_124_million_parameters():
    with torch.device("meta"):
        published, padded = GPT(GPTConfig(vocabulary=50257)), GPT(GPTConfig())
    assert parameters(published) == 124_439_808  # the size of OpenAI's checkpoint
    assert parameters(padded) - parameters(published) == 47 * 768


def test_resnet9_costs_what_the_suite_divides_by():
    model = ResNet9()
    assert parameters(model) == 6_573_130
    with FlopCounterMode(display=False) as counter:
        model(torch.randn(1, 3, 32, 32, requires_grad=True)).sum().backward()
    assert counter.get_total_flops() == 2_275_571_712


@pytest.mark.parametrize(
    ("model", "given", "got"),
    [
        (MLP(6, 5, 4), (3, 6), (3, 4)),
        (ResNetBlock(4), (2, 4, 8, 8), (2, 4, 8, 8)),
        (TransformerBlock(32, 4), (2, 7, 32), (2, 7, 32)),
        (SmallCNN(classes=7), (2, 1, 8, 8), (2, 7)),
        (ResNet9(channels=4, inputs=1), (2, 1, 32, 32), (2, 10)),
    ],
    ids=lambda value: type(value).__name__,
)
def test_shapes(model, given, got):
    assert model(torch.randn(given)).shape == got


def test_a_token_sees_only_what_came_before():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary=11, context=6, width=16, heads=2, layers=2))
    tokens = torch.randint(11, (1, 6))
    changed = tokens.clone()
    changed[0, 3] = (tokens[0, 3] + 1) % 11
    same = torch.isclose(model(tokens), model(changed), atol=1e-6).all(dim=2)[0]
    assert same.tolist() == [True, True, True, False, False, False]


def test_the_residual_stream_starts_small():
    torch.manual_seed(0)
    model = GPT(GPTConfig(vocabulary=64, context=8, width=128, heads=4, layers=8))
    assert model.head.weight is model.tokens.weight
    assert model.tokens.weight.std().item() == pytest.approx(0.02, rel=0.1)
    assert model.blocks[0].contract.weight.std().item() == pytest.approx(0.02 / 4, rel=0.1)
    assert not model.blocks[0].qkv.bias.any()


def test_a_page_can_show_them():
    assert max(map(len, inspect.getsource(models).splitlines())) <= 78


def test_mistakes_are_named():
    with pytest.raises(ValueError, match="at least two widths"):
        MLP(4)
    with pytest.raises(ValueError, match="width 30 is not a multiple of 4 heads"):
        TransformerBlock(30, 4)
    with pytest.raises(ValueError, match="9 tokens are longer than the context of 8"):
        GPT(GPTConfig(16, 8, 8, 2, 1))(torch.zeros(1, 9, dtype=torch.int64))
