"""Faults that a run must survive or report: each test fails when its guard is removed."""

import gzip
import hashlib
import io
import os
import signal
import socket
import subprocess
import sys
import textwrap
import urllib.error
from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from amp_helpers import datasets
from amp_helpers.datasets import digits, fashion_mnist
from amp_helpers.models import MLP
from amp_helpers.training import (
    CheckpointError,
    NonFiniteLoss,
    ScaleCollapse,
    compiled,
    first_bad_module,
    guards,
    session,
    train,
)
from amp_helpers.training.checkpoint import load, partial_path

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data():
    return digits()


def network(*middle, dropout=0.0):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(dropout), *middle, nn.Linear(16, 10))


def quick(model, data, recipe="32-true", **options):
    optimizer = options.pop("optimizer", None) or torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    return train(model, data, optimizer, recipe, **({"progress": False, "steps": 12} | options))


def weights(model):
    return [parameter.detach().clone() for parameter in model.parameters()]


def equal(a, b):
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


# --- the machine --------------------------------------------------------------------------------------


def test_no_gpu(data):
    """Without a wish it trains on what there is; a GPU that is missing is named before anything happens."""
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    code = """
        import torch
        from torch import nn
        from amp_helpers.datasets import digits
        from amp_helpers.training import train
        model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10))
        optimizer = torch.optim.SGD(model.parameters(), 0.1)
        print(len(train(model, digits(), optimizer, "bf16-mixed", steps=2, progress=False).losses))
        try:
            train(model, digits(), optimizer, steps=2, device="cuda")
        except RuntimeError as error:
            print(error)
    """
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=environment
    )
    assert run.stdout.splitlines() == ["2", "this machine has no cuda device; it has cpu"] and not run.stderr


def test_torch_2_8_has_no_fp32_precision(data, monkeypatch):
    """There `allow_tf32` is the switch; the guard reads which of the two there is."""
    from types import SimpleNamespace

    from amp_helpers.precision import float32

    matmul, cudnn = SimpleNamespace(allow_tf32=False), SimpleNamespace(allow_tf32=True)
    old = SimpleNamespace(cuda=SimpleNamespace(matmul=matmul), cudnn=cudnn)
    monkeypatch.setattr(float32, "torch", SimpleNamespace(backends=old))
    during = []

    def loss(output, target):
        during.append((matmul.allow_tf32, cudnn.allow_tf32))
        return F.cross_entropy(output, target)

    from amp_helpers.training import loop

    monkeypatch.setattr(loop, "pick_device", lambda device: torch.device("cpu"))
    quick(network(), data, "tf32", steps=1, loss=loss)
    quick(network(), data, "32-true", steps=1, loss=loss)
    assert during == [(True, True), (False, False)] and (matmul.allow_tf32, cudnn.allow_tf32) == (False, True)


OUT_OF_MEMORY = [
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.\nGPU 0 has ..."),
    RuntimeError("[enforce fail at alloc_cpu.cpp:127] . DefaultCPUAllocator: can't allocate memory: you tried 8 bytes"),
]


@pytest.mark.parametrize("error", OUT_OF_MEMORY)
def test_out_of_memory(data, tmp_path, error):
    model, reference, path, calls = network(), network(), tmp_path / "a.pt", []

    def loss(output, target):
        calls.append(0)
        if len(calls) == 10:  # the second half of the fifth step, with gradients of the first half there
            raise error
        return F.cross_entropy(output, target)

    options = {"checkpoint_every": 2, "accumulate": 2, "batch_size": 48}
    with pytest.raises(torch.OutOfMemoryError) as caught:
        quick(model, data, loss=loss, checkpoint=path, **options)
    message = str(caught.value)
    assert "use batch_size=24 with accumulate=4" in message and "bf16-mixed" in message and "checkpoint" in message
    assert "\n" not in message and caught.value.__cause__ is None and caught.value.__context__ is None
    assert all(parameter.grad is None for parameter in model.parameters())
    quick(reference, data, steps=4, **options)
    assert equal(weights(model), weights(reference)) and [file.name for file in tmp_path.iterdir()] == ["a.pt"]
    assert load(path)["step"] == 4
    quick(model, data, steps=6, checkpoint=path, resume=True, **options)
    quick(other := network(), data, steps=6, **options)
    assert equal(weights(model), weights(other)), "and the run goes on from there"


def test_other_errors_pass_through(data):
    def loss(output, target):
        raise RuntimeError("mat1 and mat2 shapes cannot be multiplied")

    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        quick(network(), data, loss=loss)
    assert not isinstance(caught.value, torch.OutOfMemoryError)


def test_advice_fits_the_run():
    from amp_helpers.precision import RECIPES

    advice = guards.memory_advice(OUT_OF_MEMORY[0], 1, 4, RECIPES["bf16-mixed"])
    assert "use batch_size" not in advice and "bf16" not in advice and "Tried to allocate 2.00 GiB" in advice


def test_no_compiler(monkeypatch, tmp_path):
    """torch.compile's default backend needs a C++ compiler on a CPU."""
    code = """
        import torch, warnings
        from torch import nn
        from amp_helpers.training import compiled
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(4, 8), nn.GELU(), nn.LayerNorm(8), nn.BatchNorm1d(8))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            got = compiled(model, torch.randn(3, 4))
        notices = [str(w.message) for w in caught if w.category is RuntimeWarning]
        print(got is model, model[3].num_batches_tracked.item(), model[0].weight.grad)
        print(*notices, sep="|")
    """
    environment = {**os.environ, "CXX": "/nonexistent", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path)}
    run = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(code)], capture_output=True, text=True, check=True, env=environment
    )
    first, notice = run.stdout.splitlines()
    assert first == "True 0 None"
    assert notice.startswith("torch.compile is not possible here, the model runs as it is: ")
    assert "compiler" in notice.lower() and "|" not in notice


def test_compiling_where_it_works(data):
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 10), nn.BatchNorm1d(10))
    before, random = weights(model), torch.get_rng_state()
    fast = compiled(model, data.train_images[:8], backend="aot_eager")
    assert fast is not model and equal(before, weights(model)) and torch.equal(random, torch.get_rng_state())
    assert model[2].num_batches_tracked == 0 and model[1].weight.grad is None
    losses = quick(fast, data, steps=2).losses
    assert losses[1] != losses[0] and not equal(before, weights(model))
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        compiled(model, data.train_images[:, :, :4], backend="aot_eager")


# --- numbers ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("recipe", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_nan_and_inf_in_the_data(data, recipe, value):
    batches = [(x.clone(), y) for x, y in data.batches(64, steps=12)]
    batches[6][0][5, 0, 3, 3] = value
    model, reference = network(dropout=0.2), network(dropout=0.2)
    with pytest.raises(NonFiniteLoss, match="the loss of step 7 is nan: its input batch already holds inf") as caught:
        quick(model, batches, recipe)
    assert caught.value.step == 7 and caught.value.bad_input and caught.value.module is None
    quick(reference, batches, recipe, steps=6)
    assert equal(weights(model), weights(reference)), "the model is as it was before the bad step"


def test_nan_in_the_targets(data):
    batches = [(x, F.one_hot(y, 10).float()) for x, y in data.batches(64, steps=4)]
    batches[1][1][3, 3] = float("nan")
    with pytest.raises(NonFiniteLoss, match="the loss of step 2 is nan: its targets already hold"):
        quick(network(), batches)


class Late(nn.Module):
    """Divides by zero at its n-th call in training."""

    def __init__(self, call):
        super().__init__()
        self.call = call
        self.register_buffer("calls", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.calls += 1
        return x / (self.calls != self.call)


@pytest.mark.parametrize("recipe", ["32-true", "bf16-mixed", "16-mixed"])
@pytest.mark.parametrize("save", [False, True])
def test_the_first_bad_module_is_named(data, tmp_path, recipe, save):
    model = network(nn.Sequential(nn.ReLU(), Late(9)), nn.Tanh())
    options = {"checkpoint": tmp_path / "a.pt", "checkpoint_every": 4} if save else {}
    with pytest.raises(NonFiniteLoss) as caught:
        quick(model, data, recipe, steps=30, **options)
    assert caught.value.module == "3.1" and caught.value.step == 9 and not caught.value.bad_input
    assert "the loss of step 9 is nan: the first output that is not finite is that of '3.1' (Late)" in str(caught.value)
    assert "whose input is finite" in str(caught.value)
    assert all(weight.isfinite().all() for weight in model.parameters()) and model[3][1].calls == 8
    if save:
        assert load(options["checkpoint"])["step"] == 8, "no checkpoint holds what came after"


def test_weights_that_a_step_spoilt(data):
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=1e38)
    with pytest.raises(NonFiniteLoss, match=r"whose weight already holds inf or NaN|that of '1' \(Linear\)"):
        quick(model, data, optimizer=optimizer)


def test_the_loss_function_itself(data):
    with pytest.raises(NonFiniteLoss, match="every module is finite, so it comes from the loss function"):
        quick(network(), data, loss=lambda output, target: output.sum() / 0)


def test_data_that_cannot_be_drawn_again(data):
    batches = [(x * float("nan"), y) for x, y in data.batches(64, steps=2)]
    with pytest.raises(NonFiniteLoss, match="the data can be drawn only once"):
        quick(network(), iter(batches), steps=2)


class BadGradient(torch.autograd.Function):
    """x, with a gradient that is infinite."""

    @staticmethod
    def forward(ctx, x):
        return x.clone()

    @staticmethod
    def backward(ctx, gradient):
        return gradient * float("inf")


class Infinite(nn.Module):
    def forward(self, x):
        return BadGradient.apply(x)


def test_a_bad_gradient_in_the_last_step_is_not_saved(data, tmp_path):
    path = tmp_path / "a.pt"
    with pytest.raises(NonFiniteLoss, match=r"after step 1 the weight '1\.weight' holds inf or NaN, although the loss"):
        quick(network(Infinite()), data, steps=1, checkpoint=path)
    assert not path.exists()
    with pytest.raises(NonFiniteLoss, match="after step 1 the weight"):
        quick(network(Infinite()), data, steps=1)


def test_infinite_gradients_at_a_high_scale_are_no_error(data):
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**30)
    run = quick(network(), data, "16-mixed", grad_scaler=scaler, steps=20)
    assert 5 < run.skipped < 20 and all(map(torch.isfinite, torch.tensor(run.losses)))


def test_scale_collapse(data):
    model = network(Infinite())
    before = weights(model)
    with pytest.raises(ScaleCollapse, match=r"step 20: the loss scale fell to 0\.0625 and steps are still skipped"):
        quick(model, data, "16-mixed", steps=1000)
    assert equal(before, weights(model))


def test_a_low_scale_alone_is_no_collapse(data):
    scaler = torch.amp.GradScaler("cpu", init_scale=0.25)
    assert quick(network(), data, "16-mixed", grad_scaler=scaler).skipped == 0


def test_looking_for_the_module_changes_nothing():
    model = nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.5), nn.Linear(4, 2))
    x, random, buffer = torch.randn(8, 4), torch.get_rng_state(), model[0].running_mean.clone()
    assert first_bad_module(model, x) is None
    assert first_bad_module(model, x * float("inf")) == ("0", True)
    assert torch.equal(random, torch.get_rng_state()) and torch.equal(buffer, model[0].running_mean)
    assert not any(module._forward_hooks for module in model.modules())


def test_a_copy_from_long_ago_is_renewed(data, monkeypatch):
    """A bad step is repeated from the latest copy, so that finding it takes a bounded number of steps."""
    monkeypatch.setattr(session, "COPY_EVERY", 5)
    model = network(Late(19))
    seen = []
    with pytest.raises(NonFiniteLoss) as caught:
        quick(model, data, steps=30, loss=lambda x, y: seen.append(0) or F.cross_entropy(x, y))
    assert caught.value.module == "3" and caught.value.step == 19
    assert len(seen) == 20 + 3, "twenty steps, then those from 15 to 18 again"


# --- checkpoints --------------------------------------------------------------------------------------

KILLED = """
    import io, os, signal, sys
    import torch
    from torch import nn
    from amp_helpers.datasets import digits
    from amp_helpers.training import train

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model = nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.Dropout(0.3), nn.Linear(16, 10))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    scaler = torch.amp.GradScaler("cpu", init_scale=2.0**24, growth_interval=2)
    real, count = torch.save, 0

    def save(state, file):
        global count
        count += 1
        if count < int(sys.argv[2]):
            return real(state, file)
        buffer = io.BytesIO()
        real(state, buffer)
        file.write(buffer.getvalue()[: len(buffer.getvalue()) // 2])
        file.flush()
        os.kill(os.getpid(), signal.SIGKILL)

    torch.save = save
    options = {"checkpoint": sys.argv[1], "checkpoint_every": 3, "resume": "resume" in sys.argv}
    train(model, digits(), optimizer, "16-mixed", steps=6, grad_scaler=scaler, progress=False, **options)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL on this system")
def test_killed_in_the_middle_of_a_write_and_resumed(tmp_path):
    """6 steps are 3, SIGKILL and 3 more, to the byte: weights, momentum, scaler, random states, losses."""

    def run(name, count, *arguments):
        command = [sys.executable, "-c", textwrap.dedent(KILLED), str(tmp_path / name), str(count), *arguments]
        return subprocess.run(command, capture_output=True, text=True).returncode

    assert run("whole.pt", 99) == 0
    assert run("cut.pt", 2) == -signal.SIGKILL
    assert load(tmp_path / "cut.pt")["step"] == 3 and partial_path(tmp_path / "cut.pt").exists()
    assert run("cut.pt", 99, "resume") == 0
    assert (tmp_path / "cut.pt").read_bytes() == (tmp_path / "whole.pt").read_bytes()
    assert sorted(file.name for file in tmp_path.iterdir()) == ["cut.pt", "whole.pt"]
    assert load(tmp_path / "whole.pt")["skipped"] > 0


def test_a_folder_that_cannot_be_written(data, tmp_path, monkeypatch):
    """Found before the first step. Root may write anywhere: a file stands in for the folder, then an error does."""
    (tmp_path / "file").write_text("in the way", encoding="utf8")
    steps = []
    for path in (tmp_path / "file" / "a.pt", tmp_path / "none" / "a.pt", tmp_path):
        with pytest.raises(CheckpointError, match="cannot write the checkpoint "):
            quick(network(), data, checkpoint=path, loss=lambda x, y: steps.append(0))
    real = io.open

    def denied(file, mode="r", *arguments, **options):
        if "w" in mode and str(file).startswith(str(tmp_path)):
            raise PermissionError(13, "Read-only file system", str(file))
        return real(file, mode, *arguments, **options)

    monkeypatch.setattr(io, "open", denied)
    with pytest.raises(CheckpointError, match=r"cannot write the checkpoint .*a\.pt: Read-only file system"):
        quick(network(), data, checkpoint=tmp_path / "a.pt", loss=lambda x, y: steps.append(0))
    assert not steps and [file.name for file in tmp_path.iterdir()] == ["file"]


def test_a_checkpoint_with_code_in_it(data, tmp_path):
    class Evil:
        def __reduce__(self):
            return (open, (str(tmp_path / "proof"), "w"))

    torch.save({"format": "amp_helpers.training checkpoint 1", "model": Evil()}, tmp_path / "a.pt")
    with pytest.raises(CheckpointError, match="was not loaded: it holds more than tensors and plain values"):
        quick(network(), data, checkpoint=tmp_path / "a.pt", resume=True)
    assert not (tmp_path / "proof").exists()


def test_another_recipe_on_resume(data, tmp_path):
    model, path = network(), tmp_path / "a.pt"
    quick(model, data, "bf16-mixed", steps=2, checkpoint=path)
    before = weights(model)
    with pytest.raises(CheckpointError, match="with recipe 'bf16-mixed' and cannot go on with recipe '16-true'"):
        quick(model, data, "16-true", checkpoint=path, resume=True)
    assert equal(before, weights(model)) and before[0].dtype == torch.float32


# --- the network --------------------------------------------------------------------------------------

SIZES = {"train": 50, "t10k": 20}


@pytest.fixture
def server(monkeypatch, tmp_path):
    """A small Fashion-MNIST, served from a folder as torchvision would download it; returns that folder."""
    from torchvision.datasets import FashionMNIST, utils

    folder = tmp_path / "server"
    folder.mkdir()
    generator = torch.Generator().manual_seed(0)
    resources, sizes = [], {}
    for part, count in SIZES.items():
        images = torch.randint(256, (count, 28, 28), generator=generator, dtype=torch.uint8)
        labels = torch.randint(10, (count,), generator=generator, dtype=torch.uint8)
        for kind, magic, tensor in (("images-idx3", 2051, images), ("labels-idx1", 2049, labels)):
            name = f"{part}-{kind}-ubyte"
            header = b"".join(value.to_bytes(4, "big") for value in (magic, *tensor.shape))
            whole = header + bytes(tensor.flatten().tolist())
            packed = gzip.compress(whole, mtime=0)
            (folder / f"{name}.gz").write_bytes(packed)
            resources.append((f"{name}.gz", hashlib.md5(packed).hexdigest()))
            sizes[name] = len(whole)
    downloads = []

    def retrieve(url, filename, *rest, **more):
        downloads.append(url)
        Path(filename).write_bytes((folder / url.rsplit("/", 1)[1]).read_bytes())

    monkeypatch.setattr(FashionMNIST, "resources", resources)
    monkeypatch.setattr(datasets, "FASHION_MNIST", sizes)
    monkeypatch.setattr(utils, "_urlretrieve", retrieve)
    monkeypatch.setattr(utils, "_get_redirect_url", lambda url, max_hops=3: url)
    return folder, downloads


def test_fashion_mnist_where_it_can_be_had(server, tmp_path, recwarn):
    data = fashion_mnist(tmp_path / "data")
    assert data.name == "Fashion-MNIST" and not [w for w in recwarn if w.category is UserWarning]
    assert data.train_images.shape == (50, 1, 28, 28) and data.test_images.shape == (20, 1, 28, 28)
    assert data.train_images.dtype == torch.float32 and data.train_labels.dtype == torch.int64
    assert abs(data.train_images.mean()) < 1e-5 and abs(data.train_images.std(correction=0) - 1) < 1e-5
    pixels = (data.train_images * data.std + data.mean) * 255
    assert torch.allclose(pixels, pixels.round(), atol=1e-3) and pixels.max() > 250
    again = fashion_mnist(tmp_path / "data", download=False)
    assert torch.equal(again.train_images, data.train_images) and len(server[1]) == 4, "downloaded once"


def test_a_truncated_download_is_never_read(server, tmp_path):
    folder, _ = server
    name = "train-images-idx3-ubyte.gz"
    packed = (folder / name).read_bytes()
    (folder / name).write_bytes(packed[: len(packed) // 2])
    with pytest.warns(UserWarning, match=r"Fashion-MNIST cannot be had \(RuntimeError: .*\); these are the digits"):
        data = fashion_mnist(tmp_path / "data")
    assert data.name == "digits 32x32"
    (folder / name).write_bytes(packed)
    assert fashion_mnist(tmp_path / "data").name == "Fashion-MNIST", "the half file is downloaded again"


def test_a_file_that_was_not_unpacked_whole(server, tmp_path):
    fashion_mnist(tmp_path / "data")
    unpacked = tmp_path / "data" / "FashionMNIST" / "raw" / "train-images-idx3-ubyte"
    whole = unpacked.read_bytes()
    unpacked.write_bytes(whole[:1000])
    with pytest.warns(UserWarning, match="these are the digits"):
        fashion_mnist(tmp_path / "data", download=False)
    assert unpacked.stat().st_size == 1000, "without leave to download nothing is touched"
    assert fashion_mnist(tmp_path / "data").name == "Fashion-MNIST" and unpacked.read_bytes() == whole


def test_no_network(tmp_path, monkeypatch):
    def none(*arguments, **options):
        raise urllib.error.URLError(socket.gaierror(-3, "Temporary failure in name resolution"))

    monkeypatch.setattr(socket, "getaddrinfo", none)
    before = socket.getdefaulttimeout()
    with pytest.warns(
        UserWarning, match=r"Fashion-MNIST cannot be had .*name resolution.*these are the digits"
    ) as seen:
        data = fashion_mnist(tmp_path)
    assert seen[0].filename == __file__ and data.name == "digits 32x32" and data.classes == 10
    assert socket.getdefaulttimeout() == before
    run = quick(nn.Sequential(nn.Flatten(), MLP(1024, 8, 10)), data, steps=2)
    assert len(run.losses) == 2


def test_a_download_that_hangs_is_given_up(server, tmp_path, monkeypatch):
    from torchvision.datasets import utils

    seen = []
    monkeypatch.setattr(utils, "_urlretrieve", lambda *rest, **more: seen.append(socket.getdefaulttimeout()))
    with pytest.warns(UserWarning, match="these are the digits"):
        fashion_mnist(tmp_path / "data")
    assert set(seen) == {datasets.TIMEOUT_S}


@pytest.mark.parametrize("error", [ImportError, RuntimeError])
def test_no_torchvision_or_a_broken_one(tmp_path, monkeypatch, error):
    class Broken:
        def __getattr__(self, name):
            raise error("operator torchvision::nms does not exist")

    monkeypatch.setitem(sys.modules, "torchvision.datasets", None if error is ImportError else Broken())
    with pytest.warns(UserWarning, match=r"Fashion-MNIST cannot be had .*torchvision.*these are the digits"):
        assert fashion_mnist(tmp_path).name == "digits 32x32"
