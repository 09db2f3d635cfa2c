"""The Image tab: look at a picture, have one drawn, or go through many."""

import gradio as gr

from ..schema import JSON
from ..service import Service
from ..tasks import Task
from . import files, many
from .marks import MARKED
from .panels import NOT_SHOWN, Look, Make, looking, making
from .parts import heading

# The view filters by its own slider without asking again, so the model is asked for all it is at all sure of.
LEAST = 0.05


def build(service: Service) -> None:
    """Put the tab into the Blocks being built."""
    heading("Images", "Find out what is in a picture and where, ask about it, or have one drawn.")
    with gr.Tabs():
        with gr.Tab("Look", id="look"):
            looking(service, LOOK)
        with gr.Tab("Draw", id="draw"):
            making(service, DRAW)
        with gr.Tab("Many pictures", id="many"):
            many.build(service, LOOK.tasks)


def _least(task: str | None) -> JSON:
    boxes = (Task.OBJECT_DETECTION, Task.ZERO_SHOT_OBJECT_DETECTION)
    return {"threshold": LEAST} if task in boxes else {}


LOOK = Look(
    group="image",
    kind="image",
    tasks=(
        Task.OBJECT_DETECTION,
        Task.IMAGE_CLASSIFICATION,
        Task.IMAGE_SEGMENTATION,
        Task.VISUAL_QUESTION_ANSWERING,
        Task.IMAGE_TO_TEXT,
        Task.IMAGE_TEXT_TO_TEXT,
        Task.ZERO_SHOT_IMAGE_CLASSIFICATION,
        Task.ZERO_SHOT_OBJECT_DETECTION,
        Task.DEPTH_ESTIMATION,
        Task.MASK_GENERATION,
        Task.IMAGE_FEATURE_EXTRACTION,
    ),
    place=files.picture,
    verb="Look",
    start="Choose a picture, or one of the examples.",
    empty="What the model sees appears here.",
    missing="Choose a picture first: drop one, paste one, or click an example.",
    samples="*.png",
    least=_least,
    leave_out=MARKED | NOT_SHOWN | {"threshold"},
)
DRAW = Make(
    group="image",
    tasks=(Task.TEXT_TO_IMAGE, Task.IMAGE_TO_IMAGE),
    from_picture=Task.IMAGE_TO_IMAGE,
    verb="Draw",
    ask="What to draw",
    example="a red circle on white",
    empty="The picture appears here, first as noise, then step by step.",
    samples=(
        "a red circle on yellow",
        "a large blue heart on white",
        "a green star left of a red circle on grey",
    ),
)
