"""Texts: classes and embeddings are those of a plain forward."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference_chat.errors import InvalidRequest
from inference_chat.events import Labels, Vector
from inference_chat.tasks import Task

from .text_families import bert
from .tiny_media import open_runner, request, result

CLASSES, VECTOR = Task.TEXT_CLASSIFICATION, Task.FEATURE_EXTRACTION


def test_classes_are_those_of_a_plain_forward(tmp_path: Path):
    runner: Any = open_runner(bert(tmp_path / "bert"))
    (labels,) = result(runner, request(CLASSES, prompt="the other one")).outcomes
    with torch.inference_mode():
        wanted = runner._model(**runner._tokenizer("the other one", return_tensors="pt")).logits.softmax(-1)[
            0
        ]
    assert isinstance(labels, Labels)
    assert {item.label: item.score for item in labels.items} == pytest.approx(
        {"glad": float(wanted[0]), "sad": float(wanted[1])}
    )


@pytest.mark.parametrize(("pooling", "of"), [(None, "mean"), ("cls_token", "first"), ("max_tokens", "max")])
def test_embeddings_are_pooled_as_the_model_says(pooling: str | None, of: str, tmp_path: Path):
    runner: Any = open_runner(bert(tmp_path / "bert", "Model", pooling))
    (vector,) = result(runner, request(VECTOR, prompt="the one", normalize=False)).outcomes
    with torch.inference_mode():
        hidden = runner._model(**runner._tokenizer("the one", return_tensors="pt")).last_hidden_state[0]
    wanted = {"mean": hidden.mean(0), "first": hidden[0], "max": hidden.amax(0)}[of]
    assert isinstance(vector, Vector)
    assert vector.values == pytest.approx(wanted.tolist(), abs=1e-5)


def test_embeddings_have_length_one(tmp_path: Path):
    (vector,) = result(open_runner(bert(tmp_path / "bert", "Model")), request(VECTOR, prompt="a")).outcomes
    assert isinstance(vector, Vector)
    assert np.linalg.norm(vector.values) == pytest.approx(1, abs=1e-5)


def test_a_masked_language_model_makes_vectors_too(tmp_path: Path):
    runner = open_runner(bert(tmp_path / "bert", "ForMaskedLM"))
    assert result(runner, request(VECTOR, prompt="the one")).outcomes


def test_what_was_not_read_of_a_long_text_is_told(tmp_path: Path):
    found = result(open_runner(bert(tmp_path / "bert")), request(CLASSES, prompt="x" * 100))
    assert "Of 100 tokens the first 64" in found.finished.notes[0]
    assert found.finished.usage.prompt_tokens == 64


def test_an_empty_text_is_refused(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="empty"):
        result(open_runner(bert(tmp_path / "bert")), request(CLASSES, prompt="  "))
