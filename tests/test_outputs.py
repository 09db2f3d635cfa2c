"""What each task's events become as the `output` that clients read."""

from pathlib import Path
from typing import Any

import pytest

from inference_chat.events import (
    AudioReady,
    Box,
    File,
    Finished,
    Footage,
    ImageReady,
    Label,
    Labels,
    Result,
    Span,
    TextDelta,
    Vector,
    VideoReady,
)
from inference_chat.outputs import answer_of, output_of, outputs_of
from inference_chat.schema import Media, Options, Request
from inference_chat.tasks import TASKS, Task

FILE = File(data=b"made", media_type="image/png")
URL = "data:image/png;base64,bWFkZQ=="
BOX = Box(xmin=1, ymin=2, xmax=3, ymax=4)
FOOTAGE = Footage(fps=10, frame_count=20, seconds=2, width=64, height=48, times=(0.5, 1.5))


def request(task: Task, count: int = 1) -> Request:
    kind = TASKS[task].media
    media = [
        Media(kind=kind, id=str(number), media_type="x/y", size=1, path=Path("x"))
        for number in range(count)
        if kind
    ]
    return Request(task=task, model="m@1", prompt="p", media=tuple(media), options=Options())


def output(task: Task, *events: Any, count: int = 1) -> Any:
    return output_of(request(task, count), Result.of([*events, Finished()]))


@pytest.mark.parametrize("task", list(Task))
def test_every_task_has_an_output_even_when_nothing_came(task: Task):
    assert output(task) is not None


def test_labels_are_a_list_and_leave_out_what_they_do_not_have():
    found = Label(label="cat", score=0.5, box=BOX)
    plain = Label(label="dog", score=0.4)
    assert output(Task.OBJECT_DETECTION, Labels(items=(found, plain))) == [
        {"label": "cat", "score": 0.5, "box": {"xmin": 1, "ymin": 2, "xmax": 3, "ymax": 4}},
        {"label": "dog", "score": 0.4},
    ]


def test_several_pictures_keep_their_places():
    second = Labels(items=(Label(label="b"),), index=1)
    first = Labels(items=(Label(label="a"),), index=0)
    found = output(Task.IMAGE_CLASSIFICATION, second, first, count=3)
    assert found == [[{"label": "a"}], [{"label": "b"}], []]


def test_one_output_for_each_medium_also_where_there_is_one():
    labels = Result.of([Labels(items=(Label(label="a"),)), Finished()])
    assert outputs_of(request(Task.IMAGE_CLASSIFICATION), labels) == [[{"label": "a"}]]


def test_files_are_data_urls():
    assert output(Task.TEXT_TO_IMAGE, ImageReady(image=FILE, seed=7)) == {
        "images": [URL],
        "seed": 7,
        "seeds": [7],
    }
    assert output(Task.TEXT_TO_SPEECH, AudioReady(audio=FILE, rate=16000)) == {
        "audio": URL,
        "sampling_rate": 16000,
    }
    made = output(Task.TEXT_TO_VIDEO, VideoReady(video=FILE, fps=8, frame_count=16, seed=1))
    assert made == {"video": URL, "fps": 8, "frame_count": 16, "seed": 1}


def test_a_preview_is_no_result():
    preview = ImageReady(image=FILE, role="preview")
    assert output(Task.TEXT_TO_IMAGE, preview)["images"] == []


def test_tracks_are_put_together_from_frames():
    frames = [
        Labels(items=(Label(label="car", score=0.9, box=BOX, track=4),), frame=frame, time_s=frame / 10)
        for frame in (0, 1)
    ]
    found = output(Task.OBJECT_TRACKING, FOOTAGE, *frames)
    assert (found["fps"], found["frame_count"]) == (10, 20)
    assert [place["frame"] for place in found["tracks"][0]["frames"]] == [0, 1]
    assert found["tracks"][0]["id"] == 4
    assert found["counts"]["objects"] == {"car": 1}


def test_scenes_cuts_and_words_have_their_times():
    scene = Span(start_s=0, end_s=1, text="a beach", kind="scene")
    cut = Span(start_s=1, end_s=1, kind="cut")
    found = output(Task.SCENE_DETECTION, FOOTAGE, scene, cut)
    assert found["scenes"] == [{"start_s": 0, "end_s": 1, "caption": "a beach"}]
    assert found["cuts"] == [{"kind": "cut", "start_s": 1, "end_s": 1}]
    spoken = output(
        Task.AUTOMATIC_SPEECH_RECOGNITION, Span(start_s=0, end_s=2, text="hi"), TextDelta(text="hi")
    )
    assert spoken == {"text": "hi", "chunks": [{"text": "hi", "timestamp": [0, 2]}]}
    assert output(Task.VIDEO_TEXT_TO_TEXT, FOOTAGE, TextDelta(text="two"))["timestamps"] == [0.5, 1.5]


def test_a_vector_is_an_embedding():
    assert output(Task.FEATURE_EXTRACTION, Vector(values=(1, 2))) == {"embedding": [1, 2]}


def test_the_common_answer_leaves_out_what_is_not_known():
    answer = answer_of("1", request(Task.TEXT_GENERATION), Result.of([TextDelta(text="x"), Finished()]))
    assert answer["output"] == {"text": "x"}
    assert answer["finish_reason"] == "stop"
    assert "receipt" not in answer
    assert "first_token_ms" not in answer["timing"]
