"""How much is read beside those who write follows from what steps take."""

import pytest

from inference_chat.runners.batching.pace import LEAST, MOST, Pace


@pytest.mark.parametrize(
    ("token_ms", "room"), [(1.0, 16), (0.3, 48), (0.01, MOST)], ids=["slow", "middling", "quick"]
)
def test_a_step_that_reads_too_takes_about_twice_as_long(token_ms: float, room: int):
    pace = Pace()
    pace.note(0.016, writing=4, reading=0)
    pace.note(0.016 + 0.064 * token_ms, writing=4, reading=64)
    assert pace.room(4) == room


def test_a_prompt_alone_is_read_in_large_pieces():
    assert Pace().room(0) == MOST


def test_before_anything_is_known_pieces_are_small():
    assert LEAST <= Pace().room(1) <= 100
