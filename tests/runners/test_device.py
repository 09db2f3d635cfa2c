"""Where models run, and in which number format."""

from pathlib import Path

import pytest

from inference_chat.errors import ModelFailed
from inference_chat.runners.checkpoint import Checkpoint, Tensors
from inference_chat.runners.device import Placement, give_back, memory_free, memory_used, place, torch_dtype
from inference_chat.settings import Settings


def of_size(elements: int, stored: str = "BF16") -> Checkpoint:
    return Checkpoint(Path("m"), {}, (), Tensors(elements, frozenset({stored})))


@pytest.mark.parametrize(
    ("elements", "stored", "dtype"),
    [(10**6, "BF16", "float32"), (10**9, "BF16", "bfloat16"), (10**9, "F32", "float32")],
)
def test_a_cpu_reads_large_models_as_they_are_stored(elements: int, stored: str, dtype: str):
    assert place(Settings(device="cpu"), of_size(elements, stored)) == Placement("cpu", dtype, "auto")


def test_a_dtype_that_is_set_is_taken():
    assert place(Settings(device="cpu", dtype="bfloat16"), of_size(10)).dtype == "bfloat16"


@pytest.mark.parametrize(
    ("there", "placement"),
    [
        ({"cuda"}, Placement("cuda", "bfloat16")),
        ({"mps"}, Placement("mps", "float16")),
        (set(), Placement("cpu", "float32", "auto")),
    ],
    ids=str,
)
def test_the_best_device_is_found(monkeypatch: pytest.MonkeyPatch, there: set[str], placement: Placement):
    pretend(monkeypatch, there)
    assert place(Settings(), of_size(10)) == placement


@pytest.mark.parametrize("wanted", ["cuda", "mps"])
def test_a_device_that_is_not_there_is_told(monkeypatch: pytest.MonkeyPatch, wanted: str):
    pretend(monkeypatch, set())
    with pytest.raises(ModelFailed, match=f"DEVICE={wanted}.*DEVICE=auto"):
        place(Settings.model_validate({"device": wanted}), of_size(10))


def pretend(monkeypatch: pytest.MonkeyPatch, there: set[str]) -> None:
    monkeypatch.setattr("torch.cuda.is_available", lambda: "cuda" in there)
    monkeypatch.setattr("torch.backends.mps.is_available", lambda: "mps" in there)


def test_the_size_of_a_number_is_torch_s():
    for name in ("float32", "bfloat16", "float16"):
        assert Placement("cpu", name).bytes_per_element == torch_dtype(name).itemsize


def test_memory_that_is_filled_is_seen_and_given_back():
    before = memory_used()
    block = bytearray(64 << 20)
    assert memory_used() - before > 48 << 20
    del block
    give_back()
    assert memory_used() - before < 16 << 20
    assert memory_free() > 0
