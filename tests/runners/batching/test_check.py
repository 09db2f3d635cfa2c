"""A model that cannot be read in a batch is found out when it is loaded, and answers one text at a time."""

from pathlib import Path
from typing import Any

import pytest

from inference_chat.runners.batching import Unfit, opened
from tests.runners.models import build


def model_of(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def refused(model: Any) -> str:
    before = model.config._attn_implementation
    with pytest.raises(Unfit) as why:
        opened(model, 0)
    assert model.config._attn_implementation == before
    return str(why.value)


@pytest.mark.parametrize(("family", "why"), [("Bloom", "exchanged"), ("Mamba", "state"), ("Lfm2", "state")])
def test_architectures_that_cannot(tmp_path: Path, family: str, why: str):
    assert why in refused(model_of(build(family, tmp_path / family)))


def test_positions_that_depend_on_the_batch(tmp_path: Path):
    rope = {"rope_parameters": {"rope_type": "dynamic", "factor": 2.0, "rope_theta": 1e4}}
    assert "length of the text" in refused(model_of(build("Llama", tmp_path / "dynamic", **rope)))


def test_a_window_that_attention_is_not_told(tmp_path: Path):
    model = model_of(build("Gemma3", tmp_path / "silent"))
    model.model.layers[0].self_attn.sliding_window = None
    assert "looks back" in refused(model)


def test_tokens_that_see_their_neighbours_beside_attention(tmp_path: Path):
    model = model_of(build("Llama", tmp_path / "mixed"))
    model.model.layers[0].mlp.register_forward_hook(
        lambda _, given, out: out + given[0].mean(1, keepdim=True)
    )
    assert "something else" in refused(model)


def test_models_that_break(tmp_path: Path):
    model = model_of(build("Llama", tmp_path / "broken"))
    model.model.layers[1].mlp.forward = lambda _: 1 / 0
    assert "ZeroDivisionError" in refused(model)
