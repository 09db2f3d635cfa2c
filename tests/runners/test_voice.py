"""Texts spoken sentence by sentence: the sound has the model's rate, the same seed says it the same way."""

from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
import torch

from inference_chat.errors import InvalidRequest
from inference_chat.events import AudioReady, Finished, Progress
from inference_chat.media import open_sound
from inference_chat.runners.base import Runner
from inference_chat.runners.voice import sentences
from inference_chat.tasks import Task

from .sound_families import speecht5, vits
from .tiny_media import events, open_runner, request, result

SPEECH = Task.TEXT_TO_SPEECH


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> Runner:
    return open_runner(vits(tmp_path_factory.mktemp("tiny") / "vits", voices=2))


def spoken(runner: Runner, text: str, **options: Any) -> Any:
    (audio,) = result(runner, request(SPEECH, prompt=text, **options)).outcomes
    assert isinstance(audio, AudioReady)
    return open_sound(audio.audio.data).mono


def test_a_sentence_is_the_models_own_wave(runner: Any):
    inputs = runner._reader("a bad dog", return_tensors="pt")
    with torch.inference_mode(), torch.random.fork_rng():
        torch.manual_seed(7)
        wanted = runner._model(**inputs, speaker_id=0).waveform[0].numpy()
    assert spoken(runner, "a bad dog", seed=7) == pytest.approx(wanted.clip(-1, 1), abs=1e-3)


def test_seed_and_voice_and_speed_change_the_sound(runner: Runner):
    how: list[dict[str, Any]] = [{}, {"seed": 1}, {"voice": 1}, {"speed": 0.5}]
    found = [spoken(runner, "a bad dog", **options) for options in how]
    assert all(len(one) != len(found[0]) or not np.allclose(one, found[0]) for one in found[1:])
    assert len(found[3]) > len(found[0])
    assert np.array_equal(spoken(runner, "a bad dog"), found[0])


def test_each_sentence_is_a_step(runner: Runner):
    told = events(runner, request(SPEECH, prompt="a bad dog. an odd man! no"))
    assert [event.done for event in told if isinstance(event, Progress)] == [0, 1, 2]


def test_a_stop_keeps_what_was_said(runner: Runner):
    stop = Flag()
    run = runner.run(request(SPEECH, prompt="a bad dog. an odd man."), stop)
    next(run), next(run)
    stop.set()
    rest = list(run)
    assert [type(event) for event in rest] == [AudioReady, Finished]


def test_a_voice_that_is_not_there(runner: Runner):
    with pytest.raises(InvalidRequest, match="voices 0 to 1"):
        spoken(runner, "a dog", voice=5)


@pytest.mark.parametrize("text", ["", "... !"])
def test_nothing_to_say(runner: Runner, text: str):
    with pytest.raises(InvalidRequest, match="nothing to say"):
        spoken(runner, text)


@pytest.mark.parametrize("vocoder", [True, False])
def test_a_spectrogram_becomes_a_sound(tmp_path: Path, vocoder: bool):
    found = result(open_runner(speecht5(tmp_path / "speecht5", vocoder)), request(SPEECH, prompt="the one"))
    (audio,) = found.outcomes
    assert isinstance(audio, AudioReady)
    assert open_sound(audio.audio.data).seconds > 0
    assert bool(found.finished.notes) != vocoder


def test_long_sentences_are_cut_between_words():
    found = sentences("word " * 200)
    assert max(map(len, found)) <= 300
    assert " ".join(found).split() == ["word"] * 200
