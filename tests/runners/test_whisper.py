"""Speech: what is written is what transformers' own `generate` writes, in stretches of any recording."""

from pathlib import Path
from threading import Event as Flag
from typing import Any

import numpy as np
import pytest

from inference_chat.errors import BadMedia, InvalidRequest, UnsupportedTask
from inference_chat.events import Finished, Progress, Span, TextDelta
from inference_chat.media import Sound, wav_bytes
from inference_chat.runners.whisper import WhisperRunner
from inference_chat.schema import Media
from inference_chat.tasks import Task

from .sound_families import whisper
from .tiny_media import clip, events, kept, open_runner, request, result

SPEECH = Task.AUTOMATIC_SPEECH_RECOGNITION
RATE = 16_000


def built(folder: Path, **how: Any) -> WhisperRunner:
    runner = open_runner(whisper(folder, **how))
    assert isinstance(runner, WhisperRunner)
    return runner


@pytest.fixture(scope="module")
def runner(tmp_path_factory: pytest.TempPathFactory) -> WhisperRunner:
    return built(tmp_path_factory.mktemp("tiny") / "whisper")


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> WhisperRunner:
    return built(tmp_path_factory.mktemp("tiny") / "many", many=True)


def murmur(seconds: float, seed: int = 0, pauses: tuple[float, ...] = ()) -> np.ndarray[Any, Any]:
    """Noise as loud as speech, with half-second pauses at these seconds."""
    wave = np.random.default_rng(seed).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)
    for pause in pauses:
        wave[int(pause * RATE) : int((pause + 0.5) * RATE)] = 0
    return wave


def recording(place: Path, wave: np.ndarray[Any, Any]) -> Media:
    return kept(place, wav_bytes(Sound(wave[:, None], RATE)), "audio", "audio/wav")


def heard(place: Path, wave: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """The samples as they are after a way through a 16-bit file."""
    from inference_chat.media import open_sound

    return open_sound(recording(place, wave).read()).mono


def generated(runner: WhisperRunner, wave: np.ndarray[Any, Any], **how: Any) -> str:
    inputs = runner._ears(wave, sampling_rate=RATE, return_tensors="pt")
    ids = runner._model.generate(**inputs, max_new_tokens=60, force_unique_generate_call=True, **how)
    return runner._decode([int(token) for token in ids[0]]).strip()


def test_a_short_sound_is_written_as_by_generate(runner: WhisperRunner, tmp_path: Path):
    wave = murmur(2)
    found = result(runner, request(SPEECH, recording(tmp_path, wave), max_tokens=60))
    assert found.text.strip() == generated(runner, heard(tmp_path, wave), return_timestamps=True)
    assert found.text


@pytest.mark.parametrize("how", [{"language": "de"}, {"language": "german", "translate": True}, {}])
def test_language_and_translation_are_those_of_generate(
    many: WhisperRunner, tmp_path: Path, how: dict[str, Any]
):
    wave = murmur(2, seed=1)
    found = result(many, request(SPEECH, recording(tmp_path, wave), max_tokens=60, **how))
    asked = {"language": how.get("language"), "task": "translate" if how.get("translate") else "transcribe"}
    assert found.text.strip() == generated(many, heard(tmp_path, wave), return_timestamps=True, **asked)


def test_sentences_have_their_seconds(runner: WhisperRunner, tmp_path: Path):
    found = result(runner, request(SPEECH, recording(tmp_path, murmur(2)), max_tokens=80))
    spans = [event for event in found.outcomes if isinstance(event, Span)]
    assert spans
    assert [one for one in spans if not 0 <= one.start_s <= one.end_s <= 2] == []


def test_words_have_their_seconds_by_the_attention(runner: WhisperRunner, tmp_path: Path):
    asked = request(SPEECH, recording(tmp_path, murmur(2)), max_tokens=30, timestamps="word")
    found = result(runner, asked)
    spans = [event for event in found.outcomes if isinstance(event, Span)]
    assert "".join("".join(one.text.split()) for one in spans) == "".join(found.text.split())
    assert [one.start_s for one in spans] == sorted(one.start_s for one in spans)
    assert all(0 <= one.start_s <= one.end_s <= 2 for one in spans)


def test_a_model_without_times_tells_when_something_sounds(tmp_path: Path):
    runner = built(tmp_path / "plain", times=False)
    wave = np.concatenate([np.zeros(RATE, np.float32), murmur(1), np.zeros(RATE // 2, np.float32)])
    found = result(runner, request(SPEECH, recording(tmp_path, wave)))
    (span,) = (event for event in found.outcomes if isinstance(event, Span))
    assert (span.start_s, span.end_s) == pytest.approx((1, 2), abs=0.05)


def test_a_long_sound_is_written_stretch_by_stretch(runner: WhisperRunner, tmp_path: Path):
    wave = murmur(7, pauses=(2.2, 4.4))
    found = events(runner, request(SPEECH, recording(tmp_path, wave), max_tokens=20))
    told = [event.done for event in found if isinstance(event, Progress) and event.phase == "working"]
    assert told == [0, 1, 2, 3, 4, 5, 6, 7]


def test_silence_is_an_empty_text_and_costs_nothing(runner: WhisperRunner, tmp_path: Path):
    found = result(runner, request(SPEECH, recording(tmp_path, np.zeros(8 * RATE, np.float32))))
    assert (found.text, found.outcomes, found.finished.usage.completion_tokens) == ("", (), 0)


def test_the_initial_prompt_counts(runner: WhisperRunner, tmp_path: Path):
    one = recording(tmp_path, murmur(2))
    texts = {result(runner, request(SPEECH, one, prompt=said)).text for said in (None, "the other one")}
    assert len(texts) == 2


def test_a_stop_ends_the_hearing(runner: WhisperRunner, tmp_path: Path):
    stop = Flag()
    run = runner.run(request(SPEECH, recording(tmp_path, murmur(9))), stop)
    next(event for event in run if isinstance(event, TextDelta | Span))
    stop.set()
    assert [e.finish_reasons for e in run if isinstance(e, Finished)] == [("cancelled",)]


def test_a_cut_off_file_is_heard_to_its_end_and_that_is_said(runner: WhisperRunner, tmp_path: Path):
    data = recording(tmp_path, murmur(9)).read()
    found = result(runner, request(SPEECH, kept(tmp_path, data[: len(data) // 3], "audio", "audio/wav")))
    assert found.text
    assert "cut off after 3.0 s" in found.finished.notes[0]


def test_an_unknown_language_is_refused_with_those_known(many: WhisperRunner, tmp_path: Path):
    with pytest.raises(InvalidRequest, match="knows de, en, fr"):
        result(many, request(SPEECH, recording(tmp_path, murmur(1)), language="klingon"))


def test_a_model_of_one_language_does_not_translate(runner: WhisperRunner, tmp_path: Path):
    with pytest.raises(UnsupportedTask, match="does not translate"):
        result(runner, request(SPEECH, recording(tmp_path, murmur(1)), translate=True))


def test_a_clip_without_sound_is_told(runner: WhisperRunner, tmp_path: Path):
    mute = clip(tmp_path).model_copy(update={"kind": "audio"})
    with pytest.raises(BadMedia, match="holds no audio"):
        result(runner, request(SPEECH, mute))
