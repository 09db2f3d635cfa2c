"""The forward pass that is written out gives the logits of transformers' own, or is not used."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from inference_chat.runners.batching import Batch, opened
from inference_chat.runners.batching.attention import Piece
from inference_chat.runners.batching.batch import forward
from inference_chat.runners.batching.lean import CLASSES, Lean
from inference_chat.runners.layouts import ROWS
from tests.runners.models import build, open_runner
from tests.runners.test_linears import BFLOAT16

FAMILIES = [name.removesuffix("Model") for name in CLASSES]
IDS = [(7 * i) % 200 + 5 for i in range(40)]


def model_of(folder: Path) -> Any:
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder).eval()


def plain(folder: Path, dtype: torch.dtype = torch.float32) -> Any:
    """Logits (tokens, vocabulary) as the unchanged model gives them."""
    with torch.inference_mode():
        return model_of(folder).to(dtype)(torch.tensor([IDS])).logits[0].float()


def read(batch: Batch) -> Any:
    """The same of a batch, read in pieces."""
    slot = batch.apart(IDS)
    found = []
    with torch.inference_mode():
        for count in (25, 14, 1):
            found.append(forward(batch.reader, [Piece(slot, count)], every=True))
            slot.read += count
    return torch.cat(found)


@pytest.mark.parametrize("family", FAMILIES)
def test_its_logits_are_those_of_the_model(tmp_path: Path, family: str):
    folder = build(family, tmp_path / family)
    batch = opened(model_of(folder), 0)
    assert isinstance(batch.reader, Lean)
    torch.testing.assert_close(read(batch), plain(folder), atol=2e-4, rtol=1e-4)


@pytest.mark.parametrize("family", FAMILIES)
def test_what_follows_pieces_of_several_texts_is_the_same(tmp_path: Path, family: str):
    """Of the last layer only their last tokens are computed."""
    folder = build(family, tmp_path / family)
    batch = opened(model_of(folder), 0)
    followed(batch, plain(folder), ((25,), (3, 14, 1), (2, 1), (1, 1, 7)))


@pytest.mark.parametrize("family", FAMILIES)
def test_fewer_rows_than_four_are_filled_up_for_large_layers(tmp_path: Path, family: str):
    folder = build(family, tmp_path / family, intermediate_size=11008)
    batch = open_runner(folder)._engine
    assert isinstance(batch, Batch)
    assert isinstance(batch.reader, Lean)
    assert batch.reader._least == ROWS
    followed(batch, plain(folder), ((1,), (24,), (1, 1), (2,), (1, 3), (1,)))


def followed(batch: Batch, wanted: Any, steps: Sequence[Sequence[int]]) -> None:
    """Texts are read in such pieces, and what follows each is what is wanted."""
    slots = [batch.apart(IDS) for _ in range(3)]
    with torch.inference_mode():
        for counts in steps:
            pieces = [Piece(slot, count) for slot, count in zip(slots, counts, strict=False)]
            found = forward(batch.reader, pieces)
            for piece in pieces:
                piece.slot.read += piece.count
            ends = [piece.slot.read - 1 for piece in pieces]
            torch.testing.assert_close(found, wanted[ends], atol=2e-4, rtol=1e-4)


@BFLOAT16
@pytest.mark.parametrize("family", FAMILIES)
def test_packed_layers_are_read_at_once(tmp_path: Path, family: str):
    folder = build(family, tmp_path / family)
    batch = open_runner(folder, "bfloat16")._engine
    assert isinstance(batch, Batch)
    assert isinstance(batch.reader, Lean)
    wanted = plain(folder, torch.bfloat16)
    assert float((read(batch) - wanted).abs().max()) < 0.04 * float(wanted.max() - wanted.min())


def test_a_changed_model_of_a_known_class_is_read_by_its_own_forward_pass(tmp_path: Path):
    folder = build("Llama", tmp_path / "Llama")
    model = model_of(folder)
    model.model.layers[0].mlp.register_forward_hook(lambda _, given, out: 2 * out)
    batch = opened(model, 0)
    assert batch.reader is model


def test_other_classes_are_left_to_transformers(tmp_path: Path):
    model = model_of(build("Phi3", tmp_path / "Phi3"))
    assert opened(model, 0).reader is model
