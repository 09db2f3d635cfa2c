"""Sounds: classes, named classes and embeddings are those of a plain forward."""

from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest
import torch

from inference_chat.errors import InvalidRequest, UnsupportedTask
from inference_chat.events import Finished, Labels, Vector
from inference_chat.media import Sound, open_sound, wav_bytes
from inference_chat.runners.audio import WINDOW, SoundRunner, window_of
from inference_chat.tasks import Task

from .sound_families import ast, clap, wav2vec2_classifier, wav2vec2_encoder
from .tiny_media import events, kept, open_runner, picture, request, result, tone

CLASSES, NAMED, VECTOR = (
    Task.AUDIO_CLASSIFICATION,
    Task.ZERO_SHOT_AUDIO_CLASSIFICATION,
    Task.AUDIO_FEATURE_EXTRACTION,
)


def opened(folder: Path) -> Any:
    runner = open_runner(folder)
    assert isinstance(runner, SoundRunner)
    return runner


@pytest.mark.parametrize("build", [ast, wav2vec2_classifier])
def test_classes_are_those_of_a_plain_forward(build: Any, tmp_path: Path):
    runner, sound = opened(build(tmp_path / "model")), tone(tmp_path)
    (labels,) = result(runner, request(CLASSES, sound, top_k=2)).outcomes
    inputs = runner._ears(open_sound(sound.read()).mono, sampling_rate=16000, return_tensors="pt")
    with torch.inference_mode():
        wanted = runner._model(**inputs).logits.softmax(-1)[0].topk(2)
    assert isinstance(labels, Labels)
    assert [item.score for item in labels.items] == pytest.approx(wanted.values.tolist(), abs=1e-5)
    assert labels.items[0].label in ("bell", "bark", "rain")


@pytest.mark.parametrize("build", [ast, wav2vec2_classifier, clap])
@pytest.mark.parametrize("more", [-1, 1, 80])
def test_a_silence_a_little_longer_than_is_heard_at_once_is_told_of(build: Any, more: int, tmp_path: Path):
    runner = opened(build(tmp_path / "model"))
    quiet = Sound(np.zeros((runner._size + more, 1), dtype=np.float32), runner._rate)
    one = kept(tmp_path, wav_bytes(quiet), "audio", "audio/wav")
    task, named = (NAMED, {"labels": "a dog, rain"}) if build is clap else (CLASSES, {})
    assert isinstance(result(runner, request(task, one, **named)).outcomes[0], Labels)


def test_named_classes_sum_to_one(tmp_path: Path):
    runner = opened(clap(tmp_path / "clap"))
    (labels,) = result(runner, request(NAMED, tone(tmp_path), labels="a dog, rain")).outcomes
    assert isinstance(labels, Labels)
    assert sum(item.score or 0 for item in labels.items) == pytest.approx(1)


def test_named_classes_must_be_named(tmp_path: Path):
    with pytest.raises(InvalidRequest, match="labels"):
        result(opened(clap(tmp_path / "clap")), request(NAMED, tone(tmp_path)))


@pytest.mark.parametrize(("build", "size"), [(clap, 16), (wav2vec2_encoder, 32), (ast, 32)])
def test_embeddings_have_length_one(build: Any, size: int, tmp_path: Path):
    (vector,) = result(opened(build(tmp_path / "model")), request(VECTOR, tone(tmp_path))).outcomes
    assert isinstance(vector, Vector)
    assert len(vector.values) == size
    assert np.linalg.norm(vector.values) == pytest.approx(1, abs=1e-5)


def test_a_long_sound_is_the_mean_of_its_windows(tmp_path: Path):
    runner = opened(wav2vec2_encoder(tmp_path / "model"))
    waves = [np.random.default_rng(i).normal(0, 0.1, 160_000).astype(np.float32) for i in (0, 1)]

    def vector(wave: Any) -> Any:
        sound = kept(tmp_path, wav_bytes(Sound(wave[:, None], 16000)), "audio", "audio/wav")
        (found,) = result(runner, request(VECTOR, sound, normalize=False)).outcomes
        assert isinstance(found, Vector)
        return np.array(found.values)

    both = vector(np.concatenate(waves))
    assert both == pytest.approx((vector(waves[0]) + vector(waves[1])) / 2, abs=1e-4)


def test_several_sounds_are_told_apart(tmp_path: Path):
    runner = opened(ast(tmp_path / "ast"))
    found = result(runner, request(CLASSES, tone(tmp_path), tone(tmp_path, pitch=900)))
    assert [event.index for event in found.outcomes if isinstance(event, Labels)] == [0, 1]


def test_a_picture_is_no_sound(tmp_path: Path):
    runner, asked = opened(ast(tmp_path / "ast")), request(CLASSES, tone(tmp_path))
    with pytest.raises(UnsupportedTask, match="takes sounds"):
        result(runner, asked.model_copy(update={"media": (picture(tmp_path),)}))


def test_a_stop_ends_it(tmp_path: Path):
    stop = Flag()
    stop.set()
    found = events(opened(ast(tmp_path / "ast")), request(CLASSES, tone(tmp_path)), stop)
    assert [event.finish_reasons for event in found if isinstance(event, Finished)] == [("cancelled",)]
    assert not [event for event in found if isinstance(event, Labels)]


def test_a_window_is_no_longer_than_what_prepares_the_input_keeps():
    from transformers import ASTFeatureExtractor, Wav2Vec2FeatureExtractor

    assert window_of(ASTFeatureExtractor(max_length=298, num_mel_bins=64)) == pytest.approx(2.995)
    assert window_of(Wav2Vec2FeatureExtractor()) == WINDOW
