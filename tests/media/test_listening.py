"""Sounds of any length come block by block: the same samples as at once, at any rate, of any container."""

from pathlib import Path

import numpy as np
import pytest

from inference_chat.errors import BadMedia, TooLarge
from inference_chat.media import Limits, Sound, clip_bytes, listening, open_image, open_sound, wav_bytes
from inference_chat.media.ffmpeg import decode, stored

from .inputs import real, tone


def heard(source: bytes | Path, rate: int = 16_000) -> np.ndarray:
    with listening(source, rate) as recording:
        return np.concatenate(list(recording.blocks()))


@pytest.mark.parametrize("channels", [1, 2, 6])
@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_the_samples_are_those_of_the_whole_sound(channels: int, rate: int):
    data = tone(2.5, 22_050, channels)
    whole = open_sound(data, rate=rate, mono=True).mono
    found = heard(data, rate)
    assert len(found) == pytest.approx(len(whole), abs=64)
    assert np.abs(found[: len(whole)] - whole[: len(found)]).max() < 1e-3


@pytest.mark.parametrize(
    ("codec", "container"), [("libmp3lame", "mp3"), ("flac", "flac"), ("libopus", "ogg"), ("libopus", "webm")]
)
def test_compressed_sounds_are_heard(codec: str, container: str):
    with stored(tone(2.0, 48_000)) as path:
        packed = decode(path, "audio/wav", "audio", ["-c:a", codec, "-f", container])
    assert len(heard(packed)) / 16_000 == pytest.approx(2, abs=0.1)


def test_the_sound_track_of_a_clip_is_heard():
    sound = open_sound(tone(1.0, 16_000))
    clip = clip_bytes([open_image(real("chelsea_cat.png")).resize((64, 64))] * 10, 10, sound)
    assert len(heard(clip)) / 16_000 == pytest.approx(1, abs=0.1)


def test_blocks_are_about_a_second_long():
    with listening(tone(5.0), 16_000) as recording:
        sizes = [len(block) for block in recording.blocks()]
    assert len(sizes) in (5, 6)
    assert max(sizes) < 24_000
    assert (recording.seconds, recording.note) == (5, None)


def test_a_file_that_is_kept_is_read_where_it_lies(tmp_path: Path):
    (tmp_path / "kept").write_bytes(tone(1.0))
    assert len(heard(tmp_path / "kept")) == 16_000


def test_a_cut_off_file_is_heard_to_its_end():
    with listening(tone(4.0)[:-32_000], 16_000) as recording:
        heard_seconds = sum(len(block) for block in recording.blocks()) / 16_000
    assert heard_seconds == pytest.approx(2, abs=0.1)
    assert recording.note is not None
    assert "cut off after 2.0 s of 4.0 s" in recording.note


def test_a_long_sound_is_refused_before_it_is_decoded():
    with (
        pytest.raises(TooLarge, match="at most 1 s"),
        listening(tone(3.0), 8000, Limits(max_listen_seconds=1)),
    ):
        pass


@pytest.mark.parametrize("data", [b"RIFF\0\0\0\0WAVEfmt ", b"OggS" + bytes(80)], ids=["wav", "ogg"])
def test_a_damaged_file_is_told(data: bytes):
    with pytest.raises(BadMedia):
        heard(data)


def test_a_file_that_is_gone_is_told(tmp_path: Path):
    with pytest.raises(BadMedia, match="no longer kept"):
        heard(tmp_path / "gone")


def test_a_picture_is_no_sound():
    with pytest.raises(BadMedia):
        heard(real("parrot.jpg"))


def test_an_empty_sound_is_told():
    with pytest.raises(BadMedia):
        heard(wav_bytes(Sound(np.zeros((0, 1), np.float32), 8000)))
