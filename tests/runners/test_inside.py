"""Tokens of a text, and what a picture's answer rests on."""

from pathlib import Path
from typing import Any

import pytest
from PIL import Image, ImageDraw
from transformers import AutoTokenizer

from inference_chat.errors import InvalidRequest, UnsupportedTask
from inference_chat.events import Progress
from inference_chat.runners.pieces import pieces
from inference_chat.runners.saliency import CELLS, Heat, occluded
from inference_chat.runners.text import TextRunner

from . import chat_families
from .pictures import opened
from .tiny_media import open_runner

CARDS = Path(__file__).parents[2] / "model_cards"


def test_tokens_tell_which_characters_they_stand_for(tiny_runner: TextRunner):
    text = "the añb"
    found = tiny_runner.tokens(text)
    assert [piece.id for piece in found] == tiny_runner._tokenizer(text)["input_ids"]
    assert found[0].text == "the"
    assert [piece.text for piece in found].count("ñ") == 2, "two bytes, each a token"
    assert all(piece.text == text[piece.start : piece.end] for piece in found)


def test_marks_are_told_from_text():
    found = pieces(AutoTokenizer.from_pretrained(CARDS / "starter-reader"), "a cat")
    assert found[0].special
    assert found[-1].special
    assert not any(piece.special for piece in found[1:-1])
    assert "".join(piece.text for piece in found).replace(" ", "").endswith("acat")


def test_a_processor_has_a_tokenizer_too(tmp_path: Path):
    assert open_runner(chat_families.llava(tmp_path / "eyes")).tokens("the one")


def test_a_model_that_reads_no_text_says_so():
    with pytest.raises(UnsupportedTask, match="reads no text"):
        opened("ResNetForImageClassification").tokens("the")


class OneSpot:
    """A classifier's model that is as sure as a certain spot of the picture is red."""

    def __init__(self, model: Any) -> None:
        self.config, self.dtype = model.config, model.dtype

    def __call__(self, pixel_values: Any) -> Any:
        import torch
        from transformers.modeling_outputs import ImageClassifierOutput

        side = pixel_values.shape[-1]
        spot = pixel_values[:, 0, : side // 4, side // 2 : 3 * side // 4].mean((1, 2))
        logits = torch.full((len(pixel_values), self.config.num_labels), -5.0)
        logits[:, 1] = spot * 5
        return ImageClassifierOutput(logits=logits)


def test_the_map_shows_what_the_answer_rests_on():
    runner: Any = opened("ResNetForImageClassification")
    image = Image.new("RGB", (96, 96), "black")
    ImageDraw.Draw(image).rectangle((48, 0, 71, 23), fill="white")
    model, runner._model = runner._model, OneSpot(runner._model)
    try:
        *steps, heat = occluded(runner, image)
    finally:
        runner._model = model
    assert isinstance(heat, Heat)
    assert heat.label == runner.name_of(1)
    best = max(
        (value, row, column) for row, line in enumerate(heat.grid) for column, value in enumerate(line)
    )
    assert best[1] < CELLS // 4 + 1
    assert CELLS // 2 - 1 <= best[2] <= 3 * CELLS // 4
    assert heat.grid[-1][0] == pytest.approx(0, abs=0.01)
    assert isinstance(steps[-1], Progress)
    assert steps[-1].fraction == 1


def test_a_label_that_was_not_found_is_refused_with_what_was():
    with pytest.raises(InvalidRequest, match="did not find zebra in the picture; it found"):
        list(occluded(opened("ResNetForImageClassification"), Image.new("RGB", (64, 64)), "zebra"))


def test_detected_objects_have_a_map_at_the_pictures_size():
    runner = opened("YolosForObjectDetection")
    *_, heat = occluded(runner, Image.new("RGB", (64, 48), "red"))
    assert isinstance(heat, Heat)
    assert heat.box is not None
    with pytest.raises(UnsupportedTask, match="classifiers and detectors"):
        list(occluded(opened("DPTForDepthEstimation"), Image.new("RGB", (64, 48))))
