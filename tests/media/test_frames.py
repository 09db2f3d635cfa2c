"""Clips of every kind, frame by frame: which come, when they are shown, what is said of broken ones."""

import random
import re
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from examples.train_starters.shapes_world.clips import render_clip
from inference_chat.errors import BadMedia, InvalidRequest, TooLarge
from inference_chat.media import Frames, Limits, MediaStore, open_clip
from tests import tracked

from .films import SIZE, damaged, film, grey, no_frames, noisy, number_of, sound_only
from .inputs import real, tone


@pytest.fixture(scope="module")
def clip() -> bytes:
    """A hundred frames in four seconds."""
    return film(grey(number) for number in range(100))


@pytest.fixture(scope="module")
def uneven() -> bytes:
    """One second at 20 frames a second, then three at five."""
    times = [n / 20 for n in range(20)] + [1 + n / 5 for n in range(15)]
    return film([grey(n) for n in range(35)], times=times)


def seen(data: bytes, **options) -> list[int]:
    with Frames(data, **options) as frames:
        return [number_of(frame.picture) for frame in frames]


def test_every_frame_comes_in_order_with_its_number_and_time(clip: bytes):
    with Frames(clip) as frames:
        found = list(frames)
    assert [frame.index for frame in found] == [number_of(frame.picture) for frame in found]
    assert [frame.time_s for frame in found] == pytest.approx([n / 25 for n in range(100)], abs=2e-3)
    assert (frames.info.frame_count, frames.info.seconds, frames.expected) == (100, 4, 100)
    assert not frames.notes


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"every": 30}, [0, 30, 60, 90]),
        ({"fps": 1}, [0, 25, 50, 75]),
        ({"fps": 0.5}, [0, 50]),
        ({"fps": 0.01}, [0]),
        ({"fps": 25}, list(range(100))),
        ({"fps": 60}, list(range(100))),
    ],
)
def test_frames_are_sampled(clip: bytes, options, expected: list[int]):
    assert seen(clip, **options) == expected
    with Frames(clip, **options) as frames:
        assert frames.expected == len(expected)


def test_varying_frame_rates_are_sampled_by_time(uneven: bytes):
    assert seen(uneven, fps=5) == [0, 4, 8, 12, 16, *range(20, 35)]
    with Frames(uneven) as frames:
        assert [frame.time_s for frame in frames][18:23] == pytest.approx([0.9, 0.95, 1, 1.2, 1.4], abs=2e-3)


def test_a_few_frames_of_an_uneven_clip_are_those_on_screen(uneven: bytes):
    with Frames(uneven) as frames:
        times = [frame.time_s for frame in frames]
    middles = [(part + 0.5) * frames.info.seconds / 4 for part in range(4)]
    on_screen = [max(n for n, time in enumerate(times) if time <= middle) for middle in middles]
    assert [number_of(frame) for frame in open_clip(uneven, count=4).frames] == on_screen


@pytest.mark.parametrize("group", [5, 40, 1000])
def test_jumping_finds_the_same_frames_as_reading_on(group: int):
    data = film((grey(n) for n in range(120)), group=group)
    assert [number_of(frame) for frame in open_clip(data, count=6).frames] == [10, 30, 50, 70, 90, 110]


@pytest.mark.parametrize(
    ("format", "codec"),
    [("mov", "libx264"), ("matroska", "libx264"), ("webm", "libvpx"), ("avi", "mpeg4"), ("gif", "gif")],
)
def test_every_container_is_read(format: str, codec: str):
    data = film([grey(n * 12) for n in range(10)], 10, format=format, codec=codec)
    with Frames(data) as frames:
        found = [number_of(frame.picture) for frame in frames]
    assert found == pytest.approx([n * 12 for n in range(10)], abs=6)
    assert frames.info.frame_count == 10
    assert frames.info.seconds == pytest.approx(1, abs=0.11)
    assert len(open_clip(data, count=3).frames) == 3


@pytest.mark.parametrize(("turned", "corner"), [(90, (0, 63)), (180, (63, 47)), (-90, (47, 0))])
def test_clips_are_turned_as_their_camera_meant_it(turned: int, corner: tuple[int, int]):
    picture = Image.new("RGB", SIZE)
    picture.paste((255, 255, 255), (0, 0, 16, 16))
    with Frames(film([picture] * 5, turned=turned)) as frames:
        first = next(iter(frames)).picture
    assert first.size == (frames.info.width, frames.info.height)
    assert first.size == (SIZE if turned == 180 else SIZE[::-1])
    assert np.asarray(first.convert("L"))[corner[1], corner[0]] > 200


def test_real_clips_stream():
    with Frames(real("bikes.mp4"), fps=5, max_side=64) as frames:
        assert sum(1 for _ in frames) == 50


def test_frames_are_made_smaller_in_proportion(clip: bytes):
    with Frames(clip, every=50, max_side=32) as frames:
        assert {frame.picture.size for frame in frames} == {(32, 24)}


def test_frames_come_in_batches(clip: bytes):
    with Frames(clip) as frames:
        assert [len(batch) for batch in frames.batches(32)] == [32, 32, 32, 4]


# --- damaged and unfit clips --------------------------------------------------------------------


@pytest.fixture(scope="module")
def large() -> bytes:
    return film(noisy(n) for n in range(100))


@pytest.mark.parametrize("how", ["cut", "zeros", "noise"])
def test_what_comes_before_the_damage_is_used_and_said(large: bytes, how: str):
    half = len(large) // 2
    noise = random.Random(0).randbytes(len(large) - half)
    data = large[:half] + {"cut": b"", "zeros": bytes(len(noise)), "noise": noise}[how]
    with Frames(data) as frames:
        found = [frame.index for frame in frames]
    assert 40 < len(found) < 55
    assert found == list(range(len(found)))
    assert frames.notes[0].startswith("The clip is damaged or cut off after ")


def test_a_few_frames_of_a_cut_clip_come_with_a_note(large: bytes):
    found = open_clip(large[: len(large) // 2], count=8)
    assert len(found.frames) in (3, 4)
    assert "cut off" in found.notes[0]


@pytest.mark.parametrize("codec", ["libx264", "mpeg4"])
def test_frames_that_the_decoder_filled_in_are_told(codec: str):
    whole = film((noisy(n) for n in range(60)), codec=codec, group=30)
    with Frames(damaged(whole, 20, 22)) as frames:
        found = [frame.index for frame in frames]
    assert found == list(range(60))
    (note,) = frames.notes
    assert re.fullmatch(r"The clip is damaged: [1-6] frames? from 0\.8 s on had to be filled in .*", note)


@pytest.fixture(scope="module")
def crossing() -> list[Image.Image]:
    """Objects that move: most damage of such frames cannot be decoded at all."""
    return render_clip(tracked.crossing(5, pixels=256))[:60]


def test_frames_that_the_decoder_leaves_out_are_told(crossing: list[Image.Image]):
    whole = film(crossing, codec="libx265")
    with Frames(damaged(whole, 50, 55, kept=0.33)) as frames:
        found = [round(frame.time_s * 25) for frame in frames]
    missing = sorted(set(range(60)) - set(found))
    assert missing[0] == 50
    assert frames.notes == (
        f"The clip is damaged: {len(missing)} frames from 2.0 s on could not be decoded and are missing; "
        "what was found shortly after may be wrong.",
    )


def test_a_damaged_clip_of_vp8_is_used_up_to_there(crossing: list[Image.Image]):
    whole = film(crossing, format="webm", codec="libvpx")
    with Frames(damaged(whole, 50, 55, kept=0.33)) as frames:
        found = [round(frame.time_s * 25) for frame in frames]
    assert found == list(range(50))
    assert [note.partition(":")[0] for note in frames.notes] == [
        "The clip is damaged or cut off after 2.0 s of 2.4 s"
    ]


@pytest.mark.parametrize(
    ("format", "codec"), [("mp4", "libx265"), ("webm", "libvpx"), ("webm", "libvpx-vp9")]
)
def test_whole_clips_of_every_decoder_have_no_notes(format: str, codec: str):
    with Frames(film((noisy(n) for n in range(60)), format=format, codec=codec, group=10)) as frames:
        assert len(list(frames)) == 60
    assert frames.notes == ()


def test_damage_that_was_jumped_over_is_not_told(large: bytes):
    broken = damaged(large, 2, 4)  # a key frame comes every ten
    assert open_clip(broken, count=2).notes == ()  # seconds 1 and 3
    assert re.search(r"from 0\.[01] s on had to be filled in", open_clip(broken, count=40).notes[0])


def test_a_whole_clip_has_no_notes(large: bytes):
    assert open_clip(large, count=8).notes == ()
    with Frames(large) as frames:
        assert len(list(frames)) == 100
    assert frames.notes == ()


UNFIT = {
    "no frames": (no_frames(), "lasts 0 seconds"),
    "empty": (b"", "empty"),
    "nothing of a clip": (b"....ftypisom" + bytes(200), "damaged"),
    "a header": (film([grey(1)])[:40], "damaged"),
    "sound only": (sound_only(), "holds no video"),
    "a sound file": (tone(), "audio/wav"),
    "a text": (b"once upon a time", "no video file"),
}


@pytest.mark.parametrize(("data", "said"), UNFIT.values(), ids=UNFIT)
def test_what_is_no_clip_is_refused(data: bytes, said: str):
    with pytest.raises(BadMedia, match=said):
        Frames(data)
    with pytest.raises(BadMedia, match=said):
        open_clip(data, count=4)


def test_a_clip_without_a_frame_is_refused():
    with pytest.raises(BadMedia, match="damaged"):
        Frames(film([grey(1)])[:300])


@pytest.mark.parametrize("limits", [{"max_clip_seconds": 3.9}, {"max_pixels": 3000}, {"max_bytes": 100}])
def test_limits_hold_before_anything_is_decoded(clip: bytes, limits):
    with pytest.raises(TooLarge):
        Frames(clip, Limits(**limits))


def test_a_clip_of_four_hours_is_refused_when_it_comes(tmp_path: Path):
    hours = film([grey(n) for n in range(4)], times=[0, 4800, 9600, 14_400])
    with pytest.raises(TooLarge, match=r"at most 7,?200 s"):
        MediaStore(tmp_path / "media", Limits()).add(hours, "video")
    assert not list((tmp_path / "media").iterdir())


@pytest.mark.parametrize("data", [UNFIT["sound only"][0], UNFIT["a header"][0]])
def test_the_store_keeps_no_unfit_clip(tmp_path: Path, data: bytes):
    with pytest.raises(BadMedia):
        MediaStore(tmp_path / "media", Limits()).add(data, "video")
    assert not list((tmp_path / "media").iterdir())


@pytest.mark.parametrize("options", [{"every": 0}, {"fps": 0}, {"fps": 2, "every": 2}])
def test_sampling_that_makes_no_sense_is_refused(clip: bytes, options):
    with pytest.raises(InvalidRequest):
        Frames(clip, **options)


# --- the thread ---------------------------------------------------------------------------------


def decoders() -> int:
    return sum(thread.name == "decode" for thread in threading.enumerate())


def test_leaving_early_ends_the_thread(clip: bytes):
    with Frames(clip) as frames:
        assert next(iter(frames)).index == 0
    assert not decoders()
    assert list(frames) == []


def test_dropping_the_iterator_ends_the_thread(clip: bytes):
    iterator = iter(Frames(clip))
    next(iterator)
    iterator.close()
    assert not decoders()


def test_few_pictures_wait_however_slow_the_reader(monkeypatch: pytest.MonkeyPatch):
    with Frames(film([grey(0, (1920, 1080))] * 40)) as frames:
        assert frames._queue.maxsize == 16
