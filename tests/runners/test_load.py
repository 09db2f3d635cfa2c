"""Loading: what is refused and why, what it takes, and that everything is given back."""

import gc
import json
import weakref
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file, save_file

from inference_chat.errors import InferenceChatError, InvalidModel, OutOfMemory, UnsafeModel, UnsupportedTask
from inference_chat.runners import family_of
from inference_chat.runners.batching import Batch
from inference_chat.runners.checkpoint import inspect
from inference_chat.runners.text import KEPT_WINDOWS, TextRunner
from tests import tiny

from .models import answer, build, open_runner, real


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A model of its own, to be broken."""
    return tiny.build(tmp_path / "broken")


def configure(folder: Path, file: str = "config.json", **changes: Any) -> None:
    path = folder / file
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def retensor(folder: Path, **changes: Any) -> None:
    """Change tensors of the weights; None takes one out."""
    path = folder / "model.safetensors"
    tensors = {name: t for name, t in (load_file(path) | changes).items() if t is not None}
    save_file(tensors, path, metadata={"format": "pt"})


def refusal(folder: Path) -> InferenceChatError:
    """Why the model cannot be loaded; the words tell no path of this machine."""
    with pytest.raises(InferenceChatError) as failure:
        open_runner(folder)
    assert str(folder.parent) not in failure.value.detail
    return failure.value


def test_missing_tensors_are_never_made_up(folder: Path):
    retensor(folder, **{"model.norm.weight": None})
    error = refusal(folder)
    assert isinstance(error, InvalidModel)
    assert "lacks 1 tensors that its architecture needs, first model.norm.weight" in error.detail


def test_tensors_of_another_shape_are_refused(folder: Path):
    import torch

    retensor(folder, **{"model.norm.weight": torch.ones(7)})
    assert isinstance(refusal(folder), InvalidModel)


def test_an_unknown_type_is_named(folder: Path):
    configure(folder, model_type="madeup")
    error = refusal(folder)
    assert isinstance(error, InvalidModel)
    assert "'madeup', which this version does not know" in error.detail


@pytest.mark.parametrize("known", [True, False], ids=["config", "tokenizer"])
def test_code_of_a_model_is_never_run(folder: Path, tmp_path: Path, known: bool):
    marker = tmp_path / "marker"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    auto = {"AutoConfig": "evil.C", "AutoModelForCausalLM": "evil.M"}
    configure(folder, model_type="evil", architectures=["EvilForCausalLM"], auto_map=auto)
    if known:
        configure(folder, "tokenizer_config.json", auto_map={"AutoTokenizer": ["evil.T", "evil.T"]})
    assert isinstance(refusal(folder), UnsafeModel)
    assert not marker.exists()


def test_code_beside_a_known_architecture_is_not_needed(folder: Path, tmp_path: Path):
    marker = tmp_path / "marker"
    (folder / "evil.py").write_text(f"open({str(marker)!r}, 'w')\n")
    configure(folder, auto_map={"AutoModelForCausalLM": "evil.M"})
    assert answer(open_runner(folder), "the").text
    assert not marker.exists()


def test_a_missing_tokenizer_is_told(folder: Path):
    (folder / "tokenizer.json").unlink()
    (folder / "tokenizer_config.json").unlink()
    assert "tokenizer" in refusal(folder).detail


def test_nonsense_in_the_config_is_refused(folder: Path):
    configure(folder, num_attention_heads="four")
    assert isinstance(refusal(folder), InvalidModel)


def test_a_model_that_keeps_no_cache_is_refused(tmp_path: Path):
    from transformers import XLNetConfig, XLNetLMHeadModel

    XLNetLMHeadModel(
        XLNetConfig(vocab_size=268, d_model=32, n_layer=1, n_head=2, d_inner=32)
    ).save_pretrained(tmp_path / "xlnet")
    tiny._tokenizer(64).save_pretrained(tmp_path / "xlnet")
    assert "'xlnet', which keeps nothing" in refusal(tmp_path / "xlnet").detail


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried")]
)
def test_too_little_memory_is_told_as_that(
    tiny_llama: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("transformers.AutoModelForCausalLM.from_pretrained", fail)
    assert isinstance(refusal(tiny_llama), OutOfMemory)


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_either_number_format_answers(tiny_llama: Path, dtype: str):
    runner = open_runner(tiny_llama, dtype)
    assert str(runner._model.dtype) == f"torch.{dtype}"
    assert answer(runner, "the").text


def test_sharded_weights_load(tmp_path: Path, tiny_runner: TextRunner, tiny_llama: Path):
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(tiny_llama)
    model.save_pretrained(tmp_path / "shards", max_shard_size="100KB")
    tiny._tokenizer(256).save_pretrained(tmp_path / "shards")
    assert len(inspect(tmp_path / "shards").files) > 1
    assert answer(open_runner(tmp_path / "shards"), "the").text == answer(tiny_runner, "the").text


# --- memory -------------------------------------------------------------------------------------


@pytest.mark.parametrize("family", ["Llama", "GPT2", "Gemma3", "Mamba"])
def test_the_estimate_covers_weights_and_cache_and_little_more(tmp_path: Path, family: str):
    runner = open_runner(build(family, tmp_path / family), quantization="none")
    kept = 0
    if isinstance(runner._engine, Batch):
        kept = KEPT_WINDOWS * 1024 * runner._engine._shape.bytes_per_token
    weights = sum(tensor.nbytes for tensor in runner._model.parameters())
    estimate = TextRunner.estimate(runner.checkpoint, 4)
    assert weights + kept <= estimate <= 1.5 * (weights + kept)


def test_unloading_lets_go_of_the_model(tiny_llama: Path):
    runner = open_runner(tiny_llama)
    answer(runner, "the")
    model = weakref.ref(runner._model)
    runner.unload()
    gc.collect()
    assert model() is None


# --- real weights -------------------------------------------------------------------------------


def test_a_real_model_tells_a_story():
    folder = real("models", "stories260K_llama")
    text = answer(open_runner(folder), "Once upon a time", max_tokens=120).text
    assert text.startswith(", there was a little girl named")
    assert text.count(".") >= 3


def test_architectures_that_nothing_runs_are_told(folder: Path):
    configure(folder, architectures=["PatchTSTForPrediction"])
    with pytest.raises(UnsupportedTask, match="'broken' is a PatchTSTForPrediction; models for"):
        family_of(inspect(folder))
