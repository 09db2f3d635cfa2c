"""Steps grow while they are short; progress counts frames and never goes back."""

from inference_chat.runners.pace import Pace, clock


def test_steps_grow_while_they_are_short():
    pace = Pace(100, most=8)
    sizes = []
    for _ in range(5):
        sizes.append(pace.batch)
        pace.took(pace.batch, 0.001)
    assert sizes == [1, 2, 4, 8, 8]


def test_long_steps_shrink_and_middling_ones_stay():
    pace = Pace(100)
    pace.batch = 8
    for seconds in (0.08, 0.3, 0.3, 0.08, 0.3, 0.3):  # another program's doing
        pace.took(8, seconds)
    assert pace.batch == 8
    pace.took(8, 0.3)
    assert pace.batch == 4


def test_a_step_that_waited_for_frames_says_nothing():
    pace = Pace(100)
    pace.batch = 8
    pace.took(1, 0.01)
    assert pace.batch == 8


def test_more_frames_than_promised_never_go_beyond_the_end():
    pace = Pace(2)
    told = [pace.progress(1).fraction for _ in range(4)] + [pace.end().fraction]
    assert told == [0.5, 1, 1, 1, 1]


def test_fewer_frames_than_promised_end_whole():
    pace = Pace(10)
    pace.progress(3)
    end = pace.end()
    assert (end.fraction, end.done, end.total) == (1, 3, 3)


def test_time_left_is_written_as_on_a_clock():
    assert [clock(7), clock(61), clock(3723)] == ["0:07", "1:01", "1:02:03"]
