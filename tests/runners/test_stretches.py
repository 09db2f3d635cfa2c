"""Recordings are cut where nobody speaks, lose nothing, and their texts are joined without doubles."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_chat.runners.stretches import Joiner, Stretch, join, sounds, stretches

RATE = 8000
Wave = np.ndarray[Any, Any]


def murmur(seconds: float, *pauses: float) -> Wave:
    wave = np.random.default_rng(0).normal(0, 0.1, int(seconds * RATE)).astype(np.float32)
    for pause in pauses:
        wave[int(pause * RATE) : int((pause + 0.4) * RATE)] = 0
    return wave


def blocks(wave: Wave, size: int = RATE) -> Iterator[Wave]:
    yield from (wave[at : at + size] for at in range(0, len(wave), size))


def cut(wave: Wave, window: float = 3) -> list[Stretch]:
    return [one for one in stretches(blocks(wave), RATE, window) if isinstance(one, Stretch)]


def test_a_short_sound_is_one_stretch():
    (one,) = cut(murmur(2.5))
    assert (one.start_s, one.end_s, one.cut) == (0, 2.5, False)


def test_cuts_are_made_in_pauses():
    found = cut(murmur(7, 2.2, 4.4))
    assert [one.cut for one in found] == [False] * 3
    assert all(2.2 <= one.end_s <= 2.6 or 4.4 <= one.end_s <= 4.8 for one in found[:-1])


def test_nothing_is_lost_between_cuts():
    wave = murmur(7, 2.2, 4.4)
    assert np.array_equal(np.concatenate([one.samples for one in cut(wave)]), wave)


def test_without_a_pause_stretches_overlap():
    found = cut(murmur(8))
    assert [one.cut for one in found] == [True, True, True, False][-len(found) :]
    assert all(round(one.end_s - other.start_s, 6) == 0.5 for one, other in pairwise(found))


def test_the_last_pause_is_taken():
    first, *_ = cut(murmur(5, 1.6, 2.3))
    assert 2.3 <= first.end_s <= 2.7


def test_a_pause_too_early_is_none():
    first, *_ = cut(murmur(5, 0.3))
    assert first.cut


def test_silence_is_left_out():
    wave = np.concatenate([np.zeros(7 * RATE, np.float32), murmur(1)])
    (one,) = cut(wave)
    assert one.start_s < 7 < one.end_s
    assert one.voiced == (7, 8)


def test_sentences_are_told_apart_by_breaths():
    wave = murmur(5, 0.1, 1.2, 2.6)
    found = [one for one in stretches(blocks(wave), RATE, 6, breaths=True) if isinstance(one, Stretch)]
    ends = [one.end_s for one in found]
    assert ends == pytest.approx([1.35, 2.75, 5], abs=0.05)
    assert np.array_equal(np.concatenate([one.samples for one in found]), wave)


@pytest.mark.parametrize(("loud", "heard"), [(0.0, False), (0.0005, False), (0.01, True)])
def test_what_counts_as_silence(loud: float, heard: bool):
    assert sounds(np.full(RATE, loud, np.float32), RATE) == heard


@given(seconds=st.floats(0.1, 12), size=st.integers(100, 20_000))
def test_every_second_is_told_once(seconds: float, size: int):
    wave = murmur(seconds)
    told = [one for one in stretches(blocks(wave, size), RATE, 3) if isinstance(one, float)]
    assert told == sorted(told)
    assert told[-1] == pytest.approx(len(wave) / RATE)


# --- texts --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("before", "after", "joined"),
    [
        ("ask not what your coun", "what your country can do", "ask not what your country can do"),
        ("what your country can", "ountry can do for you", "what your country can do for you"),
        ("And so, my fellow", "my fellow Americans", "And so, my fellow Americans"),
        ("red and green", "blue and white", "red and green blue and white"),
        ("", "blue", "blue"),
    ],
)
def test_texts_are_joined_where_their_words_agree(before: str, after: str, joined: str):
    assert join(before, after) == joined


def told(*parts: tuple[str, bool], between: str = "") -> str:
    joiner = Joiner(between)
    return "".join([*(joiner.whole(text, cut) for text, cut in parts), joiner.flush()])


def test_a_held_text_is_not_lost():
    assert told((" one two three", True)) == "one two three"


def test_clean_stretches_follow_each_other():
    assert told((" One two.", False), (" Three.", False)) == "One two. Three."
    assert told(("one", False), ("two", False), between=" ") == "one two"


def test_three_overlapping_stretches_are_one_text():
    parts = [("ask not what your country", True), ("your country can do for", True), ("do for you", False)]
    assert told(*parts) == "ask not what your country can do for you"


def test_languages_without_spaces_get_none():
    assert told(("你好", False), ("世界", False)) == "你好世界"
