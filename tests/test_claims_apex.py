"""Evidence on Apex: imports are found wherever they stand, and the decisive facts decide."""

import sys
import types

import pytest

from amp_helpers.claims import apex as evidence


def test_imported_packages():
    source = """
import os.path, torch as t
from apex import amp
from . import autocast_mode
def late():
    from torch.cuda import amp
"""
    assert evidence.imported_packages(source) == {"os", "torch", "apex"}


def test_torch_amp_has_sources():
    names = {path.name for path in evidence._amp_sources()}
    assert {"autocast_mode.py", "grad_scaler.py"} <= names


def test_an_import_of_apex_would_show(monkeypatch, tmp_path):
    path = tmp_path / "grad_scaler.py"
    path.write_text("import torch\nfrom apex.amp import scaler\n")
    monkeypatch.setattr(evidence, "_amp_sources", lambda: [path])
    assert evidence.EVIDENCE["4"]().verdict == ("true",)


def test_apex_is_forbidden_for_a_while_even_if_it_is_there(monkeypatch):
    monkeypatch.setitem(sys.modules, "apex", types.ModuleType("apex"))
    monkeypatch.setitem(sys.modules, "apex.amp", types.ModuleType("apex.amp"))
    with evidence._no_apex(), pytest.raises(ImportError):
        import apex.amp  # noqa: F401
    assert sys.modules["apex"].__name__ == "apex" and "apex.amp" in sys.modules


def test_training_that_needs_apex_makes_the_claim_true(monkeypatch):
    def needs_apex():
        import apex.amp

        return apex.amp

    monkeypatch.setattr(evidence, "_train_with_torch_amp", needs_apex)
    assert evidence.EVIDENCE["3"]().verdict == ("true",)
    assert "apex" not in sys.modules


@pytest.mark.parametrize("levels, verdict", [(("O2",), "true"), (("O1", "O3"), "false")])
def test_levels_decide(monkeypatch, levels, verdict):
    monkeypatch.setattr(evidence, "LEVELS", levels)
    assert evidence.EVIDENCE["13"]().verdict == (verdict,)
