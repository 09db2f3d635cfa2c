"""The Video tab: find out what happens in a clip and when, or have one made."""

import gradio as gr

from ..service import Service
from ..tasks import Task
from . import files
from .marks import MARKED
from .panels import NOT_SHOWN, Look, Make, looking, making
from .parts import heading


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Video", "Follow objects, find the scenes of a clip, ask what happens in it, or have one made.")
    with gr.Tabs():
        with gr.Tab("Watch", id="watch"):
            looking(service, WATCH)
        with gr.Tab("Film", id="film"):
            making(service, FILM)


WATCH = Look(
    group="video",
    kind="video",
    tasks=(
        Task.OBJECT_TRACKING,
        Task.SCENE_DETECTION,
        Task.VIDEO_CLASSIFICATION,
        Task.VIDEO_TEXT_TO_TEXT,
    ),
    place=files.clip,
    verb="Watch",
    start="Choose a clip, or one of the examples.",
    empty="The clip appears here, with what was found in it.",
    missing="Choose a clip first: drop one, record one, or click an example.",
    samples="*.mp4",
    leave_out=MARKED | NOT_SHOWN,
)
FILM = Make(
    group="video",
    tasks=(Task.TEXT_TO_VIDEO, Task.IMAGE_TO_VIDEO),
    from_picture=Task.IMAGE_TO_VIDEO,
    verb="Film",
    ask="What to film",
    example="a red circle moves to the left",
    empty="The clip appears here.",
)
