"""The claim about `DataParallel`: the reader of autocast calls, and both verdicts."""

import torch
from torch import nn

from amp_helpers.claims import history


def three_calls(device_type, dtype):
    with torch.amp.autocast(device_type, enabled=True):
        pass
    with torch.autocast(device_type, dtype):
        pass
    with torch.autocast(device_type=device_type, dtype=dtype, enabled=False):
        pass


def test_arguments_of_autocast_calls():
    found = history.autocast_arguments(three_calls)
    assert found == [{"device_type", "enabled"}, {"device_type", "dtype"}, {"device_type", "dtype", "enabled"}]


def test_a_thread_does_not_inherit_the_dtype():
    assert history.dtype_in_thread() == torch.bfloat16
    assert not torch.is_autocast_enabled("cpu")


def test_without_the_advice_it_is_not_outdated(monkeypatch):
    assert history.data_parallel().verdict == ("outdated",)
    monkeypatch.setattr(nn.DataParallel, "__doc__", "Implements data parallelism at the module level.")
    assert history.data_parallel().verdict == ("true",)
    monkeypatch.setattr(history, "parallel_apply", three_calls)
    assert "are told autocast's dtype" in history.data_parallel().seen
