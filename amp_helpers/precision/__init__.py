"""The named recipes of precision, PyTorch's TF32 switches, and the four levels of Apex in today's PyTorch.

A recipe says what the weights are stored in, what autocast computes in, and whether losses are scaled.
"""

from .casting import cast_weights
from .float32 import float32_precision, set_float32_precision
from .levels import OPT_LEVELS, ApexLevel, OptLevel, opt_level
from .recipes import ALIASES, RECIPES, Recipe, choose_recipe, get_recipe, recommend_recipe

__all__ = [
    "ALIASES",
    "OPT_LEVELS",
    "RECIPES",
    "ApexLevel",
    "OptLevel",
    "Recipe",
    "cast_weights",
    "choose_recipe",
    "float32_precision",
    "get_recipe",
    "opt_level",
    "recommend_recipe",
    "set_float32_precision",
]
