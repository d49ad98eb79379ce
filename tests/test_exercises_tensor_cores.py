"""The checks of chapter 04 accept what is right and explain what is not."""

import pytest

from amp_helpers.exercises import tensor_cores

CHECKS = [tensor_cores.check_intensity, tensor_cores.check_memory_bound, tensor_cores.check_whole_speedup]


@pytest.mark.parametrize("check", CHECKS)
def test_unanswered(check, capsys):
    check(...)
    assert "answer" in capsys.readouterr().out


def test_intensity(capsys):
    tensor_cores.check_intensity(lambda m, n, k, size: 2 * m * n * k / ((m * k + k * n + m * n) * size))
    assert "Right" in capsys.readouterr().out
    with pytest.raises(AssertionError, match=r"2 operations and 3 bytes, but the function returned 0\.333"):
        tensor_cores.check_intensity(lambda m, n, k, size: m * n * k / ((m * k + k * n + m * n) * size))
    with pytest.raises(AssertionError, match="64x64 by 64x64 with 2 bytes"):
        tensor_cores.check_intensity(lambda m, n, k, size: 2 * m * n * k / (m * k + k * n + m * n))
    with pytest.raises(TypeError, match="a function of m, n, k and size is expected, not 3"):
        tensor_cores.check_intensity(3)


RIGHT = {"product 64", "add", "one row"}


def test_memory_bound(capsys):
    tensor_cores.check_memory_bound(RIGHT)
    tensor_cores.check_memory_bound(sorted(RIGHT))
    assert "206" in capsys.readouterr().out
    for name in ("product 8192", "product 64", "add", "one row", "many rows"):
        with pytest.raises(AssertionError, match=rf"^{name}: .* than the 206 of the bend"):
            tensor_cores.check_memory_bound(RIGHT ^ {name})
    with pytest.raises(AssertionError, match="'relu' is none of product 8192"):
        tensor_cores.check_memory_bound(RIGHT | {"relu"})
    with pytest.raises(TypeError, match="a set of names is expected, not 'add'"):
        tensor_cores.check_memory_bound("add")


def test_whole_speedup(capsys):
    tensor_cores.check_whole_speedup(lambda part, factor: 1 / (1 - part + part / factor))
    assert "Right" in capsys.readouterr().out
    for wrong, message in {
        (lambda part, factor: factor): "0% of the time 8 times as fast",
        (lambda part, factor: 1 - part + part * factor): "100% of the time|50% of the time",
        (lambda part, factor: 1 - part + part / factor): "100% of the time",
    }.items():
        with pytest.raises(AssertionError, match=message):
            tensor_cores.check_whole_speedup(wrong)
    with pytest.raises(TypeError, match="a function of part and factor is expected, not 'x'"):
        tensor_cores.check_whole_speedup("x")
