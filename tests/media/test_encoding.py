"""Sounds in the formats that programs ask for."""

import numpy as np
import pytest

from inference_chat.media import Sound, open_sound, wav_bytes
from inference_chat.media.encoding import PCM_RATE, encoded

RATE = 16_000
TONE = wav_bytes(Sound((0.5 * np.sin(np.arange(RATE) / 8))[:, None].astype(np.float32), RATE))


@pytest.mark.parametrize(
    ("form", "media_type"), [("mp3", "audio/mpeg"), ("opus", "audio/ogg"), ("flac", "audio/flac")]
)
def test_a_sound_keeps_its_length_and_loudness(form, media_type):
    data, told = encoded(TONE, form)
    heard = open_sound(data)
    assert told == media_type
    assert heard.seconds == pytest.approx(1, abs=0.1)
    assert np.abs(heard.mono).max() == pytest.approx(0.5, abs=0.1)


def test_aac_is_a_stream_of_frames():
    assert encoded(TONE, "aac")[0].startswith(b"\xff\xf1")


def test_pcm_is_bare_samples_at_the_rate_of_openai():
    assert len(encoded(TONE, "pcm")[0]) == pytest.approx(2 * PCM_RATE, abs=200)
    assert encoded(TONE, "wav") == (TONE, "audio/wav")
