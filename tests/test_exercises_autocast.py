"""The checks of chapter 06 accept what is right and explain what is not."""

import pytest
import torch

from amp_helpers import exercises
from amp_helpers.policy import autocast_policy

RIGHT = {
    "linear": "float16",
    "softmax": "float32",
    "relu": "float16",
    "sum": "float32",
    "cat": "float16",
    "layer_norm": "float32",
    "mse_loss": torch.float32,
}


@pytest.mark.parametrize("check", ["check_float32_layer", "check_predicted_dtypes", "check_wide_head"])
def test_unanswered(check, capsys):
    getattr(exercises, check)(...)
    assert "answer" in capsys.readouterr().out


def test_float32_layer(capsys):
    exercises.check_float32_layer("3")
    assert capsys.readouterr().out == "Right: layer 3 switches autocast off.\n"
    for wrong in ("0", "2", "5"):
        with pytest.raises(AssertionError, match=rf"layer {wrong} computed in torch.bfloat16"):
            exercises.check_float32_layer(wrong)
    with pytest.raises(ValueError, match=r"'1' is no linear layer of the model; choose from 0, 2, 3, 5"):
        exercises.check_float32_layer("1")


@pytest.mark.parametrize("op", RIGHT)
def test_predicted_dtypes(op, capsys):
    exercises.check_predicted_dtypes(RIGHT)
    assert "Right for all 7" in capsys.readouterr().out
    wrong = RIGHT | {op: "float16" if "32" in str(RIGHT[op]) else "float32"}
    with pytest.raises(AssertionError, match=f"{op}: your answer is float"):
        exercises.check_predicted_dtypes(wrong)
    with pytest.raises(AssertionError, match=f"{op}: your answer is missing"):
        exercises.check_predicted_dtypes({name: dtype for name, dtype in RIGHT.items() if name != op})


def test_the_question_is_left_as_it_was():
    before = torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")
    exercises.check_predicted_dtypes(RIGHT)
    assert (torch.is_autocast_enabled("cuda"), torch.get_autocast_dtype("cuda")) == before
    with pytest.raises(TypeError, match="a dictionary from op to dtype is expected"):
        exercises.check_predicted_dtypes("float16")
    assert autocast_policy("cuda").categories()["softmax"] == "float32"


def head_inside(body, head, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return head(body(x))


def head_outside(body, head, x):
    with torch.autocast("cpu", dtype=torch.bfloat16):
        h = body(x)
    return head(h.float())


def no_region(body, head, x):
    with torch.autocast("cpu", enabled=False):
        return head(body(x))


def right(body, head, x):
    h = head_outside(body, torch.nn.Identity(), x)
    with torch.autocast("cpu", enabled=False):
        return head(h)


def test_wide_head(capsys):
    exercises.check_wide_head(right)
    assert "Right" in capsys.readouterr().out
    for wrong, message in {
        head_inside: "the head computed in torch.bfloat16",
        head_outside: "inside a caller's region: the head computed in torch.bfloat16",
        no_region: "the body computed in torch.float32",
        (lambda body, head, x: head(x)): "the body was not called",
        (lambda body, head, x: right(body, head, x)[0]): "the head's output is expected",
    }.items():
        with pytest.raises(AssertionError, match=message):
            exercises.check_wide_head(wrong)
    with pytest.raises(TypeError, match="a function of body, head and x is expected, not 3"):
        exercises.check_wide_head(3)
