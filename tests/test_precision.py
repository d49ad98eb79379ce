"""The named recipes: what they are, which device runs them, and that float32 means float32."""

import pytest
import torch
from torch import nn

from amp_helpers.__main__ import main
from amp_helpers.memory import predict_memory
from amp_helpers.precision import (
    ALIASES,
    OPT_LEVELS,
    RECIPES,
    choose_recipe,
    float32_precision,
    get_recipe,
    recommend_recipe,
    set_float32_precision,
)
from amp_helpers.training import train

NAMES = ["32-true", "tf32", "16-mixed", "bf16-mixed", "16-true", "bf16-true"]


def test_the_names_are_lightnings():
    assert list(RECIPES) == NAMES
    assert all(recipe.name == name for name, recipe in RECIPES.items())


@pytest.mark.parametrize(
    ("alias", "name"),
    [
        *[("no", "32-true"), ("fp16", "16-mixed"), ("bf16", "bf16-mixed")],
        *[("fp32", "32-true"), ("amp_fp16", "16-mixed"), ("amp_bf16", "bf16-mixed"), (16, "16-mixed"), (32, "32-true")],
    ],
)
def test_aliases(alias, name):
    assert get_recipe(alias) is RECIPES[name] is get_recipe(RECIPES[name])


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(ValueError, match=r"unknown recipe 'fp8'; choose from 32-true, tf32, .*amp_bf16"):
        get_recipe("fp8")
    assert not set(ALIASES) & set(RECIPES)


def test_every_recipe_is_refused_or_named_on_a_t4(machine):
    machine.cuda("Tesla T4", (7, 5))
    assert choose_recipe("16-mixed").name == "16-mixed"
    with pytest.warns(RuntimeWarning, match=r"T4 runs bf16-mixed only by emulation .*accelerates 32-true, 16-mixed"):
        assert choose_recipe("bf16-mixed").name == "bf16-mixed", "it runs, so it is not replaced"
    with pytest.raises(RuntimeError, match=r"T4 cannot run tf32: .* it can run 32-true, 16-mixed, bf16-mixed"):
        choose_recipe("tf32")


def test_a_p100_runs_nothing(machine):
    machine.cuda("Tesla P100", (6, 0), runs=False)
    for name in RECIPES:
        with pytest.raises(RuntimeError, match="no kernel image"):
            choose_recipe(name, "cuda")
    assert "cannot run a kernel" in recommend_recipe("cuda")[1]


def test_recommendations(machine):
    def named(device):
        return recommend_recipe(device)[0].name

    machine.cpu(bf16=0.4)
    assert named("cpu") == "32-true"
    machine.cpu(bf16=4.0)
    assert named("cpu") == "bf16-mixed"
    machine.cuda("Tesla T4", (7, 5))
    assert named("cuda") == "16-mixed"
    machine.cuda("A100", (8, 0))
    assert named("cuda") == "bf16-mixed"
    machine.mps()
    assert named("mps") == "16-mixed"


def test_a_cpu_without_bf16_hardware_says_so(machine):
    machine.cpu(bf16=0.4)
    with pytest.warns(RuntimeWarning, match=r"only by emulation \(a matrix product measured 0.4 times"):
        choose_recipe("bf16-mixed", "cpu")


@pytest.mark.parametrize("name", NAMES)
def test_what_a_recipe_does(name):
    recipe = RECIPES[name]
    model = recipe.convert(nn.Linear(4, 4))
    with recipe.autocast_context("cpu"):
        out = model(torch.ones(1, 4, dtype=recipe.weights))
    low = {"16": torch.float16, "bf16": torch.bfloat16}.get(name.split("-")[0], torch.float32)
    assert out.dtype == low
    assert model.weight.dtype == (low if name.endswith("true") else torch.float32)
    assert recipe.grad_scaler("cpu", init_scale=8.0).is_enabled() == (name == "16-mixed")
    assert recipe.needs == ("tfloat32" if name == "tf32" else str(low).removeprefix("torch."))


def test_float32_means_float32():
    before = float32_precision()
    with RECIPES["32-true"].float32_settings():
        assert set(float32_precision().values()) <= {"ieee", False}
    with RECIPES["tf32"].float32_settings():
        assert set(float32_precision().values()) <= {"tf32", True}
    with pytest.raises(KeyError), RECIPES["tf32"].float32_settings():
        raise KeyError
    assert float32_precision() == before
    # The old interface refuses to answer once the two disagree; after the block it answers again.
    assert torch.get_float32_matmul_precision() == "highest"
    with pytest.raises(ValueError, match="'high' is not known; choose from ieee, tf32"):
        set_float32_precision("high")


def test_the_interface_of_torch_2_8(monkeypatch):
    class Matmul:
        allow_tf32 = False

    class Cudnn:
        allow_tf32 = True

    monkeypatch.setattr(torch.backends.cuda, "matmul", Matmul)
    monkeypatch.setattr(torch.backends, "cudnn", Cudnn)
    with RECIPES["tf32"].float32_settings():
        assert Matmul.allow_tf32 is Cudnn.allow_tf32 is True
    assert (Matmul.allow_tf32, Cudnn.allow_tf32) == (False, True)


# The levels of Apex beside the recipes; what they do is in test_apex.py


@pytest.mark.parametrize("name", OPT_LEVELS)
def test_a_level_is_found_by_its_name_and_is_no_recipe(name):
    level = get_recipe(name)
    assert level is OPT_LEVELS[name] is get_recipe(level) and level.name == name
    assert name not in RECIPES and level.today in RECIPES
    message = rf"{name} is a level of Apex .*closest to it is {level.today}; choose from 32-true, .*bf16-true$"
    for given in (name, level):
        with pytest.raises(ValueError, match=message):
            get_recipe(given, levels=False)
        with pytest.raises(ValueError, match=message):
            choose_recipe(given)
        with pytest.raises(ValueError, match=message):
            train(nn.Linear(1, 1), [], None, given, steps=1)
        with pytest.raises(ValueError, match=message):
            predict_memory(nn.Linear(1, 1), torch.ones(1, 1), recipe=given)


def test_the_command_refuses_a_level(capsys):
    assert main(["train", "--precision", "O2"]) == 2
    told = capsys.readouterr().err
    assert "O2 is a level of Apex" in told and "choose from 32-true" in told and told.count("\n") == 1


def test_an_unknown_name_lists_levels_only_where_they_work():
    with pytest.raises(ValueError, match=r"choose from 32-true, .*bf16-true, O0, O1, O2, O3 \(or 32"):
        get_recipe("O4")
    with pytest.raises(ValueError, match=r"choose from 32-true, .*bf16-true \(or 32"):
        get_recipe("O4", levels=False)
