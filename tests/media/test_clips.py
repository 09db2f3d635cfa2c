from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from inference_chat.errors import BadMedia, InvalidRequest, TooLarge
from inference_chat.media import Limits, clip_bytes, open_clip, open_sound, sniff
from inference_chat.media.ffmpeg import decode, stored

from .inputs import real, tone

FRAMES = [Image.new("RGB", (64, 48), (number * 12, 0, 0)) for number in range(20)]


@pytest.fixture(scope="module")
def clip() -> bytes:
    """Two seconds at ten frames a second that grow redder."""
    return clip_bytes(FRAMES, fps=10)


def shown(clip, **options) -> list[int]:
    """Which of `FRAMES` came out."""
    return [round(np.asarray(frame)[..., 0].mean() / 12) for frame in open_clip(clip, **options).frames]


def test_a_clip_survives_frame_by_frame(clip: bytes):
    opened = open_clip(clip)
    assert (len(opened.frames), opened.fps, opened.seconds) == (20, 10, 2)
    assert opened.frames[0].size == (64, 48)
    assert shown(clip) == list(range(20))
    assert opened.times == pytest.approx(np.arange(20) / 10)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"count": 1}, [10]),
        ({"count": 4}, [2, 7, 12, 17]),
        ({"count": 100}, list(range(20))),
        ({"fps": 1}, [0, 10]),
        ({"fps": 4}, [0, 2, 5, 7, 10, 12, 15, 17]),
        ({"fps": 1000}, list(range(20))),
    ],
)
def test_frames_are_sampled_by_number_and_by_rate(clip: bytes, options, expected: list[int]):
    assert shown(clip, **options) == expected
    assert open_clip(clip, **options).times == pytest.approx(np.array(expected) / 10)


def test_frames_are_made_smaller_in_proportion(clip: bytes):
    assert open_clip(clip, count=2, max_side=32).frames[0].size == (32, 24)
    assert open_clip(clip, count=2, max_side=500).frames[0].size == (64, 48)


def test_odd_sizes_and_sound_are_written():
    sound = open_sound(tone(1.0, 16_000))
    clip = clip_bytes([Image.new("RGB", (33, 17))] * 10, fps=10, sound=sound)
    assert (open_clip(clip).frames[0].size, len(open_clip(clip).frames)) == ((34, 18), 10)
    assert open_sound(clip).seconds == pytest.approx(1, abs=0.1)


@pytest.mark.parametrize(
    "limits",
    [
        {"max_clip_seconds": 1},
        {"max_pixels": 999},
        {"max_frames": 19},
        {"max_decoded_bytes": 10_000},
        {"max_bytes": 100},
    ],
)
def test_limits_hold(clip: bytes, limits):
    with pytest.raises(TooLarge):
        open_clip(clip, Limits(**limits))


@pytest.mark.parametrize("options", [{"count": 0}, {"fps": 0}, {"fps": -1}, {"count": 2, "fps": 2}])
def test_sampling_that_makes_no_sense_is_refused(clip: bytes, options):
    with pytest.raises(InvalidRequest, match="count"):
        open_clip(clip, **options)


def test_damaged_and_mislabelled_clips_are_refused(clip: bytes):
    for data in (clip[:40], b"\x1a\x45\xdf\xa3" + b"x" * 500, tone(), b""):
        with pytest.raises(BadMedia):
            open_clip(data)


def test_a_clip_whose_header_does_not_tell_its_length_opens(clip: bytes):
    with stored(clip) as path:
        recorded = decode(path, "video/mp4", "video", ["-c:v", "libvpx", "-f", "webm"])
    assert sniff(recorded) == "video/webm"
    assert shown(recorded, count=4) == [2, 7, 12, 17]


def test_a_playlist_in_disguise_is_not_followed(clip: bytes, tmp_path: Path):
    (tmp_path / "secret.mp4").write_bytes(clip)
    manifest = f"<MPD type='static' profiles='urn:mpeg:dash:profile'>file:{tmp_path}/secret.mp4</MPD>"
    for start in (b"GIF89a", b"\x1a\x45\xdf\xa3", b"....ftyp"):
        with pytest.raises(BadMedia):
            open_clip(start + manifest.encode())


def test_a_clip_needs_frames():
    with pytest.raises(BadMedia, match="at least one"):
        clip_bytes([], fps=5)


@pytest.mark.parametrize(("name", "frames"), [("bikes.mp4", 250), ("carphone_pristine.mp4", 120)])
def test_real_clips_open(name: str, frames: int):
    assert len(open_clip(real(name), max_side=64).frames) == frames
    assert len(open_clip(real(name), count=8).frames) == 8
