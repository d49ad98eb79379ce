"""The shared data: the same numbers on every machine, and errors that help."""

import hashlib
import sys
import sysconfig
import warnings
from pathlib import Path

import pytest
import torch

from amp_helpers import datasets
from amp_helpers.datasets import DIGIT_SIZES, SOURCE_FILES, SOURCE_SHA256, digits, source_text

#: Releases whose library was compared; a later one may differ, and then says so.
COMPARED = {(3, 11, 2), (3, 11, 7), (3, 12, 1), (3, 13, 0), (3, 13, 2), (3, 14, 2)}


@pytest.fixture(scope="module")
def images():
    return digits()


@pytest.fixture(scope="module")
def text():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        data = source_text()
    assert bool(caught) == (data.sha256 != SOURCE_SHA256)
    assert not caught or sys.version_info[:3] not in COMPARED
    return data


# --- digits -------------------------------------------------------------------------------------------


def test_shapes_and_dtypes(images):
    assert images.train_images.shape == (1437, 1, 8, 8) and images.test_images.shape == (360, 1, 8, 8)
    assert images.train_images.dtype == images.test_images.dtype == torch.float32
    assert images.train_labels.shape == (1437,) and images.test_labels.shape == (360,)
    assert images.train_labels.dtype == images.test_labels.dtype == torch.int64
    assert images.classes == 10 and images.train_labels.unique().tolist() == list(range(10))


def test_pixels_are_standardised(images):
    assert images.train_images.double().mean().abs() < 1e-6
    assert abs(images.train_images.double().std(unbiased=False) - 1) < 1e-6
    pixels = torch.cat([images.train_images, images.test_images]).double() * images.std + images.mean
    assert torch.allclose(pixels * 16, (pixels * 16).round(), atol=1e-5), "seventeen levels"
    assert (pixels * 16).round().unique().tolist() == list(range(17))


def test_the_split_holds_every_image_once_and_never_changes(images):
    from sklearn.datasets import load_digits

    bundled = load_digits()
    pixels = torch.cat([images.train_images, images.test_images]).double() * images.std + images.mean
    mine = sorted(bytes(image.mul(16).round().byte().flatten().tolist()) for image in pixels)
    assert mine == sorted(bytes(image.astype("uint8").flatten().tolist()) for image in bundled.images)
    labels = torch.cat([images.train_labels, images.test_labels])
    assert hashlib.sha256(bytes(labels.tolist())).hexdigest().startswith("0f9ffd7948cafb39")
    assert sorted(labels.tolist()) == sorted(bundled.target.tolist())
    for _ in range(2):
        torch.manual_seed(torch.seed())
        assert torch.equal(digits().train_labels, images.train_labels)


@pytest.mark.parametrize("size", DIGIT_SIZES)
def test_larger_images_repeat_pixels(size, images):
    larger = digits(size)
    assert larger.train_images.shape == (1437, 1, size, size)
    step = size // 8
    for row in range(step):
        for column in range(step):
            assert torch.equal(larger.test_images[:, :, row::step, column::step], images.test_images)
    assert torch.equal(larger.train_labels, images.train_labels)


@pytest.mark.parametrize("size", [0, 7, 24, 64, "8"])
def test_other_sizes(size):
    with pytest.raises(ValueError, match=f"size must be one of 8, 16, 32, not {size!r}"):
        digits(size)


def test_without_scikit_learn(monkeypatch):
    monkeypatch.setitem(sys.modules, "sklearn.datasets", None)
    with pytest.raises(ImportError, match=r"digits\(\) reads the images that come with scikit-learn: install"):
        digits()


def test_image_batches(images):
    batches = list(images.batches(100))
    assert len(batches) == 14 and all(x.shape == (100, 1, 8, 8) and y.shape == (100,) for x, y in batches)
    seen = torch.cat([x for x, _ in batches]).flatten(1)
    assert len(seen.unique(dim=0)) == len(seen), "no image twice in a pass"
    again = [y for _, y in images.batches(100, steps=30)]
    assert len(again) == 30 and torch.equal(again[0], batches[0][1])
    assert not torch.equal(again[14], again[0]), "a new order in the second pass"
    assert not torch.equal(next(images.batches(100, seed=1))[1], again[0])
    assert sum(len(y) for _, y in images.batches(36, split="test")) == 360
    assert list(images.batches(10, steps=0)) == []


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"batch_size": 0}, "batch_size must be 1 to 1437, not 0"),
        ({"batch_size": 1438}, "batch_size must be 1 to 1437, not 1438"),
        ({"batch_size": 8, "split": "valid"}, "unknown split 'valid'; choose from train, test"),
        ({"batch_size": 8, "steps": -1}, "steps must be 0 or more, not -1"),
    ],
)
def test_mistakes_with_images(images, arguments, message):
    with pytest.raises(ValueError, match=message):
        images.batches(**arguments)  # at the call, not at the first batch


# --- text ---------------------------------------------------------------------------------------------


def test_the_text_is_what_the_checksum_says(text):
    assert text.sha256 == hashlib.sha256(text.text.encode()).hexdigest()
    assert len(SOURCE_FILES) == len(set(SOURCE_FILES)) == 30
    assert 190_000 < len(text.text) < 230_000 and text.text.isascii()
    assert "class SAX2DOM(PullDOM):" in text.text and "class _ErrorHolder(object):" in text.text


def test_tokens(text):
    assert text.vocabulary == "".join(sorted(set(text.text)))
    assert text.train_tokens.dtype == text.test_tokens.dtype == torch.int64
    assert len(text.train_tokens) == len(text.text) * 9 // 10
    whole = torch.cat([text.train_tokens, text.test_tokens])
    assert text.decode(whole) == text.text
    assert torch.equal(text.encode(text.text[-5000:]), whole[-5000:])
    assert text.encode("").shape == (0,)
    with pytest.raises(ValueError, match=f"the character 'é' is not among the {len(text.vocabulary)} of this text"):
        text.encode("é")
    with pytest.raises(ValueError, match=r"token must be 0 to \d+, not -1"):
        text.decode(torch.tensor([-1]))


def test_text_batches(text):
    batches = list(text.batches(5, 40, steps=3))
    assert [(x.shape, y.shape) for x, y in batches] == [((5, 40), (5, 40))] * 3
    for x, y in batches:
        assert torch.equal(x[:, 1:], y[:, :-1])
        assert text.decode(x[0]) in text.text
    assert torch.equal(next(text.batches(5, 40, steps=1))[0], batches[0][0])
    assert not torch.equal(next(text.batches(5, 40, steps=1, seed=1))[0], batches[0][0])
    (x, y), (end,) = next(text.batches(2, 30, steps=1, split="test")), text.test_tokens[-1:]
    assert text.decode(x[0]) in text.text[-len(text.test_tokens) :]
    longest = len(text.test_tokens) - 1
    x, y = next(text.batches(1, longest, steps=1, split="test"))
    assert y[0, -1] == end and torch.equal(x[0], text.test_tokens[:-1])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 5), "batch_size must be 1 or more, not 0"),
        ((1, 0), "length must be 1 to .*, not 0"),
        ((1, 10**6), "length must be 1 to .*, not 1000000"),
    ],
)
def test_mistakes_with_text(text, arguments, message):
    with pytest.raises(ValueError, match=message):
        text.batches(*arguments, steps=1)
    with pytest.raises(ValueError, match="unknown split 'all'"):
        text.batches(1, 5, steps=1, split="all")
    with pytest.raises(ValueError, match="steps must be 0 or more"):
        text.batches(1, 5, steps=-1)


def library(folder, monkeypatch, changed):
    """A standard library made of some of the files, each perhaps changed."""
    source = Path(sysconfig.get_path("stdlib"))
    for name, change in changed.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(change((source / name).read_bytes()))
    monkeypatch.setattr(datasets.sysconfig, "get_path", lambda name: str(folder))


def test_another_library_warns_with_both_checksums(tmp_path, monkeypatch, text):
    library(
        tmp_path,
        monkeypatch,
        {"pyclbr.py": lambda data: data, "unittest/suite.py": lambda data: data + b"# \xc3\xa9\n"},
    )
    with pytest.warns(UserWarning, match=f"2 of 30 files, SHA-256 .*, expected {SOURCE_SHA256}") as caught:
        other = source_text()
    assert other.sha256 in str(caught[0].message) and caught[0].filename == __file__
    assert other.sha256 != text.sha256 and other.text.endswith("# é\n")
    assert other.decode(torch.cat([other.train_tokens, other.test_tokens])) == other.text


def test_line_ends_do_not_matter(tmp_path, monkeypatch, text):
    library(tmp_path, monkeypatch, dict.fromkeys(SOURCE_FILES, lambda data: data.replace(b"\n", b"\r\n")))
    with warnings.catch_warnings():
        warnings.simplefilter("error" if text.sha256 == SOURCE_SHA256 else "ignore")
        assert source_text().sha256 == text.sha256


def test_no_library(tmp_path, monkeypatch):
    monkeypatch.setattr(datasets.sysconfig, "get_path", lambda name: str(tmp_path))
    with pytest.raises(
        FileNotFoundError, match=r"no sources of its standard library, such as email/headerregistry\.py"
    ):
        source_text()
