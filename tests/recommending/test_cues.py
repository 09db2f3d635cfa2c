"""Requests in free words: which task the reader and plain keywords together take them for."""

import pytest

from inference_chat.recommending.cues import points
from inference_chat.recommending.recommender import believed
from inference_chat.tasks import Task


@pytest.mark.parametrize(
    ("request_", "task"),
    [
        ("i need to count parts on a conveyor", Task.OBJECT_DETECTION),
        ("translate my letter into french", Task.TRANSLATION),
        ("remove the background from portraits", Task.IMAGE_SEGMENTATION),
        ("transcribe this interview", Task.AUTOMATIC_SPEECH_RECOGNITION),
        ("read my blog posts aloud", Task.TEXT_TO_SPEECH),
        ("follow the ball through the video", Task.OBJECT_TRACKING),
        ("draw a dragon", Task.TEXT_TO_IMAGE),
        ("chat in english", Task.TEXT_GENERATION),
        ("an assistant that answers in german", Task.TEXT_GENERATION),
    ],
)
def test_keywords_alone_know_plain_requests(request_: str, task: Task):
    told = believed(request_, {})
    assert max(told, key=lambda one: told[one]) == task
    assert sum(told.values()) == pytest.approx(1)


def test_what_a_request_is_about_counts_against_other_media():
    found = points("classify the clips of my camera by sport")
    assert found[Task.VIDEO_CLASSIFICATION] > found[Task.AUDIO_CLASSIFICATION]
