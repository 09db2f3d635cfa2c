"""Letters of every moment: the text is that of a plain forward, its words have their seconds."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from inference_chat.events import Span
from inference_chat.media import Sound, open_sound, wav_bytes
from inference_chat.runners.ctc import CTCRunner
from inference_chat.schema import Media
from inference_chat.tasks import Task

from .sound_families import ctc
from .tiny_media import kept, open_runner, request, result

SPEECH = Task.AUTOMATIC_SPEECH_RECOGNITION


def noise(place: Path, seconds: float) -> Media:
    wave = np.random.default_rng(0).normal(0, 0.2, int(seconds * 16000)).astype(np.float32)
    return kept(place, wav_bytes(Sound(wave[:, None], 16000)), "audio", "audio/wav")


@pytest.mark.parametrize("family", ["Wav2Vec2", "Hubert"])
def test_the_text_is_that_of_a_plain_forward(family: str, tmp_path: Path):
    runner, sound = open_runner(ctc(tmp_path / family, family)), noise(tmp_path, 1)
    assert isinstance(runner, CTCRunner)
    inputs = runner._processor(open_sound(sound.read()).mono, sampling_rate=16000, return_tensors="pt")
    with torch.inference_mode():
        ids = runner._model(**inputs).logits.argmax(-1)
    (text,) = runner._processor.batch_decode(ids, skip_special_tokens=True)
    assert result(runner, request(SPEECH, sound)).text == text.strip() != ""


def test_words_have_their_seconds(tmp_path: Path):
    runner = open_runner(ctc(tmp_path / "model"))
    found = result(runner, request(SPEECH, noise(tmp_path, 2), timestamps="word"))
    spans: list[Any] = [event for event in found.outcomes if isinstance(event, Span)]
    assert [one.text for one in spans] == found.text.split()
    assert all(0 <= one.start_s <= one.end_s <= 2 for one in spans)


def test_an_unknown_language_is_left_out_and_told(tmp_path: Path):
    found = result(open_runner(ctc(tmp_path / "model")), request(SPEECH, noise(tmp_path, 1), language="de"))
    assert "`language` was left out" in found.finished.notes[0]
