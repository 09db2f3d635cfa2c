"""A look at a folder never crashes, loads nothing, and says what is wrong and what to do."""

import json
import pickle
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.errors import InvalidModel, UnsafeModel, UnsupportedTask
from inference_chat.runners import family_of
from inference_chat.runners.checkpoint import Checkpoint, Tensors, inspect
from inference_chat.runners.text import TextRunner
from inference_chat.tasks import Task

from .models import real

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@contextmanager
def copy(folder: Path) -> Iterator[Path]:
    """The same model, to be broken."""
    with tempfile.TemporaryDirectory() as place:
        yield Path(shutil.copytree(folder, Path(place) / "broken"))


def refused(folder: Path, error: type[Exception] = InvalidModel, match: str | None = None) -> str:
    with pytest.raises(error, match=match) as failure:
        inspect(folder)
    detail = str(failure.value)
    assert str(folder.parent) not in detail
    return detail


def test_a_sound_folder_tells_what_it_holds(tiny_llama: Path):
    found = inspect(tiny_llama)
    assert (found.name, found.architecture, found.window) == ("tiny-llama", "LlamaForCausalLM", 256)
    assert found.tensors.dtypes == {"F32"}
    assert found.file_size == (tiny_llama / "model.safetensors").stat().st_size
    assert family_of(found).tasks == (Task.TEXT_GENERATION,)


def test_numbers_are_counted_like_torch_counts_them(tiny_llama: Path):
    from transformers import AutoModelForCausalLM

    assert (
        inspect(tiny_llama).tensors.elements
        == AutoModelForCausalLM.from_pretrained(tiny_llama).num_parameters()
    )


def test_looking_imports_nothing_heavy(tiny_llama: Path):
    code = (
        "import sys; from pathlib import Path; from inference_chat.runners.checkpoint import inspect;"
        f"inspect(Path({str(tiny_llama)!r})); assert not {{'torch', 'transformers'}} & sys.modules.keys()"
    )
    root = Path(__file__).parents[2]
    subprocess.run([sys.executable, "-c", code], check=True, cwd=root)


def test_a_model_of_the_hub_has_its_name_there():
    folder = Path("hub", "models--someone--small-chat", "snapshots", "0a1b2c")
    assert Checkpoint(folder, {}, (), Tensors(0, frozenset())).name == "someone/small-chat"


# --- broken folders -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "error", "said"),
    [
        ("custom_arch_tinypellm", UnsafeModel, "pytorch_model.bin.*safetensors"),
        ("header_only_safetensors", InvalidModel, "no tensors to speak of"),
        ("lfs_pointer_swin", InvalidModel, "git lfs pull"),
    ],
)
def test_folders_that_people_have(name: str, error: type[Exception], said: str):
    refused(real("broken_models", name), error, said)


def test_a_folder_that_is_not_there(tmp_path: Path):
    refused(tmp_path / "nothing", match="no folder named 'nothing'")


def test_an_empty_folder(tmp_path: Path):
    (tmp_path / "empty").mkdir()
    refused(tmp_path / "empty", match="no config.json")


def test_a_file_instead_of_a_folder(tiny_llama: Path):
    refused(tiny_llama / "config.json", match="no folder")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"], ids=["too long", "with a zero"])
def test_a_name_no_folder_can_have(tmp_path: Path, name: str):
    refused(tmp_path / name)


def test_pickled_weights_are_never_opened(tiny_llama: Path):
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").unlink()
        (folder / "pytorch_model.bin").write_bytes(pickle.dumps(Trap()))
        refused(folder, UnsafeModel, "can run code")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (pytest.fail, ("the pickle was opened",))


def test_no_weights_at_all(tiny_llama: Path):
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").unlink()
        refused(folder, match="no weights")


def test_a_folder_in_place_of_the_weights(tiny_llama: Path):
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").unlink()
        (folder / "model.safetensors").mkdir()
        refused(folder, match="no weights")


@pytest.mark.parametrize(
    "text", ["", "{", "[]", "\xff", "[" * 10_000, '{"model_type": 3}'], ids=lambda t: t[:9]
)
def test_a_config_that_cannot_be_read(tiny_llama: Path, text: str):
    with copy(tiny_llama) as folder:
        (folder / "config.json").write_bytes(text.encode("latin-1"))
        refused(folder, match="config.json")


@given(data=st.data())
def test_weights_cut_at_any_byte(tiny_llama: Path, data: st.DataObject):
    whole = (tiny_llama / "model.safetensors").read_bytes()
    end = data.draw(st.one_of(st.integers(0, 64), st.integers(0, len(whole) - 1)))
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").write_bytes(whole[:end])
        refused(folder, match="download it again")


@given(start=st.binary(max_size=200))
def test_weights_that_begin_with_anything(tiny_llama: Path, start: bytes):
    whole = (tiny_llama / "model.safetensors").read_bytes()
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").write_bytes(start + whole[len(start) :])
        looks_or_refuses(folder)


@given(
    config=st.dictionaries(st.sampled_from(["architectures", "text_config", "hidden_size", "n_head"]), JSON)
)
def test_any_config_is_read_or_refused(tiny_llama: Path, config: dict[str, Any]):
    with copy(tiny_llama) as folder:
        (folder / "config.json").write_text(json.dumps(config))
        looks_or_refuses(folder)


@given(index=JSON | st.dictionaries(st.just("weight_map"), JSON))
def test_any_index_is_read_or_refused(tiny_llama: Path, index: Any):
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00001.safetensors")
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        looks_or_refuses(folder)


def looks_or_refuses(folder: Path) -> None:
    try:
        found = inspect(folder)
        assert TextRunner.estimate(found, 2) >= 2 * found.tensors.elements
        family_of(found)
    except (InvalidModel, UnsupportedTask) as error:
        assert str(folder.parent) not in error.detail


@pytest.mark.parametrize("shard", ["model-00002-of-00002.safetensors", "../../secret.safetensors"])
def test_an_index_that_names_what_is_not_there(tiny_llama: Path, shard: str):
    with copy(tiny_llama) as folder:
        (folder / "model.safetensors").rename(folder / "model-00001-of-00002.safetensors")
        index = {"weight_map": {"a": "model-00001-of-00002.safetensors", "b": shard}}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        refused(folder, match="lacks 1 of its weight files")


def test_other_weights_beside_the_model_are_not_counted(tiny_llama: Path):
    with copy(tiny_llama) as folder:
        shutil.copy(folder / "model.safetensors", folder / "consolidated.safetensors")
        assert inspect(folder).tensors == inspect(tiny_llama).tensors


# --- digests ------------------------------------------------------------------------------------


def test_the_digest_is_that_of_the_content(tiny_llama: Path):
    with copy(tiny_llama) as folder:
        assert inspect(folder).digest == inspect(tiny_llama).digest


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_the_digest_changes_with_every_file(tiny_llama: Path, name: str):
    with copy(tiny_llama) as folder:
        found = inspect(folder)
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
        assert found.digest != inspect(tiny_llama).digest


# --- sizes --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "window"),
    [
        ({"max_position_embeddings": 512}, 512),
        ({"n_positions": 64}, 64),
        ({"text_config": {"max_position_embeddings": 77}}, 77),
        ({"max_position_embeddings": "many"}, 2048),
        ({"max_position_embeddings": True}, 2048),
        ({}, 2048),
    ],
    ids=str,
)
def test_the_window_is_the_one_the_config_gives(config: dict[str, Any], window: int):
    assert Checkpoint(Path("x"), config, (), Tensors(0, frozenset())).window == window
