import numpy as np
import pytest

from inference_chat.errors import BadMedia, TooLarge
from inference_chat.media import Limits, Sound, clip_bytes, open_image, open_sound, wav_bytes
from inference_chat.media.ffmpeg import decode, stored

from .inputs import real, tone


@pytest.mark.parametrize("channels", [1, 2])
def test_a_wav_file_survives_sample_by_sample(channels: int):
    sound = open_sound(tone(channels=channels))
    assert (sound.samples.shape, sound.rate, sound.seconds) == ((4000, channels), 8000, 0.5)
    assert sound.samples.dtype == np.float32
    again = open_sound(wav_bytes(sound))
    assert np.abs(again.samples - sound.samples).max() < 1e-4


def test_many_channels_become_two():
    assert open_sound(tone(channels=6)).samples.shape == (4000, 2)


def test_sounds_are_resampled_and_mixed_to_one_channel():
    sound = open_sound(tone(channels=2), rate=16_000, mono=True)
    assert (sound.samples.shape, sound.rate, sound.mono.shape) == ((8000, 1), 16_000, (8000,))


@pytest.mark.parametrize(
    ("codec", "container"), [("libmp3lame", "mp3"), ("flac", "flac"), ("libopus", "ogg"), ("libopus", "webm")]
)
def test_compressed_sounds_open(codec: str, container: str):
    with stored(tone(1.0, 48_000)) as path:
        packed = decode(path, "audio/wav", "audio", ["-c:a", codec, "-f", container])
    sound = open_sound(packed)
    assert sound.rate == 48_000
    assert sound.seconds == pytest.approx(1, abs=0.1)


def test_loud_samples_are_clipped():
    sound = Sound(np.array([[2.0], [-2.0]], dtype=np.float32), 8000)
    assert open_sound(wav_bytes(sound)).samples[:, 0] == pytest.approx([1, -1], abs=1e-3)


def test_a_long_sound_is_refused():
    with pytest.raises(TooLarge, match=r"at most 0\.2 s"):
        open_sound(tone(), Limits(max_seconds=0.2))


DAMAGED = [
    tone()[:100],
    tone()[:3000],
    tone()[:30],
    b"RIFF____WAVE",
    b"fLaC" + b"x" * 100,
    b"ID3" + b"\0" * 99,
]


@pytest.mark.parametrize("data", DAMAGED)
def test_a_damaged_sound_is_refused(data: bytes):
    with pytest.raises(BadMedia, match="damaged"):
        open_sound(data)


def test_a_silent_clip_has_no_sound():
    picture = open_image(b"GIF89a\1\0\1\0\x80\0\0\0\0\0\xff\xff\xff,\0\0\0\0\1\0\1\0\0\2\2D\1\0;")
    with pytest.raises(BadMedia, match="holds no audio"):
        open_sound(clip_bytes([picture.resize((16, 16))] * 3, fps=5))


def test_real_speech_opens():
    sound = open_sound(real("jfk.wav"))
    assert (sound.samples.shape, sound.rate) == ((176_000, 1), 16_000)
    assert 0.3 < np.abs(sound.samples).max() <= 1
